// Package format writes money, numbers and moments the way that people read
// them, and reads what people type. It is pure and never uses a float.
package format

import (
	"errors"
	"strconv"
	"strings"

	"github.com/shopspring/decimal"
)

// symbols stand before amounts; other currencies show their code.
var symbols = map[string]string{"usd": "$", "eur": "€", "gbp": "£", "jpy": "¥"}

// zeroDecimal are the currencies whose minor unit is the unit itself
// (Stripe's list).
var zeroDecimal = map[string]bool{
	"bif": true, "clp": true, "djf": true, "gnf": true, "jpy": true, "kmf": true, "krw": true, "mga": true,
	"pyg": true, "rwf": true, "ugx": true, "vnd": true, "vuv": true, "xaf": true, "xof": true, "xpf": true,
}

// Decimals is how many decimals an amount of the currency (ISO 4217, any case) has.
func Decimals(currency string) int32 {
	if zeroDecimal[strings.ToLower(currency)] {
		return 0
	}
	return 2
}

// Money writes minor units with all decimals of the currency: $1,049.00, ¥500.
func Money(minor int64, currency string) string {
	return signed(decimal.New(minor, -Decimals(currency)).StringFixed(Decimals(currency)), currency)
}

// Price writes minor units without needless decimals: $49, $4.50.
func Price(minor int64, currency string) string {
	return strings.TrimSuffix(Money(minor, currency), ".00")
}

// Rate writes a price per unit in decimal minor units, with as many decimals as
// it has: $0.005, $1.50, $2.
func Rate(minor decimal.Decimal, currency string) string {
	return signed(ratePlain(minor, currency), currency)
}

// ratePlain writes a rate as a bare number: 0.005.
func ratePlain(minor decimal.Decimal, currency string) string {
	major := minor.Shift(-Decimals(currency))
	if major.Equal(major.Truncate(0)) {
		return major.StringFixed(0)
	}
	if major.Equal(major.Truncate(Decimals(currency))) {
		return major.StringFixed(Decimals(currency))
	}
	return major.String() // shortest exact form
}

// signed puts sign, symbol and separators around a plain decimal number.
func signed(number, currency string) string {
	sign := ""
	if rest, negative := strings.CutPrefix(number, "-"); negative {
		sign, number = "-", rest
	}
	whole, fraction, has := strings.Cut(number, ".")
	text := group(whole)
	if has {
		text += "." + fraction
	}
	symbol, known := symbols[strings.ToLower(currency)]
	if !known {
		symbol = strings.ToUpper(currency) + " "
	}
	return sign + symbol + text
}

// group puts a comma before each third digit from the end.
func group(digits string) string {
	var b strings.Builder
	for i, c := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(c)
	}
	return b.String()
}

// Count writes a whole number with separators: 1,223.
func Count(n int64) string {
	if n < 0 {
		return "-" + group(strings.TrimPrefix(strconv.FormatInt(n, 10), "-"))
	}
	return group(strconv.FormatInt(n, 10))
}

// Counted writes a number of things: 1 operation, 1,223 operations.
func Counted(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return Count(n) + " " + many
}

// Calls names a run of a period's calls: Call 101, Calls 101 to 150.
func Calls(from, to int64) string {
	if from == to {
		return "Call " + Count(from)
	}
	return "Calls " + Count(from) + " to " + Count(to)
}

// Mistake is what is wrong with a typed value: a sentence for beside the field.
type Mistake string

// Error implements error.
func (m Mistake) Error() string { return string(m) }

// Mistakes of what was typed.
const (
	ErrNotNumber Mistake = "Type a plain number, such as 49 or 0.005."
	ErrNegative  Mistake = "This cannot be negative."
	ErrPlaces    Mistake = "This has more decimals than the currency."
	ErrTooFine   Mistake = "A price per call has at most 12 decimals of the smallest unit."
	ErrTooLarge  Mistake = "This number is too large."
	ErrNotWhole  Mistake = "Type a whole number, such as 10000."
)

// ParseMoney reads an amount as typed in the currency's unit into minor units.
// Blank is zero.
func ParseMoney(text, currency string) (int64, error) {
	d, err := parseDecimal(text)
	if err != nil {
		return 0, err
	}
	minor := d.Shift(Decimals(currency))
	switch {
	case !minor.Equal(minor.Truncate(0)):
		return 0, ErrPlaces
	case !minor.BigInt().IsInt64():
		return 0, ErrTooLarge
	}
	return minor.IntPart(), nil
}

// ParseRate reads a price per unit as typed in the currency's unit into decimal
// minor units. Blank is zero.
func ParseRate(text, currency string) (decimal.Decimal, error) {
	d, err := parseDecimal(text)
	if err != nil {
		return decimal.Zero, err
	}
	minor := d.Shift(Decimals(currency))
	switch {
	case !minor.Equal(minor.Truncate(12)):
		return decimal.Zero, ErrTooFine
	case minor.GreaterThanOrEqual(decimal.New(1, 15)): // far below what NUMERIC(30,12) holds
		return decimal.Zero, ErrTooLarge
	}
	return minor, nil
}

// ParseCount reads a whole number of at least zero; separators are allowed.
// Blank is zero.
func ParseCount(text string) (int64, error) {
	text = strings.NewReplacer(",", "", " ", "", "_", "", "\u00a0", "").Replace(text)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return 0, ErrTooLarge
	case err != nil:
		return 0, ErrNotWhole
	case n < 0:
		return 0, ErrNegative
	}
	return n, nil
}

// parseDecimal reads digits with one point. Exponents are refused: a few bytes
// of them make a number of many megabytes.
func parseDecimal(text string) (decimal.Decimal, error) {
	text = strings.TrimLeft(strings.ReplaceAll(strings.TrimSpace(text), ",", ""), "$€£¥ ")
	if text == "" {
		return decimal.Zero, nil
	}
	if len(text) > 40 || strings.Trim(text, "-.0123456789") != "" {
		return decimal.Zero, ErrNotNumber
	}
	d, err := decimal.NewFromString(text)
	switch {
	case err != nil:
		return decimal.Zero, ErrNotNumber
	case d.IsNegative():
		return decimal.Zero, ErrNegative
	}
	return d, nil
}
