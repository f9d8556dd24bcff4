package page

import (
	"fmt"

	"github.com/a-h/templ"

	"tollgate/web/component"
	"tollgate/web/layout"
)

func consoleFixtures() []fixture {
	return []fixture{
		{name: "dashboard", path: "/console", page: with(Dashboard, dashboardFixture())},
		{name: "dashboard-empty", path: "/console", page: with(Dashboard, DashboardProps{Steps: []StartStep{
			{Title: "Choose a plan", Detail: "A free one needs no card.", Done: true}, {Title: "Create a key", Detail: "Its secret is shown once.", Action: link("Create a key", "/console/keys")}, {Title: "Make the call", Detail: "A page listens for it."},
		}})},
		{name: "account", path: "/account", page: with(Account, AccountProps{Email: "ada@nordlicht.example", Organization: &OrganizationForm{Name: "Nordlicht Maps GmbH", BillingEmail: "bills@nordlicht.example"}})},
		{name: "account-refused", path: "/account", page: with(Account, AccountProps{Email: "ada@nordlicht.example", Organization: &OrganizationForm{NameError: "Type a name of at most 100 characters.", BillingEmail: "nobody", BillingEmailError: "This is not an e-mail address."}, Password: PasswordForm{CurrentError: "This is not your current password."}})},
		{name: "account-empty", path: "/account", page: with(Account, AccountProps{Email: "finance@provider.example"})},
		{name: "subscribe", path: "/console/subscriptions", page: with(Subscribe, SubscribeProps{
			Product: "Weather", Plan: "Pro", PricingURL: "/pricing/weather", Action: "/console/subscribe/pro", Today: []BillLine{{Label: "Weather Pro, 23 Nov – 23 Dec", Arithmetic: "1 × $29.00", Amount: "$29.00"}},
			TodayTotal: "$29.00", Then: "On 23 December: $29.00 and the calls beyond 100,000.", Limits: []component.Fact{{Name: "Rate limit", Value: "50 calls a second"}, {Name: "Quota", Value: "100,000 a month, then charged"}}, Payment: "Visa ending 4242", Button: "Subscribe and pay $29.00",
			Applications: component.Options("a", component.Option{Value: "a", Label: "Default"}, component.Option{Value: "b", Label: "Winter app"}),
		})},
		{name: "subscribe-empty", path: "/console/subscriptions", page: with(Subscribe, SubscribeProps{Product: "Weather", Plan: "Free", NeedsCard: true, Error: "This plan is not on sale any more."})},
		{name: "subscriptions", path: "/console/subscriptions", page: with(Subscriptions, SubscriptionsProps{Subscriptions: []SubscriptionRow{
			{ID: "1", Product: "Weather", Plan: "Pro", URL: "/pricing/weather", State: badge("Active", component.OK), Application: "Default", Period: "Current period 23 Nov – 23 Dec 2026.", Next: "Renews on 23 December for $29.00.", Limits: []string{"200 calls a second with each key (at an even pace, up to 20 ahead of it)", "100,000 calls a month"}, Raised: []string{"Until 1 Dec 2026, 00:00 CET your limit is 200 calls a second with each key, instead of 50."}, CancelURL: "/console/subscriptions/1/cancel", CancelNote: "It stays usable until 23 December and is not renewed."},
			{ID: "2", Product: "Routes", Plan: "Free", URL: "/pricing/routes", State: badge("Ends 1 Dec", component.Warn), Application: "Winter app", Period: "Current period 1 Nov – 1 Dec 2026.", ResumeURL: "/console/subscriptions/2/resume"},
		}, Asked: []AskedRow{
			{Plan: "Weather Enterprise", Calls: "5,000,000", Sent: ago("2 days ago"), Status: badge("Granted", component.OK), Answer: "As Enterprise for Acme on 24 November 2026, for you alone.", Action: link("Subscribe", "/console/subscribe/3")},
			{Plan: "Routes Enterprise", Calls: "900", Sent: ago("3 days ago"), Status: badge("Declined", ""), Answer: "Declined on 22 November 2026: the Pro plan is cheaper for so few calls."},
			{Plan: "Maps Enterprise", Calls: "1", Sent: ago("just now"), Status: badge("Open", component.Accent)},
		}})},
		{name: "subscriptions-empty", path: "/console/subscriptions", page: with(Subscriptions, SubscriptionsProps{})},
		{name: "keys", path: "/console/keys", page: with(Keys, keysFixture())},
		{name: "keys-empty", path: "/console/keys", page: with(Keys, KeysProps{Form: KeyForm{Name: "", NameError: "Give the key a name.", Expires: Input{Value: "2027-05-31"}, Scopes: Input{Value: "weather/nothing", Error: "There is no weather/nothing."}, Networks: Input{Value: "10.0.0.5/8", Error: "Write 10.0.0.0/8."}, APIs: "weather"}})},
		{name: "key-created", path: "/console/keys", page: with(KeyCreated, KeyCreatedProps{Name: "billing-worker", Mode: badge("Test", component.Test), Secret: "tg_test_4fK2mQ9sVb7XeR1nLw8ZtYc3aHd6PqJ5uGi0", Samples: sampleTabs("samples"), FirstCallURL: "/console/first-call/k1"})},
		{name: "key-created-empty", path: "/console/keys", page: with(KeyCreated, KeyCreatedProps{Name: "x", Secret: "y", FirstCallURL: "/"})},
		{name: "first-call", path: "/console/keys", page: with(FirstCall, FirstCallProps{KeyName: "billing-worker", Samples: sampleTabs("samples"), StatusURL: "/status.json", RefreshURL: "/console/first-call/k1", Result: FirstCallResult{State: CallWaiting}})},
		{name: "first-call-arrived", path: "/console/keys", page: with(FirstCall, FirstCallProps{KeyName: "billing-worker", Samples: sampleTabs("samples"), Result: FirstCallResult{State: CallArrived, Method: "GET", Path: "/weather/v2/current", Status: "200 OK", Latency: "38 ms", RequestID: "req_1", LogURL: "/console/logs"}})},
		{name: "first-call-failed", path: "/console/keys", page: with(FirstCall, FirstCallProps{KeyName: "billing-worker", Samples: sampleTabs("samples"), StatusURL: "/status.json", RefreshURL: "/", Result: FirstCallResult{State: CallFailed, Method: "GET", Path: "/weather/v2/current", Status: "502 Bad Gateway", Latency: "3 ms", LogURL: "/console/logs", Reason: "The API failed or did not answer. The call is not billed."}})},
		{name: "first-call-refused", path: "/console/keys", page: with(FirstCall, FirstCallProps{KeyName: "billing-worker", Samples: sampleTabs("samples"), StatusURL: "/status.json", RefreshURL: "/", Result: FirstCallResult{State: CallRefused, Method: "GET", Path: "/weather/v2/current", Status: "403 Forbidden", Latency: "1 ms", Reason: "No subscription of this application covers the call.", FixURL: "/problems/not_subscribed"}})},
		{name: "usage", path: "/console/usage", page: with(Usage, usageFixture())},
		{name: "usage-prepaid", path: "/console/usage", page: with(Usage, prepaidUsageFixture())},
		{name: "usage-empty", path: "/console/usage", page: with(Usage, UsageProps{Notices: []component.FlashProps{{Message: "82 % of the quota of Weather Pro is used", Detail: "82,000 of 100,000 calls are used; the quota begins anew on 1 December 2026. After 18,000 more calls, calls go on, and the next 1,000 cost $0.40 (from $0.0004 per call).", Tone: component.Warn}, {Message: "The quota of Routes Free is used up", Detail: "10,000 of 10,000 calls are used; the quota begins anew on 1 December 2026. Now calls are refused until the next period begins; a larger plan ends that at once.", Tone: component.Bad}}, Filters: filtersFixture("/console/usage")})},
		{name: "logs", path: "/console/logs", page: with(Logs, LogsProps{Filters: filtersFixture("/console/logs"), Calls: callFixtures(14), Total: "1,204 calls", Retention: "Single calls are kept for 30 days.", CSVURL: "/console/logs.csv", Pager: component.PagerProps{Summary: "1–50 of 1,204", NextURL: "/console/logs?page=2"}})},
		{name: "logs-empty", path: "/console/logs", page: with(Logs, LogsProps{Filters: filtersFixture("/console/logs")})},
		{name: "billing", path: "/console/billing", page: with(Billing, BillingProps{
			Next:     &NextInvoice{Period: "23 Nov – 23 Dec 2026", Date: "Due on 23 December", Lines: lineFixtures(), Totals: totalFixtures(), AsOf: "Counted up to 20 seconds ago."},
			Payment:  PaymentMethod{Text: "Visa ending 4242", Expires: "12/26", Warning: "It expires before the next invoice.", Action: "/console/billing/card"},
			Invoices: invoiceFixtures(),
		})},
		{name: "billing-empty", path: "/console/billing", page: with(Billing, BillingProps{Payment: PaymentMethod{Action: "/console/billing/card"}})},
		{name: "billing-unpaid", path: "/console/billing", page: with(Billing, BillingProps{Unpaid: &Unpaid{Title: "$49.00 for Weather Pro is unpaid", Detail: "The payment was declined. Update the card: it is charged again at once.", URL: "/console/invoices/131"}, Payment: PaymentMethod{Text: "Visa ending 0341", Action: "/console/billing/card"}, Invoices: invoiceFixtures()})},
		{name: "invoice", path: "/console/billing", page: with(Invoice, InvoiceProps{
			Number: "TG-2026-000142", Status: badge("Paid", component.OK), Seller: []string{"Tollgate Demo AG", "Marktgasse 1", "3011 Bern", "CHE-123.456.789"}, Buyer: []string{"Nordlicht Maps GmbH", "Hafenstraße 12", "20359 Hamburg"},
			Facts: []component.Fact{{Name: "Issued", Value: "1 November 2026"}, {Name: "Period", Value: "October 2026"}, {Name: "Paid", Value: "Visa ending 4242"}, {Name: "Stripe", Value: "in_1QOx7Z", Mono: true}},
			Lines: lineFixtures(), Totals: totalFixtures(), Note: "Reverse charge: the buyer accounts for the tax.", CSVURL: "/x.csv", PDFURL: "/x.pdf",
		})},
		{name: "invoice-empty", path: "/console/billing", page: with(Invoice, InvoiceProps{Number: "Draft", Notice: "The card was refused; we try again on 26 November."})},
		{name: "request-form", path: "/console/subscriptions", page: with(RequestForm, RequestFormProps{Plans: component.Options("e", component.Option{Value: "e", Label: "Weather Enterprise"}), Calls: "lots", CallsError: "Type a whole number.", Message: "Winter peak"})},
		{name: "request-sent", path: "/console/subscriptions", page: with(RequestForm, RequestFormProps{Sent: true})},
		{name: "console-test-mode", path: "/console", page: func(l layout.Props) templ.Component { l.Mode = "test"; return Dashboard(l, dashboardFixture()) }},
	}
}

