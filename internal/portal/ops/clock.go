package ops

import (
	"context"
	"strconv"
	"strings"
	"time"

	"tollgate/internal/billing"
	"tollgate/internal/clock"
	"tollgate/internal/portal/format"
	"tollgate/internal/portal/request"
	"tollgate/internal/postgres"
	"tollgate/web/page"
)

// Mover moves business time forward and does what is due by then.
type Mover interface {
	Move(ctx context.Context, to time.Time) (billing.Done, error)
}

// Clock holds the handlers of /demo/clock. It is made in demo mode only.
type Clock struct {
	DB    *postgres.DB
	Clock *clock.Clock
	Mover Mover
}

// maxDays bounds one move.
const maxDays = 400

// moved is the session's name for what the last move set off.
const moved = "clock_moved"

// Page shows business time and the ways to move it.
func (c *Clock) Page(r *request.Request) error {
	props, err := c.props(r)
	if err != nil {
		return err
	}
	if done := r.Take(moved); done != "" {
		props.Done = strings.Split(done, "\n")
	}
	return r.Page(page.Clock(r.Layout("Demo clock"), props))
}

func (c *Clock) props(r *request.Request) (page.ClockProps, error) {
	props := page.ClockProps{Now: format.DateTime(c.Clock.Now()), Real: "Wall clock: " + format.DateTime(c.Clock.Real())}
	end, err := c.periodEnd(r)
	if err == nil && !end.IsZero() {
		props.PeriodEnd = format.DateTime(end.UTC())
	}
	return props, err
}

// periodEnd is when all periods that run now have ended; zero without any.
func (c *Clock) periodEnd(r *request.Request) (time.Time, error) {
	var end *time.Time
	err := c.DB.InTx(r.AsStaff(), func(ctx context.Context, tx *postgres.Tx) error {
		return tx.PGX.QueryRow(ctx, `SELECT max(period_end) FROM subscriptions WHERE state IN ('active', 'unpaid') AND period_end > $1`, c.Clock.Now()).Scan(&end)
	})
	if err != nil || end == nil {
		return time.Time{}, err
	}
	return *end, nil
}

// Move moves business time and shows what that set off.
func (c *Clock) Move(r *request.Request) error {
	to, mistake, err := c.target(r)
	if err != nil {
		return err
	}
	if mistake != "" {
		props, err := c.props(r)
		if err != nil {
			return err
		}
		props.Days = page.Input{Value: r.Form("days"), Error: mistake}
		return r.Invalid(page.Clock(r.Layout("Demo clock"), props))
	}
	done, err := c.Mover.Move(r.AsStaff(), to)
	if err != nil {
		return err
	}
	r.Keep(moved, strings.Join([]string{
		"Moved to " + format.DateTime(to.UTC()),
		format.Counted(int64(done.Renewed), "subscription", "subscriptions") + " moved into the next period",
		format.Counted(int64(done.Closed), "period", "periods") + " closed into drafts for finance",
		format.Counted(int64(done.Retried), "refused payment", "refused payments") + " tried again",
	}, "\n"))
	return r.Redirect("/demo/clock")
}

func (c *Clock) target(r *request.Request) (to time.Time, mistake string, err error) {
	if r.Form("to") == "period_end" {
		end, err := c.periodEnd(r)
		if err == nil && end.IsZero() {
			mistake = "No billing period is running: subscribe to a plan first."
		}
		return end.Add(billing.Grace + time.Minute), mistake, err
	}
	days, err := strconv.Atoi(r.Form("days"))
	if err != nil || days < 1 || days > maxDays {
		return to, "Type a whole number of days, from 1 to 400.", nil
	}
	return c.Clock.Now().AddDate(0, 0, days), "", nil
}
