// Package api is the portal's management API. It stands behind the gateway like
// any provider's API and believes the caller that the gateway has signed.
package api

import (
	"context"
	_ "embed" // the API's document
	"net/http"
	"time"

	"github.com/google/uuid"

	"tollgate/internal/clock"
	"tollgate/internal/metering"
	"tollgate/internal/portal/request"
	"tollgate/internal/postgres"
	"tollgate/internal/problem"
	"tollgate/internal/subscriptions"
)

// Document is the API's OpenAPI document (Swagger 2.0), generated from the
// comments of the handlers.
//
//go:embed docs/swagger.json
var Document []byte

// Handlers answer the management API.
//
//	@title			Tollgate API
//	@version		1.0
//	@description	What an application may ask about itself: its subscriptions, its usage, and what it may still call. The calls are authenticated and counted by the gateway like those of any other API.
//	@BasePath		/
//	@tag.name		account
//	@tag.description	The calling application and its organization.
type Handlers struct {
	DB            *postgres.DB
	Clock         *clock.Clock
	Subscriptions *subscriptions.Service
}

// Usage is the usage of a span of time.
type Usage struct {
	From          time.Time `json:"from"`
	To            time.Time `json:"to"` // not included
	Calls         int64     `json:"calls" example:"170"`
	BillableCalls int64     `json:"billable_calls" example:"168"`
	Errors        int64     `json:"errors" example:"2"` // answers of 400 and above
	Days          []Day     `json:"days"`
}

// Day is the usage of one day, in UTC.
type Day struct {
	Day           string `json:"day" example:"2026-11-23"`
	Calls         int64  `json:"calls" example:"170"`
	BillableCalls int64  `json:"billable_calls" example:"168"`
	Errors        int64  `json:"errors" example:"2"`
}

// maxSpan bounds what one request may ask for.
const maxSpan = 366 * 24 * time.Hour

// GetUsage sums the organization's calls.
//
//	@Summary		Get usage
//	@Description	The calls of your organization by day, of live and test keys. Without parameters: the last 30 days.
//	@ID				getUsage
//	@Tags			account
//	@Produce		json
//	@Param			from	query		string	false	"First day, as 2026-11-01"	format(date)
//	@Param			to		query		string	false	"Day after the last, as 2026-12-01"	format(date)
//	@Success		200		{object}	Usage
//	@Failure		401		{object}	problem.Body
//	@Failure		422		{object}	problem.Body
//	@Router			/api/v1/usage [get]
func (h *Handlers) GetUsage(r *request.Request) error {
	today := h.Clock.Now().Truncate(24 * time.Hour)
	from, err1 := dayOr(r.Query("from"), today.AddDate(0, 0, -29))
	to, err2 := dayOr(r.Query("to"), today.AddDate(0, 0, 1))
	v := problem.Invalid{}
	v.Check(err1 == nil, "from", "Give a day as 2026-11-01.")
	v.Check(err2 == nil, "to", "Give a day as 2026-12-01.")
	v.Check(err1 != nil || err2 != nil || from.Before(to), "to", "The span must not be empty.")
	v.Check(to.Sub(from) <= maxSpan, "from", "Ask for at most 366 days at once.")
	if err := v.Err(); err != nil {
		return err
	}
	out := Usage{From: from, To: to, Days: []Day{}}
	err := h.DB.InTx(r.Ctx(), func(ctx context.Context, tx *postgres.Tx) error {
		buckets, err := metering.Series(ctx, tx.PGX, metering.Filter{Org: r.Caller.Organization, From: from, To: to}, metering.ByDay)
		for _, b := range buckets {
			out.Calls, out.BillableCalls, out.Errors = out.Calls+b.Calls, out.BillableCalls+b.Billable, out.Errors+b.Errors
			out.Days = append(out.Days, Day{b.At.Format(time.DateOnly), b.Calls, b.Billable, b.Errors})
		}
		return err
	})
	if err != nil {
		return err
	}
	return r.JSON(http.StatusOK, out)
}

func dayOr(text string, fallback time.Time) (time.Time, error) {
	if text == "" {
		return fallback, nil
	}
	return time.Parse(time.DateOnly, text)
}

// Subscription is an application's hold on a plan.
type Subscription struct {
	ID          uuid.UUID  `json:"id"`
	Product     string     `json:"product" example:"Elements"`
	Plan        string     `json:"plan" example:"Pro"`
	State       string     `json:"state" enums:"active,unpaid,ended" example:"active"`
	PeriodStart *time.Time `json:"period_start"`
	PeriodEnd   *time.Time `json:"period_end"` // not included
}

// Subscriptions is a list of subscriptions.
type Subscriptions struct {
	Subscriptions []Subscription `json:"subscriptions"`
}

// ListSubscriptions lists the organization's subscriptions.
//
//	@Summary		List subscriptions
//	@Description	The subscriptions of your organization, newest first, with their present billing periods.
//	@ID				listSubscriptions
//	@Tags			account
//	@Produce		json
//	@Success		200	{object}	Subscriptions
//	@Failure		401	{object}	problem.Body
//	@Router			/api/v1/subscriptions [get]
func (h *Handlers) ListSubscriptions(r *request.Request) error {
	list, err := h.Subscriptions.List(r.Ctx(), r.Caller.Organization)
	if err != nil {
		return err
	}
	out := Subscriptions{Subscriptions: []Subscription{}}
	for _, s := range list {
		out.Subscriptions = append(out.Subscriptions, Subscription{s.ID, s.ProductName, s.PlanName, s.State, s.PeriodStart, s.PeriodEnd})
	}
	return r.JSON(http.StatusOK, out)
}
