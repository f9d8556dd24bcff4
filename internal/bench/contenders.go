package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"tollgate/internal/keys/token"
)

func processors() int { return runtime.NumCPU() }

const (
	pepper = "a pepper for benchmarks"
	secret = "an identity secret for benchmarks"
	answer = 1024 // bytes of the upstream's JSON
)

// entry is a contender that may be started.
type entry struct {
	name, addr string
	start      func() (*os.Process, error)
	script     string // empty: the common one
	during     func(context.Context)
}

// presented are the keys that the load uses: the issued ones, or as many that nobody issued.
func (s settings) presented(keys []string) []string {
	if !s.refuse {
		return keys
	}
	out := make([]string, len(keys))
	for i := range out {
		out[i] = token.Mint(token.Live)
	}
	return out
}

// bin is the path of a built program.
func (f *field) bin(name string) string {
	p, _ := filepath.Abs(filepath.Join(f.tools, name)) // fails only without a working directory
	return p
}

// all lists the contenders, the baseline first. Any further build of the gateway
// called gateway-NAME takes part as NAME.
func (f *field) all(target string, keys []string) []entry {
	bin := f.bin
	bare, fast, limit, lua := freeAddr(), freeAddr(), freeAddr(), freeAddr()
	out := []entry{
		{name: "ReverseProxy", addr: bare, start: func() (*os.Process, error) { return start(nil, "", bin("reverseproxy"), bare, "http://"+target) }},
		{name: "direct", addr: target},
		{name: "fasthttp", addr: fast, start: func() (*os.Process, error) { return start(nil, "", bin("fasthttpproxy"), fast, target) }},
		{name: "nginx", addr: limit, start: func() (*os.Process, error) { return nginx(f.dir, "limit", limitConf(limit, target, keys)) }},
		{name: "nginx+Lua", addr: lua, start: func() (*os.Process, error) { return nginx(f.dir, "lua", luaConf(lua, target, keys)) }},
		f.tollgate("Tollgate", bin("gateway"), f.database.URL),
	}
	away := out[len(out)-1]
	away.name, away.start, away.during = "database away", nil, f.away
	alone := f.tollgate("alone", bin("gateway"), f.database.URL, "GATEWAY_DATA_DIR="+f.memory)
	alone.during = f.away
	out = append(out, away, alone)
	builds, _ := filepath.Glob(bin("gateway-*")) // fails only for a bad pattern
	for _, build := range builds {
		out = append(out, f.tollgate(strings.TrimPrefix(filepath.Base(build), "gateway-"), build, f.database.URL))
	}
	return out
}

// tollgate is the gateway as it is shipped, with further settings.
func (f *field) tollgate(name, binary, database string, more ...string) entry {
	addr := freeAddr()
	return entry{name: name, addr: addr, start: func() (*os.Process, error) {
		return start(append([]string{
			"GATEWAY_LISTEN=" + addr, "GATEWAY_PRIVATE_LISTEN=" + freeAddr(), "GATEWAY_ID=" + name, "DATABASE_URL=" + database,
			"GATEWAY_DATA_DIR=" + filepath.Join(f.dir, strings.ReplaceAll(name, " ", "-")), "KEY_PEPPER=" + pepper, "IDENTITY_SECRET=" + secret,
			"UPSTREAM_NETWORKS=127.0.0.0/8", "LOG_LEVEL=ERROR",
		}, more...), f.dir, binary)
	}}
}

func nginx(dir, name, conf string) (*os.Process, error) {
	prefix := filepath.Join(dir, name)
	if err := os.MkdirAll(prefix, 0o755); err != nil {
		return nil, err
	}
	file := filepath.Join(prefix, "nginx.conf")
	head := fmt.Sprintf("daemon off;\nworker_processes %d;\npid %s/pid;\nerror_log stderr crit;\n", processors(), prefix)
	head += "events { worker_connections 4096; }\n"
	if name == "lua" {
		head = "load_module /usr/share/nginx/modules/ndk_http_module.so;\nload_module /usr/share/nginx/modules/ngx_http_lua_module.so;\n" + head
	}
	conf = head + "http {\n  access_log off;\n  keepalive_requests 1000000;\n  server_tokens off;\n  variables_hash_max_size 4096;\n" + conf + "}\n"
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		return nil, err
	}
	return start(nil, dir, "nginx", "-p", prefix, "-c", file)
}

func upstreamConf(addr string) string {
	body := `{"data":"` + strings.Repeat("x", answer-len(`{"data":""}`)) + `"}`
	return fmt.Sprintf("server { listen %s backlog=4096; default_type application/json; location / { return 200 '%s'; } }\n", addr, body)
}

func proxyTo(target string) string {
	return "upstream api { server " + target + "; keepalive 256; keepalive_requests 1000000; }\n"
}

const forward = "proxy_http_version 1.1; proxy_set_header Connection \"\"; proxy_pass http://api;"

// limitConf is nginx with a key map and a rate limit per key.
func limitConf(addr, target string, keys []string) string {
	var b strings.Builder
	b.WriteString(proxyTo(target) + "map_hash_max_size 65536;\nmap_hash_bucket_size 128;\nmap $http_authorization $consumer {\n  default \"\";\n")
	for i, k := range keys {
		fmt.Fprintf(&b, "  \"Bearer %s\" c%d;\n", k, i)
	}
	b.WriteString("}\nlimit_req_zone $consumer zone=keys:10m rate=100000r/s;\n")
	fmt.Fprintf(&b, "server { listen %s backlog=4096; location / { if ($consumer = \"\") { return 401; } limit_req zone=keys burst=100000 nodelay; %s } }\n", addr, forward)
	return b.String()
}

// luaConf is nginx with Lua that looks keys up, counts and sets headers.
func luaConf(addr, target string, keys []string) string {
	var b strings.Builder
	b.WriteString(proxyTo(target) + "lua_shared_dict keys 16m;\nlua_shared_dict counts 16m;\ninit_by_lua_block {\n  local d = ngx.shared.keys\n")
	for i, k := range keys {
		fmt.Fprintf(&b, "  d:set(%q, \"c%d\")\n", "Bearer "+k, i)
	}
	fmt.Fprintf(&b, `}
server { listen %s backlog=4096; location / {
  access_by_lua_block {
    local consumer = ngx.shared.keys:get(ngx.var.http_authorization or "")
    if not consumer then return ngx.exit(401) end
    local window = math.floor(ngx.now() / 60)
    local used = ngx.shared.counts:incr(consumer .. ":" .. window, 1, 0, 120)
    if used > 1000000000 then return ngx.exit(429) end
    ngx.ctx.left = 1000000000 - used
    ngx.ctx.reset = (window + 1) * 60
  }
  header_filter_by_lua_block {
    ngx.header["X-RateLimit-Limit"] = 1000000000
    ngx.header["X-RateLimit-Remaining"] = ngx.ctx.left
    ngx.header["X-RateLimit-Reset"] = ngx.ctx.reset
  }
  %s
} }
`, addr, forward)
	return b.String()
}
