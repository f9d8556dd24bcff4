// Command reverseproxy is a bare httputil.ReverseProxy: the baseline that the
// gateway's cost is measured against. It decides nothing and counts nothing.
package main

import (
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"sync"
)

// buffers keeps copying from making garbage of 32 KB a call.
type buffers struct{ pool sync.Pool }

func (b *buffers) Get() []byte  { return b.pool.Get().([]byte) }
func (b *buffers) Put(p []byte) { b.pool.Put(p) } //nolint:staticcheck // audited: a header of 24 bytes

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: reverseproxy <listen> <upstream URL>")
		os.Exit(2)
	}
	target, err := url.Parse(os.Args[2])
	if err == nil {
		proxy := &httputil.ReverseProxy{
			Rewrite:    func(p *httputil.ProxyRequest) { p.SetURL(target) },
			Transport:  &http.Transport{MaxIdleConns: 4096, MaxIdleConnsPerHost: 4096, DisableCompression: true},
			BufferPool: &buffers{sync.Pool{New: func() any { return make([]byte, 32<<10) }}},
		}
		err = http.ListenAndServe(os.Args[1], proxy) //nolint:gosec // audited: on loopback, and a timeout would cost what the baseline must not pay
	}
	fmt.Fprintln(os.Stderr, "reverseproxy:", err)
	os.Exit(1)
}
