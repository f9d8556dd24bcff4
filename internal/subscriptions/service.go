package subscriptions

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"tollgate/internal/audit"
	"tollgate/internal/clock"
	"tollgate/internal/postgres"
	"tollgate/internal/problem"
	"tollgate/internal/subscriptions/period"
)

// Service runs the use cases of subscriptions.
type Service struct {
	db    *postgres.DB
	clock *clock.Clock
}

// New makes the service.
func New(db *postgres.DB, c *clock.Clock) *Service { return &Service{db: db, clock: c} }

// Choice is the plan that somebody subscribes to.
type Choice struct {
	Org, Application, Product, PlanVersion uuid.UUID
}

// Choose makes a pending subscription, or returns the one that a double click
// or another tab has made. An application that already holds a subscription to
// the same API versions is refused: the plan of a call would not be clear.
func (s *Service) Choose(ctx context.Context, in Choice) (sub Subscription, err error) {
	err = s.db.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		// one choice at a time per application
		if err := tx.Exec(`SELECT 1 FROM applications WHERE id = ? FOR UPDATE`, in.Application).Error; err != nil {
			return err
		}
		if err := refuseOverlap(tx, Subscription{ApplicationID: in.Application, ProductID: in.Product}, s.clock.Now()); err != nil {
			return err
		}
		var same int64
		if err := tx.Raw(`SELECT count(*) FROM subscriptions WHERE application_id = ? AND plan_version_id = ? AND state IN ('active', 'unpaid')`, in.Application, in.PlanVersion).Scan(&same).Error; err != nil {
			return err
		}
		if same > 0 {
			return problem.Conflict("This application is on that plan already.")
		}
		err := tx.Where("application_id = ? AND plan_version_id = ? AND state = 'pending'", in.Application, in.PlanVersion).First(&sub).Error
		if err == nil || !postgres.IsNotFound(err) {
			return err
		}
		sub = Subscription{ID: postgres.NewID(), OrgID: in.Org, ApplicationID: in.Application, PlanVersionID: in.PlanVersion, ProductID: in.Product, State: Pending, AnchorDay: 1, CreatedAt: s.clock.Now()}
		return tx.Create(&sub).Error
	})
	return sub, err
}

// SetCheckout notes the Checkout session that a pending subscription waits for.
func (s *Service) SetCheckout(ctx context.Context, id uuid.UUID, session string) error {
	return s.db.InTx(ctx, func(_ context.Context, tx *postgres.Tx) error {
		return tx.Exec(`UPDATE subscriptions SET checkout_session_id = ? WHERE id = ?`, session, id).Error
	})
}

// ByCheckout finds the subscription that a Checkout session was opened for.
func (s *Service) ByCheckout(ctx context.Context, session string) (sub Subscription, err error) {
	if session == "" {
		return sub, problem.NotFound("checkout")
	}
	return s.find(ctx, `checkout_session_id = ?`, session)
}

// Get reads one subscription.
func (s *Service) Get(ctx context.Context, id uuid.UUID) (Subscription, error) {
	return s.find(ctx, `id = ?`, id)
}

func (s *Service) find(ctx context.Context, where string, arg any) (sub Subscription, err error) {
	err = s.db.InTx(ctx, func(_ context.Context, tx *postgres.Tx) error { return tx.Where(where, arg).First(&sub).Error })
	if postgres.IsNotFound(err) {
		err = problem.NotFound("subscription")
	}
	return sub, err
}

func addPeriod(tx *postgres.Tx, sub Subscription, number int, p period.Period) error {
	return tx.Exec(`INSERT INTO billing_periods (subscription_id, org_id, number, starts_at, ends_at, plan_version_id) VALUES (?, ?, ?, ?, ?, ?)`,
		sub.ID, sub.OrgID, number, p.Start, p.End, sub.PlanVersionID).Error
}

func (s *Service) lock(tx *postgres.Tx, id uuid.UUID) (sub Subscription, err error) {
	err = tx.Raw(`SELECT * FROM subscriptions WHERE id = ? FOR UPDATE`, id).Scan(&sub).Error
	if err == nil && sub.ID == uuid.Nil {
		err = problem.NotFound("subscription")
	}
	return sub, err
}

// Suspend refuses calls until what is owed is paid.
func (s *Service) Suspend(ctx context.Context, id uuid.UUID) error {
	return s.moveFrom(ctx, id, Active, Unpaid)
}

// Resume ends a suspension: nothing is owed any more. It begins nothing.
func (s *Service) Resume(ctx context.Context, id uuid.UUID) error {
	return s.moveFrom(ctx, id, Unpaid, Active)
}

func (s *Service) moveFrom(ctx context.Context, id uuid.UUID, from, to string) error {
	return s.db.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		sub, err := s.lock(tx, id)
		if err != nil {
			return err
		}
		return s.move(ctx, tx, sub, to, from)
	})
}

// move takes a locked subscription to state from one of the given states; from
// any other it is left as it is.
func (s *Service) move(ctx context.Context, tx *postgres.Tx, sub Subscription, state string, from ...string) error {
	res := tx.Exec(`UPDATE subscriptions SET state = ? WHERE id = ? AND state IN ? AND period_start IS NOT NULL`, state, sub.ID, from)
	if res.Error != nil || res.RowsAffected == 0 {
		return res.Error
	}
	return audit.Write(ctx, tx, s.clock.Now(), audit.Event{Org: sub.OrgID, Action: "subscription." + state, Object: "subscription", ID: sub.ID.String()})
}

