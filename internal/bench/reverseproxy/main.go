// Command reverseproxy is a bare httputil.ReverseProxy: the baseline that the
// gateway's cost is measured against. It decides nothing and counts nothing.
package main

import (
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"time"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: reverseproxy <listen> <upstream URL>")
		os.Exit(2)
	}
	target, err := url.Parse(os.Args[2])
	if err == nil {
		proxy := &httputil.ReverseProxy{
			Rewrite:   func(p *httputil.ProxyRequest) { p.SetURL(target) },
			Transport: &http.Transport{MaxIdleConns: 4096, MaxIdleConnsPerHost: 4096, DisableCompression: true},
		}
		server := &http.Server{Addr: os.Args[1], Handler: proxy, ReadHeaderTimeout: 5 * time.Second}
		err = server.ListenAndServe()
	}
	fmt.Fprintln(os.Stderr, "reverseproxy:", err)
	os.Exit(1)
}
