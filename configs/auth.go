package configs

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"

	"go.yaml.in/yaml/v3"
)

// How many keys there may be, and hashes of each: every request is compared with all of them.
const (
	maxKeys   = 1000
	maxHashes = 8
)

var (
	keyHash = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
	// anyKey finds API keys where somebody wrote one by mistake.
	anyKey = regexp.MustCompile(`fpr_[A-Za-z0-9_-]{16,}`)
)

// Required tells whether clients need a key. An empty keys_file is one that lets nobody in.
func (a *Auth) Required() bool { return len(a.Keys) > 0 || a.KeysFile != "" }

// AllKeys are the keys of the configuration and those of KeysFile, which it reads.
func (a *Auth) AllKeys() (map[string]Key, error) {
	if a.KeysFile == "" {
		return a.Keys, nil
	}
	read, err := readKeys(a.KeysFile)
	if err != nil {
		return nil, secretly(err)
	}
	var v checks
	for name, key := range a.Keys {
		if _, twice := read[name]; twice {
			v.failf(name, "is in auth.keys, too")
		}
		read[name] = key
	}
	checkKeys(&v, "", read)
	for i := range v {
		v[i] = fmt.Errorf("%s: %w", a.KeysFile, v[i])
	}
	return read, secretly(errors.Join(v...))
}

// readKeys reads a file that has below its root what auth.keys has.
func readKeys(path string) (map[string]Key, error) {
	keys := map[string]Key{}
	f, err := readFile(path, reflect.TypeOf(keys))
	if err != nil {
		return nil, err
	}
	var raw map[string]any
	if err := yaml.Unmarshal(f.data, &raw); err != nil {
		return nil, fmt.Errorf("%s: not YAML", path)
	}
	var errs []error
	setNamed(reflect.ValueOf(&keys).Elem(), raw, "", func(key string, err error) {
		errs = append(errs, fmt.Errorf("%s:%d: %s: %w", path, f.lines[key], key, err))
	})
	return keys, errors.Join(errs...)
}

func (a *Auth) validate(v *checks) {
	checkKeys(v, "auth.keys", a.Keys)
	absolute(v, "auth.keys_file", a.KeysFile, "no file")
}

// checkKeys refuses keys, below path, that cannot be. Messages do not show what stands for a hash: it may be the key itself.
func checkKeys(v *checks, path string, keys map[string]Key) {
	if len(keys) > maxKeys {
		v.failf(sectionName(path), "%d keys are too many: at most %d", len(keys), maxKeys)
	}
	checkNames(v, path, keys)
	owner := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(keys)) {
		key, at := keys[name], join(path, name)
		if len(key.Hash) == 0 {
			v.failf(at+".hash", "missing: want what `fastpyrepl keys new` prints")
		}
		if len(key.Hash) > maxHashes {
			v.failf(at+".hash", "%d hashes are too many: at most %d", len(key.Hash), maxHashes)
		}
		for _, hash := range key.Hash {
			switch {
			case anyKey.MatchString(hash):
				v.failf(at+".hash", "this is the key itself: put its hash here, which `fastpyrepl keys hash` prints")
			case !keyHash.MatchString(hash):
				v.failf(at+".hash", "not the hash of a key: want sha256: and 64 lower-case hexadecimal digits, as `fastpyrepl keys hash` prints it")
			case owner[hash] != "":
				v.failf(at+".hash", "is the hash of %s's key, too", owner[hash])
			}
			owner[hash] = name
		}
		v.oneOf(at+".role", cmp.Or(key.Role, "user"), "user", "admin")
		between(v, at+".max_sessions", key.MaxSessions, 0, 100_000)
		between(v, at+".max_executions", key.MaxExecutions, 0, 100_000)
		between(v, at+".rate", key.Rate, 0, 1e6)
		between(v, at+".burst", key.Burst, 0, 1_000_000)
		if key.Rate > 0 && key.Rate < 0.001 {
			v.failf(at+".rate", "%v requests a second are too few: at least 0.001, or 0 for no bound", key.Rate)
		}
	}
}

// secret is an error whose text had an API key in it.
type secret struct{ error }

func (s secret) Error() string { return anyKey.ReplaceAllString(s.error.Error(), "fpr_...") }

func (s secret) Unwrap() error { return s.error }

// secretly takes API keys out of an error's text: somebody may have written one where its hash, a name or a key of the
// configuration belongs, and errors are logged.
func secretly(err error) error {
	if err != nil && anyKey.MatchString(err.Error()) {
		return secret{err}
	}
	return err
}
