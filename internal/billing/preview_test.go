package billing_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
)

func TestAForecastDoesNotReadEveryCall(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub := b.subscribe(good)
	b.use(sub, 20, *sub.PeriodStart)
	b.rollUp(sub, uuid.New(), 100_000_000, sub.PeriodStart.Add(48*time.Hour)) // without rows of their own
	next, err := b.Next(context.Background(), sub.OrgID)
	b.must(err)
	if len(next) != 1 || next[0].Calls != 100_000_020 || next[0].Lines[0].Quantity != 100_000_020 || next[0].Subtotal != 4900+25+24_999_968 {
		t.Errorf("%+v", next)
	}
}
