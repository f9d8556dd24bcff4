package catalog

import (
	"context"
	"errors"
	"strconv"

	"github.com/google/uuid"

	"tollgate/internal/audit"
	"tollgate/internal/outbound"
	"tollgate/internal/postgres"
	"tollgate/internal/problem"
	"tollgate/internal/upstream"
)

// Upstream is where the calls of an API's newest served version go, and how.
type Upstream struct {
	ID           uuid.UUID
	Live, Test   []upstream.Target // no test target: test calls are refused
	Policy       upstream.Policy   // as it was set, without defaults
	CORS         upstream.CORS     // of the API
	SignIdentity bool              // targets trust the gateway's signed caller header
}

// MaxTargets is how many addresses an upstream may have, live and test each.
const MaxTargets = 32

// TargetField names a field of the nth target of a mode, live or test, in an
// error: url or weight.
func TargetField(mode string, n int, field string) string {
	return mode + "." + strconv.Itoa(n) + "." + field
}

// Validate reports what is wrong: with targets under the names of TargetField,
// with the policy under its own, with CORS under cors. and its own.
func (u Upstream) Validate() error {
	v := problem.Invalid{}
	v.Check(len(u.Live) > 0, "live", "Say where the gateway sends the calls.")
	for mode, targets := range u.targets() {
		v.Check(len(targets) <= MaxTargets, mode, "Use at most %d addresses.", MaxTargets)
		for i, t := range targets {
			v.Check(upstreamAddress(t.URL), TargetField(mode, i, "url"), "Give an http or https address without user, query or fragment, such as https://api.example.com/v1.")
			v.Check(t.Weight >= 1 && t.Weight <= 1000, TargetField(mode, i, "weight"), "Give a weight from 1 to 1,000.")
		}
	}
	for field, message := range upstream.FieldErrors(u.Policy.Validate()) {
		v.Check(false, field, "%s", message)
	}
	for field, message := range upstream.FieldErrors(u.CORS.Validate()) {
		v.Check(false, "cors."+field, "%s", message)
	}
	return v.Err()
}

func (u Upstream) targets() map[string][]upstream.Target {
	return map[string][]upstream.Target{"live": u.Live, "test": u.Test}
}

const deniedUpstream = "The gateway may not connect to this address: it is not public and in none of UPSTREAM_NETWORKS, or it is one of its own listeners."

// Upstream reads how the newest served version of an API is called, for staff.
func (s *Service) Upstream(ctx context.Context, slug string) (u Upstream, err error) {
	err = s.db.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		u, _, err = readUpstream(ctx, tx, slug)
		return err
	})
	return u, err
}

func readUpstream(ctx context.Context, tx *postgres.Tx, slug string) (u Upstream, api uuid.UUID, err error) {
	e, err := readEntry(ctx, tx, slug)
	if err != nil {
		return u, uuid.Nil, err
	}
	err = tx.PGX.QueryRow(ctx, `
		SELECT u.id, u.policy, u.sign_identity, a.cors FROM upstreams u JOIN api_versions v ON v.upstream_id = u.id JOIN apis a ON a.id = v.api_id WHERE v.id = $1`, e.Version.ID).
		Scan(&u.ID, &u.Policy, &u.SignIdentity, &u.CORS)
	if err != nil {
		return u, uuid.Nil, err
	}
	rows, err := tx.PGX.Query(ctx, `SELECT mode, url, weight FROM upstream_targets WHERE upstream_id = $1 ORDER BY mode, position`, u.ID)
	if err != nil {
		return u, uuid.Nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var mode string
		var t upstream.Target
		if err := rows.Scan(&mode, &t.URL, &t.Weight); err != nil {
			return u, uuid.Nil, err
		}
		if mode == "test" {
			u.Test = append(u.Test, t)
		} else {
			u.Live = append(u.Live, t)
		}
	}
	return u, e.ID, rows.Err()
}

// ChangeUpstream changes how an API's newest served version is called. Gateways
// know within seconds; calls under way end as they began. An in.ID that is not
// the upstream's any more is a conflict. Errors name the fields of Validate.
func (s *Service) ChangeUpstream(ctx context.Context, actor uuid.UUID, slug string, in Upstream) error {
	if err := in.Validate(); err != nil {
		return err
	}
	if err := s.checkTargets(ctx, in); err != nil {
		return err
	}
	return s.db.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		now, api, err := readUpstream(ctx, tx, slug)
		if err != nil {
			return err
		}
		if now.ID != in.ID {
			return problem.Conflict("Another version of this API was published meanwhile. Look at its settings, then change them.")
		}
		details := changes(now, in)
		if len(details) == 0 {
			return nil
		}
		if err := storeUpstream(ctx, tx, api, in); err != nil {
			return err
		}
		details["upstream"] = in.ID.String()
		return audit.Write(ctx, tx, s.clock.Now(), audit.Event{Actor: actor, Action: "upstream.change", Object: "api", ID: api.String(), Details: details})
	})
}

func (s *Service) checkTargets(ctx context.Context, in Upstream) error {
	v := problem.Invalid{}
	for mode, targets := range in.targets() {
		for i, t := range targets {
			err := s.guards.Upstreams.CheckURL(ctx, t.URL)
			v.Check(!errors.Is(err, outbound.ErrDenied), TargetField(mode, i, "url"), deniedUpstream)
		}
	}
	return v.Err()
}

func storeUpstream(ctx context.Context, tx *postgres.Tx, api uuid.UUID, in Upstream) error {
	if _, err := tx.PGX.Exec(ctx, `UPDATE upstreams SET policy = $2, sign_identity = $3 WHERE id = $1`, in.ID, in.Policy, in.SignIdentity); err != nil {
		return err
	}
	if _, err := tx.PGX.Exec(ctx, `UPDATE apis SET cors = $2 WHERE id = $1`, api, in.CORS); err != nil {
		return err
	}
	if _, err := tx.PGX.Exec(ctx, `DELETE FROM upstream_targets WHERE upstream_id = $1`, in.ID); err != nil {
		return err
	}
	for mode, targets := range in.targets() {
		for i, t := range targets {
			if _, err := tx.PGX.Exec(ctx, `INSERT INTO upstream_targets (upstream_id, mode, position, url, weight) VALUES ($1, $2, $3, $4, $5)`, in.ID, mode, i, t.URL, t.Weight); err != nil {
				return err
			}
		}
	}
	return nil
}