func dashboardFixture() DashboardProps {
	return DashboardProps{
		Stats: []component.StatProps{
			{Label: "Spend this period", Value: "$64.18", Note: "of a $150 budget", URL: "/console/billing", Meter: &component.MeterProps{Label: "Budget used", Percent: 43}},
			{Label: "Quota left", Value: "19,880", Note: "80 % of 100,000 used", URL: "/console/usage", Meter: &component.MeterProps{Label: "Quota used", Percent: 80, Tone: component.Warn}},
			{Label: "Errors, 24 hours", Value: "0.42 %", Note: "201 of 48,210 calls", URL: "/console/logs?status=5xx"},
			{Label: "95th percentile, 24 hours", Value: "84 ms", Note: "2 ms of it ours", URL: "/console/usage"},
		},
		Needs: []Need{
			{Title: "1,204 calls beyond the quota of Weather Pro", Detail: "101,204 of 100,000 calls are used; the quota begins anew on 23 December 2026. What is beyond it costs $0.48 so far. Now calls go on, and the next 1,000 cost $0.40 ($0.0004 per call).", Tone: component.Warn, Action: link("See usage", "/console/usage")},
			{Title: "Your card expires in December", Detail: "The invoice of 23 December would be refused.", Tone: component.Bad, Action: link("Update card", "/console/billing")},
		},
		Calls: callFixtures(6), LogsURL: "/console/logs",
	}
}

