package console

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"tollgate/internal/keys"
	"tollgate/internal/metering"
	"tollgate/internal/portal/format"
	"tollgate/internal/portal/request"
	"tollgate/internal/postgres"
	"tollgate/internal/problem"
	"tollgate/web/page"
)

// placeholder stands for a key whose secret nobody knows any more.
const placeholder = "YOUR_API_KEY"

// FirstCall listens for a key's first call.
func (c *Console) FirstCall(r *request.Request) error {
	k, result, err := c.arrival(r)
	if err != nil {
		return err
	}
	samples, err := c.samples(r, k, placeholder)
	if err != nil {
		return err
	}
	if len(samples.Samples) == 0 && result.State == page.CallWaiting {
		result.Reason, result.FixURL = "You hold no plan yet, so there is nothing to call: choose an API and a plan first.", "/apis"
	}
	address := "/console/first-call/" + k.ID.String()
	return r.Page(page.FirstCall(r.Layout("First call"), page.FirstCallProps{KeyName: k.Name, Samples: samples, StatusURL: address + "/status", RefreshURL: address, Result: result}))
}

// FirstCallStatus answers the listening page's question.
func (c *Console) FirstCallStatus(r *request.Request) error {
	_, result, err := c.arrival(r)
	if err != nil {
		return err
	}
	html, err := r.HTML(page.FirstCallStatus(result))
	if err != nil {
		return err
	}
	r.Header().Set("Cache-Control", "no-store")
	return r.JSON(http.StatusOK, struct {
		Arrived bool   `json:"arrived"`
		HTML    string `json:"html"`
	}{result.State == page.CallArrived, html})
}

func (c *Console) arrival(r *request.Request) (k keys.Key, result page.FirstCallResult, err error) {
	id, err := r.ParamID("key")
	if err != nil {
		return k, result, err
	}
	if k, err = c.Keys.Get(r.Ctx(), r.Identity.Organization, id); err != nil {
		return k, result, err
	}
	var heard metering.KeyState
	err = c.reading(r, func(ctx context.Context, tx *postgres.Tx) error {
		if heard, err = metering.LastOfKey(ctx, tx.PGX, id); err != nil || heard.UsedAt == nil || heard.Status < http.StatusBadRequest {
			return err
		}
		good, ok, err := metering.LastGoodOfKey(ctx, tx.PGX, r.Identity.Organization, id)
		if ok {
			heard = good // what worked once is not unsaid by a later failure
		}
		return err
	})
	return k, outcome(k, heard), err
}

// outcome is what is known of a key since it was made: an answer counts more
// than a failure, and of failures the latest counts.
func outcome(k keys.Key, heard metering.KeyState) page.FirstCallResult {
	used := heard.UsedAt != nil && !heard.UsedAt.Before(k.CreatedAt)
	refused := heard.RefusedAt != nil && !heard.RefusedAt.Before(k.CreatedAt)
	switch {
	case used && heard.Status < http.StatusBadRequest:
		return forwarded(k, heard, page.CallArrived, "")
	case used && (!refused || heard.UsedAt.After(*heard.RefusedAt)):
		return forwarded(k, heard, page.CallFailed, failure(int(heard.Status)))
	case refused:
		t := problem.TypeOf(heard.Refusal)
		return page.FirstCallResult{State: page.CallRefused, Status: statusText(t.Status), Reason: t.Title + ". " + t.Meaning + " " + t.Fix, FixURL: t.URL("")}
	}
	return page.FirstCallResult{State: page.CallWaiting}
}

// forwarded is a call that the gateway passed on to the API.
func forwarded(k keys.Key, heard metering.KeyState, state page.FirstCallState, reason string) page.FirstCallResult {
	return page.FirstCallResult{
		State: state, Method: heard.Method, Path: heard.Path, Status: statusText(int(heard.Status)), Latency: format.Latency(heard.DurationUs),
		RequestID: heard.RequestID.String(), LogURL: "/console/logs?key=" + k.ID.String(), Reason: reason,
	}
}

// clientLeft is what the gateway notes when nobody waited for the answer.
const clientLeft = 499

// failure says why a forwarded call did not work.
func failure(status int) string {
	switch {
	case status == clientLeft:
		return "The connection was closed before the API had answered. The call is not billed. Try again and wait for the answer."
	case status >= http.StatusInternalServerError:
		return "Your key works and the call was passed on, but the API failed or did not answer. Such a call is not billed unless your plan says so. Try again shortly; this page goes on listening."
	}
	return "Your key works and the call was passed on; the API itself answered with this error. Compare method, path and parameters with its reference and try again; this page goes on listening."
}

func statusText(status int) string {
	if status == clientLeft {
		return "499 Client Closed Request"
	}
	return strings.TrimSpace(strconv.Itoa(status) + " " + http.StatusText(status))
}
