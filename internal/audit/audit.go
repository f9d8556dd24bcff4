// Package audit notes who did what, for good. Rows are never changed.
package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"tollgate/internal/postgres"
)

// Event is something that a person or the system did.
type Event struct {
	Org     uuid.UUID // whom it concerns
	Actor   uuid.UUID // uuid.Nil: the system
	Action  string    // as in "invoice.approve"
	Object  string    // type of the object
	ID      string
	Details map[string]string // never secrets
}

// Write notes e in the open transaction.
func Write(ctx context.Context, tx *postgres.Tx, at time.Time, e Event) error {
	details, err := json.Marshal(e.Details)
	if err != nil {
		return fmt.Errorf("audit details: %w", err)
	}
	if e.Details == nil {
		details = []byte("{}")
	}
	_, err = tx.PGX.Exec(ctx, `
		INSERT INTO audit_events (id, at, org_id, actor, action, object_type, object_id, details) VALUES ($1, $2, $3, nullif($4, $9::uuid), $5, $6, $7, $8)`,
		postgres.NewID(), at, e.Org, e.Actor, e.Action, e.Object, e.ID, details, uuid.Nil)
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	return nil
}

// Entry is an event as it is read back.
type Entry struct {
	At      time.Time
	Email   string // of the actor; empty: the system
	Action  string
	Details map[string]string
}

// Of lists what was done to one object, oldest first.
func Of(ctx context.Context, tx *postgres.Tx, object, id string) ([]Entry, error) {
	rows, err := tx.PGX.Query(ctx, `
		SELECT a.at, coalesce(u.email, ''), a.action, a.details FROM audit_events a LEFT JOIN users u ON u.id = a.actor
		WHERE a.object_type = $1 AND a.object_id = $2 ORDER BY a.at, a.id`, object, id)
	if err != nil {
		return nil, fmt.Errorf("read audit: %w", err)
	}
	defer rows.Close()
	var out []Entry
	for rows.Next() {
		var e Entry
		if err := rows.Scan(&e.At, &e.Email, &e.Action, &e.Details); err != nil {
			return nil, fmt.Errorf("read audit: %w", err)
		}
		out = append(out, e)
	}
	return out, rows.Err()
}
