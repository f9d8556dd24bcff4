package snapshot

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"net/netip"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"tollgate/internal/keys/token"
)

func (d *Data) readKeys(ctx context.Context, tx pgx.Tx, f filter) error {
	var n int // to make room at once: growing takes longer than reading
	if err := tx.QueryRow(ctx, `SELECT count(*) FROM keys WHERE revoked_at IS NULL`+f.on("id"), f.args()...).Scan(&n); err != nil {
		return err
	}
	d.Keys = make([]Credential, 0, n)
	rows, err := tx.Query(ctx, `SELECT hash, id, org_id, application_id, mode = 'test', expires_at FROM keys WHERE revoked_at IS NULL`+f.on("id"), f.args()...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		c, err := readCredential(rows)
		if err != nil {
			return err
		}
		d.Keys = append(d.Keys, c)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	return d.readAccess(ctx, tx, f)
}

// readCredential reads a row in PostgreSQL's binary form, which for a million
// of them takes a fraction of what scanning takes.
func readCredential(rows pgx.Rows) (c Credential, err error) {
	raw := rows.RawValues()
	for i, size := range [...]int{len(c.Hash), 16, 16, 16, 1} {
		if rows.FieldDescriptions()[i].Format != pgtype.BinaryFormatCode || len(raw[i]) != size {
			return c, fmt.Errorf("key %x: column %d has %d bytes instead of %d", raw[1], i+1, len(raw[i]), size)
		}
	}
	c.Hash = token.Hash(raw[0])
	c.ID, c.Org, c.Application = uuid.UUID(raw[1]), uuid.UUID(raw[2]), uuid.UUID(raw[3])
	c.Test = raw[4][0] != 0
	c.Expires = never
	if len(raw[5]) == 8 {
		c.Expires = unixMicro(int64(binary.BigEndian.Uint64(raw[5])))
	}
	return c, nil
}

// unixMicro turns PostgreSQL's microseconds since 2000 into those since 1970.
// Its infinities stay what they are.
func unixMicro(pg int64) int64 {
	const apart = 946_684_800_000_000
	if pg == math.MinInt64 || pg > math.MaxInt64-apart {
		return pg
	}
	return pg + apart
}

// readAccess reads the restrictions of those keys that have any.
func (d *Data) readAccess(ctx context.Context, tx pgx.Tx, f filter) error {
	rows, err := tx.Query(ctx, `SELECT id, scopes, networks FROM keys WHERE revoked_at IS NULL AND (scopes <> '{}' OR networks <> '{}')`+f.on("id"), f.args()...)
	if err != nil {
		return err
	}
	d.Access = map[uuid.UUID]Access{}
	for rows.Next() {
		var id uuid.UUID
		var a Access
		if err := rows.Scan(&id, &a.Scopes, &a.Networks); err != nil {
			rows.Close()
			return err
		}
		for i := range a.Networks {
			a.Networks[i] = unmapped(a.Networks[i])
		}
		d.Access[id] = a
	}
	return rows.Err()
}

// unmapped turns a network of IPv4 written as IPv6 into what it means.
func unmapped(p netip.Prefix) netip.Prefix {
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		return netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p
}
