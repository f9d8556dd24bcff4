package stripesim

import "net/http"

// routes lists everything that is served.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	for pattern, e := range endpoints() {
		mux.HandleFunc(pattern, s.serveAPI(e))
	}
	mux.HandleFunc("/v1/", s.serveAPI(endpoint{handle: unknownPath}))

	browser := http.NewCrossOriginProtection()
	mux.HandleFunc("GET /checkout/{id}", s.checkoutPage)
	mux.Handle("POST /checkout/{id}", browser.Handler(http.HandlerFunc(s.submitCheckout)))
	mux.HandleFunc("GET /invoices/{id}", s.invoicePage)
	mux.HandleFunc("GET /invoices/{id}/pdf", s.invoicePage)

	mux.Handle("/_sim/", s.control())
	return mux
}

func endpoints() map[string]endpoint {
	paging := func(more ...string) []string {
		return append([]string{"limit", "starting_after", "ending_before"}, more...)
	}
	return map[string]endpoint{
		"GET /v1/customers":       {listCustomers, paging("email")},
		"POST /v1/customers":      {createCustomer, customerParams},
		"GET /v1/customers/{id}":  {getCustomer, nil},
		"POST /v1/customers/{id}": {updateCustomer, customerParams},

		"POST /v1/checkout/sessions":             {createSession, sessionParams},
		"GET /v1/checkout/sessions/{id}":         {getSession, nil},
		"POST /v1/checkout/sessions/{id}/expire": {expireSession, nil},
		"GET /v1/setup_intents/{id}":             {getSetupIntent, nil},

		"GET /v1/payment_methods":              {listPaymentMethods, paging("customer", "type")},
		"GET /v1/payment_methods/{id}":         {getPaymentMethod, nil},
		"POST /v1/payment_methods/{id}/attach": {attachPaymentMethod, []string{"customer"}},
		"POST /v1/payment_methods/{id}/detach": {detachPaymentMethod, nil},

		"GET /v1/invoices":                {listInvoices, paging("customer", "status", "collection_method")},
		"POST /v1/invoices":               {createInvoice, invoiceCreateParams},
		"GET /v1/invoices/{id}":           {getInvoice, nil},
		"POST /v1/invoices/{id}":          {updateInvoice, invoiceUpdateParams},
		"DELETE /v1/invoices/{id}":        {deleteInvoice, nil},
		"GET /v1/invoices/{id}/lines":     {listInvoiceLines, paging()},
		"POST /v1/invoices/{id}/finalize": {finalizeInvoice, []string{"auto_advance"}},
		"POST /v1/invoices/{id}/pay":      {payInvoice, payParams},
		"POST /v1/invoices/{id}/void":     {voidInvoice, nil},

		"POST /v1/invoices/{id}/mark_uncollectible": {markUncollectible, nil},

		"GET /v1/invoiceitems":         {listInvoiceItems, paging("customer", "invoice", "pending")},
		"POST /v1/invoiceitems":        {createInvoiceItem, itemParams},
		"GET /v1/invoiceitems/{id}":    {getInvoiceItem, nil},
		"DELETE /v1/invoiceitems/{id}": {deleteInvoiceItem, nil},

		"GET /v1/payment_intents/{id}": {getPaymentIntent, nil},
		"GET /v1/charges/{id}":         {getCharge, nil},
		"GET /v1/refunds":              {listRefunds, paging("charge", "payment_intent")},
		"POST /v1/refunds":             {createRefund, refundParams},
		"GET /v1/refunds/{id}":         {getRefund, nil},
		"GET /v1/credit_notes":         {listCreditNotes, paging("invoice", "customer")},
		"POST /v1/credit_notes":        {createCreditNote, creditNoteParams},
		"GET /v1/credit_notes/{id}":    {getCreditNote, nil},

		"GET /v1/events":      {listEvents, paging("type")},
		"GET /v1/events/{id}": {getEvent, nil},
	}
}
