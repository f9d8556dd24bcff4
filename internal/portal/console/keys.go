package console

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"tollgate/internal/keys"
	"tollgate/internal/keys/token"
	"tollgate/internal/metering"
	"tollgate/internal/portal/format"
	"tollgate/internal/portal/request"
	"tollgate/internal/postgres"
	"tollgate/web/component"
	"tollgate/web/page"
)

// refusal is what was refused of a posted form, and where it is shown.
type refusal struct {
	key            uuid.UUID // of a row; uuid.Nil: the form of a new key
	fields         map[string]string
	rotate, revoke bool
}

// ListKeys shows the organization's keys.
func (c *Console) ListKeys(r *request.Request) error { return c.keysPage(r, http.StatusOK, refusal{}) }

func (c *Console) keysPage(r *request.Request, status int, no refusal) error {
	org, err := c.org(r)
	if err != nil {
		return err
	}
	list, err := c.Keys.List(r.Ctx(), r.Identity.Organization)
	if err != nil {
		return err
	}
	now := c.Clock.Now().In(org.Location())
	since := now.Add(-time.Hour).UTC().Truncate(time.Hour) // roll-ups are by the hour
	recent, err := c.callsByKey(r, since, now)
	if err != nil {
		return err
	}
	props := page.KeysProps{Overlaps: overlaps()}
	if len(list) == 0 {
		props.Form.Name = "First key" // so that one press makes it
	}
	for _, k := range list {
		row := keyRow(k, now)
		if n := recent[k.ID.String()]; n > 0 {
			row.Calls = format.Counted(n, "call", "calls") + " used it since " + since.In(org.Location()).Format("15:04 MST") + "."
		}
		if k.ID == no.key && no.rotate {
			row.RotateError = first(no.fields, "overlap", "")
		}
		if k.ID == no.key && no.revoke {
			row.RevokeError = first(no.fields, "name", "")
		}
		props.Keys = append(props.Keys, row)
	}
	if no.key == uuid.Nil && no.fields != nil {
		props.Form = page.KeyForm{
			Name: r.Form("name"), NameError: no.fields["name"], ModeError: no.fields["mode"], Error: no.fields[""],
			Expires: typed(r, no.fields, "expires"), Scopes: typed(r, no.fields, "scopes"), Networks: typed(r, no.fields, "networks"),
		}
	}
	testable, err := c.testable(r)
	if err != nil {
		return err
	}
	props.Form.Modes = modes(r.Form("mode"), testable)
	if props.Form.APIs, err = c.ownAPIs(r); err != nil {
		return err
	}
	return r.PageStatus(status, page.Keys(r.Layout("API keys"), props))
}

func first(fields map[string]string, names ...string) string {
	for _, n := range names {
		if fields[n] != "" {
			return fields[n]
		}
	}
	return ""
}

// modes are what a key can be; a test key only comes first where something takes it.
func modes(selected string, testable bool) []component.Option {
	hint, usual := "Own limits, never billed", "test"
	if !testable {
		hint, usual = "None of your APIs takes test keys yet", "live"
	}
	if selected == "" {
		selected = usual
	}
	return component.Options(selected,
		component.Option{Value: "test", Label: "Test", Hint: hint},
		component.Option{Value: "live", Label: "Live", Hint: "Real calls, billed by your plan"})
}

func overlaps() []component.Option {
	return component.Options("24h",
		component.Option{Value: "0s", Label: "Not at all"}, component.Option{Value: "1h", Label: "1 hour"}, component.Option{Value: "24h", Label: "24 hours"},
		component.Option{Value: "168h", Label: "7 days"}, component.Option{Value: "720h", Label: "30 days"})
}

func (c *Console) callsByKey(r *request.Request, since, now time.Time) (map[string]int64, error) {
	out := map[string]int64{}
	err := c.reading(r, func(ctx context.Context, tx *postgres.Tx) error {
		shares, err := metering.Shares(ctx, tx.PGX, filter(r, since, now), metering.ByKey)
		for _, s := range shares {
			out[s.ID] = s.Calls
		}
		return err
	})
	return out, err
}

func modeBadge(m token.Mode) component.BadgeProps {
	if m == token.Test {
		return component.BadgeProps{Label: "Test", Tone: component.Test}
	}
	return component.BadgeProps{Label: "Live", Tone: component.OK}
}

