package stripesim

import (
	"crypto/rand"
	"embed"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

//go:embed page.css checkout.html invoice.html
var pageFiles embed.FS

var pages = template.Must(template.New("pages").ParseFS(pageFiles, "page.css", "checkout.html", "invoice.html"))

// checkoutForm is what the person typed.
type checkoutForm struct {
	Number, Expiry, CVC, Name string
}

// checkoutProps is exactly what the Checkout page shows.
type checkoutProps struct {
	Nonce     string
	State     string // open, complete or expired
	Action    string
	CancelURL string
	Customer  string
	Form      checkoutForm
	Errors    map[string]string // by field; "" is about the whole form
}

// sampleForm is prefilled so that trying the product takes one click.
func (s *Server) sampleForm() checkoutForm {
	return checkoutForm{
		Number: "4242 4242 4242 4242", CVC: "123",
		Expiry: fmt.Sprintf("12 / %02d", (s.clock().UTC().Year()+2)%100),
	}
}

func (s *Server) checkoutPage(w http.ResponseWriter, r *http.Request) {
	s.inSession(w, r, func(c *call, ses session) func() {
		props := s.checkoutProps(c, ses)
		return func() { s.renderCheckout(w, http.StatusOK, props, ses) }
	})
}

// submitCheckout saves the card, completes the session and sends the browser
// back to the shop.
func (s *Server) submitCheckout(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 1<<16)
	if err := r.ParseForm(); err != nil {
		http.Error(w, "The form could not be read.", http.StatusBadRequest)
		return
	}
	form := checkoutForm{
		Number: r.PostFormValue("number"), Expiry: r.PostFormValue("expiry"),
		CVC: r.PostFormValue("cvc"), Name: r.PostFormValue("name"),
	}
	s.inSession(w, r, func(c *call, ses session) func() {
		props := s.checkoutProps(c, ses)
		if ses.Status == "complete" { // a second click goes where the first went
			return func() { redirectBack(w, ses) }
		}
		if ses.Status != "open" {
			return func() { s.renderCheckout(w, http.StatusConflict, props, ses) }
		}
		cd, month, year, errs := s.checkCard(form)
		if len(errs) == 0 {
			code := c.complete(ses, cd, month, year, form.Name)
			if code == "" {
				return func() { redirectBack(w, ses) }
			}
			errs = map[string]string{"": declineMessage(code)}
		}
		props.Form, props.Errors = form, errs
		return func() { s.renderCheckout(w, http.StatusUnprocessableEntity, props, ses) }
	})
}

// inSession runs f with the session named in the path, commits what it did,
// and only then lets the function that it returned answer.
func (s *Server) inSession(w http.ResponseWriter, r *http.Request, f func(*call, session) func()) {
	respond := func() { http.NotFound(w, r) }
	err := s.store.update(func(t *tx) bool {
		c := &call{tx: t, s: s, now: s.clock().Unix(), view: viewer{public: s.cfg.PublicURL}}
		if ses, ok := c.currentSession(r.PathValue("id")); ok {
			respond = f(c, ses)
		}
		return true
	})
	if err != nil {
		s.cfg.Logger.ErrorContext(r.Context(), "simulated Stripe could not store a change", slog.Any("error", err))
		http.Error(w, "The change could not be stored.", http.StatusInternalServerError)
		return
	}
	s.webhooks.nudge()
	respond()
}

func redirectBack(w http.ResponseWriter, ses session) {
	to := strings.ReplaceAll(ses.SuccessURL, "{CHECKOUT_SESSION_ID}", ses.ID)
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusSeeOther)
}

func (s *Server) checkoutProps(c *call, ses session) checkoutProps {
	cus, _ := find[customer](c.tx, ses.Customer)
	name := cus.Name
	if name == "" {
		name = cus.Email
	}
	return checkoutProps{
		State: ses.Status, Action: "/checkout/" + ses.ID, CancelURL: ses.CancelURL,
		Customer: name, Form: s.sampleForm(), Errors: map[string]string{},
	}
}

var expiryPattern = regexp.MustCompile(`^\s*(\d{1,2})\s*/\s*(?:20)?(\d{2})\s*$`)

// checkCard checks what was typed the way Stripe's page does.
func (s *Server) checkCard(f checkoutForm) (cd card, month, year int, errs map[string]string) {
	errs = map[string]string{}
	digits := plainDigits(f.Number)
	cd, known := cardByNumber(digits)
	switch {
	case !luhn(digits):
		errs["number"] = "Your card number is invalid."
	case !known:
		errs["number"] = "This is not one of the test cards. Never enter a real card here."
	}
	if m := expiryPattern.FindStringSubmatch(f.Expiry); m == nil {
		errs["expiry"] = "Write the expiry date as month / year, for example 12 / 34."
	} else {
		month, _ = strconv.Atoi(m[1])
		year, _ = strconv.Atoi("20" + m[2])
		now := s.clock().UTC()
		if month < 1 || month > 12 {
			errs["expiry"] = "The month must be between 1 and 12."
		} else if year < now.Year() || (year == now.Year() && month < int(now.Month())) {
			errs["expiry"] = "Your card is expired."
		}
	}
	if n := len(f.CVC); n < 3 || n > 4 || strings.Trim(f.CVC, "0123456789") != "" {
		errs["cvc"] = "Your card's security code has three or four digits."
	}
	return cd, month, year, errs
}

// renderCheckout allows the form to lead to the shop's pages and nowhere else:
// browsers apply form-action to redirects too.
func (s *Server) renderCheckout(w http.ResponseWriter, status int, p checkoutProps, ses session) {
	p.Nonce = rand.Text()
	s.renderPage(w, status, "checkout.html", p.Nonce, "'self' "+origin(ses.SuccessURL), p)
}

func (s *Server) renderPage(w http.ResponseWriter, status int, name, nonce, formAction string, props any) {
	var buf strings.Builder
	if err := pages.ExecuteTemplate(&buf, name, props); err != nil {
		s.cfg.Logger.Error("simulated Stripe could not render a page", slog.Any("error", err))
		http.Error(w, "This page could not be shown.", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'nonce-"+nonce+"'; form-action "+formAction+"; base-uri 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(buf.String())) // a browser that went away needs no page
}

func origin(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || strings.ContainsAny(u.Host, "; ,") {
		return ""
	}
	return u.Scheme + "://" + u.Host
}
