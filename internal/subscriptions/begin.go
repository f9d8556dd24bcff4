package subscriptions

import (
	"cmp"
	"context"
	"time"

	"github.com/google/uuid"

	"tollgate/internal/audit"
	"tollgate/internal/postgres"
	"tollgate/internal/problem"
	"tollgate/internal/subscriptions/period"
)

// costless is the condition that subscription s is on terms that charge nothing.
const costless = `EXISTS (SELECT FROM plan_versions v WHERE v.id = s.plan_version_id AND v.recurring_fee = 0
	AND NOT EXISTS (SELECT FROM price_components c WHERE c.plan_version_id = v.id))`

// credited is the condition that subscription s has a balance to which more was
// credited than its plan begins with.
const credited = `EXISTS (SELECT FROM plan_limits l WHERE l.plan_version_id = s.plan_version_id AND l.prepaid
	AND l.calls < (SELECT sum(k.calls) FROM prepaid_credits k WHERE k.subscription_id = s.id))`

// free is the condition that subscription s gives way to another to the same API
// versions: nothing is lost with it.
const free = `(` + costless + ` AND NOT ` + credited + `)`

// overlaps is the condition that subscription s is another of an application
// (parameters: application, own id, product twice) for one of the product's API versions.
const overlaps = `s.application_id = ? AND s.id <> ? AND (s.product_id = ? OR EXISTS (SELECT FROM product_versions have
	JOIN product_versions want ON want.version_id = have.version_id WHERE have.product_id = s.product_id AND want.product_id = ?))`

// refuseOverlap says which other subscription of the application holds the same
// API versions, or has had its first fee on its way since a moment: the plan of
// a call would not be clear, and nobody may be charged for both.
func refuseOverlap(tx *postgres.Tx, sub Subscription, since time.Time) error {
	var rival struct{ Name, State string }
	err := tx.Raw(`SELECT p.name, s.state FROM subscriptions s JOIN products p ON p.id = s.product_id
		WHERE `+overlaps+` AND ((s.state IN ('active', 'unpaid') AND NOT `+free+`) OR (s.state = 'pending' AND s.period_start > ?)) ORDER BY s.state LIMIT 1`,
		sub.ApplicationID, sub.ID, sub.ProductID, sub.ProductID, since).Scan(&rival).Error
	switch {
	case err != nil || rival.Name == "":
		return err
	case rival.State == Pending:
		return problem.Conflict("A payment for %s is under way for this application. Wait for it.", rival.Name)
	}
	return problem.Conflict("This application already has a subscription to %s. End that one first.", rival.Name)
}

// NeverBegan is a conflict if the subscription ended before it was paid for.
func (s Subscription) NeverBegan() error {
	if s.State == Ended && s.PeriodStart == nil {
		return problem.Conflict("This subscription was given up before it began. Subscribe again, if you still want it.")
	}
	return nil
}

// Begin gives a pending subscription its first billing period, from now, unless
// it has one that began after since. It stays pending until Activate. If the
// application has another subscription to the same API versions, or one whose
// first fee has been on its way since then, this one ends instead, with a
// conflict: nothing may be charged for it.
func (s *Service) Begin(ctx context.Context, id uuid.UUID, loc *time.Location, since time.Time) (sub Subscription, err error) {
	var lost error
	err = s.db.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		if sub, err = s.lockApplication(tx, id); err != nil || sub.State != Pending {
			return err
		}
		if err := refuseOverlap(tx, sub, since); err != nil {
			if !problem.Is(err, "conflict") {
				return err
			}
			lost = err
			return s.endPending(ctx, tx, sub)
		}
		if sub.PeriodStart != nil && sub.PeriodStart.After(since) {
			return nil
		}
		return s.firstPeriod(tx, &sub, loc)
	})
	return sub, cmp.Or(err, lost, sub.NeverBegan())
}

func (s *Service) firstPeriod(tx *postgres.Tx, sub *Subscription, loc *time.Location) error {
	if err := tx.Exec(`DELETE FROM billing_periods WHERE subscription_id = ?`, sub.ID).Error; err != nil {
		return err
	}
	now := s.clock.Now().Truncate(time.Second)
	sub.AnchorDay = now.In(loc).Day()
	p := period.From(now, sub.AnchorDay, loc)
	sub.PeriodStart, sub.PeriodEnd = &p.Start, &p.End
	if err := tx.Exec(`UPDATE subscriptions SET anchor_day = ?, period_start = ?, period_end = ? WHERE id = ?`, sub.AnchorDay, p.Start, p.End, sub.ID).Error; err != nil {
		return err
	}
	return addPeriod(tx, *sub, 1, p)
}

