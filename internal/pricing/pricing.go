// Package pricing turns a quantity into money: pure arithmetic on integers and
// decimals, no I/O, no clock, no float. Amounts are minor units of a currency.
// A line is rounded once, half away from zero; its details add up to it.
package pricing

import (
	"errors"
	"fmt"
	"math"

	"github.com/shopspring/decimal"
)

// Model is how a component's tiers are read.
type Model string

// The models: PerUnit has one rate; Graduated charges each unit at its own
// tier's rate; Volume charges all units at the rate of the tier that the total
// falls in; Package charges each begun package.
const (
	PerUnit   Model = "per_unit"
	Graduated Model = "graduated"
	Volume    Model = "volume"
	Package   Model = "package"
)

// RatePlaces is how many decimals of a minor unit a rate may have.
const RatePlaces = 12

// NoEnd is the UpTo of a tier that has no upper end.
const NoEnd = math.MaxInt64

// Tier is a price step inside a component.
type Tier struct {
	UpTo int64           // inclusive, counted after the included units; NoEnd for the last
	Rate decimal.Decimal // minor units per unit, or per package
	Flat int64           // minor units, due once when the tier is entered
}

// Component is one reason to charge for usage.
type Component struct {
	Model       Model
	Included    int64 // units of the period that are free
	PackageSize int64 // units; only with Package
	FlatAtZero  bool  // whether the first tier's Flat is due without usage
	Minimum     int64 // minor units per period
	Maximum     *int64
	Tiers       []Tier
}

// Detail is one step of a line's arithmetic.
type Detail struct {
	From, To int64           // units, inclusive, counted from 1 with the included ones
	Quantity int64           // units or packages
	Rate     decimal.Decimal // minor units each
	Flat     int64
	Amount   int64 // minor units; all details add up to the line
	Note     string
}

// Line is a component's charge for a period.
type Line struct {
	Quantity int64 // units counted, included ones too
	Amount   int64 // minor units
	Details  []Detail
}

// ErrTooLarge says that an amount does not fit into int64 minor units.
var ErrTooLarge = errors.New("the amount is too large")

// Validate reports everything that is wrong with c, in words for a plan's author.
func (c Component) Validate() error {
	var errs []error
	add := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	add(c.Included < 0, "included units cannot be negative")
	add(c.Minimum < 0, "the minimum cannot be negative")
	add(c.Maximum != nil && *c.Maximum < c.Minimum, "the maximum is below the minimum")
	add(c.Model == Package && c.PackageSize < 1, "a package needs a size of at least 1")
	add(c.Model != Package && c.PackageSize != 0, "only packages have a size")
	add((c.Model == Package || c.Model == PerUnit) && len(c.Tiers) != 1, "this model has exactly one price and no tiers")
	switch c.Model {
	case PerUnit, Graduated, Volume, Package:
	default:
		add(true, "unknown model %q", c.Model)
	}
	return errors.Join(append(errs, checkTiers(c.Tiers))...)
}

func checkTiers(tiers []Tier) error {
	if len(tiers) == 0 {
		return errors.New("at least one price is needed")
	}
	var errs []error
	last := int64(0)
	for i, t := range tiers {
		if t.UpTo <= last {
			errs = append(errs, fmt.Errorf("tier %d must end above %d, where the one before it ends", i+1, last))
		}
		if t.Rate.IsNegative() || t.Flat < 0 {
			errs = append(errs, fmt.Errorf("tier %d has a negative price", i+1))
		}
		if !t.Rate.Equal(t.Rate.Truncate(RatePlaces)) {
			errs = append(errs, fmt.Errorf("tier %d: a rate has at most %d decimals of a minor unit", i+1, RatePlaces))
		}
		last = t.UpTo
	}
	if last != NoEnd {
		errs = append(errs, errors.New("the last tier must have no end, or usage above it would have no price"))
	}
	return errors.Join(errs...)
}

// Rate charges quantity units of a period. The component must be valid.
func Rate(c Component, quantity int64) (Line, error) {
	if quantity < 0 {
		return Line{}, errors.New("a quantity cannot be negative")
	}
	billable := max(quantity-c.Included, 0)
	var details []Detail
	switch c.Model {
	case Package:
		details = ratePackages(c, billable)
	case Volume:
		details = rateVolume(c, billable)
	default:
		details = rateGraduated(c, billable)
	}
	exact := decimal.Zero
	for _, d := range details {
		exact = exact.Add(d.exact())
	}
	amount, err := round(exact)
	if err != nil {
		return Line{}, err
	}
	split(details, amount)
	if included := min(quantity, c.Included); included > 0 {
		details = append([]Detail{{From: 1, To: included, Quantity: included, Note: "included"}}, details...)
	}
	line := Line{Quantity: quantity, Amount: amount, Details: details}
	line.applyBounds(c)
	return line, nil
}

func (d Detail) exact() decimal.Decimal {
	return d.Rate.Mul(decimal.NewFromInt(d.Quantity)).Add(decimal.NewFromInt(d.Flat))
}

func ratePackages(c Component, billable int64) []Detail {
	if billable == 0 {
		return nil
	}
	packages := (billable-1)/c.PackageSize + 1
	return []Detail{{From: c.Included + 1, To: c.Included + billable, Quantity: packages, Rate: c.Tiers[0].Rate, Note: "packages"}}
}

func rateVolume(c Component, billable int64) []Detail {
	for i, t := range c.Tiers {
		if billable <= t.UpTo {
			return detailOf(c, t, i, 0, billable)
		}
	}
	return nil
}

func rateGraduated(c Component, billable int64) (details []Detail) {
	below := int64(0)
	for i, t := range c.Tiers {
		in := min(billable, t.UpTo) - below
		if in <= 0 && i > 0 {
			break
		}
		details = append(details, detailOf(c, t, i, below, in)...)
		below = t.UpTo
	}
	return details
}

// detailOf is units (below, below+in] in tier i; a first tier without usage
// counts only for its flat amount.
func detailOf(c Component, t Tier, i int, below, in int64) []Detail {
	if in == 0 && (i > 0 || t.Flat == 0 || !c.FlatAtZero) {
		return nil
	}
	return []Detail{{From: c.Included + below + 1, To: c.Included + below + in, Quantity: in, Rate: t.Rate, Flat: t.Flat}}
}

// applyBounds lifts or cuts the line to the component's minimum and maximum,
// as a step of its own.
func (l *Line) applyBounds(c Component) {
	switch {
	case l.Amount < c.Minimum:
		l.Details = append(l.Details, Detail{Amount: c.Minimum - l.Amount, Note: "minimum"})
		l.Amount = c.Minimum
	case c.Maximum != nil && l.Amount > *c.Maximum:
		l.Details = append(l.Details, Detail{Amount: *c.Maximum - l.Amount, Note: "maximum"})
		l.Amount = *c.Maximum
	}
}

// round is the one rounding of a line: half away from zero.
func round(exact decimal.Decimal) (int64, error) {
	r := exact.Round(0)
	if !r.BigInt().IsInt64() {
		return 0, ErrTooLarge
	}
	return r.IntPart(), nil
}
