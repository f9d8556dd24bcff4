package stripesim

import (
	"fmt"
	"slices"
	"strings"
)

// maxAmount is the largest amount of one item or charge, in minor units.
const maxAmount = 99_999_999

var (
	zeroDecimal = []string{
		"bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "ugx", "vnd", "vuv", "xaf", "xof", "xpf",
	}
	threeDecimal = []string{"bhd", "jod", "kwd", "omr", "tnd"}
)

func isCurrency(code string) bool {
	return len(code) == 3 && strings.Trim(code, "abcdefghijklmnopqrstuvwxyz") == ""
}

// smallestCharge is the least that a card is charged, in minor units.
func smallestCharge(currency string) int64 {
	if currency == "gbp" {
		return 30
	}
	return 50
}

// displayAmount writes minor units the way people read them: "1234.50 USD".
func displayAmount(minor int64, currency string) string {
	code, sign := strings.ToUpper(currency), ""
	if minor < 0 {
		sign, minor = "−", -minor
	}
	switch {
	case slices.Contains(zeroDecimal, currency):
		return fmt.Sprintf("%s%d %s", sign, minor, code)
	case slices.Contains(threeDecimal, currency):
		return fmt.Sprintf("%s%d.%03d %s", sign, minor/1000, minor%1000, code)
	}
	return fmt.Sprintf("%s%d.%02d %s", sign, minor/100, minor%100, code)
}
