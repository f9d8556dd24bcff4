package pricing

import (
	"sort"

	"github.com/shopspring/decimal"
)

// split gives each detail its share of amount in whole minor units: the exact
// value rounded down, then one unit more to the largest remainders, so that the
// details add up to the line.
func split(details []Detail, amount int64) {
	exact := make([]decimal.Decimal, len(details))
	for i, d := range details {
		exact[i] = d.exact()
	}
	for i, share := range Split(amount, exact) {
		details[i].Amount = share
	}
}

// Split divides amount in proportion to weights, exactly, by largest remainder;
// equal remainders go to the earlier. Weights must not be negative; if all are
// zero the first takes everything.
func Split(amount int64, weights []decimal.Decimal) []int64 {
	shares := make([]int64, len(weights))
	if len(weights) == 0 {
		return shares
	}
	total := decimal.Sum(decimal.Zero, weights...)
	if total.IsZero() {
		shares[0] = amount
		return shares
	}
	rest := amount
	remainders := make([]decimal.Decimal, len(weights))
	order := make([]int, len(weights))
	for i, w := range weights {
		// the floor of amount × w ÷ total, and what it leaves, without a rounded quotient
		q, r := decimal.NewFromInt(amount).Mul(w).QuoRem(total, 0)
		shares[i], remainders[i], order[i] = q.IntPart(), r, i
		rest -= shares[i]
	}
	sort.SliceStable(order, func(a, b int) bool { return remainders[order[a]].GreaterThan(remainders[order[b]]) })
	for _, i := range order[:rest] {
		shares[i]++
	}
	return shares
}
