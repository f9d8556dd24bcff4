package snapshot

import (
	"context"
	"encoding/binary"
	"fmt"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"

	"tollgate/internal/keys/token"
	"tollgate/internal/postgres/pgtest"
	"tollgate/internal/postgres/pool"
)

// nth is the hash of the nth key.
func nth(n int) (h token.Hash) {
	return token.Sum([]byte("pepper"), strconv.Itoa(n))
}

// many is a view of so many keys, each of its own application, and so many routes.
func many(keys, routes int) *Data {
	plan := terms()
	plan.Product = uuid.New()
	d := &Data{Version: 1, Plans: []Terms{plan}}
	for n := range keys {
		c := Credential{Hash: nth(n), ID: uuid.New(), Application: uuid.New(), Expires: never}
		d.Keys = append(d.Keys, c)
		if n%10 == 0 {
			d.Subscriptions = append(d.Subscriptions, Subscription{ID: uuid.New(), Application: c.Application, Product: plan.Product, PlanVersion: plan.ID,
				State: "active", AnchorDay: 1, TimeZone: "UTC", PeriodStart: at("2026-05-01T00:00:00Z"), PeriodEnd: at("2026-06-01T00:00:00Z")})
		}
	}
	for n := range routes {
		d.Versions = append(d.Versions, Version{ID: uuid.New(), API: fmt.Sprint("api-", n), PathPrefix: fmt.Sprint("/api-", n, "/v1"), LiveTargets: anyTarget, Products: []uuid.UUID{plan.Product},
			Operations: []Operation{{Method: "GET", Path: "/things/{id}"}, {Method: "GET", Path: "/things"}}})
	}
	return d
}

// decide asks a view what the gateway asks for each call.
func decide(v *View, h token.Hash, path string, now time.Time) bool {
	r, within := v.Route("gateway.example", path)
	key := v.Lookup(h)
	if r == nil || key == nil {
		return false
	}
	op := r.Operation("GET", within)
	hold := v.HoldOf(key.Application, r)
	return op != nil && hold != nil && !key.Expired(now) && v.Access(key).Allows(r, op) && len(hold.Limits(now)) == 2
}

func TestDecidingAllocatesNothing(t *testing.T) { // not in parallel: it counts allocations
	v, now := build(t, many(1000, 100)), at("2026-05-02T00:00:00Z")
	h := nth(10)
	if !decide(v, h, "/api-7/v1/things/4", now) {
		t.Fatal("the call is not let through")
	}
	if n := testing.AllocsPerRun(1000, func() { decide(v, h, "/api-7/v1/things/4", now) }); n > 0 {
		t.Errorf("deciding on a call allocates %v times", n)
	}
	if n := testing.AllocsPerRun(1000, func() { v.Route("GATEWAY.Example", "/api-7/v1") }); n > 0 {
		t.Errorf("a host in capitals allocates %v times", n)
	}
}

func BenchmarkLookup(b *testing.B) {
	for _, size := range []int{1_000, 1_000_000} {
		v := build(b, many(size, 1))
		hashes := make([]token.Hash, 1<<16)
		for i := range hashes {
			hashes[i] = nth(i * 7919 % size)
		}
		b.Run(fmt.Sprint(size, " keys"), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if v.Lookup(hashes[i&(len(hashes)-1)]) == nil {
					b.Fatal("a key is missing")
				}
			}
		})
	}
}

// BenchmarkMap is Lookup's yardstick: Go's own map in the same run.
func BenchmarkMap(b *testing.B) {
	const size = 1_000_000
	m := make(map[token.Hash]*Credential, size)
	for n := range size {
		m[nth(n)] = &Credential{}
	}
	hashes := make([]token.Hash, 1<<16)
	for i := range hashes {
		hashes[i] = nth(i * 7919 % size)
	}
	for i := 0; b.Loop(); i++ {
		if k := m[hashes[i&(len(hashes)-1)]]; k == nil || k.Test {
			b.Fatal("a key is missing")
		}
	}
}

func BenchmarkRoute(b *testing.B) {
	for _, size := range []int{10, 10_000} {
		v := build(b, many(1, size))
		paths := make([]string, 1024)
		for i := range paths {
			paths[i] = fmt.Sprint("/api-", i*7919%size, "/v1/things/5")
		}
		b.Run(fmt.Sprint(size, " routes"), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				r, within := v.Route("gateway.example", paths[i&1023])
				if r == nil || r.Operation("GET", within) == nil {
					b.Fatal("a route is missing")
				}
			}
		})
	}
}

func BenchmarkDeltaOfOneKey(b *testing.B) {
	d := many(1_000_000, 10)
	builder := newBuilder()
	v, _, err := builder.build(d, nil)
	if err != nil {
		b.Fatal(err)
	}
	d.Keys = d.Keys[:1000]
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		k := d.Keys[i%1000]
		binary.BigEndian.PutUint32(k.Hash[28:], uint32(i))
		v, _, err = builder.apply(v, &Delta{Data: Data{Version: v.Version + 1, Keys: []Credential{k}}, KeyIDs: []uuid.UUID{k.ID}})
		if err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWholeBuild(b *testing.B) {
	d := many(1_000_000, 1)
	d.Subscriptions = nil
	for b.Loop() {
		before := heap()
		builder := newBuilder()
		v, _, err := builder.build(d, nil)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(heap()-before)/float64(len(d.Keys)), "B/key")
		runtime.KeepAlive(v)
		runtime.KeepAlive(builder)
	}
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// BenchmarkWholeLoad reads a million keys from PostgreSQL, builds the view, and
// keeps it on disk.
func BenchmarkWholeLoad(b *testing.B) {
	p, err := pool.Open(context.Background(), pgtest.URL(b), pool.Owner, 4)
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	for _, sql := range []string{
		`INSERT INTO organizations (id, name, created_at) VALUES ('00000000-0000-0000-0000-000000000001', 'O', '2026-01-01')`,
		`INSERT INTO applications (id, org_id, name, created_at) VALUES ('00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000001', 'A', '2026-01-01')`,
		`INSERT INTO keys (id, org_id, application_id, name, mode, display, hash, created_at)
			SELECT gen_random_uuid(), '00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000001', 'k', 'live', 'd', sha256(n::text::bytea), '2026-01-01' FROM generate_series(1, 1000000) AS n`,
		`VACUUM ANALYZE keys`,
	} {
		if _, err := p.Exec(context.Background(), sql); err != nil {
			b.Fatal(err)
		}
	}
	file := b.TempDir() + "/view"
	var read, made, kept time.Duration
	for b.Loop() {
		started := time.Now()
		d, err := Load(context.Background(), p)
		if err != nil {
			b.Fatal(err)
		}
		read += time.Since(started)
		started = time.Now()
		v := build(b, d)
		made += time.Since(started)
		started = time.Now()
		if err := writeFile(file, v.rows()); err != nil {
			b.Fatal(err)
		}
		kept += time.Since(started)
	}
	b.ReportMetric(read.Seconds()/float64(b.N), "s-read")
	b.ReportMetric(made.Seconds()/float64(b.N), "s-build")
	b.ReportMetric(kept.Seconds()/float64(b.N), "s-keep")
}
