package pool_test

import (
	"context"
	"errors"
	"net"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/sys/unix"

	"tollgate/internal/postgres/pgtest"
	"tollgate/internal/postgres/pool"
)

func TestAServerThatCannotBeWrittenToIsNotTaken(t *testing.T) {
	t.Parallel()
	cfg, err := pool.Config(pgtest.URL(t), pool.Staff)
	if err != nil {
		t.Fatal(err)
	}
	cfg.ConnConfig.RuntimeParams["default_transaction_read_only"] = "on" // as on a standby
	conn, err := pgconn.ConnectConfig(context.Background(), &cfg.ConnConfig.Config)
	if err == nil {
		_ = conn.Close(context.Background())
	}
	if !errors.Is(err, pgconn.ErrReadOnlyConnection) {
		t.Errorf("connected with %v", err)
	}
}

func TestAServerThatIsSilentIsGivenUp(t *testing.T) {
	t.Parallel()
	db := pgtest.StaffPool(t)
	conn, err := db.Acquire(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	tcp, ok := conn.Conn().PgConn().Conn().(*net.TCPConn)
	if !ok {
		t.Fatalf("%T", conn.Conn().PgConn().Conn())
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var unacknowledged, idle int
	err = raw.Control(func(fd uintptr) {
		unacknowledged, _ = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT)
		idle, _ = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_KEEPIDLE)
	})
	if err != nil || unacknowledged != 10_000 || idle != 5 {
		t.Errorf("given up after %d ms without an acknowledgement, asked after %d s, %v", unacknowledged, idle, err)
	}
}
