package auth_test

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gjyotin305/fastpyrepl/daemon/auth"
)

// key makes one, and a Key of one name that it opens.
func key(t *testing.T, name string, change func(*auth.Key)) (string, auth.Key) {
	t.Helper()
	secret := auth.New()
	hash, err := auth.HashOf(secret)
	if err != nil {
		t.Fatal(err)
	}
	k := auth.Key{Name: name, Hashes: []auth.Hash{hash}, Role: auth.User}
	if change != nil {
		change(&k)
	}
	return secret, k
}

var errWithdrawn = errors.New("withdrawn")

func ring(t *testing.T, keys ...auth.Key) *auth.Ring {
	t.Helper()
	r := auth.NewRing(t.Context(), errWithdrawn)
	r.Set(auth.Config{Required: true, Keys: keys})
	return r
}

func TestKey_HasItsFormAndIsNewEveryTime(t *testing.T) {
	form := regexp.MustCompile(`^fpr_[A-Za-z0-9_-]{43}$`)
	seen := map[string]bool{}
	for range 1000 {
		secret := auth.New()
		if !form.MatchString(secret) || seen[secret] {
			t.Fatalf("%q is not of the form, or not new", secret)
		}
		seen[secret] = true
		hash, err := auth.HashOf(secret)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := auth.ParseHash(hash.String()); err != nil || back != hash {
			t.Fatalf("%s: %v", hash, err)
		}
	}
}

// The hash is what sha256sum prints, so that it can be checked without us.
func TestHash_IsSHA256(t *testing.T) {
	hash, err := auth.HashOf("fpr_" + strings.Repeat("A", 43))
	if want := "sha256:c26414eb890106cab9070c2bf0ba55f1e15a5e95b71210eeca0f32e5a40f5ace"; err != nil || hash.String() != want {
		t.Errorf("got %s, %v, want %s", hash, err, want)
	}
}

func TestHash_RefusesWhatIsNone(t *testing.T) {
	secret := auth.New()
	for _, text := range []string{"", secret, "sha256:", "sha256:" + strings.Repeat("0", 63), "sha256:" + strings.Repeat("0", 66),
		"sha256:" + strings.Repeat("g", 64), strings.Repeat("0", 64), "md5:" + strings.Repeat("0", 64)} {
		if _, err := auth.ParseHash(text); err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%q: got %v", text, err)
		}
	}
	for _, text := range []string{"", "secret", "fpr_", secret[:len(secret)-1], secret + "A", strings.ToUpper(secret[:4]) + secret[4:],
		secret[:10] + "=" + secret[11:], secret[:10] + " " + secret[11:]} {
		if _, err := auth.HashOf(text); err == nil {
			t.Errorf("%q was taken for a key", text)
		}
	}
}

func TestRing_FindsWhoseKeyItIs(t *testing.T) {
	ann, annKey := key(t, "ann", nil)
	root, rootKey := key(t, "root", func(k *auth.Key) { k.Role = auth.Admin })
	next, nextKey := key(t, "ann", nil)
	annKey.Hashes = append(annKey.Hashes, nextKey.Hashes...)
	r := ring(t, annKey, rootKey)
	for secret, want := range map[string]string{ann: "ann", next: "ann", root: "root"} {
		id := r.Find([]byte(secret))
		if id == nil || id.Name != want || (id.Role == auth.Admin) != (want == "root") {
			t.Errorf("%s: got %+v", want, id)
		}
	}
	for _, wrong := range []string{"", auth.New(), annKey.Hashes[0].String(), ann[:len(ann)-1], ann + "A", strings.ToLower(ann), "fpr_"} {
		if id := r.Find([]byte(wrong)); id != nil {
			t.Errorf("%q is taken for %s's", wrong, id.Name)
		}
	}
}

func TestRing_WithoutKeysNobodyIsFound(t *testing.T) {
	r := auth.NewRing(t.Context(), errWithdrawn)
	if r.Required() || r.Find([]byte(auth.New())) != nil {
		t.Error("a ring that was not set asks for keys, or knows one")
	}
	r.Set(auth.Config{Required: true})
	if !r.Required() || r.Find([]byte(auth.New())) != nil {
		t.Error("a ring of no keys does not ask for one, or knows one")
	}
}

func TestRing_WithdrawnKeysEnd(t *testing.T) {
	ann, annKey := key(t, "ann", nil)
	next, nextKey := key(t, "ann", nil)
	bob, bobKey := key(t, "bob", nil)
	r := ring(t, annKey, bobKey)
	first, other := r.Find([]byte(ann)), r.Find([]byte(bob))
	ended := func(id *auth.Identity) bool {
		select {
		case <-id.Context().Done():
			return true
		default:
			return false
		}
	}

	annKey.Hashes = append(annKey.Hashes, nextKey.Hashes...)
	r.Set(auth.Config{Required: true, Keys: []auth.Key{annKey, bobKey}})
	if r.Find([]byte(ann)) != first || ended(first) || r.Find([]byte(next)) == nil {
		t.Error("while the secret is being changed, both must open, and the old one goes on")
	}
	annKey.Hashes = annKey.Hashes[1:]
	r.Set(auth.Config{Required: true, Keys: []auth.Key{annKey, bobKey}})
	if r.Find([]byte(ann)) != nil || !ended(first) || !errors.Is(context.Cause(first.Context()), errWithdrawn) {
		t.Error("the old secret still opens, or what it began goes on")
	}
	bobKey.Role = auth.Admin
	r.Set(auth.Config{Required: true, Keys: []auth.Key{annKey, bobKey}})
	if id := r.Find([]byte(bob)); id == other || id.Role != auth.Admin || !ended(other) || ended(id) {
		t.Error("a key that may reach something else is not another one")
	}
}

