package pricing

import (
	"fmt"
	"testing"

	"github.com/shopspring/decimal"
	"pgregory.net/rapid"
)

func rate(s string) decimal.Decimal { return decimal.RequireFromString(s) }

func perUnit(r string) Component {
	return Component{Model: PerUnit, Tiers: []Tier{{UpTo: NoEnd, Rate: rate(r)}}}
}

var seats = []Tier{{5, rate("700"), 0}, {10, rate("650"), 0}, {NoEnd, rate("600"), 0}}

// The figures are the worked ones that billing rests on.
func TestWorkedFigures(t *testing.T) {
	t.Parallel()
	volumeFlat := Component{Model: Volume, Tiers: []Tier{{10_000, rate("0.10"), 1000}, {50_000, rate("0.08"), 1000}, {100_000, rate("0.06"), 1000}, {NoEnd, rate("0.04"), 1000}}}
	graduatedFlat := Component{Model: Graduated, Tiers: []Tier{{1000, rate("0"), 500}, {10_000, rate("0.5"), 200}, {NoEnd, rate("0.1"), 0}}}
	packages := Component{Model: Package, PackageSize: 5, Tiers: []Tier{{NoEnd, rate("1000"), 0}}}
	packagesFree := Component{Model: Package, PackageSize: 100, Included: 100, Tiers: []Tier{{NoEnd, rate("500"), 0}}}
	pro := Component{Model: Graduated, Included: 100, Tiers: []Tier{{50, rate("0.5"), 0}, {NoEnd, rate("0.25"), 0}}}
	for _, c := range []struct {
		name      string
		component Component
		want      map[int64]int64
	}{
		{"half rounds away from zero", perUnit("0.05"), map[int64]int64{30: 2}},
		{"small rates stay exact", perUnit("0.00123"), map[int64]int64{1_000_000: 1230}},
		{"volume", Component{Model: Volume, Tiers: seats}, map[int64]int64{5: 3500, 6: 3900, 20: 12000}},
		{"graduated", Component{Model: Graduated, Tiers: seats}, map[int64]int64{5: 3500, 6: 4150, 11: 7350, 20: 12750}},
		{"volume with flat amounts", volumeFlat, map[int64]int64{65_000: 4900}},
		{"graduated with flat amounts", graduatedFlat, map[int64]int64{1000: 500, 1001: 701, 10_000: 5200}},
		{"packages", packages, map[int64]int64{0: 0, 1: 1000, 5: 1000, 6: 2000}},
		{"packages after free units", packagesFree, map[int64]int64{100: 0, 101: 500, 201: 1000}},
		{"float trap one", perUnit("0.051"), map[int64]int64{2500: 128}},
		{"float trap two", perUnit("0.009"), map[int64]int64{1500: 14}},
		{"yen", perUnit("0.5"), map[int64]int64{333: 167}},
		{"the Pro plan of the story", pro, map[int64]int64{0: 0, 100: 0, 101: 1, 150: 25, 170: 30}},
	} {
		if err := c.component.Validate(); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		for q, want := range c.want {
			t.Run(fmt.Sprintf("%s, %d units", c.name, q), func(t *testing.T) {
				got, err := Rate(c.component, q)
				if err != nil || got.Amount != want {
					t.Errorf("got %d, %v; want %d", got.Amount, err, want)
				}
			})
		}
	}
}

func TestFirstFlatAmountAtZeroUsage(t *testing.T) {
	t.Parallel()
	for due, want := range map[bool]int64{true: 500, false: 0} {
		got, err := Rate(Component{Model: Graduated, FlatAtZero: due, Tiers: []Tier{{NoEnd, rate("1"), 500}}}, 0)
		if err != nil || got.Amount != want {
			t.Errorf("due %v: got %d, %v; want %d", due, got.Amount, err, want)
		}
	}
}

