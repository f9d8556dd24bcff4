package metering

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// sender executes prepared statements whose parameters are large and in binary
// form already. Its memory is used again: pgx itself would build each message in
// memory that it takes step by step, which costs more than the rest of shipping.
type sender struct{ message []byte }

// run executes a statement and says how many rows it affected.
func (s *sender) run(ctx context.Context, conn *pgx.Conn, what, sql string, params [][]byte) (rows int64, err error) {
	stmt, err := conn.Prepare(ctx, what, sql)
	if err == nil {
		err = s.build(stmt.Name, params)
	}
	if err == nil {
		err = s.write(ctx, conn.PgConn())
	}
	if err == nil {
		rows, err = affected(ctx, conn.PgConn())
	}
	if err != nil {
		return 0, fmt.Errorf("%s: %w", what, err)
	}
	return rows, nil
}

// build makes the messages of one execution (PostgreSQL's documentation,
// “Extended Query”).
func (s *sender) build(stmt string, params [][]byte) (err error) {
	size := 1 << 10 // more than the rest takes
	for _, p := range params {
		size += len(p) + 4
	}
	s.message = slices.Grow(s.message[:0], size)
	bind := pgproto3.Bind{PreparedStatement: stmt, ParameterFormatCodes: []int16{pgx.BinaryFormatCode}, Parameters: params}
	if s.message, err = bind.Encode(s.message[:0]); err != nil {
		return err
	}
	if s.message, err = (&pgproto3.Execute{}).Encode(s.message); err != nil {
		return err
	}
	s.message, err = (&pgproto3.Sync{}).Encode(s.message)
	return err
}

// write sends the messages past pgx's own buffer. When ctx ends meanwhile the
// connection is not good for anything any more.
func (s *sender) write(ctx context.Context, pg *pgconn.PgConn) error {
	if err := pg.SyncConn(ctx); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = pg.Conn().SetWriteDeadline(time.Unix(1, 0)) })
	_, err := pg.Conn().Write(s.message)
	if !stop() {
		return ctx.Err()
	}
	return err
}

// affected reads the answer to its end.
func affected(ctx context.Context, pg *pgconn.PgConn) (rows int64, failed error) {
	for {
		msg, err := pg.ReceiveMessage(ctx)
		if err != nil {
			return 0, err
		}
		switch msg := msg.(type) {
		case *pgproto3.CommandComplete:
			rows = pgconn.NewCommandTag(string(msg.CommandTag)).RowsAffected()
		case *pgproto3.ErrorResponse:
			failed = pgconn.ErrorResponseToPgError(msg)
		case *pgproto3.ReadyForQuery:
			return rows, failed
		}
	}
}