func callFixtures(count int) []CallRow {
	kinds := []CallRow{
		{Method: "GET", Operation: "/weather/v2/current", Status: "200", Tone: component.OK, Latency: "38 ms", Key: "billing-worker"},
		{Method: "POST", Operation: "/weather/v2/alerts", Status: "201", Tone: component.OK, Latency: "112 ms", Key: "alerts"},
		{Method: "GET", Operation: "/weather/v2/stations/{station_id}/observations", Status: "429", Tone: component.Warn, Reason: "Rate limit: 50 a second", Latency: "1 ms", Key: "billing-worker"},
		{Method: "DELETE", Operation: "/weather/v2/alerts/{alert_id}", Status: "502", Tone: component.Bad, Latency: "10,004 ms", Key: "alerts"},
	}
	calls := make([]CallRow, count)
	for i := range calls {
		calls[i] = kinds[i%len(kinds)]
		calls[i].Time = ago(fmt.Sprintf("%d seconds ago", 3+i*7))
		calls[i].OperationURL = "/apis/weather/get-current"
		calls[i].RequestID = fmt.Sprintf("req_01JD9X2K7M%02d", i)
	}
	return calls
}

func keysFixture() KeysProps {
	return KeysProps{
		Keys: []KeyRow{
			{ID: "k1", Name: "billing-worker", Display: "tg_live_4fK2…uGi0", Mode: badge("Live", component.OK), Status: badge("Active", component.OK), Created: ago("12 days ago"), LastUsed: ago("3 seconds ago"), Calls: "1,204 calls used it in the last hour.", RotateURL: "/console/keys/k1/rotate", RevokeURL: "/console/keys/k1/revoke", FirstCallURL: "/console/first-call/k1"},
			{ID: "k2", Name: "alerts", Display: "tg_live_9aB1…xYz7", Mode: badge("Live", component.OK), Status: badge("Rotating", component.Warn), Note: "The old secret works until 25 November, 10:00 UTC", Created: ago("3 months ago"), LastUsed: ago("a minute ago"), RotateURL: "/console/keys/k2/rotate", RevokeURL: "/console/keys/k2/revoke", RevokeError: "Type alerts exactly."},
			{ID: "k3", Name: "laptop", Display: "tg_test_0cD4…mN3p", Mode: badge("Test", component.Test), Status: badge("Revoked", ""), Created: ago("1 year ago")},
		},
		Overlaps: component.Options("24h", component.Option{Value: "0", Label: "Not at all"}, component.Option{Value: "24h", Label: "24 hours"}, component.Option{Value: "168h", Label: "7 days"}),
	}
}

