package console

import (
	"context"
	"time"

	"github.com/google/uuid"

	"tollgate/internal/plans"
	"tollgate/internal/portal/format"
	"tollgate/internal/portal/request"
	"tollgate/internal/postgres"
	"tollgate/internal/problem"
	"tollgate/web/component"
	"tollgate/web/page"
)

// RequestForm asks what somebody needs of a plan that is made to measure.
func (c *Console) RequestForm(r *request.Request) error {
	if r.Query("sent") != "" {
		return r.Page(page.RequestForm(r.Layout("Request sent"), page.RequestFormProps{Sent: true, SentText: "The team looks at it. Its answer appears under Subscriptions; a plan that it makes for you is also on the product's pricing page, for you alone."}))
	}
	options, err := c.requestable(r, r.Query("plan"))
	if err != nil {
		return err
	}
	return r.Page(page.RequestForm(r.Layout("Ask for a plan"), page.RequestFormProps{Plans: options}))
}

// SendRequest stores the request.
func (c *Console) SendRequest(r *request.Request) error {
	plan, _ := r.FormID("plan") // none chosen is refused below
	calls, err := format.ParseCount(r.Form("calls"))
	fields := map[string]string{}
	if err != nil {
		fields["expected_calls"] = err.Error()
	} else {
		err = c.Plans.Ask(r.Ctx(), r.Identity.Organization, r.Identity.User, plans.NewRequest{Plan: plan, ExpectedCalls: calls, Message: r.Form("message")})
		if err == nil {
			return r.Redirect("/console/requests/new?sent=1")
		}
		var ok bool
		if fields, ok = request.Fields(err); !ok {
			if plan != uuid.Nil || !problem.Is(err, "not-found") {
				return err
			}
			fields = map[string]string{"plan": "Choose a plan."}
		}
	}
	options, err := c.requestable(r, r.Form("plan"))
	if err != nil {
		return err
	}
	return r.Invalid(page.RequestForm(r.Layout("Ask for a plan"), page.RequestFormProps{
		Plans: options, PlanError: fields["plan"], Calls: r.Form("calls"), CallsError: first(fields, "expected_calls", "calls"),
		Message: r.Form("message"), MessageError: fields["message"], Error: fields[""],
	}))
}

// requestable lists the plans that are sold on request.
func (c *Console) requestable(r *request.Request, selected string) ([]component.Option, error) {
	var all []component.Option
	err := c.reading(r, func(ctx context.Context, tx *postgres.Tx) error {
		rows, err := tx.PGX.Query(ctx, `SELECT pl.id::text, p.name || ' ' || pl.name FROM plans pl JOIN products p ON p.id = pl.product_id WHERE pl.sale = $1 ORDER BY 2 LIMIT 500`, plans.OnRequest)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var o component.Option
			if err := rows.Scan(&o.Value, &o.Label); err != nil {
				return err
			}
			all = append(all, o)
		}
		return rows.Err()
	})
	if len(all) == 0 {
		all = []component.Option{{Label: "No plan is sold on request at present"}}
	}
	return component.Options(selected, all...), err
}

// news is how long the overview tells of a declined request.
const news = 14 * 24 * time.Hour

func askedRows(all []plans.Request, now time.Time) []page.AskedRow {
	out := make([]page.AskedRow, len(all))
	for i, q := range all {
		row := page.AskedRow{Plan: q.ProductName + " " + q.PlanName, Calls: format.Count(q.ExpectedCalls), Sent: format.Moment(q.CreatedAt.In(now.Location()), now)}
		on := ""
		if q.DecidedAt != nil {
			on = " on " + format.Date(q.DecidedAt.In(now.Location()))
		}
		switch {
		case q.State == "declined":
			row.Status, row.Answer = component.BadgeProps{Label: "Declined"}, "Declined"+on+": "+q.Reason
		case q.State == "granted" && q.Taken:
			row.Status, row.Answer = component.BadgeProps{Label: "Granted", Tone: component.OK}, "As "+q.GrantedName+on+"; you subscribed to it."
		case q.State == "granted":
			row.Status, row.Answer = component.BadgeProps{Label: "Granted", Tone: component.OK}, "As "+q.GrantedName+on+", for you alone."
			row.Action = takeUp(q)
		default:
			row.Status, row.Answer = component.BadgeProps{Label: "Open", Tone: component.Accent}, "The team has not answered yet."
		}
		out[i] = row
	}
	return out
}

func takeUp(q plans.Request) component.LinkButtonProps {
	return component.LinkButtonProps{Label: "Subscribe", URL: "/console/subscribe/" + q.GrantedPlanID.String(), Kind: component.Primary}
}

// answered are the requests that the team has answered and the customer has not
// yet acted upon or, when declined, may not have read.
func answered(all []plans.Request, now time.Time) (out []page.Need) {
	for _, q := range all {
		name := q.ProductName + " " + q.PlanName
		switch {
		case q.State == "granted" && !q.Taken:
			out = append(out, page.Need{Title: "Your request for " + name + " was granted", Detail: "The plan " + q.GrantedName + " is made for you: see its price and limits, and subscribe.", Tone: component.OK, Action: takeUp(q)})
		case q.State == "declined" && q.DecidedAt != nil && now.Sub(*q.DecidedAt) < news:
			out = append(out, page.Need{Title: "Your request for " + name + " was declined", Detail: q.Reason, Tone: component.Warn, Action: component.LinkButtonProps{Label: "See your requests", URL: "/console/subscriptions"}})
		}
	}
	return out
}