// endPending ends what was never paid for: it has had no period.
func (s *Service) endPending(ctx context.Context, tx *postgres.Tx, sub Subscription) error {
	if err := tx.Exec(`DELETE FROM billing_periods WHERE subscription_id = ?`, sub.ID).Error; err != nil {
		return err
	}
	if err := tx.Exec(`UPDATE subscriptions SET state = 'ended', ended_at = ?, period_start = NULL, period_end = NULL WHERE id = ?`, s.clock.Now(), sub.ID).Error; err != nil {
		return err
	}
	return audit.Write(ctx, tx, s.clock.Now(), audit.Event{Org: sub.OrgID, Action: "subscription.ended", Object: "subscription", ID: sub.ID.String()})
}

// Refused lists the pending subscriptions that overlap the given one and whose
// first fee was refused: whoever chooses another plan then has given them up.
func (s *Service) Refused(ctx context.Context, id uuid.UUID) (out []uuid.UUID, err error) {
	sub, err := s.Get(ctx, id)
	if err != nil || sub.State != Pending {
		return nil, err
	}
	err = s.db.InTx(ctx, func(_ context.Context, tx *postgres.Tx) error {
		return tx.Raw(`SELECT s.id FROM subscriptions s WHERE `+overlaps+` AND s.state = 'pending'
			AND EXISTS (SELECT FROM invoices i WHERE i.subscription_id = s.id AND i.reason = 'first' AND i.state = 'open' AND i.failure <> '')`,
			sub.ApplicationID, sub.ID, sub.ProductID, sub.ProductID).Scan(&out).Error
	})
	return out, err
}

// GiveUp ends a pending subscription unless an invoice of it is left.
func (s *Service) GiveUp(ctx context.Context, id uuid.UUID) error {
	return s.db.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		sub, err := s.lockApplication(tx, id)
		if err != nil || sub.State != Pending {
			return err
		}
		var left int64
		if err := tx.Raw(`SELECT count(*) FROM invoices WHERE subscription_id = ? AND state <> 'void'`, id).Scan(&left).Error; err != nil || left > 0 {
			return err
		}
		return s.endPending(ctx, tx, sub)
	})
}

// Activate lets calls through: the fees in advance are paid, or there are none.
// It is a conflict if another subscription holds the API versions by now.
func (s *Service) Activate(ctx context.Context, id uuid.UUID) error {
	err := s.db.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		sub, err := s.lockApplication(tx, id)
		if err != nil {
			return err
		}
		if err := sub.NeverBegan(); err != nil {
			return err
		}
		if sub.State == Pending {
			if err := refuseOverlap(tx, sub, s.clock.Now()); err != nil {
				return err
			}
			if err := s.giveWay(tx, sub); err != nil {
				return err
			}
		}
		if err := s.move(ctx, tx, sub, Active, Pending, Unpaid); err != nil || sub.State != Pending {
			return err
		}
		return s.firstCredit(ctx, tx, sub)
	})
	if postgres.IsDuplicate(err) {
		return problem.Conflict("This application already has a subscription to this product.")
	}
	return err
}

// firstCredit grants what a prepaid plan begins with. Nothing is granted while
// the subscription is not active.
func (s *Service) firstCredit(ctx context.Context, tx *postgres.Tx, sub Subscription) error {
	_, err := tx.PGX.Exec(ctx, `
		INSERT INTO prepaid_credits (id, org_id, subscription_id, calls, reason, granted_at)
		SELECT $2, s.org_id, s.id, l.calls, 'Included in the plan', $3 FROM subscriptions s JOIN plan_limits l ON l.plan_version_id = s.plan_version_id
		WHERE s.id = $1 AND s.state = 'active' AND l.prepaid AND l.calls > 0`, sub.ID, postgres.NewID(), s.clock.Now())
	return err
}

// lockApplication locks a subscription after its application, so that one
// subscription of an application begins at a time.
func (s *Service) lockApplication(tx *postgres.Tx, id uuid.UUID) (Subscription, error) {
	if err := tx.Exec(`SELECT 1 FROM applications WHERE id = (SELECT application_id FROM subscriptions WHERE id = ?) FOR UPDATE`, id).Error; err != nil {
		return Subscription{}, err
	}
	return s.lock(tx, id)
}

// giveWay ends the free subscriptions that the one about to begin replaces.
func (s *Service) giveWay(tx *postgres.Tx, next Subscription) error {
	return tx.Exec(`UPDATE subscriptions s SET state = 'ended', ended_at = ? WHERE s.state = 'active' AND `+free+` AND `+overlaps,
		s.clock.Now(), next.ApplicationID, next.ID, next.ProductID, next.ProductID).Error
}