func TestMinimumAndMaximum(t *testing.T) {
	t.Parallel()
	most := int64(500)
	c := perUnit("1")
	c.Minimum, c.Maximum = 100, &most
	for q, want := range map[int64]int64{0: 100, 99: 100, 100: 100, 101: 101, 500: 500, 501: 500} {
		got, err := Rate(c, q)
		if err != nil || got.Amount != want {
			t.Errorf("%d units: got %d, %v; want %d", q, got.Amount, err, want)
		}
	}
}

func TestSplitInThreeEqualParts(t *testing.T) {
	t.Parallel()
	one := decimal.NewFromInt(1)
	if got := Split(10_000, []decimal.Decimal{one, one, one}); fmt.Sprint(got) != "[3334 3333 3333]" {
		t.Errorf("got %v", got)
	}
}

func TestInvalidComponentsAreRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]Component{
		"no price":            {Model: PerUnit},
		"unknown model":       {Model: "stairs", Tiers: seats},
		"package with tiers":  {Model: Package, PackageSize: 5, Tiers: seats},
		"package sans size":   {Model: Package, Tiers: seats[2:]},
		"tiers that overlap":  {Model: Volume, Tiers: []Tier{{10, rate("1"), 0}, {10, rate("1"), 0}, {NoEnd, rate("1"), 0}}},
		"tiers with an end":   {Model: Graduated, Tiers: seats[:2]},
		"negative rate":       perUnit("-1"),
		"too many decimals":   perUnit("0.0000000000001"),
		"negative allowance":  {Model: PerUnit, Included: -1, Tiers: seats[2:]},
		"maximum below floor": {Model: PerUnit, Minimum: 5, Maximum: new(int64), Tiers: seats[2:]},
	} {
		if c.Validate() == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

func TestAmountsBeyondInt64AreAnError(t *testing.T) {
	t.Parallel()
	if _, err := Rate(perUnit("1000"), NoEnd); err == nil {
		t.Error("no error")
	}
}

func drawComponent(t *rapid.T) Component {
	c := Component{Model: rapid.SampledFrom([]Model{PerUnit, Graduated, Volume, Package}).Draw(t, "model"), Included: rapid.Int64Range(0, 1000).Draw(t, "included"), FlatAtZero: rapid.Bool().Draw(t, "flat at zero")}
	n := 1
	switch c.Model {
	case Package:
		c.PackageSize = rapid.Int64Range(1, 1000).Draw(t, "size")
	case Graduated, Volume:
		n = rapid.IntRange(1, 5).Draw(t, "tiers")
	}
	end := int64(0)
	for i := range n {
		end += rapid.Int64Range(1, 10_000).Draw(t, "width")
		tier := Tier{UpTo: end, Rate: decimal.New(rapid.Int64Range(0, 1e12).Draw(t, "rate"), -9), Flat: rapid.Int64Range(0, 5000).Draw(t, "flat")}
		if i == n-1 {
			tier.UpTo = NoEnd
		}
		c.Tiers = append(c.Tiers, tier)
	}
	return c
}

func TestDetailsAlwaysAddUpToTheLine(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := drawComponent(t)
		line, err := Rate(c, rapid.Int64Range(0, 100_000).Draw(t, "quantity"))
		if err != nil {
			t.Fatal(err)
		}
		sum := int64(0)
		for _, d := range line.Details {
			sum += d.Amount
		}
		if sum != line.Amount {
			t.Fatalf("details %+v add up to %d, the line is %d", line.Details, sum, line.Amount)
		}
	})
}

func TestGraduatedNeverFallsAsUsageGrows(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := drawComponent(t)
		c.Model = map[bool]Model{true: c.Model, false: Graduated}[c.Model != Volume]
		q := rapid.Int64Range(0, 100_000).Draw(t, "quantity")
		a, err1 := Rate(c, q)
		b, err2 := Rate(c, q+1)
		if err1 != nil || err2 != nil || b.Amount < a.Amount {
			t.Fatalf("%d units cost %d, one more costs %d (%v, %v)", q, a.Amount, b.Amount, err1, err2)
		}
	})
}
