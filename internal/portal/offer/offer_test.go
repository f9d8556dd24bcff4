package offer

import (
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"tollgate/internal/plans"
	"tollgate/internal/pricing"
	"tollgate/internal/quota"
)

// pro is $49, 100 included, then $0.005 for the next 50 and $0.0025 beyond.
func pro() plans.Terms {
	return plans.Terms{Currency: "usd", RecurringFee: 4900,
		Limits: []plans.Limit{{Calls: 10, Window: time.Second, Hard: true}},
		Components: []plans.Component{{Name: "API calls", Component: pricing.Component{Model: pricing.Graduated, Included: 100, FlatAtZero: true, Tiers: []pricing.Tier{
			{UpTo: 50, Rate: decimal.RequireFromString("0.5")}, {UpTo: pricing.NoEnd, Rate: decimal.RequireFromString("0.25")}}}}}}
}

func perCall(cents string) plans.Terms {
	return plans.Terms{Currency: "usd", Components: []plans.Component{{Component: pricing.Component{Model: pricing.PerUnit, Tiers: []pricing.Tier{{UpTo: pricing.NoEnd, Rate: decimal.RequireFromString(cents)}}}}}}
}

func free(quota int64) plans.Terms {
	return plans.Terms{Currency: "usd", Limits: []plans.Limit{{Quota: true, Calls: quota, Hard: true}}}
}

func prepaid(calls int64) plans.Terms {
	return plans.Terms{Currency: "usd", Limits: []plans.Limit{plans.Prepaid(calls)}}
}