func keyRow(k keys.Listed, now time.Time) page.KeyRow {
	address := "/console/keys/" + k.ID.String()
	row := page.KeyRow{
		ID: k.ID.String(), Name: k.Name, Display: k.Display, Mode: modeBadge(k.Mode), Created: format.Moment(k.CreatedAt.In(now.Location()), now),
		LastUsed: component.TimeProps{Text: "never"}, Status: component.BadgeProps{Label: "Active", Tone: component.OK},
	}
	if k.LastUsedAt != nil {
		row.LastUsed = format.Moment(k.LastUsedAt.In(now.Location()), now)
	}
	row.Restrictions = restrictions(k.Key)
	switch {
	case k.RevokedAt != nil:
		row.Status = component.BadgeProps{Label: "Revoked"}
		return row
	case !k.Works(now):
		row.Status = component.BadgeProps{Label: "Expired"}
		return row
	case k.Replaced:
		row.Status = component.BadgeProps{Label: "Rotating", Tone: component.Warn}
		row.Note = "Replaced. It works until " + format.DateTime(k.ExpiresAt.In(now.Location()))
	default:
		row.RotateURL = address + "/rotate"
		if k.ExpiresAt != nil {
			row.Note = "Works until " + format.DateTime(k.ExpiresAt.In(now.Location()))
		}
	}
	row.RevokeURL, row.FirstCallURL = address+"/revoke", "/console/first-call/"+k.ID.String()
	return row
}

// CreateKey makes a key and leads to the page that shows it once.
func (c *Console) CreateKey(r *request.Request) error {
	app, err := c.Applications.Default(r.Ctx(), r.Identity.Organization)
	if err != nil {
		return err
	}
	in, err := c.typedKey(r)
	var k keys.Key
	var secret string
	if err == nil {
		k, secret, err = c.Keys.Create(r.Ctx(), r.Identity.User, r.Identity.Organization, app.ID, in)
	}
	if fields, ok := request.Fields(err); err != nil && ok {
		return c.keysPage(r, http.StatusUnprocessableEntity, refusal{fields: fields})
	}
	if err != nil {
		return err
	}
	return c.showOnce(r, k, secret)
}

// kept is the session's name for a new key until its page was shown.
const kept = "new_key"

func (c *Console) showOnce(r *request.Request, k keys.Key, secret string) error {
	r.Keep(kept, k.ID.String()+" "+secret)
	return r.Redirect("/console/keys/created")
}

// KeyCreated shows a new key's secret: once, and to no cache.
func (c *Console) KeyCreated(r *request.Request) error {
	r.Header().Set("Cache-Control", "no-store")
	id, secret, found := strings.Cut(r.Take(kept), " ")
	if !found {
		return r.RedirectWith("The secret was shown once and is not stored. If you did not save it, rotate the key.", "/console/keys")
	}
	key, err := uuid.Parse(id)
	if err != nil {
		return err
	}
	k, err := c.Keys.Get(r.Ctx(), r.Identity.Organization, key)
	if err != nil {
		return err
	}
	samples, err := c.samples(r, k, secret)
	if err != nil {
		return err
	}
	return r.Page(page.KeyCreated(r.Layout(k.Name), page.KeyCreatedProps{Name: k.Name, Secret: secret, Mode: modeBadge(k.Mode), Samples: samples, FirstCallURL: "/console/first-call/" + id}))
}

// RotateKey makes a key's successor.
func (c *Console) RotateKey(r *request.Request) error {
	id, err := r.ParamID("key")
	if err != nil {
		return err
	}
	overlap, err := time.ParseDuration(r.Form("overlap"))
	if err != nil {
		overlap = -1 // refused with the service's own sentence
	}
	k, secret, err := c.Keys.Rotate(r.Ctx(), r.Identity.User, r.Identity.Organization, id, overlap)
	if fields, ok := request.Fields(err); err != nil && ok {
		if _, err := c.Keys.Get(r.Ctx(), r.Identity.Organization, id); err != nil {
			return err
		}
		return c.keysPage(r, http.StatusUnprocessableEntity, refusal{key: id, fields: fields, rotate: true})
	}
	if err != nil {
		return err
	}
	return c.showOnce(r, k, secret)
}

// RevokeKey ends a key whose name was typed.
func (c *Console) RevokeKey(r *request.Request) error {
	id, err := r.ParamID("key")
	if err != nil {
		return err
	}
	err = c.Keys.Revoke(r.Ctx(), r.Identity.User, r.Identity.Organization, id, r.Form("confirm"))
	if fields, ok := request.Fields(err); err != nil && ok {
		return c.keysPage(r, http.StatusUnprocessableEntity, refusal{key: id, fields: fields, revoke: true})
	}
	if err != nil {
		return err
	}
	return r.RedirectWith("The key is revoked: calls with it are refused from now on.", "/console/keys")
}
