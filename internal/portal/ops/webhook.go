package ops

import (
	"io"
	"net/http"

	"tollgate/internal/billing"
	"tollgate/internal/billing/stripe"
	"tollgate/internal/portal/request"
	"tollgate/internal/problem"
)

// Webhooks takes deliveries of Stripe's.
type Webhooks struct{ Billing *billing.Service }

// Stripe stores a delivery whose signature is right. Any other has no effect
// and is answered with 400; Stripe repeats what was answered with 500.
func (w *Webhooks) Stripe(r *request.Request) error {
	payload, err := io.ReadAll(io.LimitReader(r.HTTP().Body, stripe.MaxWebhookBytes+1))
	if err != nil {
		return problem.New("bad-request", "The delivery could not be read.").Because(err)
	}
	if err := w.Billing.Webhook(r.Ctx(), payload, r.HTTP().Header.Get("Stripe-Signature")); err != nil {
		return err
	}
	return r.JSON(http.StatusOK, struct {
		Received bool `json:"received"`
	}{true})
}
