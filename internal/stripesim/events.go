package stripesim

import "encoding/json"

// event is something that happened, with the object as it was then.
type event struct {
	ID      string
	Created int64
	Type    string
	Object  json.RawMessage
	Request eventRequest
}

type eventRequest struct {
	ID  string
	Key string
}

func (e event) recordID() string { return e.ID }
func (event) recordKind() string { return "event" }

func (v viewer) event(e event) obj {
	return obj{
		"id": e.ID, "object": "event", "api_version": accountVersion, "created": e.Created,
		"data": obj{"object": e.Object}, "livemode": false, "pending_webhooks": 0,
		"request": obj{"id": orNull(e.Request.ID), "idempotency_key": orNull(e.Request.Key)}, "type": e.Type,
	}
}

// emit records an event and, with a webhook configured, its delivery. out must
// be rendered already; events always show the account's version.
func (c *call) emit(kind string, out obj) {
	if c.view.modern {
		if id, ok := out["id"].(string); ok {
			old := *c
			old.view.modern = false
			if again, ok := old.object(id); ok {
				out = again
			}
		}
	}
	raw, err := json.Marshal(out)
	if err != nil {
		c.s.cfg.Logger.Error("simulated Stripe could not render an event", "type", kind, "error", err)
		return
	}
	e := event{ID: newID("evt_"), Created: c.now, Type: kind, Object: raw, Request: c.req}
	c.put(e)
	if c.s.webhooks.configured() {
		c.put(delivery{ID: newID("whd_"), Event: e.ID, Type: kind, Status: "pending"})
	}
}

func getEvent(c *call) (obj, *apiError) {
	e, ok := find[event](c.tx, c.id)
	if !ok {
		return nil, missing("event", c.id)
	}
	return c.view.event(e), nil
}

func listEvents(c *call) (obj, *apiError) {
	ids := newestFirst(c.tx, func(e event) bool { return c.p.same("type", e.Type) })
	return c.page("/v1/events", ids, renderer(c, c.view.event))
}
