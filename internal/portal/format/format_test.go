package format

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/shopspring/decimal"
)

func TestMoneyAndNumbersReadAsPeopleWriteThem(t *testing.T) {
	t.Parallel()
	rate := func(s string) decimal.Decimal { return decimal.RequireFromString(s) }
	for got, want := range map[string]string{
		Money(4900, "usd"):              "$49.00",
		Money(104900, "USD"):            "$1,049.00",
		Money(-5, "eur"):                "-€0.05",
		Money(500, "jpy"):               "¥500",
		Money(1234567, "chf"):           "CHF 12,345.67",
		Money(math.MinInt64, "gbp"):     "-£92,233,720,368,547,758.08",
		Price(4900, "usd"):              "$49",
		Price(450, "usd"):               "$4.50",
		Price(0, "usd"):                 "$0",
		Price(100, "jpy"):               "¥100",
		Rate(rate("0.5"), "usd"):        "$0.005",
		Rate(rate("0.25"), "usd"):       "$0.0025",
		Rate(rate("0.500000"), "usd"):   "$0.005",
		Rate(rate("150"), "usd"):        "$1.50",
		Rate(rate("200"), "usd"):        "$2",
		Rate(rate("0.03"), "jpy"):       "¥0.03",
		ratePlain(rate("0.035"), "eur"): "0.00035",
		Count(1223):                     "1,223",
		Count(-1000):                    "-1,000",
		Count(999):                      "999",
		Counted(1, "call", "calls"):     "1 call",
		Counted(0, "call", "calls"):     "0 calls",
		Window(time.Second):             "second",
		Window(10 * time.Minute):        "10 minutes",
		Window(24 * time.Hour):          "day",
		Every(time.Hour):                "an hour",
		Every(time.Second):              "a second",
		Every(10 * time.Minute):         "every 10 minutes",
		Latency(412):                    "0.4 ms",
		Latency(38_400):                 "38 ms",
		Latency(1_260_000):              "1.2 s",
		Size(12_940_000):                "12.9 MB",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestARunOfOneCallIsSaidInTheSingular(t *testing.T) {
	t.Parallel()
	if one, many := Calls(101, 101), Calls(1_101, 1_150); one != "Call 101" || many != "Calls 1,101 to 1,150" {
		t.Errorf("%q, %q", one, many)
	}
}

func TestTypedAmountsAreReadExactly(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text, currency string
		want           int64
		err            error
	}{
		{"49", "usd", 4900, nil},
		{"$1,049.5", "usd", 104950, nil},
		{"49", "jpy", 49, nil},
		{"0.5", "jpy", 0, ErrPlaces},
		{"0.005", "usd", 0, ErrPlaces},
		{"", "usd", 0, nil},
		{"-1", "usd", 0, ErrNegative},
		{"1e9", "usd", 0, ErrNotNumber},
		{"1.2.3", "usd", 0, ErrNotNumber},
		{"99999999999999999999", "usd", 0, ErrTooLarge},
	} {
		got, err := ParseMoney(c.text, c.currency)
		if got != c.want || !errors.Is(err, c.err) {
			t.Errorf("%q %s: %d, %v", c.text, c.currency, got, err)
		}
	}
	for text, want := range map[string]string{"0.005": "0.5", "0.0025": "0.25", "49": "4900", "0.00000000000001": "0.000000000001"} {
		if got, err := ParseRate(text, "usd"); err != nil || !got.Equal(decimal.RequireFromString(want)) {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
	if _, err := ParseRate("0.000000000000001", "usd"); !errors.Is(err, ErrTooFine) {
		t.Errorf("too fine: %v", err)
	}
	for text, want := range map[string]int64{"10,000": 10000, "": 0, "7": 7} {
		if got, err := ParseCount(text); err != nil || got != want {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	}
	for text, want := range map[string]error{"1.5": ErrNotWhole, "-3": ErrNegative, "99999999999999999999": ErrTooLarge} {
		if _, err := ParseCount(text); !errors.Is(err, want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzTypedRatesReadBackAsWritten(f *testing.F) {
	f.Add("0.005")
	f.Add("1e99999")
	f.Fuzz(func(t *testing.T, text string) {
		d, err := ParseRate(text, "usd")
		if err != nil {
			return
		}
		again, err := ParseRate(ratePlain(d, "usd"), "usd")
		if err != nil || !again.Equal(d) {
			t.Errorf("%q: %s, %s, %v", text, d, again, err)
		}
	})
}

func TestMomentsSayHowLongAgo(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 4, 56, 0, 0, time.UTC)
	for ago, want := range map[time.Duration]string{
		2 * time.Second: "just now", 3 * time.Minute: "3 minutes ago", time.Hour: "1 hour ago", 49 * time.Hour: "2 days ago",
		40 * 24 * time.Hour: "14 Oct 2026", -2 * time.Hour: "in 2 hours",
	} {
		if got := Moment(now.Add(-ago), now).Text; got != want {
			t.Errorf("%s: %q, want %q", ago, got, want)
		}
	}
	if p := Moment(now, now); p.Full != "23 Nov 2026, 04:56 UTC" || p.ISO != "2026-11-23T04:56:00Z" {
		t.Errorf("%+v", p)
	}
	if got := Period(now, now.AddDate(0, 1, 0)); got != "23 Nov – 23 Dec 2026" {
		t.Error(got)
	}
	if (Moment(time.Time{}, now)).Text != "" {
		t.Error("the zero time has words")
	}
}
