// Package outbound decides where Tollgate may connect to: documents are fetched
// from public addresses only, upstreams also from an operator's networks, and
// nothing ever from addresses that hand out cloud credentials. The check is
// made on the resolved address of every connection, redirects included.
package outbound

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"syscall"
	"time"
)

// ErrDenied is what a refused connection reports. It does not say whether
// anything listens there.
var ErrDenied = errors.New("this address is not allowed")

// special are ranges that are not public, whatever the standard library calls
// them (IANA's special-purpose address registries).
var special = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
	"192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
	"::/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
)

// metadata are addresses that hand out a machine's credentials.
var metadata = prefixes("169.254.0.0/16", "fd00:ec2::254/128", "fd20:ce::254/128", "100.100.100.200/32", "168.63.129.16/32")

func prefixes(list ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(list))
	for i, s := range list {
		out[i] = netip.MustParsePrefix(s)
	}
	return out
}

func contains(list []netip.Prefix, a netip.Addr) bool {
	for _, p := range list {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// Guard is a set of addresses that may be dialled.
type Guard struct {
	networks []netip.Prefix   // allowed although not public
	ports    []netip.AddrPort // our own listeners: never
}

// Networks allows public addresses and the given networks, but never metadata
// addresses nor our own listeners.
func Networks(networks []netip.Prefix, own []netip.AddrPort) *Guard {
	return &Guard{networks: networks, ports: own}
}

// Check reports whether address may be connected to.
func (g *Guard) Check(address netip.AddrPort) error {
	a := address.Addr().Unmap()
	if contains(metadata, a) {
		return ErrDenied
	}
	for _, own := range g.ports {
		if own.Port() == address.Port() && (own.Addr().Unmap() == a || (own.Addr().IsUnspecified() && a.IsLoopback())) {
			return ErrDenied
		}
	}
	if contains(special, a) && !contains(g.networks, a) {
		return ErrDenied
	}
	return nil
}

// CheckURL reports ErrDenied if an http or https address leads only to addresses
// that may not be connected to. Connections are checked anew: this is to say so early.
func (g *Guard) CheckURL(ctx context.Context, raw string) error {
	u, err := url.Parse(raw)
	if err != nil || u.Hostname() == "" {
		return err
	}
	port := uint16(80)
	if u.Scheme == "https" {
		port = 443
	}
	if n, err := strconv.ParseUint(u.Port(), 10, 16); err == nil {
		port = uint16(n)
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", u.Hostname())
	if err != nil {
		return fmt.Errorf("look up %s: %w", u.Hostname(), err)
	}
	for _, a := range found {
		if g.Check(netip.AddrPortFrom(a, port)) == nil {
			return nil
		}
	}
	return ErrDenied
}

// Dialer refuses denied addresses after resolution.
func (g *Guard) Dialer() *net.Dialer {
	return &net.Dialer{Timeout: 5 * time.Second, ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
		ap, err := netip.ParseAddrPort(address)
		if err != nil {
			return ErrDenied
		}
		return g.Check(ap)
	}}
}

// ErrTooLarge says that a document exceeds the limit.
var ErrTooLarge = errors.New("the document is too large")

// Fetch downloads a document of at most limit bytes over http or https, with at
// most three redirects, each checked, within half a minute.
func (g *Guard) Fetch(ctx context.Context, address string, limit int64) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	client := &http.Client{
		Transport: &http.Transport{DialContext: g.Dialer().DialContext, Proxy: nil, TLSHandshakeTimeout: 5 * time.Second, ResponseHeaderTimeout: 10 * time.Second, DisableKeepAlives: true},
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			if len(via) > 3 || (req.URL.Scheme != "http" && req.URL.Scheme != "https") {
				return ErrDenied
			}
			return nil
		},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil || (req.URL.Scheme != "http" && req.URL.Scheme != "https") || req.URL.User != nil {
		return nil, errors.New("the address must be a plain http or https URL")
	}
	resp, err := client.Do(req)
	if err != nil {
		if errors.Is(err, ErrDenied) {
			return nil, ErrDenied
		}
		return nil, errors.New("the address could not be reached")
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the address answered with status %d", resp.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return nil, errors.New("the document could not be read to its end")
	}
	if int64(len(body)) > limit {
		return nil, ErrTooLarge
	}
	return body, nil
}
