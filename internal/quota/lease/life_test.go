package lease_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"pgregory.net/rapid"

	"tollgate/internal/metering"
	"tollgate/internal/metering/spool"
	"tollgate/internal/postgres/pgtest"
	"tollgate/internal/quota/lease"
)

var errCut = errors.New("the network is cut")

// line is a gateway's way to the database. It can be cut, and calls that are
// under way end before it is.
type line struct {
	*lease.Postgres
	mu  sync.RWMutex
	cut bool
}

func (l *line) set(cut bool) {
	l.mu.Lock()
	l.cut = cut
	l.mu.Unlock()
}

func (l *line) Take(ctx context.Context, a lease.Account, total, want int64) (lease.Grant, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.cut {
		return lease.Grant{}, errCut
	}
	return l.Postgres.Take(ctx, a, total, want)
}

func (l *line) GiveBack(ctx context.Context, ended []lease.Ended) ([]int64, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.cut {
		return nil, errCut
	}
	return l.Postgres.GiveBack(ctx, ended)
}

// folder is the data folder of a gateway: its spool.
type folder struct {
	id, dir string
	spool   *spool.Spool
	shipper *metering.Shipper
	waiting []int64 // leases of the calls that are recorded and not shipped
}

// gateway is one run on a folder.
type gateway struct {
	*folder
	line     *line
	wallet   *lease.Wallet
	underWay []int64 // leases of the calls that have no answer yet
}

// world is two gateways, the database, and what is known of each call.
type world struct {
	t       *rapid.T
	dir     string
	pool    *pgxpool.Pool
	now     *hand
	account lease.Account
	quota   int64
	at      [2]*gateway
	lost    []*folder

	through   int64           // calls let through and not taken back
	unheard   map[int64]int64 // of these, by lease: not metered
	off       map[int64]bool  // leases that were written off
	allowance int64           // calls that were not metered when their lease was written off
	late      int64           // calls metered after that
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) newFolder() *folder {
	return &folder{id: uuid.NewString(), dir: filepath.Join(w.dir, uuid.NewString())}
}

