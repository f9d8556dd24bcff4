package stripesim

import (
	"crypto/rand"
	"net/http"
	"time"
)

type invoiceProps struct {
	Nonce    string
	Number   string
	Status   string
	Customer string
	Date     string
	Lines    []invoiceLineProps
	Total    string
	Paid     string
	Due      string
}

type invoiceLineProps struct{ Description, Amount string }

// invoicePage shows a finalized invoice to whoever has its address.
func (s *Server) invoicePage(w http.ResponseWriter, r *http.Request) {
	var p invoiceProps
	found := false
	s.store.view(func(t *tx) {
		c := &call{tx: t, s: s}
		inv, ok := find[invoice](t, r.PathValue("id"))
		if !ok || inv.Status == "draft" {
			return
		}
		found = true
		cus, _ := find[customer](t, inv.Customer)
		p = invoiceProps{
			Nonce: rand.Text(), Number: inv.Number, Status: inv.Status, Customer: cus.Name,
			Date:  time.Unix(inv.FinalizedAt, 0).UTC().Format("2 January 2006"),
			Total: displayAmount(inv.Subtotal, inv.Currency),
			Paid:  displayAmount(inv.AmountPaid, inv.Currency),
			Due:   displayAmount(inv.remaining(), inv.Currency),
		}
		for _, it := range c.itemsOf(inv.ID) {
			p.Lines = append(p.Lines, invoiceLineProps{it.Description, displayAmount(it.Amount, it.Currency)})
		}
	})
	if !found {
		http.NotFound(w, r)
		return
	}
	s.renderPage(w, http.StatusOK, "invoice.html", p.Nonce, "'none'", p)
}