// CancelAtEnd ends the subscription when its present period ends, or takes that back.
func (s *Service) CancelAtEnd(ctx context.Context, actor, org, id uuid.UUID, cancel bool) error {
	return s.db.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		res := tx.Exec(`UPDATE subscriptions SET cancel_at_end = ? WHERE id = ? AND org_id = ? AND state IN ('active', 'unpaid')`, cancel, id, org)
		if res.Error == nil && res.RowsAffected == 0 {
			return problem.NotFound("active subscription")
		}
		if res.Error != nil {
			return res.Error
		}
		action := map[bool]string{true: "subscription.cancel", false: "subscription.resume"}[cancel]
		return audit.Write(ctx, tx, s.clock.Now(), audit.Event{Org: org, Actor: actor, Action: action, Object: "subscription", ID: id.String()})
	})
}

// List returns an organization's subscriptions, newest first; those that have
// not begun, or ended before they did, are left out.
func (s *Service) List(ctx context.Context, org uuid.UUID) (out []Listed, err error) {
	err = s.db.InTx(ctx, func(_ context.Context, tx *postgres.Tx) error {
		return tx.Raw(listed+`WHERE s.org_id = ? AND s.state <> 'pending' AND s.period_start IS NOT NULL ORDER BY s.created_at DESC LIMIT 200`, org).Scan(&out).Error
	})
	return out, err
}

const listed = `
	SELECT s.*, pl.id AS plan_id, pl.name AS plan_name, p.name AS product_name, p.slug AS product_slug, o.time_zone
	FROM subscriptions s JOIN plan_versions pv ON pv.id = s.plan_version_id JOIN plans pl ON pl.id = pv.plan_id
	JOIN products p ON p.id = s.product_id JOIN organizations o ON o.id = s.org_id `

// RollDue moves every subscription whose period has ended by now into its next
// period, or ends it. It returns how many it moved. One that cannot be moved
// does not keep the others waiting.
func (s *Service) RollDue(ctx context.Context) (moved int, err error) {
	failed := []uuid.UUID{uuid.Nil} // never empty, so that SQL can compare with it
	for {
		id, rolled := s.rollOne(ctx, failed)
		switch {
		case rolled != nil && id == uuid.Nil:
			return moved, errors.Join(err, rolled)
		case rolled != nil:
			failed = append(failed, id)
			err = errors.Join(err, fmt.Errorf("roll subscription %s: %w", id, rolled))
		case id == uuid.Nil:
			return moved, err
		default:
			moved++
		}
	}
}

// rollOne rolls one subscription that is due, other than those named, and
// returns which; none when nothing is due.
func (s *Service) rollOne(ctx context.Context, except []uuid.UUID) (id uuid.UUID, err error) {
	err = s.db.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		var sub Listed
		if err := tx.Raw(listed+`WHERE s.state IN ('active', 'unpaid') AND s.period_end <= ? AND s.id NOT IN ? ORDER BY s.period_end LIMIT 1 FOR UPDATE OF s SKIP LOCKED`, s.clock.Now(), except).Scan(&sub).Error; err != nil {
			return err
		}
		id = sub.ID
		switch {
		case id == uuid.Nil:
			return nil
		case sub.CancelAtEnd:
			return s.end(ctx, tx, sub.Subscription)
		default:
			return roll(tx, sub)
		}
	})
	return id, err
}

func roll(tx *postgres.Tx, sub Listed) error {
	var number int
	if err := tx.Raw(`SELECT max(number) FROM billing_periods WHERE subscription_id = ?`, sub.ID).Scan(&number).Error; err != nil {
		return err
	}
	p := period.From(*sub.PeriodEnd, sub.AnchorDay, sub.Location())
	if err := tx.Exec(`UPDATE subscriptions SET period_start = ?, period_end = ? WHERE id = ?`, p.Start, p.End, sub.ID).Error; err != nil {
		return err
	}
	return addPeriod(tx, sub.Subscription, number+1, p)
}

func (s *Service) end(ctx context.Context, tx *postgres.Tx, sub Subscription) error {
	if err := tx.Exec(`UPDATE subscriptions SET state = 'ended', ended_at = period_end WHERE id = ?`, sub.ID).Error; err != nil {
		return err
	}
	return audit.Write(ctx, tx, s.clock.Now(), audit.Event{Org: sub.OrgID, Action: "subscription.ended", Object: "subscription", ID: sub.ID.String()})
}

// DuePeriods lists periods that ended before the given moment and are not yet
// closed, oldest first, those that come after the given one; the zero period is
// before all. A period is due once its subscription has moved on from it or has
// ended: before that it is not known whether another follows, with a fee. What
// was never paid for in advance is never due.
func (s *Service) DuePeriods(ctx context.Context, endedBefore time.Time, after BillingPeriod, most int) (out []BillingPeriod, err error) {
	err = s.db.InTx(ctx, func(_ context.Context, tx *postgres.Tx) error {
		return tx.Raw(`SELECT b.* FROM billing_periods b JOIN subscriptions s ON s.id = b.subscription_id
			WHERE b.closed_batch IS NULL AND b.ends_at <= ? AND s.state <> 'pending' AND (s.state = 'ended' OR s.period_start >= b.ends_at)
			AND (b.ends_at, b.subscription_id) > (?, ?)
			ORDER BY b.ends_at, b.subscription_id LIMIT ?`, endedBefore, after.EndsAt, after.SubscriptionID, most).Scan(&out).Error
	})
	return out, err
}
