package plans

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/google/uuid"

	"tollgate/internal/pricing"
	"tollgate/internal/problem"
)

var slugPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

const slugHint = "Use lower-case letters, digits and dashes, starting with a letter or digit."

// NewProduct is what a product team types to make a product.
type NewProduct struct {
	Slug, Name, Description string
	Versions                []uuid.UUID // API versions that it sells
}

// Validate reports what is wrong, field by field.
func (p NewProduct) Validate() error {
	v := problem.Invalid{}
	v.Check(strings.TrimSpace(p.Name) != "", "name", "Give the product a name.")
	v.Check(len(p.Name) <= 100, "name", "Use at most 100 characters.")
	v.Check(slugPattern.MatchString(p.Slug), "slug", slugHint)
	v.Check(len(p.Versions) > 0, "versions", "Choose at least one API.")
	return v.Err()
}

// NewPlan is what a product team types to make a plan.
type NewPlan struct {
	Product                 uuid.UUID
	Slug, Name, Description string
	Sale                    string
	PrivateTo               *uuid.UUID
	Currency                string
	RecurringFee            int64 // minor units per month
	Limits                  []Limit
	Usage                   *pricing.Component // nil: usage costs nothing
	Meter                   string             // what Usage is charged by; empty: requests
	BilledClasses           []int16            // of answers' status, each 1 to 5; nil: BilledByDefault
}

// Validate reports what is wrong, field by field.
func (p NewPlan) Validate() error {
	v := problem.Invalid{}
	v.Check(strings.TrimSpace(p.Name) != "", "name", "Give the plan a name.")
	v.Check(len(p.Name) <= 60, "name", "Use at most 60 characters.")
	v.Check(slugPattern.MatchString(p.Slug), "slug", slugHint)
	v.Check(p.Sale == SelfServe || p.Sale == OnRequest || p.Sale == Anonymous, "sale", "Choose how the plan is sold.")
	v.Check(Currencies[p.Currency], "currency", "Choose one of the listed currencies.")
	v.Check(p.RecurringFee >= 0 && p.RecurringFee <= maxFee, "fee", "The fee must be between 0 and 10,000,000.")
	p.checkLimits(v)
	v.Check(p.Meter == "" || slices.Contains(Meters, p.Meter), "meter", "Choose one of the listed meters.")
	wrong := func(class int16) bool { return class < 1 || class > 5 }
	v.Check(!slices.ContainsFunc(p.BilledClasses, wrong), "billed_classes", "Choose from 1xx, 2xx, 3xx, 4xx and 5xx.")
	if p.Usage != nil {
		if err := p.Usage.Validate(); err != nil {
			v.Check(false, "tiers", "%s", sentence(err))
		}
	}
	return v.Err()
}

// Bounded reports whether p has a price or a limit. Without either, anybody on
// it calls as much as they like for nothing.
func (p NewPlan) Bounded() bool {
	return p.RecurringFee != 0 || p.Usage != nil || len(p.Limits) != 0
}

// Meters are what a price component can charge by: calls, units, bytes of
// bodies, milliseconds.
var Meters = []string{"requests", "units", "bytes_in", "bytes_out", "bytes", "duration"}

// meterNames are what a component is called on invoices.
var meterNames = map[string]string{"requests": "API calls", "units": "Units", "bytes_in": "Bytes received", "bytes_out": "Bytes sent", "bytes": "Bytes received and sent", "duration": "Milliseconds of API calls"}

const maxFee = 1_000_000_000

// Currencies that plans can be sold in, by ISO 4217 code in lower case.
var Currencies = map[string]bool{"usd": true, "eur": true, "gbp": true, "chf": true, "jpy": true}

func sentence(err error) string {
	text := strings.ReplaceAll(err.Error(), "\n", "; ")
	return fmt.Sprintf("%s%s.", strings.ToUpper(text[:1]), text[1:])
}

// NewRequest asks for a plan that is not sold through self-service.
type NewRequest struct {
	Plan          uuid.UUID
	ExpectedCalls int64 // per month
	Message       string
}

// Validate reports what is wrong, field by field.
func (r NewRequest) Validate() error {
	v := problem.Invalid{}
	v.Check(r.ExpectedCalls >= 0, "expected_calls", "Give the number of calls per month as a whole number.")
	v.Check(len(r.Message) <= 5000, "message", "Use at most 5,000 characters.")
	v.Check(strings.TrimSpace(r.Message) != "", "message", "Tell us in a sentence what you need.")
	return v.Err()
}
