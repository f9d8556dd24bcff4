package snapshot

import (
	"bytes"
	"crypto/sha256"
	"encoding/gob"
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"

	"tollgate/internal/keys/token"
	"tollgate/internal/upstream"
)

// sample is a view with a bit of everything.
func sample() *Data {
	plan, product, key := terms(), uuid.New(), uuid.New()
	plan.Product = product
	return &Data{
		Version: 7, ClockOffset: time.Hour,
		Keys:     []Credential{{Hash: token.Hash{1}, ID: key, Expires: never}, {Hash: token.Hash{2}, ID: uuid.New(), Test: true, Expires: 5}},
		Access:   map[uuid.UUID]Access{key: {Scopes: []string{"shop"}, Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}},
		Versions: []Version{{ID: uuid.New(), API: "shop", PathPrefix: "/shop", LiveTargets: anyTarget, Policy: upstream.Policy{Balance: upstream.LeastRequests}, Operations: []Operation{{Method: "GET", Path: "/{id}", Slug: "get"}}, Products: []uuid.UUID{product}}},
		Plans:    []Terms{plan},
		Subscriptions: []Subscription{{ID: uuid.New(), Product: product, PlanVersion: plan.ID, State: "active", AnchorDay: 1, TimeZone: "UTC", Credits: 8,
			PeriodStart: at("2026-05-01T00:00:00Z"), PeriodEnd: at("2026-06-01T00:00:00Z"), Overrides: []Override{{Plan: plan.ID, Calls: 9, ExpiresAt: at("2026-05-09T00:00:00Z")}}}},
	}
}

func build(t testing.TB, d *Data) *View {
	t.Helper()
	v, err := Build(d)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestACopyOnDiskIsTheViewItself(t *testing.T) {
	t.Parallel()
	v := build(t, sample())
	name := filepath.Join(t.TempDir(), "view")
	if err := writeFile(name, v.rows()); err != nil {
		t.Fatal(err)
	}
	d, err := readFile(name)
	if err != nil {
		t.Fatal(err)
	}
	same(t, build(t, d), v)
}

func TestADamagedOrForeignCopyIsNeverTrusted(t *testing.T) {
	t.Parallel()
	var whole bytes.Buffer
	if err := encode(&whole, build(t, sample()).rows()); err != nil {
		t.Fatal(err)
	}
	damaged := map[string][]byte{"empty": {}, "cut": whole.Bytes()[:whole.Len()-1], "longer": append(bytes.Clone(whole.Bytes()), 0)}
	for i := 0; i < whole.Len(); i += 7 {
		flipped := bytes.Clone(whole.Bytes())
		flipped[i] ^= 1
		damaged["flipped "+time.Duration(i).String()] = flipped
	}
	var older bytes.Buffer
	if err := gob.NewEncoder(&older).Encode(struct{ Version int64 }{3}); err != nil {
		t.Fatal(err)
	}
	damaged["older form"] = older.Bytes()
	for name, raw := range damaged {
		if _, err := decode(raw); !errors.Is(err, errNotView) {
			t.Errorf("%s: %v", name, err)
		}
	}
	name := filepath.Join(t.TempDir(), "view")
	if err := os.WriteFile(name, damaged["cut"], 0o600); err != nil {
		t.Fatal(err)
	}
	if h := NewHolder(nil, name, slog.New(slog.DiscardHandler), nil); h.View() != nil {
		t.Error("a gateway started from a damaged copy")
	}
}

func TestACopyIsWrittenAtMostEveryFewSeconds(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "view")
	k := newKeeper(name, slog.New(slog.DiscardHandler))
	first, second := build(t, sample()), build(t, sample())
	second.Version = 8
	k.want(first, true)
	k.keep()
	k.writing.Wait()
	k.want(second, true)
	k.keep() // too early
	k.writing.Wait()
	if d, err := readFile(name); err != nil || d.Version != 7 {
		t.Errorf("after two views within a moment: %v", err)
	}
	k.finish()
	if d, err := readFile(name); err != nil || d.Version != 8 {
		t.Errorf("after the end: %v", err)
	}
	k.want(second, false) // its routes are older than it
	k.finish()
	if d, err := readFile(name); err != nil || d.Version != 0 {
		t.Errorf("with refused routes: %v", err)
	}
}

// FuzzFile holds that no file brings a gateway down, also one whose checksum is
// right.
func FuzzFile(f *testing.F) {
	var whole bytes.Buffer
	if err := encode(&whole, build(f, sample()).rows()); err != nil {
		f.Fatal(err)
	}
	f.Add(whole.Bytes()[len(fileForm) : whole.Len()-sha256.Size])
	f.Add([]byte("12345678"))
	f.Fuzz(func(_ *testing.T, body []byte) {
		if d, err := decode(body); err == nil {
			_, _ = Build(d)
		}
		raw := append([]byte(fileForm), body...)
		sum := sha256.Sum256(raw)
		if d, err := decode(append(raw, sum[:]...)); err == nil {
			_, _ = Build(d)
		}
	})
}
