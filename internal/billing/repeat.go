package billing

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"tollgate/internal/billing/stripe"
	"tollgate/internal/invoices"
)

// repeat makes a call to Stripe that may have been made before. Stripe keeps a
// failure under its key and repeats it for a day: then look whether the call had
// its effect all the same (nil: a second effect does no harm), or make it under
// another key. A refusal by the bank is no such failure: it is an answer.
func repeat[T any](key string, look func() (T, bool, error), call func(key string) (T, error)) (T, error) {
	out, err := call(key)
	var failed *stripe.Error
	if !errors.As(err, &failed) || !failed.Replayed || failed.Kind == stripe.Declined {
		return out, err
	}
	if look != nil {
		if out, found, err := look(); err != nil || found {
			return out, err
		}
	}
	return call(key + "-" + uuid.NewString())
}

// noLonger looks whether an invoice has left a state at Stripe.
func (s *Service) noLonger(ctx context.Context, doc *invoices.Document, state stripe.InvoiceStatus) func() (stripe.Invoice, bool, error) {
	return func() (stripe.Invoice, bool, error) {
		theirs, err := s.stripe.Invoice(ctx, *doc.StripeInvoiceID)
		return theirs, theirs.Status != state, err
	}
}
