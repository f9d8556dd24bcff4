package proxy

import (
	"bytes"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// reservedNames are headers that only the gateway may send, or nobody.
var reservedNames = []string{
	"authorization", "x-api-key", "upgrade", "connection", "http2-settings", "proxy-authorization", "content-length", "transfer-encoding", "proxy-connection", "keep-alive",
	"forwarded", "x-real-ip", "x-client-ip", "true-client-ip", "cf-connecting-ip", "x-request-id", "x-http-method-override", "x-http-method", "x-method-override", "x-original-url", "x-rewrite-url",
	"x-forwarded-for", "x-forwarded-host", "x-consumer-id", "x-credential-name", "tollgate-identity", "x-tollgate-mode",
}

// reservedPrefixes begin names that are reserved whatever follows.
var reservedPrefixes = []string{"tollgate-", "x-tollgate-", "x-consumer-", "x-credential-", "x-forwarded-"}

// isReserved is what strip is to say of a name, written without care for speed.
func isReserved(name string) bool {
	plain := []byte(strings.ToLower(name))
	for i, c := range plain {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			plain[i] = '-'
		}
	}
	return slices.Contains(reservedNames, string(plain)) || slices.ContainsFunc(reservedPrefixes, func(p string) bool { return strings.HasPrefix(string(plain), p) })
}

func TestNoAliasOfAReservedHeaderPasses(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		name := []byte(rapid.SampledFrom(reservedNames).Draw(t, "name"))
		for i, c := range name {
			switch {
			case c == '-':
				name[i] = rapid.SampledFrom([]byte("-_.~!#$%&'*+^`|")).Draw(t, "separator")
			case rapid.Bool().Draw(t, "capital"):
				name[i] = strings.ToUpper(string(c))[0]
			}
		}
		h := http.Header{string(name): {"forged"}, "Accept": {"*/*"}}
		cleanHeaders(h)
		if len(h) != 1 || h.Get("Accept") == "" {
			t.Fatalf("%s: %v is left", name, h)
		}
	})
}

// A million sets of headers, mostly of near misses, lose what is reserved and
// nothing else.
func TestOfAMillionHeadersTheReservedOnesAreTakenAndNoOthers(t *testing.T) {
	t.Parallel()
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~"
	r := rand.New(rand.NewPCG(1, 2)) // the same names in each run
	from := slices.Concat(reservedNames, reservedPrefixes, []string{"accept", "user-agent", "x-", "idempotency-key"})
	taken := 0
	for range 1_000_000 {
		name := []byte(from[r.IntN(len(from))])
		for range r.IntN(4) { // change, add or drop a character
			at := r.IntN(len(name))
			c := letters[r.IntN(len(letters))]
			switch r.IntN(8) {
			case 0:
				name[at] = c
			case 1:
				name = slices.Insert(name, at, c)
			case 2:
				name = append(name, c)
			case 3:
				if len(name) > 1 {
					name = slices.Delete(name, at, at+1)
				}
			case 4:
				name = bytes.ToUpper(name)
			default: // mostly what upstreams read as the same name
				if i := bytes.IndexAny(name, "-_."); i >= 0 {
					name[i] = "-_.~!|"[r.IntN(6)]
				}
			}
		}
		want := isReserved(string(name))
		if want {
			taken++
		}
		if strip(string(name)) != want {
			t.Fatalf("%q is taken: %t, want %t", name, !want, want)
		}
	}
	if taken < 100_000 || taken > 900_000 {
		t.Errorf("%d of a million were reserved: too few on one side", taken)
	}
}

// FuzzStrip holds the filter against its meaning.
func FuzzStrip(f *testing.F) {
	for _, name := range append(slices.Clone(reservedNames), "Accept", "X_Forwarded.For", "x-forwarded", "Tollgate", "X-Consumer", "", strings.Repeat("x", 40)) {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		ascii := strings.IndexFunc(name, func(c rune) bool { return c >= 0x80 }) < 0 // others are no names
		if ascii && strip(name) != isReserved(name) {
			t.Errorf("%q is taken: %t", name, strip(name))
		}
	})
}
