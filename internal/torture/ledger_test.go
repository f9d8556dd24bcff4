package torture

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// load is clients that call without pause and keep a ledger of their own: the
// ids of answers that they received whole.
type load struct {
	m      *machine
	sites  []*gateway
	client *http.Client
	stop   chan struct{}
	wg     sync.WaitGroup
	mu     sync.Mutex
	served map[uuid.UUID]bool

	refused, broken atomic.Int64 // answered by the gateway itself; not answered whole
}

// newLoad prepares clients of these gateways. They turn to the next one when
// they cannot connect, and never repeat a call that was sent.
func (m *machine) newLoad(sites ...*gateway) *load {
	l := &load{m: m, sites: sites, served: map[uuid.UUID]bool{}}
	var next atomic.Int64
	dial := func(ctx context.Context, network, _ string) (conn net.Conn, err error) {
		first := int(next.Add(1))
		for i := range l.sites {
			if conn, err = (&net.Dialer{}).DialContext(ctx, network, l.sites[(first+i)%len(l.sites)].addr); err == nil {
				return conn, nil
			}
		}
		return nil, err
	}
	l.client = &http.Client{Transport: &http.Transport{DialContext: dial, MaxIdleConnsPerHost: 64}, Timeout: 30 * time.Second}
	return l
}

func (l *load) start() {
	l.stop = make(chan struct{})
	for i := range 8 {
		path := "/shop/things"
		if i%4 == 0 {
			path = "/shop/chunked"
		}
		l.wg.Go(func() {
			for {
				select {
				case <-l.stop:
					return
				default:
					l.call(path)
				}
			}
		})
	}
}

func (l *load) end() {
	close(l.stop)
	l.wg.Wait()
	l.client.CloseIdleConnections()
}

// during runs something while calls are made.
func (l *load) during(do func()) {
	l.start()
	do()
	l.end()
}

func (l *load) call(path string) {
	req, err := http.NewRequest(http.MethodPost, "http://gateway.test"+path, io.NopCloser(strings.NewReader("{}")))
	if err != nil {
		panic(err)
	}
	req.Header.Set("Authorization", "Bearer "+l.m.key)
	resp, err := l.client.Do(req)
	if err != nil {
		l.broken.Add(1)
		var refused *net.OpError
		if errors.As(err, &refused) && refused.Op == "dial" {
			time.Sleep(time.Millisecond) // nobody is there
		}
		return
	}
	defer func() { _ = resp.Body.Close() }()
	n, err := io.Copy(io.Discard, resp.Body)
	switch id, wrong := uuid.Parse(resp.Header.Get("X-Request-Id")); {
	case err != nil:
		l.broken.Add(1)
	case resp.Header.Get("X-Upstream") == "":
		l.refused.Add(1)
		time.Sleep(time.Millisecond)
	case n != 1000 || wrong != nil:
		l.broken.Add(1)
	default:
		l.mu.Lock()
		l.served[id] = true
		l.mu.Unlock()
	}
}

// verdict is a row of the table.
type verdict struct {
	name                                   string
	faults                                 int
	served, metered, lost, doubled, beyond int
	refused, broken                        int64
}

// settle compares the ledger with the database, which must hold the calls of
// this load alone, and empties it for the next.
func (l *load) settle(name string, faults int) verdict {
	l.m.t.Helper()
	v := verdict{name: name, faults: faults, served: len(l.served), refused: l.refused.Load(), broken: l.broken.Load()}
	l.m.with(func(c *pgx.Conn) error {
		ctx := context.Background()
		seen := map[uuid.UUID]int{}
		rows, err := c.Query(ctx, `SELECT request_id FROM usage_events`)
		if err != nil {
			return err
		}
		var id uuid.UUID
		if _, err := pgx.ForEachRow(rows, []any{&id}, func() error { seen[id]++; v.metered++; return nil }); err != nil {
			return err
		}
		for id := range l.served {
			if seen[id] == 0 {
				v.lost++
			}
		}
		for id, n := range seen {
			v.doubled += n - 1
			if !l.served[id] {
				v.beyond++
			}
		}
		var rolledUp, batched int
		if err := c.QueryRow(ctx, `SELECT (SELECT coalesce(sum(calls), 0) FROM usage_hourly), (SELECT coalesce(sum(events), 0) FROM usage_batches)`).Scan(&rolledUp, &batched); err != nil {
			return err
		}
		if rolledUp != v.metered || batched != v.metered {
			l.m.t.Errorf("%s: %d events, %d rolled up, %d in batches", name, v.metered, rolledUp, batched)
		}
		_, err = c.Exec(ctx, `TRUNCATE usage_events, usage_hourly, usage_batches, usage_segments`)
		return err
	})
	if v.lost > 0 || v.doubled > 0 {
		l.m.t.Errorf("%s: %d calls lost, %d doubled", name, v.lost, v.doubled)
	}
	l.m.t.Logf("%s: served %d, metered %d, lost %d, doubled %d", name, v.served, v.metered, v.lost, v.doubled)
	if v.served == 0 {
		l.m.t.Errorf("%s: no call was served", name)
	}
	return v
}

// table prints what was found, as docs/torture.md has it.
func table(t *testing.T, rows []verdict) {
	t.Helper()
	t.Log("| what | faults | served | metered | lost | doubled | metered, not fully received | refused | not answered whole |")
	t.Log("|---|---|---|---|---|---|---|---|---|")
	for _, v := range rows {
		t.Logf("| %s | %d | %d | %d | %d | %d | %d | %d | %d |", v.name, v.faults, v.served, v.metered, v.lost, v.doubled, v.beyond, v.refused, v.broken)
	}
}