func filtersFixture(action string) CallFilters {
	any := component.Option{Value: "", Label: "All"}
	return CallFilters{
		Action: action, From: "2026-11-01", To: "2026-11-23", ResetURL: action,
		APIs: component.Options("", any, component.Option{Value: "weather", Label: "Weather"}), Keys: component.Options("", any, component.Option{Value: "k1", Label: "billing-worker"}),
		Statuses: component.Options("", any, component.Option{Value: "5xx", Label: "5xx"}), Steps: component.Options("day", component.Option{Value: "hour", Label: "Hour"}, component.Option{Value: "day", Label: "Day"}),
	}
}

func usageFixture() UsageProps {
	chart := component.ChartProps{
		ID: "calls", Title: "Calls by day", Description: "Calls of each day in November 2026, failed ones apart, with the daily share of the quota.",
		Max: 4000, TopLabel: "4,000", MidLabel: "2,000", Limit: 3333, LimitLabel: "even share of the quota", BadLabel: "Errors", Head: []string{"Day", "Calls", "Errors"},
	}
	for day := range 23 {
		value := int64(1200 + (day*733)%2500)
		bad := int64((day * 37) % 90)
		if day == 16 {
			bad = 900
		}
		chart.Bars = append(chart.Bars, component.Bar{
			Label: fmt.Sprintf("%d Nov", day+1), Value: value, Bad: bad, Text: fmt.Sprintf("%d calls, %d errors", value, bad), Ticked: day%3 == 0,
			URL: fmt.Sprintf("/console/logs?from=2026-11-%02d", day+1), Columns: []string{fmt.Sprint(value), fmt.Sprint(bad)},
		})
	}
	return UsageProps{
		Filters: filtersFixture("/console/usage"), CSVURL: "/console/usage.csv", Chart: chart,
		Stats:    []component.StatProps{{Label: "Calls", Value: "48,210"}, {Label: "Billable", Value: "47,902"}, {Label: "Errors", Value: "0.42 %"}, {Label: "Projected bill", Value: "$81.40", Note: "by 23 December"}},
		ByAPI:    []ShareRow{{Label: "Weather", Value: "40,110 calls", Percent: 83, URL: "/console/logs?api=weather"}, {Label: "Routes", Value: "8,100 calls", Percent: 17, URL: "/console/logs?api=routes"}},
		ByKey:    []ShareRow{{Label: "billing-worker", Value: "44,006 calls", Percent: 91, URL: "/console/logs?key=k1"}, {Label: "alerts", Value: "4,204 calls", Percent: 9, URL: "/console/logs?key=k2"}},
		ByStatus: []ShareRow{{Label: "2xx", Value: "47,801 calls", Percent: 99, URL: "/console/logs?status=2xx"}, {Label: "5xx", Value: "201 calls", Percent: 1, Tone: component.Bad, URL: "/console/logs?status=5xx"}},
		Quotas:   []QuotaRow{{Label: "Weather Pro", Text: "80,120 of 100,000 used; resets 23 December", Percent: 80, Tone: component.Warn}, {Label: "Routes Free", Text: "1,204 of 10,000 used; resets 1 December", Percent: 12}},
	}
}

