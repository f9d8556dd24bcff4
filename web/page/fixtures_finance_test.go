package page

import "tollgate/web/component"

func financeFixtures() []fixture {
	statuses := component.Options("", component.Option{Value: "", Label: "All"}, component.Option{Value: "draft", Label: "To review"})
	return []fixture{
		{name: "finance-invoices", path: "/finance/invoices", page: with(FinanceInvoices, FinanceInvoicesProps{
			Statuses: statuses, Issued: "2026-11", Total: "3 invoices, $1,297.18", Invoices: invoiceFixtures(), CSVURL: "/f.csv", LinesCSVURL: "/l.csv",
			Stats: []component.StatProps{{Label: "To review", Value: "12", URL: "/finance/invoices?status=draft"}, {Label: "Open", Value: "$8,410.00"}, {Label: "Past due", Value: "$1,204.00"}, {Label: "Paid in November", Value: "$41,028.12"}},
		})},
		{name: "finance-invoices-empty", path: "/finance/invoices", page: with(FinanceInvoices, FinanceInvoicesProps{Statuses: statuses})},
		{name: "finance-invoice", path: "/finance/invoices/142", page: with(FinanceInvoice, FinanceInvoiceProps{
			Number: "TG-2026-000142", Customer: "Nordlicht Maps GmbH", Status: badge("To review", component.Accent), Facts: []component.Fact{{Name: "Period", Value: "October 2026"}, {Name: "Currency", Value: "USD"}, {Name: "Stripe", Value: "in_1QOx7ZKd0", Mono: true}},
			Lines: lineFixtures(), Totals: totalFixtures(), ApproveURL: "/finance/invoices/142/approve", HoldURL: "/finance/invoices/142/hold", Reason: Input{Error: "Say why."}, CSVURL: "/x.csv",
			Compare:  []CompareRow{{Label: "Subtotal", Ours: "$64.18", Other: "$64.18", OK: true}, {Label: "Total", Ours: "$64.18", Other: "$64.19", Cause: "Stripe’s tax differs by $0.01"}},
			Timeline: []TimelineRow{{Title: "Drafted", Detail: "by the close of the period,", Time: ago("1 Nov")}, {Title: "Held", Detail: "by Ruth: usage looks doubled,", Time: ago("2 Nov")}},
		})},
		{name: "finance-invoice-empty", path: "/finance/invoices/1", page: with(FinanceInvoice, FinanceInvoiceProps{Number: "Draft", Notice: "Held: usage looks doubled."})},
		{name: "line", path: "/finance/invoices", page: with(Line, LineProps{
			Description: "Weather Pro, calls", Amount: "$35.18 for 23 Oct – 23 Nov 2026", Invoice: "TG-2026-000142", InvoiceURL: "/finance/invoices/142", TiersTotal: "$35.18",
			Tiers:      []BillLine{{Label: "1 to 100,000", Arithmetic: "100,000 × $0", Amount: "$0.00"}, {Label: "100,001 to 1,000,000", Arithmetic: "87,940 × $0.0004", Amount: "$35.176"}, {Label: "Rounded once, half away from zero", Amount: "$35.18"}},
			Facts:      []component.Fact{{Name: "Units", Value: "187,940"}, {Name: "Events", Value: "187,940"}, {Name: "Batches", Value: "20,114 to 24,870"}, {Name: "Hash", Value: "9f2c6e0d41a7b35f9f2c6e0d41a7b35f9f2c6e0d41a7b35f9f2c6e0d41a7b35f", Mono: true}},
			Usage:      []LineUsageRow{{Day: "23 Oct 2026", API: "Weather v2", Key: "billing-worker", Calls: "4,012", Units: "4,012", CallsURL: "/finance/lines/2/calls?day=2026-10-23"}, {Day: "24 Oct 2026", API: "Weather v2", Key: "alerts", Calls: "3,871", Units: "3,871", CallsURL: "/finance/lines/2/calls?day=2026-10-24"}},
			UsageTotal: LineUsageRow{Calls: "187,940", Units: "187,940"}, CallsURL: "/finance/lines/2/calls", CSVURL: "/l.csv", RecomputeURL: "/finance/lines/2/recompute",
			Recompute: &RecomputeResult{OK: true, Text: "187,940 units and $35.18, as billed.", Detail: "Counted again from the calls themselves."}, Quantity: "Quantity", Kept: "Single calls are kept until 1 March 2027.",
		})},
		{name: "line-empty", path: "/finance/invoices", page: with(Line, LineProps{Description: "Monthly fee", Recompute: &RecomputeResult{Text: "187,939 units, one fewer than billed."}})},
		{name: "line-calls", path: "/finance/invoices", page: with(LineCalls, LineCallsProps{
			Line: "Weather Pro, calls", LineURL: "/finance/lines/2", Invoice: "TG-2026-000142", InvoiceURL: "/finance/invoices/142", Total: "187,940 calls, 187,940 units", CSVURL: "/c.csv",
			Quantity: "Quantity", Calls: []LineCall{{Time: ago("23 Oct 10:02:11.204"), Method: "GET", Operation: "/weather/v2/current", Key: "billing-worker", Status: "200", Tone: component.OK, Units: "1", Batch: "20,114", EventID: "7c1e-000000a4"}},
			Pager: component.PagerProps{Summary: "1–100 of 187,940", NextURL: "/finance/lines/2/calls?after=x"},
		})},
		{name: "line-calls-empty", path: "/finance/invoices", page: with(LineCalls, LineCallsProps{Gone: "Single calls were kept until 1 March 2026; counts and hashes remain."})},
		{name: "reconciliation", path: "/finance/reconciliation", page: with(Reconciliation, ReconciliationProps{
			Period: "2026-11", CSVURL: "/r.csv", Stats: []component.StatProps{{Label: "Customers that agree", Value: "411 of 412"}, {Label: "Units in doubt", Value: "12"}, {Label: "Money in doubt", Value: "$0.01"}},
			Rows: []ReconciliationRow{
				{Customer: "Fjord Analytics AS", Period: "October 2026", Identities: []IdentityRow{
					{Name: "received − duplicates = billable + excluded + unmatched", Left: "1,204,118", Right: "1,204,106", Cause: "12 calls match no plan", URL: "/finance/lines/2"},
					{Name: "Σ lines = Stripe’s subtotal", Left: "$1,204.00", Right: "$1,204.00", OK: true}}},
				{Customer: "Nordlicht Maps GmbH", Period: "October 2026", OK: true, Identities: []IdentityRow{{Name: "billable = invoiced + next period + open", Left: "187,940", Right: "187,940", OK: true}}},
			},
		})},
		{name: "reconciliation-empty", path: "/finance/reconciliation", page: with(Reconciliation, ReconciliationProps{})},
		{name: "ops", path: "/ops", page: with(Ops, opsFixture())},
		{name: "ops-empty", path: "/ops", page: with(Ops, OpsProps{})},
		{name: "clock", path: "/demo/clock", page: with(Clock, ClockProps{Now: "23 Nov 2026, 04:56 UTC", Real: "Wall clock: 23 Nov 2026, 04:56 UTC", Days: Input{Value: "x", Error: "Type a whole number of days."}, PeriodEnd: "1 December 2026, 00:00 UTC", Done: []string{"Closed 12 billing periods", "Drafted 12 invoices"}})},
		{name: "clock-empty", path: "/demo/clock", page: with(Clock, ClockProps{})},
	}
}

