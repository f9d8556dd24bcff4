package portal

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"tollgate/internal/accounts"
	"tollgate/internal/identity"
	"tollgate/internal/permissions"
	"tollgate/internal/portal/request"
	"tollgate/internal/postgres"
	"tollgate/internal/problem"
	"tollgate/web/component"
	"tollgate/web/layout"
	"tollgate/web/page"
)

func notFound(*request.Request) error { return problem.NotFound("page") }

// serve is the one adaptor from gin to handlers: it finds out who asks, checks
// the route's permission, binds the tenant, and renders errors.
func (s *Server) serve(rt Route) gin.HandlerFunc {
	return func(c *gin.Context) {
		ctx := c.Request.Context()
		if route, ok := ctx.Value(keyRoute).(*string); ok {
			*route = rt.Path
		}
		r := s.request(c)
		err := s.admit(c, rt, r)
		if err == nil {
			err = rt.Handle(r)
		}
		if errors.Is(err, errToLogin) {
			err = r.Redirect("/login?next=" + url.QueryEscape(c.Request.URL.RequestURI()))
		}
		if err != nil {
			s.answerError(r, err)
		}
	}
}

var errToLogin = errors.New("sign in first")

// admit identifies the caller, checks rt's permission, and binds the request to
// the tenancy that the permission gives.
func (s *Server) admit(c *gin.Context, rt Route, r *request.Request) error {
	ctx := r.Ctx()
	if rt.Needs == permissions.Gateway {
		caller, err := identity.Verify(s.cfg.IdentitySecret, c.GetHeader(identity.Header), s.clock.Real())
		if err != nil {
			return problem.New("unauthenticated", "Call this through the gateway, with an API key: it signs who is calling.")
		}
		r.Caller = caller
		r.Bind(postgres.AsMember(ctx, caller.Organization, uuid.Nil))
		return nil
	}
	user, err := uuid.Parse(s.session.GetString(ctx, accounts.SessionUser))
	if err == nil {
		if r.Identity, err = s.accounts.Identify(ctx, user); err != nil {
			return err
		}
	}
	if !permissions.Allows(r.Identity.Role, rt.Needs) {
		return s.refuse(c, r)
	}
	if permissions.NeedsStaff(rt.Needs) {
		r.Bind(postgres.AsStaff(ctx))
	} else {
		r.Bind(postgres.AsMember(ctx, r.Identity.Organization, r.Identity.User))
	}
	return nil
}

func (s *Server) refuse(c *gin.Context, r *request.Request) error {
	if r.SignedIn() {
		return problem.Forbidden("Your role does not include this.")
	}
	if !unsafe(c.Request.Method) && !wantsJSON(c.Request) {
		return errToLogin
	}
	return problem.New("unauthenticated", "Sign in first.")
}

func wantsJSON(r *http.Request) bool {
	return strings.HasPrefix(r.URL.Path, "/api/") || strings.HasPrefix(r.URL.Path, "/webhooks/") || strings.HasPrefix(r.Header.Get("Accept"), "application/json")
}

// answerError renders err as a page or problem JSON. What is internal is logged
// here, once, and never shown.
func (s *Server) answerError(r *request.Request, err error) {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		err = problem.New("too-large", "This is larger than the %d MB that are accepted.", tooLarge.Limit>>20)
	}
	e := problem.As(err)
	if e.Code == "internal" {
		if r.HTTP().Context().Err() != nil {
			return // the client left
		}
		s.logger.Error("request failed", "request_id", r.ID, "error", err)
		if failed, ok := r.HTTP().Context().Value(keyFailed).(*bool); ok {
			*failed = true
		}
	}
	if wantsJSON(r.HTTP()) {
		problem.Write(r.Writer(), e.Status(), e.Body(s.cfg.PublicURL, r.ID))
		return
	}
	if err := r.PageStatus(e.Status(), page.Error(r.Layout(e.TypeTitle()), errorProps(e, r))); err != nil {
		s.logger.Error("error page failed", "request_id", r.ID, "error", err)
	}
}

func errorProps(e *problem.Error, r *request.Request) page.ErrorProps {
	t := problem.TypeOf(e.Code)
	action := component.LinkButtonProps{Label: "Go to the start page", URL: "/"}
	if r.SignedIn() {
		action = component.LinkButtonProps{Label: "Go back to your pages", URL: Home(r.Identity.Role)}
	}
	return page.ErrorProps{Status: "Error " + strconv.Itoa(e.Status()), Title: t.Title, Message: e.Message, RequestID: r.ID, Action: action}
}

// renderError answers outside of any route.
func (s *Server) renderError(w http.ResponseWriter, r *http.Request, e *problem.Error) {
	id, _ := r.Context().Value(keyRequestID).(string)
	problem.Write(w, e.Status(), e.Body(s.cfg.PublicURL, id))
}

// Home is the page that a role works from.
func Home(role string) string {
	switch role {
	case "product":
		return "/studio"
	case "finance":
		return "/finance/invoices"
	case "operator":
		return "/ops"
	case "admin":
		return "/studio"
	}
	return "/console"
}

// frame fills what every page shows: who is signed in, where they may go, the clock.
func (s *Server) frame(r *request.Request) layout.Props {
	p := layout.Props{Description: "APIs to find, try and subscribe to.", SuggestURL: "/search/suggest"}
	if r.SignedIn() {
		name, _, _ := strings.Cut(r.Identity.Email, "@")
		p.User = &layout.UserProps{Name: name, Email: r.Identity.Email, Organization: r.Identity.OrgName, Areas: areas(r.Identity.Role)}
	}
	if s.cfg.Demo {
		p.Demo = &layout.DemoProps{Now: s.clock.Now().Format("2 January 2006, 15:04 UTC")}
	}
	return p
}

// areas lists where a role may go, by the permission of each area's first page.
func areas(role string) []layout.NavItem {
	var out []layout.NavItem
	for _, a := range []struct {
		needs permissions.Permission
		item  layout.NavItem
	}{
		{permissions.ReadOwn, layout.NavItem{Label: "Console", URL: "/console", Icon: "layout-dashboard"}},
		{permissions.ManageCatalog, layout.NavItem{Label: "Studio", URL: "/studio", Icon: "boxes"}},
		{permissions.ReadInvoices, layout.NavItem{Label: "Finance", URL: "/finance/invoices", Icon: "receipt-text"}},
		{permissions.Operate, layout.NavItem{Label: "Operations", URL: "/ops", Icon: "activity"}},
	} {
		if permissions.Allows(role, a.needs) {
			out = append(out, a.item)
		}
	}
	return out
}
