package stripe_test

import (
	"context"
	"strings"
	"testing"

	"tollgate/internal/billing/stripe"
	"tollgate/internal/stripesim/simtest"
)

func newClient(t testing.TB, baseURL, version string) *stripe.Client {
	t.Helper()
	c, err := stripe.New(stripe.Config{
		SecretKey: simtest.SecretKey, WebhookSecret: simtest.WebhookSecret,
		BaseURL: baseURL, APIVersion: version,
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// customerWithCard signs up a customer through Checkout.
func customerWithCard(t testing.TB, a *simtest.Account, c *stripe.Client, card string) (customerID, methodID string) {
	t.Helper()
	ctx := context.Background()
	key := strings.ReplaceAll(card, " ", "")
	cus, err := c.CreateCustomer(ctx, stripe.CustomerInput{
		OrganizationID: "org-1", Name: "Ada & Söhne", Email: "ada@example.com", IdempotencyKey: "customer/" + key,
	})
	must(t, err)
	page, err := c.CreateSetupCheckout(ctx, stripe.SetupInput{
		CustomerID: cus, Currency: "EUR", SuccessURL: "https://portal.example/done?s={CHECKOUT_SESSION_ID}",
		CancelURL: "https://portal.example/back", Metadata: map[string]string{"plan": "pro"}, IdempotencyKey: "setup/" + key,
	})
	must(t, err)
	if status, _ := a.SubmitCheckout(page.URL, card); status != 303 {
		t.Fatalf("checkout answered %d", status)
	}
	res, err := c.SetupResult(ctx, page.ID)
	must(t, err)
	must(t, c.SetDefaultPaymentMethod(ctx, cus, res.PaymentMethod.ID, "default/"+key))
	return cus, res.PaymentMethod.ID
}

// draft makes an invoice of two lines, 12.34 EUR in sum.
func draft(t testing.TB, c *stripe.Client, cus, key string) stripe.Invoice {
	t.Helper()
	ctx := context.Background()
	inv, err := c.CreateInvoice(ctx, stripe.InvoiceInput{
		CustomerID: cus, Currency: "eur", OurInvoiceID: "inv-" + key, OurNumber: "T-0001",
		Description: "November", IdempotencyKey: "invoice/" + key,
	})
	must(t, err)
	for line, amount := range map[string]int64{"fee": 1000, "usage": 234} {
		_, err := c.AddItem(ctx, stripe.ItemInput{
			CustomerID: cus, InvoiceID: inv.ID, Amount: amount, Currency: "eur", Description: line,
			LineID: key + "-" + line, IdempotencyKey: "item/" + key + "/" + line,
		})
		must(t, err)
	}
	return inv
}

// repertoire makes the client say everything that it can say.
func repertoire(t *testing.T, a *simtest.Account, c *stripe.Client) {
	ctx := context.Background()
	cus, pm := customerWithCard(t, a, c, simtest.CardWorks)
	must(t, c.UpdateCustomer(ctx, cus, stripe.CustomerInput{Name: "Another name", Email: "bills@acme.example", IdempotencyKey: "customer/2"}))

	inv := draft(t, c, cus, "paid")
	if _, found, err := c.FindItem(ctx, inv.ID, "paid-usage"); err != nil || !found {
		t.Fatalf("FindItem: found %v, %v", found, err)
	}
	inv, err := c.Invoice(ctx, inv.ID)
	must(t, err)
	if inv.Subtotal != 1234 || inv.Status != stripe.InvoiceDraft {
		t.Fatalf("draft: %+v", inv)
	}
	inv, err = c.Finalize(ctx, inv.ID, "finalize/paid")
	must(t, err)
	inv, err = c.Pay(ctx, inv.ID, pm, "pay/paid/1")
	must(t, err)
	if inv.Status != stripe.InvoicePaid || inv.AmountPaid != 1234 {
		t.Fatalf("paid: %+v", inv)
	}

	voided := draft(t, c, cus, "void")
	_, err = c.Finalize(ctx, voided.ID, "finalize/void")
	must(t, err)
	voided, err = c.Void(ctx, voided.ID, "void/1")
	must(t, err)
	if voided.Status != stripe.InvoiceVoid {
		t.Fatalf("voided: %+v", voided)
	}

	gone := draft(t, c, cus, "gone")
	must(t, c.DeleteDraft(ctx, gone.ID, "delete/1"))

	cusBad, pmBad := customerWithCard(t, a, c, simtest.CardDeclinedPay)
	unpaid := draft(t, c, cusBad, "declined")
	_, err = c.Finalize(ctx, unpaid.ID, "finalize/declined")
	must(t, err)
	if _, err = c.Pay(ctx, unpaid.ID, pmBad, "pay/declined/1"); stripe.KindOf(err) != stripe.Declined {
		t.Fatalf("want a decline, got %v", err)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
