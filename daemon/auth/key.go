package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
)

const (
	prefix     = "fpr_" // so that people, and scanners of repositories, know one when they see it
	hashPrefix = "sha256:"
	keyBytes   = 32
)

// keyLength is that of every key, in characters.
var keyLength = len(prefix) + base64.RawURLEncoding.EncodedLen(keyBytes)

// Hash is what is kept of a key. Plain SHA-256 is right for it: a key is 256 random bits, so there is nothing that
// guessing could find and that a slow, salted hash of passwords would have to protect, while a slow one would let
// anybody keep the daemon busy with wrong keys.
type Hash [sha256.Size]byte

// New makes a key. All its characters may stand in a header, a URL and a WebSocket subprotocol.
func New() string {
	var b [keyBytes]byte
	_, _ = rand.Read(b[:]) // never fails
	return prefix + base64.RawURLEncoding.EncodeToString(b[:])
}

// HashOf returns the hash of a key that New could have made; anything shorter could be guessed.
func HashOf(key string) (Hash, error) {
	if !wellFormed([]byte(key)) {
		return Hash{}, errors.New("not an API key: want one as `fastpyrepl keys new` makes it")
	}
	return sha256.Sum256([]byte(key)), nil
}

// wellFormed tells whether key looks like one.
func wellFormed(key []byte) bool {
	if len(key) != keyLength || string(key[:len(prefix)]) != prefix {
		return false
	}
	for _, b := range key[len(prefix):] {
		switch {
		case b >= 'a' && b <= 'z', b >= 'A' && b <= 'Z', b >= '0' && b <= '9', b == '-', b == '_':
		default:
			return false
		}
	}
	return true
}

// ParseHash reads what String writes. Its error does not repeat the text, which may be a key by mistake.
func ParseHash(text string) (Hash, error) {
	var h Hash
	digits, ok := strings.CutPrefix(text, hashPrefix)
	if b, err := hex.DecodeString(digits); ok && err == nil && len(b) == len(h) {
		return Hash(b), nil
	}
	return h, errors.New("not the hash of an API key: want sha256: and 64 hexadecimal digits, as `fastpyrepl keys hash` prints it")
}

// String writes h as the configuration has it.
func (h Hash) String() string { return hashPrefix + hex.EncodeToString(h[:]) }
