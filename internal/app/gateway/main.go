package gateway

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"syscall"

	"tollgate/internal/app/settings"
	"tollgate/internal/telemetry"
)

// Main reads the environment, runs until a signal, and returns the exit code.
func Main() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends a drain at once
	cfg, unread := settings.Read[Config]()
	err := settings.Wrong(unread, cfg.Validate())
	log.SetOutput(io.Discard) // net/http's client writes what upstreams send there
	if err == nil {
		err = Run(ctx, cfg, telemetry.NewLogger(os.Stderr, cfg.LogLevel, "gateway"), nil)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "gateway:", err)
		return 1
	}
	return 0
}
