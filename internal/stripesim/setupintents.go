package stripesim

type setupIntent struct {
	ID          string
	Created     int64
	Customer    string
	Method      string
	Status      string // requires_payment_method or succeeded
	DeclineCode string // of the last attempt
	Metadata    map[string]string
}

func (si setupIntent) recordID() string { return si.ID }
func (setupIntent) recordKind() string  { return "setup_intent" }

func (v viewer) setupIntent(si setupIntent) obj {
	out := obj{
		"id": si.ID, "object": "setup_intent", "created": si.Created, "livemode": false,
		"application": nil, "automatic_payment_methods": nil, "cancellation_reason": nil,
		"client_secret": si.ID + "_secret_simulated", "customer": orNull(si.Customer),
		"description": nil, "flow_directions": nil, "last_setup_error": nil,
		"latest_attempt": nil, "mandate": nil, "metadata": si.Metadata, "next_action": nil,
		"on_behalf_of": nil, "payment_method": orNull(si.Method),
		"payment_method_options": obj{}, "payment_method_types": []any{"card"},
		"single_use_mandate": nil, "status": si.Status, "usage": "off_session",
	}
	if si.DeclineCode != "" {
		out["last_setup_error"] = obj{
			"type": "card_error", "code": "card_declined", "decline_code": si.DeclineCode,
			"message": declineMessage(si.DeclineCode),
		}
	}
	return out
}

func getSetupIntent(c *call) (obj, *apiError) {
	si, ok := find[setupIntent](c.tx, c.id)
	if !ok {
		return nil, missing("setupintent", c.id)
	}
	return c.view.setupIntent(si), nil
}
