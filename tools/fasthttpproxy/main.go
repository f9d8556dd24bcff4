// Command fasthttpproxy is the bare fasthttp forwarder that benchmarks compare
// the gateway with: it decides nothing and counts nothing.
package main

import (
	"fmt"
	"os"

	"github.com/valyala/fasthttp"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: fasthttpproxy <listen> <upstream host:port>")
		os.Exit(2)
	}
	upstream := &fasthttp.HostClient{Addr: os.Args[2], MaxConns: 4096, NoDefaultUserAgentHeader: true, DisablePathNormalizing: true}
	server := &fasthttp.Server{NoDefaultServerHeader: true, Handler: func(ctx *fasthttp.RequestCtx) {
		ctx.Request.Header.Del("Connection")
		if err := upstream.Do(&ctx.Request, &ctx.Response); err != nil {
			ctx.Error(err.Error(), fasthttp.StatusBadGateway)
		}
		ctx.Response.Header.Del("Connection")
	}}
	if err := server.ListenAndServe(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "fasthttpproxy:", err)
		os.Exit(1)
	}
}
