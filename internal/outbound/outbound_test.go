package outbound

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

func TestAddresses(t *testing.T) {
	t.Parallel()
	loopback := Networks([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("169.254.0.0/16")}, []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:8080")})
	for _, c := range []struct {
		guard   *Guard
		address string
		allowed bool
	}{
		{Networks(nil, nil), "93.184.216.34:443", true},
		{Networks(nil, nil), "[2606:2800:220:1::1]:443", true},
		{Networks(nil, nil), "127.0.0.1:80", false},
		{Networks(nil, nil), "[::ffff:127.0.0.1]:80", false},
		{Networks(nil, nil), "[::1]:80", false},
		{Networks(nil, nil), "[::127.0.0.1]:80", false},
		{Networks(nil, nil), "[64:ff9b::a9fe:a9fe]:80", false},
		{Networks(nil, nil), "[2002:7f00:1::]:80", false},
		{Networks(nil, nil), "100.64.0.1:80", false},
		{Networks(nil, nil), "192.0.0.1:80", false},
		{Networks(nil, nil), "198.18.0.1:80", false},
		{Networks(nil, nil), "0.0.0.0:80", false},
		{Networks(nil, nil), "169.254.169.254:80", false},
		{loopback, "127.0.0.1:9000", true},
		{loopback, "127.0.0.1:8080", false},
		{loopback, "169.254.169.254:80", false},
		{loopback, "10.0.0.1:80", false},
		{loopback, "93.184.216.34:443", true},
	} {
		if err := c.guard.Check(netip.MustParseAddrPort(c.address)); (err == nil) != c.allowed {
			t.Errorf("%s: %v, want allowed %v", c.address, err, c.allowed)
		}
	}
}

func TestFetchRefusesWhatIsNotPublic(t *testing.T) {
	t.Parallel()
	touched := false
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { touched = true }))
	t.Cleanup(srv.Close)
	for _, url := range []string{srv.URL, strings.Replace(srv.URL, "127.0.0.1", "localhost", 1), "file:///etc/passwd", "http://user@example.com/"} {
		if _, err := Networks(nil, nil).Fetch(context.Background(), url, 10); err == nil {
			t.Errorf("%s was fetched", url)
		}
	}
	if touched {
		t.Error("a packet reached the private server")
	}
}

func TestFetchChecksEachRedirectAndTheSize(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	mux.HandleFunc("/metadata", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://169.254.169.254/", http.StatusFound)
	})
	mux.HandleFunc("/loop", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/loop", http.StatusFound) })
	mux.HandleFunc("/big", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 11)) })
	mux.HandleFunc("/fits", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 10)) })
	g := Networks([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, nil)
	for path, want := range map[string]error{"/metadata": ErrDenied, "/loop": ErrDenied, "/big": ErrTooLarge, "/fits": nil} {
		if _, err := g.Fetch(context.Background(), srv.URL+path, 10); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", path, err, want)
		}
	}
}
