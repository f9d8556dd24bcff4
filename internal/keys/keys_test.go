package keys

import (
	"fmt"
	"testing"

	"tollgate/internal/problem"
)

func TestNetworksOfBothFamiliesAreReadWithoutSurprises(t *testing.T) {
	t.Parallel()
	got, err := ParseNetworks("192.0.2.0/24, 198.51.100.7\r\n2001:db8::/32\n::1")
	if want := "[192.0.2.0/24 198.51.100.7/32 2001:db8::/32 ::1/128]"; err != nil || fmt.Sprint(got) != want {
		t.Errorf("%v, %v; want %s", got, err, want)
	}
	for text, message := range map[string]string{
		"10.0.0.5/8":      "10.0.0.5/8 names an address within a network. Write 10.0.0.0/8 for the network, or 10.0.0.5 for the address alone.",
		"::ffff:10.0.0.1": "::ffff:10.0.0.1 is an IPv4 address in IPv6 form. Write it as IPv4, such as 192.0.2.0/24.",
		"office":          "“office” is neither an address nor a network such as 192.0.2.0/24 or 2001:db8::/32.",
		"fe80::1%eth0":    "“fe80::1%eth0” is neither an address nor a network such as 192.0.2.0/24 or 2001:db8::/32.",
		"10.0.0.0/33":     "“10.0.0.0/33” is neither an address nor a network such as 192.0.2.0/24 or 2001:db8::/32.",
	} {
		if _, err := ParseNetworks(text); problem.As(err).Fields["networks"] != message {
			t.Errorf("%s: %v", text, problem.As(err).Fields)
		}
	}
}
