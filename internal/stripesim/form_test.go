package stripesim

import (
	"slices"
	"testing"
)

func TestParamsFollowStripesBrackets(t *testing.T) {
	t.Parallel()
	p, fail := parseParams("name=A%26B&metadata[a]=1&metadata[b]=&expand[]=x&expand[1]=z&expand[0]=y&settings[deep][er]=q&flag=true")
	if fail != nil {
		t.Fatal(fail.Message)
	}
	if p.str("name") != "A&B" || p.str("settings[deep][er]") != "q" {
		t.Error("values are wrong")
	}
	if got := p.list("expand"); !slices.Equal(got, []string{"x", "y", "z"}) {
		t.Errorf("expand %v", got)
	}
	meta, fail := p.mergeMetadata(map[string]string{"b": "old", "c": "3"})
	if fail != nil || len(meta) != 2 || meta["a"] != "1" || meta["c"] != "3" {
		t.Errorf("metadata %v", meta)
	}
	for _, bad := range []string{"[a]=1", "a[b=1", "a]b=1", "a[b]c=1", "a[b][=1", "a[[b]]=1", "a=%zz", "a;b=1"} {
		if _, fail := parseParams(bad); fail == nil {
			t.Errorf("%s was accepted", bad)
		}
	}
}

func FuzzParseParams(f *testing.F) {
	f.Add("a=1&b[c]=2&d[]=3&e[0][f]=4")
	f.Add("[[]]=&%5b=&a[=")
	f.Fuzz(func(t *testing.T, raw string) {
		p, fail := parseParams(raw)
		if fail != nil {
			return
		}
		again, fail := parseParams(p.canonical())
		if fail != nil || again.canonical() != p.canonical() {
			t.Errorf("%q is not stable", raw)
		}
		_ = p.list("a")
		_ = p.hash("a")
	})
}

func TestLuhn(t *testing.T) {
	t.Parallel()
	for _, c := range testCards {
		if !luhn(c.number) {
			t.Errorf("%s", c.number)
		}
	}
	for _, bad := range []string{"", "4242424242424241", "424242424242424a", "0", "42424242424242424242424"} {
		if luhn(bad) {
			t.Errorf("%q", bad)
		}
	}
}

func TestDisplayAmount(t *testing.T) {
	t.Parallel()
	for want, in := range map[string]struct {
		minor    int64
		currency string
	}{
		"12.34 EUR": {1234, "eur"}, "0.05 USD": {5, "usd"}, "−0.05 USD": {-5, "usd"},
		"500 JPY": {500, "jpy"}, "1.230 KWD": {1230, "kwd"},
	} {
		if got := displayAmount(in.minor, in.currency); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
