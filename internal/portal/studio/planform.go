package studio

import (
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"tollgate/internal/plans"
	"tollgate/internal/portal/format"
	"tollgate/internal/portal/offer"
	"tollgate/internal/portal/request"
	"tollgate/internal/pricing"
	"tollgate/internal/problem"
	"tollgate/web/component"
	"tollgate/web/page"
)

// planForm is a plan as it was typed: read once, shown again with what is wrong.
type planForm struct {
	fields  page.PlanFields
	plan    plans.NewPlan
	rows    []int           // of the form's limits: those that are plan.Limits
	invalid problem.Invalid // by the form's field names
}

// readPlan reads the posted form. Errors stand beside their fields. A granted
// plan is private anyway: who sees it is not read then.
func readPlan(r *request.Request, granted bool) *planForm {
	f := &planForm{invalid: problem.Invalid{}}
	currency := firstOf(r.Form("currency"), "usd")
	if !plans.Currencies[currency] {
		currency = "usd" // for reading amounts; the list refuses it below
	}
	f.plan = plans.NewPlan{Name: r.Form("name"), Slug: r.Form("slug"), Sale: firstOf(r.Form("sale"), plans.SelfServe), Currency: firstOf(r.Form("currency"), "usd")}
	f.limits(r)
	fee, err := format.ParseMoney(r.Form("monthly_fee"), currency)
	f.note("monthly_fee", err)
	f.plan.RecurringFee = fee
	if !granted && r.Form("visibility") == "private" {
		f.plan.PrivateTo = &uuid.UUID{} // found by its name later
	}
	f.fields.Tiers = tierInputs(r)
	f.usage(r, currency)
	f.merge(f.plan.Validate())
	return f
}

func (f *planForm) note(field string, err error) {
	if err != nil {
		f.invalid.Check(false, field, "%s", err)
	}
}

func (f *planForm) count(r *request.Request, field string) int64 {
	n, err := format.ParseCount(r.Form(field))
	f.note(field, err)
	return n
}

// merge adds what the plan's own rules say, under the form's names.
func (f *planForm) merge(err error) {
	fields, _ := request.Fields(err)
	if err == nil {
		return
	}
	for name, message := range fields {
		if name == "fee" {
			name = "monthly_fee"
		}
		if (name == "tiers" && f.tierMistakes()) || f.limitMistake(name, message) {
			continue // said beside the row
		}
		f.invalid.Check(false, name, "%s", message)
	}
}

func (f *planForm) tierMistakes() bool {
	for name := range f.invalid {
		if name == "unit_price" || name == "package_size" || name == "included_units" {
			return true
		}
	}
	for _, t := range f.fields.Tiers {
		if t.UpTo.Error != "" || t.UnitPrice.Error != "" || t.Flat.Error != "" {
			return true
		}
	}
	return false
}

// usage reads what calls cost.
func (f *planForm) usage(r *request.Request, currency string) {
	model := firstOf(r.Form("model"), "none")
	if model == "none" {
		return
	}
	c := &pricing.Component{Model: pricing.Model(model), FlatAtZero: true}
	c.Included = f.count(r, "included_units")
	switch c.Model {
	case pricing.PerUnit, pricing.Package:
		rate, err := format.ParseRate(r.Form("unit_price"), currency)
		f.note("unit_price", err)
		f.invalid.Check(r.Form("unit_price") != "", "unit_price", "Say what a call costs.")
		c.Tiers = []pricing.Tier{{UpTo: pricing.NoEnd, Rate: rate}}
		if c.Model == pricing.Package {
			c.PackageSize = f.count(r, "package_size")
			f.invalid.Check(c.PackageSize > 0, "package_size", "Say how many calls are in a package.")
		}
	case pricing.Graduated, pricing.Volume:
		c.Tiers = f.tiers(currency)
	default:
		f.invalid.Check(false, "model", "Choose one of the listed models.")
		return
	}
	f.plan.Usage, f.plan.Meter, f.plan.BilledClasses = c, firstOf(r.Form("meter"), "requests"), f.billed(r)
}

// billed reads which classes of answers are billed.
func (f *planForm) billed(r *request.Request) (classes []int16) {
	for _, text := range r.FormAll("billed_classes") {
		n, _ := strconv.ParseInt(text, 10, 16) // 0 is refused with the plan
		classes = append(classes, int16(n))
	}
	f.invalid.Check(len(classes) > 0, "billed_classes", "Choose at least one, or no price of calls.")
	return classes
}

// billedOptions are the classes of answers, with those that are chosen.
func billedOptions(chosen []string) (all []component.Option) {
	for i, hint := range []string{"Success", "Redirects, not modified", "Faults of the caller", "Faults of the API"} {
		class := strconv.Itoa(i + 2)
		all = append(all, component.Option{Value: class, Label: class + "xx", Hint: hint, Selected: slices.Contains(chosen, class)})
	}
	return all
}

// tierInputs are the rows as typed.
func tierInputs(r *request.Request) (out []page.TierInput) {
	upTo, price, flat := r.FormAll("tier_up_to"), r.FormAll("tier_unit_price"), r.FormAll("tier_flat")
	at := func(values []string, i int) page.Input {
		if i < len(values) {
			return page.Input{Value: strings.TrimSpace(values[i])}
		}
		return page.Input{}
	}
	for i := range min(max(len(upTo), len(price), len(flat)), 20) {
		out = append(out, page.TierInput{UpTo: at(upTo, i), UnitPrice: at(price, i), Flat: at(flat, i)})
	}
	return out
}

