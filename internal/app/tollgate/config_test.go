package tollgate

import (
	"context"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/caarlos0/env/v11"

	"tollgate/internal/app/settings"
)

func configured(t *testing.T, environ map[string]string) Config {
	t.Helper()
	cfg, err := env.ParseAsWithOptions[Config](env.Options{Environment: environ})
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func TestTheDefaultsAreNotWrong(t *testing.T) {
	t.Parallel()
	if err := configured(t, nil).Validate(); err != nil {
		t.Error(err)
	}
}

func TestAllWrongSettingsOfAllProgramsAreReportedTogether(t *testing.T) {
	t.Parallel()
	err := settings.Wrong(configured(t, map[string]string{
		"PORTAL_LISTEN": "foo:bar", "GATEWAY_LISTEN": "127.0.0.1:99999", "SAMPLE_LISTEN": "127.0.0.1:0", "SPOOL_SEGMENT_SLOTS": "1",
		"STRIPE_WEBHOOK_SECRET": "whsec_1", "TOLLGATE_POSTGRES_PORT": "-1", "DATABASE_URL": "nonsense",
	}).Validate())
	if err == nil {
		t.Fatal("nothing is wrong")
	}
	lines := strings.Split(err.Error(), "\n")[1:]
	var names []string
	for _, l := range lines {
		name, _, _ := strings.Cut(strings.TrimSpace(l), " ")
		names = append(names, name)
	}
	want := "DATABASE_URL GATEWAY_LISTEN PORTAL_LISTEN SAMPLE_LISTEN SPOOL_SEGMENT_SLOTS STRIPE_SECRET_KEY TOLLGATE_POSTGRES_PORT"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("got %s\nwant %s\nin %v", got, want, err)
	}
}

func TestAnAddressThatIsSetTwiceIsNoticed(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free := l.Addr().String()
	_ = l.Close()
	cfg := configured(t, map[string]string{"PORTAL_LISTEN": free, "PORTAL_PRIVATE_LISTEN": "127.0.0.1:0", "GATEWAY_LISTEN": free,
		"GATEWAY_PRIVATE_LISTEN": "127.0.0.1:0", "SAMPLE_LISTEN": "127.0.0.1:0", "STRIPE_SIM_LISTEN": "127.0.0.1:0"})
	if err := cfg.checkPorts(); err == nil || !strings.Contains(err.Error(), "GATEWAY_LISTEN") || strings.Contains(err.Error(), "PORTAL_LISTEN") {
		t.Errorf("got %v", err)
	}
}

func TestAStopDuringTheStartIsNoFailure(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	cfg := configured(t, map[string]string{"TOLLGATE_DATA_DIR": dir, "PORTAL_LISTEN": "127.0.0.1:0", "PORTAL_PRIVATE_LISTEN": "127.0.0.1:0", "GATEWAY_LISTEN": "127.0.0.1:0",
		"GATEWAY_PRIVATE_LISTEN": "127.0.0.1:0", "SAMPLE_LISTEN": "127.0.0.1:0", "STRIPE_SIM_LISTEN": "127.0.0.1:0"})
	var out strings.Builder
	if err := Run(stopped, cfg, &out); err != nil || !strings.HasSuffix(out.String(), "Stopped.\n") {
		t.Errorf("got %v after\n%s", err, out.String())
	}
	if _, err := os.Stat(stateFile(dir)); !os.IsNotExist(err) {
		t.Error("it kept secrets before it had a database")
	}
}
