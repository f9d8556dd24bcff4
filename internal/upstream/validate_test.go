package upstream

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"
	"time"
)

func TestAPolicyNamesEverythingThatIsWrongWithIt(t *testing.T) {
	t.Parallel()
	if err := (Policy{}).Validate(); err != nil {
		t.Errorf("the defaults are refused: %v", err)
	}
	if err := (Policy{}).WithDefaults().Validate(); err != nil {
		t.Errorf("the defaults, filled in, are refused: %v", err)
	}
	if err := (Policy{Passive: Passive{Failures: -1}, Breaker: Breaker{Percent: -1}, Retry: Retry{Attempts: -1}, MaxBody: -1}).Validate(); err != nil {
		t.Errorf("a policy with everything off is refused: %v", err)
	}
	wrong := Policy{
		Balance: "dice", Active: Active{Path: "healthz", Every: time.Millisecond, Status: 99}, Passive: Passive{Failures: -2}, Breaker: Breaker{Percent: 101},
		Timeouts: Timeouts{FirstByte: 2 * time.Second, Call: time.Second}, Retry: Retry{Attempts: 6, Budget: 101}, MaxBody: -2,
	}
	got := slices.Sorted(maps.Keys(FieldErrors(wrong.Validate())))
	want := []string{"active.every", "active.path", "active.status", "balance", "breaker.percent", "max_body", "passive.failures", "retry.attempts", "retry.budget", "timeouts.first_byte"}
	if !slices.Equal(got, want) {
		t.Errorf("wrong fields: %v", got)
	}
}

func TestCORSNamesEverythingThatIsWrongWithIt(t *testing.T) {
	t.Parallel()
	for _, c := range []CORS{{}, {Origins: []string{"https://app.example.com", "http://localhost:3000"}, Credentials: true, Methods: []string{"GET"}, Headers: []string{"X-Thing"}, MaxAge: 600}, {Origins: []string{"*"}}} {
		if err := c.Validate(); err != nil {
			t.Errorf("%+v: %v", c, err)
		}
	}
	for field, c := range map[string]CORS{
		"origins": {Origins: []string{"https://app.example.com/path"}}, "methods": {Methods: []string{"GE T"}}, "headers": {Headers: []string{""}}, "expose": {Expose: []string{"X:Y"}}, "max_age": {MaxAge: -1},
	} {
		if FieldErrors(c.Validate())[field] == "" {
			t.Errorf("%+v: %s is not named", c, field)
		}
	}
	for _, origin := range []string{"null", "app.example.com", "https://", "HTTPS://app.example.com", "https://user@app.example.com", "ftp://x"} {
		if (CORS{Origins: []string{origin}}).Validate() == nil {
			t.Errorf("origin %q was accepted", origin)
		}
	}
	if (CORS{Origins: []string{"*"}, Credentials: true}).Validate() == nil {
		t.Error("credentials for everybody were accepted")
	}
}

func TestAPolicyThatSaysNothingIsStoredAsNothing(t *testing.T) {
	t.Parallel()
	for _, v := range []any{Policy{}, CORS{}} {
		if raw, err := json.Marshal(v); err != nil || string(raw) != "{}" {
			t.Errorf("%T: %s, %v", v, raw, err)
		}
	}
}

func TestTargetsArePlainAddresses(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"http://127.0.0.1:8080", "https://api.example.com/v1", "http://[::1]:80"} {
		if _, err := ParseTarget(good); err != nil {
			t.Error(err)
		}
	}
	for _, bad := range []string{"", "http://", "http://:80", "file:///etc", "http://u:p@host", "http://host/?a=b", "http://host/?", "http://host/#f", "//host", "http://h ost"} {
		if _, err := ParseTarget(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}
