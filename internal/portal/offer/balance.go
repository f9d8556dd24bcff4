package offer

import "tollgate/internal/portal/format"

// Left says what is left of a prepaid balance: 200 of 1,000 calls left.
func Left(credited, used int64) string {
	if credited == 0 {
		return "No calls credited yet"
	}
	return format.Count(max(credited-used, 0)) + " of " + format.Counted(credited, "call", "calls") + " left"
}

// UsedUp is how much of so many calls is used, in whole per cent rounded down:
// 100 is used up, and so is nothing.
func UsedUp(calls, used int64) int {
	if used >= calls {
		return 100
	}
	return int(used * 100 / calls)
}