func TestRing_IdentitiesEndWithTheRing(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	r := auth.NewRing(ctx, errWithdrawn)
	secret, k := key(t, "ann", nil)
	r.Set(auth.Config{Required: true, Keys: []auth.Key{k}})
	down := errors.New("down")
	cancel(down)
	if err := context.Cause(r.Find([]byte(secret)).Context()); !errors.Is(err, down) {
		t.Errorf("got %v", err)
	}
}

func TestIdentity_RateIsATokenBucket(t *testing.T) {
	secret, k := key(t, "ann", func(k *auth.Key) { k.Limits = auth.Limits{Rate: 0.5, Burst: 3} })
	r := ring(t, k)
	id, start := r.Find([]byte(secret)), time.Now()
	for _, tt := range []struct {
		at   time.Duration
		want auth.Quota
	}{
		{0, auth.Quota{Limit: 3, Remaining: 2, Reset: 2 * time.Second}},
		{0, auth.Quota{Limit: 3, Remaining: 1, Reset: 4 * time.Second}},
		{0, auth.Quota{Limit: 3, Remaining: 0, Reset: 6 * time.Second}},
		{0, auth.Quota{Limit: 3, Remaining: 0, Reset: 6 * time.Second, Retry: 2 * time.Second}},
		{time.Second, auth.Quota{Limit: 3, Remaining: 0, Reset: 5 * time.Second, Retry: time.Second}},
		{2 * time.Second, auth.Quota{Limit: 3, Remaining: 0, Reset: 6 * time.Second}},
		{time.Hour, auth.Quota{Limit: 3, Remaining: 2, Reset: 2 * time.Second}},
	} {
		if got := id.Take(start.Add(tt.at)); got != tt.want {
			t.Errorf("after %s: got %+v, want %+v", tt.at, got, tt.want)
		}
	}
}

func TestIdentity_RateOutlivesAReloadAndFollowsAChange(t *testing.T) {
	secret, k := key(t, "ann", func(k *auth.Key) { k.Limits = auth.Limits{Rate: 1.5} })
	r, now := ring(t, k), time.Now()
	id := r.Find([]byte(secret))
	if q := id.Take(now); q.Limit != 2 || q.Remaining != 1 {
		t.Errorf("a burst that is not set is what comes in a second: got %+v", q)
	}
	r.Set(auth.Config{Required: true, Keys: []auth.Key{k}})
	if q := r.Find([]byte(secret)).Take(now); q.Remaining != 0 || q.Retry != 0 {
		t.Errorf("after a reload that changes nothing: got %+v", q)
	}
	k.Limits.Rate = 10
	r.Set(auth.Config{Required: true, Keys: []auth.Key{k}})
	if q := id.Take(now); q.Limit != 10 || q.Remaining != 9 {
		t.Errorf("with another rate: got %+v", q)
	}
	k.Limits.Rate = 0
	r.Set(auth.Config{Required: true, Keys: []auth.Key{k}})
	if q := id.Take(now); q != (auth.Quota{}) {
		t.Errorf("with none: got %+v", q)
	}
}

func TestIdentity_ExecutionsAreCountedByName(t *testing.T) {
	one, k := key(t, "ann", func(k *auth.Key) { k.Limits = auth.Limits{Executions: 5} })
	two, second := key(t, "ann", nil)
	k.Hashes = append(k.Hashes, second.Hashes...)
	r := ring(t, k)
	var wg sync.WaitGroup
	var mu sync.Mutex
	var leaves []func()
	var refused atomic.Int64
	for i := range 40 {
		id := r.Find([]byte([]string{one, two}[i%2]))
		wg.Go(func() {
			leave, limit := id.Begin()
			if leave == nil {
				refused.Add(1)
				if limit != 5 {
					t.Errorf("the limit is %d", limit)
				}
				return
			}
			mu.Lock()
			defer mu.Unlock()
			leaves = append(leaves, leave)
		})
	}
	wg.Wait()
	if len(leaves) != 5 || refused.Load() != 35 {
		t.Errorf("%d began, %d were refused; want 5, 35", len(leaves), refused.Load())
	}
	k.Limits = auth.Limits{Executions: 6, Sessions: 7}
	r.Set(auth.Config{Required: true, Keys: []auth.Key{k}}) // those that run still count
	id := r.Find([]byte(one))
	if leave, _ := id.Begin(); leave == nil {
		t.Error("a sixth was refused")
	}
	if leave, limit := id.Begin(); leave != nil || limit != 6 {
		t.Error("a seventh was not refused")
	}
	leaves[0]()
	if leave, _ := id.Begin(); leave == nil {
		t.Error("refused after one has left")
	}
	if id.MaxSessions() != 7 {
		t.Errorf("sessions: %d", id.MaxSessions())
	}
}

func BenchmarkRing_Find(b *testing.B) {
	var c auth.Config
	secret := auth.New()
	for range 100 {
		hash, err := auth.HashOf(secret)
		if err != nil {
			b.Fatal(err)
		}
		c.Keys = append(c.Keys, auth.Key{Name: secret, Hashes: []auth.Hash{hash}})
		secret = auth.New()
	}
	r := auth.NewRing(context.Background(), errWithdrawn)
	r.Set(c)
	wrong := []byte(secret)
	for b.Loop() {
		if r.Find(wrong) != nil {
			b.Fatal("found")
		}
	}
}