func prepaidUsageFixture() UsageProps {
	p := usageFixture()
	p.Chart.Limit, p.Chart.LimitLabel = 0, ""
	p.Notices = []component.FlashProps{{Message: "89 % of the balance of Weather Prepaid is used", Detail: "9,796 of 11,000 prepaid calls are used. After 1,204 more calls, calls are refused. Ask us for a credit before that.", Tone: component.Warn},
		{Message: "The balance of Routes Prepaid is empty", Detail: "No calls have been credited yet. Calls are refused until you get a credit: ask us for one. They work within seconds of it.", Tone: component.Bad}}
	p.Quotas = []QuotaRow{{Label: "Weather Prepaid", Text: "Balance: 1,204 of 11,000 calls left", Percent: 89, Tone: component.Warn}, {Label: "Routes Prepaid", Text: "No calls credited yet", Percent: 100, Tone: component.Bad}}
	p.Credits = []CreditRow{{Plan: "Weather Prepaid", Calls: "10,000", When: ago("2 days ago")}, {Plan: "Weather Prepaid", Calls: "1,000", When: ago("3 months ago")}}
	return p
}

func lineFixtures() []InvoiceLine {
	return []InvoiceLine{
		{Description: "Weather Pro, monthly fee", Period: "23 Nov – 23 Dec 2026", Quantity: "1", Amount: "$29.00", URL: "/finance/lines/1"},
		{Description: "Weather Pro, calls", Period: "23 Oct – 23 Nov 2026", Quantity: "187,940", Amount: "$35.18", URL: "/finance/lines/2", Arithmetic: []BillLine{
			{Label: "1 to 100,000", Arithmetic: "100,000 × $0", Amount: "$0.00"}, {Label: "100,001 to 1,000,000", Arithmetic: "87,940 × $0.0004", Amount: "$35.176"},
		}},
	}
}

func totalFixtures() []TotalRow {
	return []TotalRow{{Label: "Subtotal", Amount: "$64.18"}, {Label: "Tax, 0 %", Amount: "$0.00"}, {Label: "Total", Amount: "$64.18", Strong: true}}
}

func invoiceFixtures() []InvoiceRow {
	return []InvoiceRow{
		{Number: "TG-2026-000142", URL: "/console/invoices/142", Customer: "Nordlicht Maps GmbH", Period: "October 2026", Issued: ago("1 Nov"), Total: "$64.18", Status: badge("Paid", component.OK), CSVURL: "/i.csv"},
		{Number: "TG-2026-000131", URL: "/console/invoices/131", Customer: "Fjord Analytics AS", Period: "September 2026", Issued: ago("1 Oct"), Total: "$1,204.00", Status: badge("Past due", component.Bad), Reason: "Card refused; next try 26 November", CSVURL: "/i.csv"},
		{Number: "TG-2026-000120", URL: "/console/invoices/120", Customer: "Alpenrad", Period: "August 2026", Issued: ago("1 Sep"), Total: "$29.00", Status: badge("Draft", ""), CSVURL: "/i.csv"},
	}
}
