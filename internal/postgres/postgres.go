// Package postgres opens Tollgate's database for the portal and runs use cases
// in transactions, each in the role that its context asks for.
package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	gormpg "gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"tollgate/internal/postgres/pool"
)

// DB holds one pool for customers' requests and one for staff and jobs.
type DB struct {
	app, staff side
}

type side struct {
	pool *pgxpool.Pool
	sql  *sql.DB
	gorm *gorm.DB
}

// Tx is an open transaction, through gorm for rows and through pgx for SQL.
// Both speak on the same connection.
type Tx struct {
	*gorm.DB
	PGX pgx.Tx
}

// Open connects to the database at url. It fails when the database is not there.
func Open(ctx context.Context, url string) (*DB, error) {
	app, err := openSide(ctx, url, pool.App)
	if err != nil {
		return nil, err
	}
	staff, err := openSide(ctx, url, pool.Staff)
	if err != nil {
		app.close()
		return nil, err
	}
	return &DB{app: app, staff: staff}, nil
}

func openSide(ctx context.Context, url string, role pool.Role) (side, error) {
	p, err := pool.Open(ctx, url, role, 16)
	if err != nil {
		return side{}, err
	}
	if err := p.Ping(ctx); err != nil {
		p.Close()
		return side{}, fmt.Errorf("connect as %s: %w", role, err)
	}
	db := stdlib.OpenDBFromPool(p)
	g, err := gorm.Open(gormpg.New(gormpg.Config{Conn: db}), &gorm.Config{
		SkipDefaultTransaction: true, // InTx opens them
		TranslateError:         true,
		Logger:                 logger.Discard, // errors are logged once, at the edge, without bound values
	})
	if err != nil {
		p.Close()
		return side{}, fmt.Errorf("open gorm: %w", err)
	}
	return side{pool: p, sql: db, gorm: g}, nil
}

func (s side) close() {
	_ = s.sql.Close() // the pool below is what holds connections
	s.pool.Close()
}

// Close ends all connections.
func (db *DB) Close() {
	db.app.close()
	db.staff.close()
}

// StaffPool is the staff role's pgx pool, for background work.
func (db *DB) StaffPool() *pgxpool.Pool { return db.staff.pool }

type ctxKey int

const (
	keyTx ctxKey = iota
	keyTenant
)

type tenant struct {
	staff     bool
	org, user uuid.UUID
}

// AsStaff makes transactions of ctx run in the staff role, across organizations.
func AsStaff(ctx context.Context) context.Context {
	return context.WithValue(ctx, keyTenant, tenant{staff: true})
}

// AsMember makes transactions of ctx see only what belongs to org, and the
// memberships of user. Either may be uuid.Nil.
func AsMember(ctx context.Context, org, user uuid.UUID) context.Context {
	return context.WithValue(ctx, keyTenant, tenant{org: org, user: user})
}

// InTx runs fn in a transaction and commits it when fn returns nil. Inside an
// open transaction fn joins it. Without AsStaff or AsMember no tenant's rows are seen.
func (db *DB) InTx(ctx context.Context, fn func(context.Context, *Tx) error) (err error) {
	if tx, ok := ctx.Value(keyTx).(*Tx); ok {
		return fn(ctx, tx)
	}
	who, _ := ctx.Value(keyTenant).(tenant)
	s := db.app
	if who.staff {
		s = db.staff
	}
	conn, err := s.sql.Conn(ctx)
	if err != nil {
		return fmt.Errorf("database connection: %w", err)
	}
	defer func() { _ = conn.Close() }()
	tx, err := begin(ctx, s, conn)
	if err != nil {
		return err
	}
	defer func() { _ = tx.PGX.Rollback(context.WithoutCancel(ctx)) }() // no-op after commit
	if !who.staff {
		if _, err := tx.PGX.Exec(ctx, `SELECT set_config('app.org', $1, true), set_config('app.user', $2, true)`, idText(who.org), idText(who.user)); err != nil {
			return fmt.Errorf("set tenant: %w", err)
		}
	}
	if err := fn(context.WithValue(ctx, keyTx, tx), tx); err != nil {
		return err
	}
	return tx.PGX.Commit(ctx)
}

// begin opens a pgx transaction on conn's own connection and lets gorm use it too.
func begin(ctx context.Context, s side, conn *sql.Conn) (*Tx, error) {
	var px *pgx.Conn
	err := conn.Raw(func(driverConn any) error {
		px = driverConn.(*stdlib.Conn).Conn()
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("database connection: %w", err)
	}
	ptx, err := px.Begin(ctx)
	if err != nil {
		return nil, fmt.Errorf("begin: %w", err)
	}
	g := s.gorm.Session(&gorm.Session{NewDB: true, Context: ctx})
	g.Statement.ConnPool = conn
	return &Tx{DB: g, PGX: ptx}, nil
}

func idText(id uuid.UUID) string {
	if id == uuid.Nil {
		return ""
	}
	return id.String()
}

// IsNotFound reports whether a query found no row.
func IsNotFound(err error) bool {
	return errors.Is(err, gorm.ErrRecordNotFound) || errors.Is(err, pgx.ErrNoRows)
}

// IsDuplicate reports whether a write broke a UNIQUE rule.
func IsDuplicate(err error) bool { return errors.Is(err, gorm.ErrDuplicatedKey) }

// NewID makes a UUIDv7: ids sort by when they were made.
func NewID() uuid.UUID { return uuid.Must(uuid.NewV7()) }
