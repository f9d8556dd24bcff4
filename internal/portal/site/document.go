package site

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"tollgate/internal/catalog"
	"tollgate/internal/openapi"
	"tollgate/internal/plans"
	"tollgate/internal/portal/offer"
	"tollgate/internal/portal/request"
)

// documents keeps the last few downloads ready: making one of a large document
// takes seconds.
type documents struct {
	making singleflight.Group
	mu     sync.Mutex
	ready  []served // the latest last
}

type served struct {
	key, etag string
	body      []byte
}

// keptBytes bounds what documents holds in memory.
const keptBytes = 64 << 20

func (d *documents) find(key string) (served, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range d.ready {
		if s.key == key {
			return s, true
		}
	}
	return served{}, false
}

func (d *documents) keep(s served) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ready = append(d.ready, s)
	size := 0
	for i := len(d.ready) - 1; i >= 0; i-- {
		if size += len(d.ready[i].body); size > keptBytes && i < len(d.ready)-1 {
			d.ready = append([]served{}, d.ready[i+1:]...)
			return
		}
	}
}

// Document is the OpenAPI document to download: the gateway is its only server.
func (p *Pages) Document(r *request.Request) error {
	e, err := p.Catalog.API(catalogCtx(r), r.Param("api"))
	if err != nil {
		return err
	}
	offerings, err := p.Plans.OfferingsOf(r.Ctx(), e.Version.ID)
	if err != nil {
		return err
	}
	key, open := e.Version.ID.String(), []openapi.ServedPlan(nil)
	for _, o := range offerings {
		for _, plan := range o.Plans {
			if plan.PrivateTo != nil || plan.Sale == plans.OnRequest {
				continue // the document is the same for everybody
			}
			key += " " + plan.Terms.VersionID.String()
			open = append(open, servedPlan(o, plan))
		}
	}
	doc, err := p.served(r.Ctx(), key, e, open)
	if err != nil {
		return err
	}
	r.Header().Set("ETag", doc.etag)
	r.Header().Set("Cache-Control", "private, no-cache")
	if strings.Contains(r.HTTP().Header.Get("If-None-Match"), doc.etag) {
		r.Writer().WriteHeader(http.StatusNotModified)
		return nil
	}
	return r.Download(e.Slug+"-"+e.Version.Label+".openapi.json", "application/json", doc.body)
}

func (p *Pages) served(ctx context.Context, key string, e catalog.Entry, open []openapi.ServedPlan) (served, error) {
	if doc, ok := p.documents.find(key); ok {
		return doc, nil
	}
	made, err, _ := p.documents.making.Do(key, func() (any, error) {
		doc, err := p.Catalog.Document(context.WithoutCancel(ctx), e.Version.ID) // others may be waiting for it too
		if err != nil {
			return nil, err
		}
		body, err := doc.Served(openapi.ServedInput{BaseURL: e.Version.BaseURL(p.GatewayURL), Plans: open})
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(body)
		s := served{key: key, etag: `"` + hex.EncodeToString(sum[:12]) + `"`, body: body}
		p.documents.keep(s)
		return s, nil
	})
	if err != nil {
		return served{}, err
	}
	return made.(served), nil
}

// servedPlan is a plan with the limits that gateways enforce.
func servedPlan(o plans.Offering, plan plans.Offer) openapi.ServedPlan {
	out := openapi.ServedPlan{Product: o.Name, Name: plan.Name, Anonymous: plan.Sale == plans.Anonymous}
	for _, l := range plan.Terms.Limits {
		s := openapi.ServedLimit{Text: offer.Described(l), Kind: l.Kind(), Limit: l.Calls}
		switch {
		case l.Quota:
			s.Hard, s.Period = l.Hard, "billing_period"
			switch {
			case l.Prepaid:
				s.Period = openapi.Prepaid
			case l.CalendarMonth:
				s.Period = "calendar_month"
			}
		case l.Concurrent:
			s.Scope, s.Operation = string(l.Scope), l.Operation
		default:
			s.Scope, s.Operation, s.Algorithm, s.Burst, s.Window = string(l.Scope), l.Operation, string(l.Algorithm), l.Burst, int64(l.Window/time.Second)
		}
		s.Adapts = len(offer.Moves(l)) > 0
		out.Limits = append(out.Limits, s)
	}
	return out
}
