package portal_test

import (
	"net/http"
	"testing"

	"tollgate/internal/stripesim/simtest"
)

func TestANewPasswordKeepsThisBrowserAndSignsOutTheOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	here, there := w.customer("ada@acme.example"), w.browser()
	there.post("/login", "email", "ada@acme.example", "password", password).expect(http.StatusSeeOther, "/console")
	here.post("/account/password", "current_password", "a guess", "new_password", "another good password").expect(http.StatusUnprocessableEntity, "", "This is not your current password.")
	here.post("/account/password", "current_password", password, "new_password", "short").expect(http.StatusUnprocessableEntity, "", "Use at least 12 characters.")
	there.get("/console").expect(http.StatusOK, "")

	here.post("/account/password", "current_password", password, "new_password", "another good password").expect(http.StatusSeeOther, "/account")
	here.get("/account").expect(http.StatusOK, "", "Every other browser is signed out")
	there.get("/console").expect(http.StatusSeeOther, "/login?next=%2Fconsole")
	there.post("/login", "email", "ada@acme.example", "password", password).expect(http.StatusUnprocessableEntity, "")
	there.post("/login", "email", "ada@acme.example", "password", "another good password").expect(http.StatusSeeOther, "/console")
}

func TestGuessingThePasswordInAnOpenBrowserSlowsDown(t *testing.T) {
	t.Parallel()
	b := newWorld(t).customer("ada@acme.example")
	for range 5 {
		b.post("/account/password", "current_password", "a guess", "new_password", "another good password").expect(http.StatusUnprocessableEntity, "")
	}
	b.post("/account/password", "current_password", password, "new_password", "another good password").expect(http.StatusTooManyRequests, "", "Too many failed attempts")
}

func TestAnOrganizationsNewNameIsOnTheNextInvoiceAndNotOnIssuedOnes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.customer("ada@acme.example")
	b.get(b.subscribePro(simtest.CardWorks).location).expect(http.StatusOK, "")
	b.post("/account/organization", "name", " ", "billing_email", "nobody").expect(http.StatusUnprocessableEntity, "", "Type a name", "This is not an e-mail address.", `value="nobody"`)
	b.post("/account/organization", "name", "Acme GmbH & Söhne", "billing_email", "bills@acme.example").expect(http.StatusSeeOther, "/account")
	b.get("/account").expect(http.StatusOK, "", "The organization is saved.", "Acme GmbH & Söhne", `value="bills@acme.example"`)

	finance := w.staff("finance")
	finance.get("/finance/invoices.csv").expect(http.StatusOK, "", "TG-000001,Acme,paid")
	if _, err := w.Move(t.Context(), w.clock.Now().AddDate(0, 1, 1)); err != nil {
		t.Fatal(err)
	}
	finance.get("/finance/invoices.csv").expect(http.StatusOK, "", ",,Acme GmbH & Söhne,review", "TG-000001,Acme,paid")
	w.staff("product").get("/account").expect(http.StatusOK, "", "Change password")
}
