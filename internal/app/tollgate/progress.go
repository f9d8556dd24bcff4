package tollgate

import (
	"fmt"
	"io"
	"path/filepath"
	"time"

	"tollgate/internal/clock"
)

// progress tells a person at a terminal what is going on.
type progress struct {
	out     io.Writer
	clock   *clock.Clock
	started time.Time
}

func newProgress(out io.Writer) *progress {
	c := clock.New()
	return &progress{out: out, clock: c, started: c.Real()}
}

func (p *progress) line(format string, args ...any) {
	_, _ = fmt.Fprintf(p.out, format+"\n", args...) // a closed terminal is no reason to stop
}

func (p *progress) step(format string, args ...any) {
	p.line("  %5.1f s  "+format, append([]any{p.clock.Real().Sub(p.started).Seconds()}, args...)...)
}

// ready prints the addresses, the people and a call that works.
func (p *progress) ready(cfg Config, st *state, key string) {
	p.step("ready")
	p.line("")
	p.line("  Portal    %s", cfg.Portal.PublicURL)
	p.line("  Gateway   %s", cfg.Portal.GatewayURL)
	p.line("  Health    http://%s/health   http://%s/health", cfg.Portal.PrivateListen, cfg.Gateway.PrivateListen)
	if cfg.simulate {
		p.line("  Stripe    http://%s (simulated: no money moves)", cfg.StripeListen)
	}
	p.line("  Log       %s", filepath.Join(cfg.DataDir, "tollgate.log"))
	p.line("")
	p.line("  Sign in as")
	for _, person := range st.people() {
		p.line("    %-13s %-28s %s", person.Who, person.Email, person.Password)
	}
	if key != "" {
		p.line("")
		p.line("  A call that works, on the Pro plan:")
		p.line("    curl -i %s/elements/v1/elements/Fe -H 'Authorization: Bearer %s'", cfg.Portal.GatewayURL, key)
	}
	p.line("")
	p.line("  Ctrl-C stops everything; the data stays.")
}
