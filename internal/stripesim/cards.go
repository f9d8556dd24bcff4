package stripesim

import "strings"

// card is one of the test cards of the simulation.
type card struct {
	number string // spaces removed
	brand  string
	// onSave and onCharge are the decline codes, empty when it works.
	onSave   string
	onCharge string
	testID   string // Stripe's ready-made payment method
}

var testCards = []card{
	{number: "4242424242424242", brand: "visa", testID: "pm_card_visa"},
	{number: "5555555555554444", brand: "mastercard", testID: "pm_card_mastercard"},
	{number: "378282246310005", brand: "amex", testID: "pm_card_amex"},
	{number: "4000000000000341", brand: "visa", onCharge: "generic_decline", testID: "pm_card_chargeCustomerFail"},
	{number: "4000000000000002", brand: "visa", onSave: "generic_decline", onCharge: "generic_decline", testID: "pm_card_chargeDeclined"},
	{number: "4000000000009995", brand: "visa", onSave: "insufficient_funds", onCharge: "insufficient_funds", testID: "pm_card_chargeDeclinedInsufficientFunds"},
}

func (c card) last4() string { return c.number[len(c.number)-4:] }

func cardByNumber(number string) (card, bool) {
	for _, c := range testCards {
		if c.number == number {
			return c, true
		}
	}
	return card{}, false
}

func cardByTestID(id string) (card, bool) {
	for _, c := range testCards {
		if c.testID == id {
			return c, true
		}
	}
	return card{}, false
}

func declineMessage(code string) string {
	if code == "insufficient_funds" {
		return "Your card has insufficient funds."
	}
	return "Your card was declined."
}

// plainDigits removes the spaces and dashes people type into card numbers.
func plainDigits(s string) string {
	return strings.NewReplacer(" ", "", "-", "", "\u00a0", "").Replace(s)
}

// luhn reports whether the digits are a possible card number.
func luhn(digits string) bool {
	if len(digits) < 12 || len(digits) > 19 {
		return false
	}
	sum := 0
	for i := range len(digits) {
		d := int(digits[len(digits)-1-i]) - '0'
		if d < 0 || d > 9 {
			return false
		}
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}
