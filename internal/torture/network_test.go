package torture

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"time"
)

// network stands between gateways and the database and can be spoiled.
type network struct {
	m    *machine
	api  string
	addr string // where gateways find the database
}

func (m *machine) network() *network {
	m.t.Helper()
	n := &network{m: m, addr: freePort(m.t)}
	api := freePort(m.t)
	n.api = "http://" + api
	host, port, _ := net.SplitHostPort(api)
	cmd := exec.Command(*toxi, "-host", host, "-port", port)
	ended, err := startTied(cmd)
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { _ = cmd.Process.Kill(); _ = exit(ended) })
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		resp, err := http.Get(n.api + "/version")
		if err == nil {
			_ = resp.Body.Close()
			break
		}
		if time.Now().After(deadline) {
			m.t.Fatal(err)
		}
	}
	n.send(http.MethodPost, "/proxies", map[string]any{"name": "db", "listen": n.addr, "upstream": fmt.Sprintf("127.0.0.1:%d", m.port), "enabled": true})
	return n
}

func (n *network) send(method, path string, body any) {
	n.m.t.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		n.m.t.Fatal(err)
	}
	req, err := http.NewRequest(method, n.api+path, bytes.NewReader(data))
	if err != nil {
		n.m.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		n.m.t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode >= 300 {
		n.m.t.Fatalf("toxiproxy answers %s %s with %s", method, path, resp.Status)
	}
}

// fault is one way to spoil the network.
type fault struct {
	name, kind, stream string
	attributes         map[string]any
}

var faults = []fault{
	{"database far away (150 ms)", "latency", "downstream", map[string]any{"latency": 150, "jitter": 100}},
	{"narrow line to the database (64 KB/s)", "bandwidth", "upstream", map[string]any{"rate": 64}},
	{"answers of the database lost (silence)", "timeout", "downstream", map[string]any{"timeout": 0}},
	{"connection reset while shipping", "reset_peer", "upstream", map[string]any{"timeout": 20}},
	{"line cut after some bytes of a shipment", "limit_data", "upstream", map[string]any{"bytes": 20000}},
}

// networkFails spoils the line to the database, a while at a time.
func (m *machine) networkFails(times int) (rows []verdict) {
	line := m.network()
	for i, f := range faults {
		g := m.gateway(fmt.Sprintf("network-%d", i))
		address, err := url.Parse(g.url)
		if err != nil {
			m.t.Fatal(err)
		}
		address.Host = line.addr
		g.url = address.String()
		l := m.newLoad(g)
		g.start()
		l.during(func() {
			for range times {
				moment()
				line.send(http.MethodPost, "/proxies/db/toxics", map[string]any{"name": "t", "type": f.kind, "stream": f.stream, "toxicity": 1, "attributes": f.attributes})
				time.Sleep(500 * time.Millisecond)
				line.send(http.MethodDelete, "/proxies/db/toxics/t", nil)
				moment()
			}
			line.send(http.MethodPost, "/proxies/db", map[string]any{"enabled": false})
			moment()
			line.send(http.MethodPost, "/proxies/db", map[string]any{"enabled": true})
		})
		g.drain()
		rows = append(rows, l.settle(f.name, times+1))
	}
	return rows
}
