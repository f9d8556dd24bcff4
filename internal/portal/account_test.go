package portal_test

import (
	"net/http"
	"strings"
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
	b.get(b.subscribePro(simtest.CardWorks).Location).expect(http.StatusOK, "")
	b.post("/account/organization", "name", " ", "billing_email", "nobody").expect(http.StatusUnprocessableEntity, "", "Type a name", "This is not an e-mail address.", `value="nobody"`)
	b.post("/account/organization", "name", "Acme GmbH & Söhne", "billing_email", "bills@acme.example").expect(http.StatusSeeOther, "/account")
	b.get("/account").expect(http.StatusOK, "", "The organization is saved.", "Acme GmbH & Söhne", `value="bills@acme.example"`)

	issued := w.id(`SELECT id FROM invoices WHERE number = 'TG-000001'`)
	if page := b.get("/console/invoices/"+issued.String()).expect(http.StatusOK, "", "To Acme"); strings.Contains(text(page.Body), "To Acme GmbH") {
		t.Error("an issued invoice has the new name")
	}
	finance := w.staff("finance")
	finance.get("/finance/invoices.csv").expect(http.StatusOK, "", "TG-000001,Acme,paid")
	if _, err := w.Move(t.Context(), w.Clock.Now().AddDate(0, 1, 1)); err != nil {
		t.Fatal(err)
	}
	finance.get("/finance/invoices.csv").expect(http.StatusOK, "", ",,Acme GmbH & Söhne,review", "TG-000001,Acme,paid")
	w.staff("product").get("/account").expect(http.StatusOK, "", "Change password")
}

func TestWhatNoBrowserSendsIsNoFaultOfOurs(t *testing.T) {
	t.Parallel()
	b := newWorld(t).customer("ada@acme.example")
	for _, path := range []string{"/apis/%00", "/apis/%ff", "/products/%00", "/pricing/%ff", "/console/logs?api=%00", "/console/usage?key=%ff", "/console/checkout/return?session_id=%00", "/apis?q=%00%ff"} {
		if got := b.get(path); got.Status >= 500 {
			t.Errorf("%s: %d", path, got.Status)
		}
	}
	for path, form := range map[string][]string{
		"/login": {"email", "a\x00@b.example", "password", "x\x00"}, "/signup": {"email", "\xff@b.example", "password", "long enough\x00\xff"}, "/console/keys": {"name", "a\x00b\xff", "mode", "live"},
	} {
		if got := b.post(path, form...); got.Status >= 500 {
			t.Errorf("POST %s: %d", path, got.Status)
		}
	}
}

func TestHeadIsAnsweredLikeGet(t *testing.T) {
	t.Parallel()
	b := newWorld(t).browser()
	for path, want := range map[string]int{"/": 200, "/apis/weather": 200, "/console": 303, "/nowhere": 404} {
		if got := b.do(http.MethodHead, path, nil); got.Status != want || got.Body != "" {
			t.Errorf("HEAD %s: %d with %d bytes, want %d", path, got.Status, len(got.Body), want)
		}
	}
}
