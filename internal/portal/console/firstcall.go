package console

import (
	"context"
	"net/http"
	"strconv"

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
	samples, err := c.samples(r, k.ApplicationID, placeholder)
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
		heard, err = metering.LastOfKey(ctx, tx.PGX, id)
		return err
	})
	return k, outcome(k, heard), err
}

// outcome is what is known of a key since it was made: a call that came through
// counts more than one that was refused.
func outcome(k keys.Key, heard metering.KeyState) page.FirstCallResult {
	if heard.UsedAt != nil && !heard.UsedAt.Before(k.CreatedAt) {
		return page.FirstCallResult{
			State: page.CallArrived, Method: heard.Method, Path: heard.Path, Status: statusText(int(heard.Status)), Latency: format.Latency(heard.DurationUs),
			RequestID: heard.RequestID.String(), LogURL: "/console/logs?key=" + k.ID.String(),
		}
	}
	if heard.RefusedAt != nil && !heard.RefusedAt.Before(k.CreatedAt) {
		t := problem.TypeOf(heard.Refusal)
		return page.FirstCallResult{State: page.CallRefused, Status: statusText(t.Status), Reason: t.Title + ". " + t.Meaning + " " + t.Fix, FixURL: t.URL("")}
	}
	return page.FirstCallResult{State: page.CallWaiting}
}

func statusText(status int) string { return strconv.Itoa(status) + " " + http.StatusText(status) }