func (w *world) start(i int, f *folder) {
	var err error
	f.spool, err = spool.New(spool.Config{Dir: f.dir, SegmentSlots: 64, MaxSegments: 1000})
	w.must(err)
	f.shipper = metering.NewShipper(f.spool, w.pool, f.id, w.now.time, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	l := &line{Postgres: &lease.Postgres{Pool: w.pool, Gateway: f.id, Process: uuid.New(), Now: w.now.time}}
	w.at[i] = &gateway{folder: f, line: l, wallet: lease.New(l, time.Minute, w.now.time)}
}

func (w *world) ship(f *folder) {
	_, err := f.shipper.ShipPending(context.Background())
	w.must(err)
	for _, id := range f.waiting {
		w.unheard[id]--
		if w.off[id] {
			w.late++
		}
	}
	f.waiting = nil
}

func (w *world) call(g *gateway) {
	id, st, out := g.wallet.Spend(context.Background(), w.account, lease.Quota{Calls: w.quota, Hard: true})
	if st.Remaining < 0 || st.Remaining > w.quota {
		w.t.Fatalf("%d remain of %d", st.Remaining, w.quota)
	}
	if out == lease.Spent {
		g.underWay = append(g.underWay, id)
		w.through++
		w.unheard[id]++
	}
}

// answer ends the oldest call that is under way: with an answer, which is
// recorded, or without, which gives it back.
func (w *world) answer(g *gateway, good bool) {
	if len(g.underWay) == 0 {
		return
	}
	id := g.underWay[0]
	g.underWay = g.underWay[1:]
	if !good {
		w.through--
		w.unheard[id]--
		if w.off[id] {
			w.allowance--
		}
		g.wallet.Return(w.account, id)
		return
	}
	w.must(g.spool.Reserve())
	w.must(g.spool.Append(&spool.Record{RequestID: uuid.New(), At: start, Subscription: w.account.Subscription, Key: uuid.New(), Method: "GET", Path: "/", Status: 200, Flags: spool.FlagBillable, Lease: id}))
	g.waiting = append(g.waiting, id)
}

// kill ends a run: its calls under way have no answer, and none will be recorded.
func (w *world) kill(g *gateway) {
	g.line.set(true)
	for _, id := range g.underWay {
		w.through--
		w.unheard[id]--
		if w.off[id] {
			w.allowance--
		}
	}
	g.underWay = nil
	w.must(g.spool.Close())
}

// restart begins another run on the same folder, which ships what the last left.
func (w *world) restart(i int) {
	f := w.at[i].folder
	w.kill(w.at[i])
	w.start(i, f)
	w.ship(f)
	w.must(w.at[i].line.SettleEarlier(context.Background()))
}

// lose puts a new folder in the place of one that is gone.
func (w *world) lose(i int) {
	w.kill(w.at[i])
	w.lost = append(w.lost, w.at[i].folder)
	w.start(i, w.newFolder())
}

// find ships what is in a lost folder after all.
func (w *world) find() {
	if len(w.lost) == 0 {
		return
	}
	f := w.lost[0]
	w.lost = w.lost[1:]
	var err error
	f.spool, err = spool.New(spool.Config{Dir: f.dir, SegmentSlots: 64, MaxSegments: 1000})
	w.must(err)
	f.shipper = metering.NewShipper(f.spool, w.pool, f.id, w.now.time, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	w.ship(f)
	w.must((&lease.Postgres{Pool: w.pool, Gateway: f.id, Now: w.now.time}).SettleEarlier(context.Background()))
	w.must(f.spool.Close())
}

// writeOff gives up on every lease that may be given up on.
func (w *world) writeOff() {
	w.must(pgx.BeginFunc(context.Background(), w.pool, func(tx pgx.Tx) error {
		held, err := lease.Expired(context.Background(), tx, w.now.time(), start)
		for _, h := range held {
			if h.Subscription != w.account.Subscription {
				continue
			}
			if _, err := lease.WriteOff(context.Background(), tx, h.Lease, w.now.time()); err != nil {
				return err
			}
			w.off[h.Lease] = true
			w.allowance += w.unheard[h.Lease]
		}
		return err
	}))
}

// spans are what passes between two steps: within an answer's belief, a lease,
// and more than one.
var spans = []int64{int64(time.Second), int64(10 * time.Minute), int64(54 * time.Minute), int64(66 * time.Minute)}

func (w *world) check() {
	if w.through > w.quota+w.allowance {
		w.t.Fatalf("%d calls were let through, the quota is %d and %d were not known when their leases were written off", w.through, w.quota, w.allowance)
	}
}

// settle ends everything in good order. Then exactly what was let through is
// granted, and what came late is reported as such.
func (w *world) settle() {
	for len(w.lost) > 0 {
		w.find()
	}
	for _, g := range w.at {
		g.line.set(false)
		for len(g.underWay) > 0 {
			w.answer(g, true)
		}
		g.line.set(true)
		w.ship(g.folder)
		w.must(g.line.SettleOwn(context.Background()))
		w.must(g.spool.Close())
	}
	var granted, late int64
	w.must(w.pool.QueryRow(context.Background(), `SELECT coalesce((SELECT granted FROM quota_grants WHERE subscription_id = $1), 0),
		(SELECT coalesce(sum(late), 0) FROM quota_leases WHERE subscription_id = $1)::bigint`, w.account.Subscription).Scan(&granted, &late))
	if granted != w.through || late != w.late {
		w.t.Fatalf("%d calls were let through and %d are granted; %d came late and %d are reported", w.through, granted, w.late, late)
	}
}

// Whatever is cut, killed, lost, written off and found again: what was not known
// when a lease was written off is the only thing that may exceed a quota.
func TestAQuotaIsNeverOversoldAndEverythingComesBack(t *testing.T) {
	t.Parallel()
	pool := pgtest.StaffPool(t)
	dir := t.TempDir()
	rapid.Check(t, func(r *rapid.T) {
		w := &world{t: r, dir: dir, pool: pool, now: &hand{}, account: account(), quota: rapid.Int64Range(1, 60).Draw(r, "quota"), unheard: map[int64]int64{}, off: map[int64]bool{}}
		w.start(0, w.newFolder())
		w.start(1, w.newFolder())
		one := func() int { return rapid.IntRange(0, 1).Draw(r, "gateway") }
		r.Repeat(map[string]func(*rapid.T){
			"": func(*rapid.T) { w.check() },
			"traffic": func(*rapid.T) {
				g, good := w.at[one()], rapid.Bool().Draw(r, "good")
				for range rapid.IntRange(1, 30).Draw(r, "calls") {
					w.call(g)
				}
				for range rapid.IntRange(0, 30).Draw(r, "answers") {
					w.answer(g, good)
				}
				if !g.line.cut && rapid.Bool().Draw(r, "ships") {
					w.ship(g.folder)
				}
			},
			"time passes": func(*rapid.T) { w.now.Add(rapid.SampledFrom(spans).Draw(r, "span")) },
			"upkeep":      func(*rapid.T) { g := w.at[one()]; g.wallet.Sweep(start); _ = g.wallet.GiveBack(context.Background()) },
			"cut or heal": func(*rapid.T) { l := w.at[one()].line; l.set(!l.cut) },
			"restart":     func(*rapid.T) { w.restart(one()) },
			"lose":        func(*rapid.T) { w.lose(one()) },
			"find":        func(*rapid.T) { w.find() },
			"write off":   func(*rapid.T) { w.now.Add(rapid.SampledFrom(spans).Draw(r, "span")); w.writeOff() },
		})
		w.settle()
	})
}