func TestAPrepaidPlanIsNeverSaidToBeFreeOrToServeAMonth(t *testing.T) {
	t.Parallel()
	fee := prepaid(0)
	fee.RecurringFee = 4900
	sale := plans.Plan{Sale: plans.SelfServe}
	for got, want := range map[string]string{
		Price(prepaid(10)):   "Prepaid",
		Price(fee):           "$49 a month",
		Quota(prepaid(1000)): "Prepaid calls, 1,000 to begin with",
		Quota(prepaid(0)):    "Prepaid calls",
		Overage(prepaid(1)):  "Calls are refused",
		From([]plans.Offer{{Plan: sale, Terms: prepaid(1)}}):                                 "Prepaid",
		From([]plans.Offer{{Plan: sale, Terms: prepaid(1)}, {Plan: sale, Terms: pro()}}):     "From $49 a month",
		From([]plans.Offer{{Plan: sale, Terms: prepaid(1)}, {Plan: sale, Terms: free(100)}}): "Free to start",
		Points(prepaid(5))[0]: "Prepaid calls, 5 to begin with; beyond the balance: calls are refused",
		Left(1000, 1001):      "0 of 1,000 calls left",
		Left(0, 0):            "No calls credited yet",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if best := Cheapest([]plans.Offer{{Terms: prepaid(1_000_000)}, {Terms: pro()}}, 5); best != 1 {
		t.Errorf("plan %d is the cheapest for a month", best)
	}
	for used, want := range map[int64]int{0: 0, 79: 79, 99: 99, 100: 100, 500: 100} {
		if got := UsedUp(100, used); got != want {
			t.Errorf("%d of 100: %d %%, want %d", used, got, want)
		}
	}
	if UsedUp(0, 0) != 100 {
		t.Error("there is something left of nothing")
	}
}

func TestTermsAreSaidInWords(t *testing.T) {
	t.Parallel()
	for got, want := range map[string]string{
		Price(pro()):          "$49 a month, then from $0.0025 per call",
		Price(free(10)):       "Free",
		Price(perCall("0.5")): "$0.005 per call",
		RateLimit(pro()):      "10 calls a second",
		Quota(free(1000)):     "1,000 a month",
		Overage(free(1)):      "Calls are refused",
		From([]plans.Offer{{Plan: plans.Plan{Sale: plans.SelfServe}, Terms: pro()}}): "From $49 a month",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	rows := Tiers(pro())
	if len(rows) != 3 || rows[0].Range != "1 to 100" || rows[1].Range != "101 to 150" || rows[2].Range != "From 151" || rows[1].Price != "$0.005 per call" {
		t.Errorf("%+v", rows)
	}
	lines, total, err := Bill(pro(), 170)
	if err != nil || total != 4930 || len(lines) != 4 || lines[2].Arithmetic != "50 × $0.005" || lines[3].Label != "Calls 151 to 170" {
		t.Errorf("%+v, %d, %v", lines, total, err)
	}
}

func TestALimitSaysWhenItChanges(t *testing.T) {
	t.Parallel()
	slot := func(percent int64, from, to string, days ...time.Weekday) quota.Slot {
		return quota.Slot{Days: days, From: from, To: to, Percent: percent}
	}
	office := slot(150, "08:00", "18:00", time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday)
	weekend, night := slot(50, "00:00", "00:00", time.Saturday, time.Sunday), slot(1000, "22:00", "06:00")
	for want, schedule := range map[string][]quota.Slot{
		"10 calls a second": nil,
		"10 calls a second (150 % Monday to Friday 08:00–18:00)":                             {office},
		"10 calls a second (50 % Saturday and Sunday; 1,000 % every day 22:00–06:00)":        {weekend, night},
		"10 calls a second (120 % Monday, Wednesday, Friday, Saturday and Sunday 9:00–9:00)": {slot(120, "9:00", "9:00", time.Monday, time.Wednesday, time.Friday, time.Saturday, time.Sunday)},
		"10 calls a second (changes at 4 declared times)":                                    {office, weekend, night, night},
	} {
		if got := Described(plans.Limit{Calls: 10, Window: time.Second, Adapt: quota.Adapt{Schedule: schedule}}); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestBreakEvenAgreesWithTryingEveryNumber(t *testing.T) {
	t.Parallel()
	packages := perCall("30")
	packages.Components[0].Model, packages.Components[0].PackageSize = pricing.Package, 70
	volume := perCall("2")
	volume.Components[0].Model = pricing.Volume
	volume.Components[0].Tiers = []pricing.Tier{{UpTo: 500, Rate: decimal.NewFromInt(2)}, {UpTo: pricing.NoEnd, Rate: decimal.RequireFromString("0.3")}}
	capped := perCall("1.7")
	most := int64(900)
	capped.Components[0].Maximum = &most
	all := []plans.Terms{pro(), free(1000), perCall("0.5"), perCall("0.49"), packages, volume, capped, {Currency: "usd", RecurringFee: 1000}}
	const limit = 4_000
	for i, a := range all {
		for j, b := range all {
			want, exists := int64(0), false
			for q := int64(0); q <= limit && !exists; q++ {
				want, exists = q, cost(b, q) < cost(a, q)
			}
			got, found := CheaperFrom(a, b, limit)
			if found != exists || found && got != want {
				t.Errorf("plan %d against %d: %d %v, want %d %v", j, i, got, found, want, exists)
			}
		}
	}
}

func TestBreakEvenIsSaid(t *testing.T) {
	t.Parallel()
	offers := []plans.Offer{{Plan: plans.Plan{Name: "Free"}, Terms: free(1000)}, {Plan: plans.Plan{Name: "Pro"}, Terms: pro()}}
	if got := BreakEven(offers, 1_000_000); got != "Free ends at 1,000 calls a month; Pro is the cheapest beyond." {
		t.Error(got)
	}
	offers[0].Terms = perCall("0.5")
	if got := BreakEven(offers, 1_000_000); got != "Pro is cheaper than Free from 19,551 calls a month." {
		t.Error(got)
	}
	if got := BreakEven(offers[:1], 1_000_000); got != "" {
		t.Error(got)
	}
	if Cheapest(offers, 10) != 0 || Cheapest(offers, 100_000) != 1 {
		t.Error("cheapest")
	}
}
