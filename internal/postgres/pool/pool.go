// Package pool opens plain pgx connections in one of Tollgate's database roles.
// It stands apart from package postgres so that the gateway needs no ORM.
package pool

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sys/unix"
)

// A Role is a database role from migration 1.
type Role string

// The roles: App is bound to one organization by row-level security; Staff sees
// all organizations; Owner is whoever the URL names and is used to migrate.
const (
	App   Role = "tollgate_app"
	Staff Role = "tollgate_staff"
	Owner Role = ""
)

// silence is how long a server may leave what it was sent unacknowledged. Then
// its machine is gone, and its successor is connected to.
const silence = 10 * time.Second

// Config parses a PostgreSQL URL for connections in the given role. Of several
// servers in it the one that can be written to is taken.
func Config(url string, role Role) (*pgxpool.Config, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("database URL: %w", err)
	}
	if role != Owner {
		cfg.ConnConfig.RuntimeParams["role"] = string(role)
	}
	cfg.ConnConfig.RuntimeParams["timezone"] = "UTC"
	cfg.ConnConfig.ConnectTimeout = 5 * time.Second
	cfg.ConnConfig.DialFunc = dialer.DialContext
	if cfg.ConnConfig.ValidateConnect == nil { // a standby's answers may be older than what is known
		cfg.ConnConfig.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	return cfg, nil
}

var dialer = net.Dialer{
	KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: silence / 2, Interval: silence / 2, Count: 2},
	Control: func(network, _ string, conn syscall.RawConn) (err error) {
		if !strings.HasPrefix(network, "tcp") {
			return nil
		}
		failed := conn.Control(func(fd uintptr) {
			err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(silence.Milliseconds()))
		})
		return errors.Join(failed, err)
	},
}

// Open connects lazily: it succeeds while the database is down.
func Open(ctx context.Context, url string, role Role, maxConns int32) (*pgxpool.Pool, error) {
	cfg, err := Config(url, role)
	if err != nil {
		return nil, err
	}
	cfg.MaxConns = maxConns
	return pgxpool.NewWithConfig(ctx, cfg)
}
