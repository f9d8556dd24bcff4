package layout

import "testing"

func TestTheCurrentPlaceIsTheLongestPrefix(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		area Area
		want string // label, empty for none
	}{
		"/console":                {Console, "Overview"},
		"/console/keys":           {Console, "API keys"},
		"/console/keys/k1/rotate": {Console, "API keys"},
		"/console/invoices/142":   {Console, "Billing"},
		"/consoles":               {Console, ""},
		"/studio/apis/new":        {Studio, "APIs"},
		"/studio/products/1":      {Studio, "Products and plans"},
		"/finance/reconciliation": {Finance, "Reconciliation"},
		"/finance/lines/2":        {Finance, "Invoices"},
		"/demo/clock":             {Ops, "Demo clock"},
		"/ops":                    {Ops, "System"},
		"":                        {Ops, ""},
	}
	for path, test := range tests {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			items := Props{Demo: &DemoProps{}}.nav(test.area)
			got := ""
			if i := current(path, items); i >= 0 {
				got = items[i].Label
			}
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