// tiers reads the rows that are not blank; each mistake stands in its own field.
func (f *planForm) tiers(currency string) (out []pricing.Tier) {
	lastRow, last := -1, int64(0)
	for i, row := range f.fields.Tiers {
		if row.UpTo.Value != "" || row.UnitPrice.Value != "" || row.Flat.Value != "" {
			lastRow = i
		}
	}
	for i := range f.fields.Tiers[:lastRow+1] {
		row := &f.fields.Tiers[i]
		if row.UpTo.Value == "" && row.UnitPrice.Value == "" && row.Flat.Value == "" {
			continue
		}
		var t pricing.Tier
		var err error
		if t.Rate, err = format.ParseRate(row.UnitPrice.Value, currency); err != nil {
			row.UnitPrice.Error = err.Error()
		} else if row.UnitPrice.Value == "" && row.Flat.Value == "" {
			row.UnitPrice.Error = "Say what a call costs in this tier; 0 for nothing."
		}
		if t.Flat, err = format.ParseMoney(row.Flat.Value, currency); err != nil {
			row.Flat.Error = err.Error()
		}
		t.UpTo, row.UpTo.Error = tierEnd(row.UpTo.Value, last, i == lastRow)
		last = t.UpTo
		out = append(out, t)
	}
	f.invalid.Check(len(out) > 0, "tiers", "Give at least one price tier.")
	return out
}

// tierEnd reads where a tier ends, which is above where the one before it does.
func tierEnd(text string, before int64, last bool) (end int64, mistake string) {
	if text == "" {
		if !last {
			mistake = "Only the last tier is without an end."
		}
		return pricing.NoEnd, mistake
	}
	end, err := format.ParseCount(text)
	switch {
	case err != nil:
		mistake = err.Error()
	case last:
		mistake = "Leave the last one empty, or calls above it have no price."
	case end <= before:
		mistake = "This must be more than " + format.Count(before) + ", where the tier before ends."
	}
	return end, mistake
}

// valid reports whether nothing is wrong.
func (f *planForm) valid() bool {
	return len(f.invalid) == 0 && !f.tierMistakes() && !f.limitMistakes()
}

// refuse adds the messages of a refused use case.
func (f *planForm) refuse(fields map[string]string, message string) {
	for name, text := range fields {
		if !f.limitMistake(name, text) {
			f.invalid.Check(false, name, "%s", text)
		}
	}
	f.fields.Error = message
}

// show fills the form's fields as they were typed, with messages and a preview.
func (f *planForm) show(r *request.Request, granted bool) page.PlanFields {
	p := &f.fields
	p.Name, p.Slug = typed(r, f.invalid, "name"), typed(r, f.invalid, "slug")
	p.MonthlyFee, p.LimitsError = typed(r, f.invalid, "monthly_fee"), f.invalid["limits"]
	f.addRow(r)
	p.Included, p.UnitPrice, p.PackageSize = typed(r, f.invalid, "included_units"), typed(r, f.invalid, "unit_price"), typed(r, f.invalid, "package_size")
	p.Organization.Error, p.ModelError, p.MeterError, p.TiersError, p.FreeError = f.invalid["organization"], f.invalid["model"], f.invalid["meter"], f.invalid["tiers"], f.invalid["free_unlimited"]
	choices(p, r.Form, granted)
	p.Billed, p.BilledError = billedOptions(r.FormAll("billed_classes")), f.invalid["billed_classes"]
	p.Error = firstOf(p.Error, rest(f.invalid, "name", "slug", "limits", "monthly_fee", "included_units", "unit_price", "package_size", "organization", "model", "meter", "billed_classes", "tiers", "free_unlimited"))
	if f.valid() {
		p.Preview, p.Cliffs = preview(f.plan.Terms())
	}
	return *p
}

// choices fills the lists, each with what was chosen.
func choices(p *page.PlanFields, chosen func(string) string, granted bool) {
	p.Sale = option(firstOf(chosen("sale"), plans.SelfServe), plans.SelfServe, "Self-serve", plans.OnRequest, "On request", plans.Anonymous, "No key needed")
	p.Visibility = option(firstOf(chosen("visibility"), "public"), "public", "Everybody", "private", "One organization")
	p.Currencies = option(firstOf(chosen("currency"), "usd"), "usd", "USD", "eur", "EUR", "gbp", "GBP", "chf", "CHF", "jpy", "JPY")
	p.Models = option(firstOf(chosen("model"), "none"), "none", "None", "per_unit", "Per call", "graduated", "Graduated: each call at its own tier",
		"volume", "Volume: all calls at the tier reached", "package", "Package: per block of calls")
	p.Meters = option(firstOf(chosen("meter"), "requests"), "requests", "Calls", "units", "Units: the weights of operations", "bytes_out", "Bytes sent to the customer",
		"bytes_in", "Bytes received from the customer", "bytes", "Bytes in both directions", "duration", "Milliseconds that calls take")
	p.Billed = billedOptions([]string{"2", "3", "4"})
	if granted { // neither is a choice
		p.Sale, p.Visibility = p.Sale[:1], option("private", "private", "This organization")
		p.Sale[0].Selected = true
	}
}

// preview prices a few round numbers of calls, and says where a bill falls.
func preview(t plans.Terms) (rows []page.PreviewRow, cliffs []string) {
	for _, calls := range offer.Samples(t) {
		row := page.PreviewRow{Calls: format.Count(calls), Total: "refused"}
		total, err := offer.Total(t, calls)
		switch {
		case err != nil:
			row.Total = "too large"
		case offer.Prepaid(t) || !offer.Refuses(t, calls): // as far as the balance reaches
			row.Total, row.Each = format.Money(total, t.Currency), offer.Each(t, total, calls)
		}
		rows = append(rows, row)
	}
	for _, c := range offer.Cliffs(t) {
		cliffs = append(cliffs, "From "+format.Count(c)+" calls the bill is lower than with "+format.Count(c-1)+".")
	}
	return rows, cliffs
}
