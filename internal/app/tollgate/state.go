package tollgate

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"tollgate/internal/demo"
)

// state is what the demo keeps between runs, readable by its owner alone.
// Whether there is sample data is not in it: that follows from the database.
type state struct {
	Pepper              string            `json:"pepper"`
	IdentitySecret      string            `json:"identity_secret"`
	StripeSecretKey     string            `json:"stripe_secret_key"`
	StripeWebhookSecret string            `json:"stripe_webhook_secret"`
	Passwords           map[string]string `json:"passwords"`
	Keys                map[string]string `json:"keys"` // the developer's by database, so that the printed call works

	fresh bool // made by this run
}

func stateFile(dir string) string { return filepath.Join(dir, "demo.json") }

// loadState reads what an earlier run kept, or makes fresh secrets. It writes
// nothing: whether fresh ones will do is known when the database is.
func loadState(dir string) (*state, error) {
	data, err := os.ReadFile(stateFile(dir))
	if errors.Is(err, os.ErrNotExist) {
		return newState(), nil
	}
	if err != nil {
		return nil, fmt.Errorf("the demo's secrets: %w", err)
	}
	s := &state{}
	if err := json.Unmarshal(data, s); err != nil {
		return nil, fmt.Errorf("%s is damaged (%w): put a good copy in its place, or move the folder %s away to start afresh", stateFile(dir), err, dir)
	}
	if s.Keys == nil {
		s.Keys = map[string]string{}
	}
	return s, nil
}

func newState() *state {
	s := &state{Pepper: random(24), IdentitySecret: random(24), StripeSecretKey: "sk_test_" + random(18), StripeWebhookSecret: "whsec_" + random(24),
		Passwords: map[string]string{}, Keys: map[string]string{}, fresh: true}
	for _, p := range demo.People(func(string) string { return "" }) {
		s.Passwords[p.Who] = random(6)
	}
	return s
}

func (s *state) save(dir string) error {
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	tmp := stateFile(dir) + ".new"
	if err := os.WriteFile(tmp, data, 0o600); err != nil {
		return fmt.Errorf("keep the demo's secrets: %w", err)
	}
	return os.Rename(tmp, stateFile(dir))
}

// random is n random bytes as text.
func random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails, see crypto/rand
	return hex.EncodeToString(b)
}

func (s *state) people() []demo.Person {
	return demo.People(func(who string) string { return s.Passwords[who] })
}
