package identity

import (
	"testing"
	"time"

	"github.com/google/uuid"
)

var (
	secret = []byte("a secret of the installation")
	now    = time.Unix(1_800_000_000, 0)
)

func TestASignedCallerIsBelievedForAMinute(t *testing.T) {
	t.Parallel()
	want := Caller{Organization: uuid.New(), Key: uuid.New(), Mode: "live"}
	value := Sign(secret, want, now)
	got, err := Verify(secret, value, now.Add(59*time.Second))
	if want.Expires = got.Expires; err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
	for name, at := range map[string]time.Time{"too old": now.Add(time.Minute), "from the future": now.Add(-5 * time.Second)} {
		if _, err := Verify(secret, value, at); err == nil {
			t.Errorf("%s was believed", name)
		}
	}
}

func TestForgeriesAreNotBelieved(t *testing.T) {
	t.Parallel()
	value := Sign(secret, Caller{}, now)
	for name, c := range map[string]struct {
		secret []byte
		value  string
	}{
		"another secret": {[]byte("other"), value}, "no secret": {nil, Sign(nil, Caller{}, now)},
		"changed": {secret, "x" + value}, "unsigned": {secret, value[:20]}, "empty": {secret, ""},
	} {
		if _, err := Verify(c.secret, c.value, now); err == nil {
			t.Errorf("%s was believed", name)
		}
	}
}

func FuzzVerify(f *testing.F) {
	f.Add(Sign(secret, Caller{}, now))
	f.Fuzz(func(t *testing.T, value string) {
		if _, err := Verify([]byte("another secret"), value, now); err == nil {
			t.Errorf("%q was believed", value)
		}
	})
}