func opsFixture() OpsProps {
	return OpsProps{
		Summary: component.FlashProps{Message: "One part needs attention:", Detail: "webhooks from Stripe are late.", Tone: component.Warn},
		Parts: []PartRow{
			{Name: "Portal", State: badge("Working", component.OK), Detail: "version 0.1.0", Since: ago("2 days ago")}, {Name: "PostgreSQL", State: badge("Working", component.OK), Detail: "16.4, 41 of 100 connections", Since: ago("9 days ago")},
			{Name: "Stripe", State: badge("Late", component.Warn), Detail: "last webhook 14 minutes ago", Since: ago("14 minutes ago")},
		},
		Gateways:     []GatewayRow{{Name: "gw-1", State: badge("Serving", component.OK), View: "88,213", Spool: "0.2 % full", Shipment: ago("a second ago"), Behind: "0 calls"}, {Name: "gw-2", State: badge("Serving the last good view", component.Warn), View: "88,190", Spool: "4.1 % full", Shipment: ago("40 seconds ago"), Behind: "12,004 calls"}},
		GatewayParts: []GatewayPart{{Gateway: "gw-1", Name: "upstream weather", Target: "https://weather-2.internal:8443/a/long/path", State: badge("Breaker open", component.Bad), Detail: "weight 1, 0 under way, 12 of 20 calls failed, for 4 seconds more"}, {Gateway: "gw-1", Name: "spool", State: badge("Working", component.OK), Detail: "0.2 % full"}}, MoreParts: "and 12 more that are not shown",
		Metering: []component.Fact{{Name: "Last shipment", Value: "a second ago"}, {Name: "Calls today", Value: "3,114,902"}, {Name: "Batches", Value: "24,870"}, {Name: "Longest delay today", Value: "41 s"}},
		Leases: []LeaseGroup{{Folder: "0198f2a4-7c11-7e0b-9d52-3f6a1c2b4d5e", Held: "1,240 calls", Action: "/ops/gateways/0198f2a4-7c11-7e0b-9d52-3f6a1c2b4d5e/write-off", Leases: []LeaseRow{
			{Customer: "A customer with quite a long name, incorporated", Plan: "Pro", Held: "1,200 calls", Expired: ago("2 hours ago"), Action: "/ops/leases/1/write-off"},
			{Customer: "Alpenrad", Plan: "Free", Held: "40 calls", Expired: ago("2 hours ago"), Action: "/ops/leases/2/write-off"}}}},
		WrittenOff: []WrittenOff{{Customer: "Alpenrad", Plan: "Free", Folder: "0198f2a4-7c11-7e0b-9d52-3f6a1c2b4d5e", Granted: "50 calls", Late: "3", IsLate: true, At: ago("2 days ago")}, {Customer: "Fjord Analytics AS", Plan: "Pro", Folder: "0198f2a4-7c11-7e0b-9d52-3f6a1c2b4d5e", Granted: "10,000 calls", Late: "0", At: ago("3 days ago")}},
		Jobs:       []JobRow{{Kind: "close_periods", Waiting: "0", Running: "1", Failed: "0", Last: ago("2 minutes ago")}, {Kind: "send_mail", Waiting: "3", Running: "0", Failed: "1", Last: ago("a minute ago"), Error: "550 mailbox unavailable"}},
		Webhooks:   []WebhookRow{{Event: "invoice.paid", Source: "from Stripe", State: badge("Applied", component.OK), Detail: "TG-2026-000142", Time: ago("14 minutes ago")}},
	}
}
