// Package metering moves usage from gateways' spools into Postgres, once each,
// and answers questions about it. It speaks pgx alone: the gateway uses it.
package metering

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"tollgate/internal/metering/spool"
)

// BatchLock is the advisory lock that shipping holds shared. Closing a billing
// period takes it exclusively for an instant, so that every batch below the
// last id it sees is committed.
const BatchLock = 0x746f6c6c // "toll"

// lanes are how many segments are shipped at a time when several wait: the
// database works on one batch while the next is read and turned on its side.
const lanes = 2

// Shipper moves records from one spool into the database.
type Shipper struct {
	spool   *spool.Spool
	pool    *pgxpool.Pool
	gateway string
	now     func() time.Time
	logger  *slog.Logger
	lanes   chan *batch // idle ones; their memory is used again
	days    days
	alarm   string // last told

	mu sync.Mutex // one at a time: Run, and who wants it done now

	records, damaged prometheus.Counter
	failures         prometheus.Counter
}

// NewShipper makes a shipper for the gateway of that name.
func NewShipper(s *spool.Spool, pool *pgxpool.Pool, gateway string, now func() time.Time, logger *slog.Logger, reg prometheus.Registerer) *Shipper {
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
		reg.MustRegister(c)
		return c
	}
	sh := &Shipper{
		spool: s, pool: pool, gateway: gateway, now: now, logger: logger, lanes: make(chan *batch, lanes),
		records:  counter("tollgate_metering_shipped_records_total", "Usage records stored in the database."),
		damaged:  counter("tollgate_metering_damaged_slots_total", "Spool slots that were begun and never finished."),
		failures: counter("tollgate_metering_ship_failures_total", "Attempts to ship usage that failed and will be repeated."),
	}
	for range lanes {
		sh.lanes <- &batch{}
	}
	registerSpool(s, reg)
	return sh
}

// registerSpool tells how full the spool is.
func registerSpool(s *spool.Spool, reg prometheus.Registerer) {
	gauge := func(name, help string, value func() float64) {
		reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
	}
	gauge("tollgate_metering_spool_used_bytes", "Records that wait on disk.", func() float64 { used, _ := s.Usage(); return float64(used) })
	gauge("tollgate_metering_spool_limit_bytes", "Records that may wait on disk.", func() float64 { _, limit := s.Usage(); return float64(limit) })
	gauge("tollgate_metering_spool_alarm", "1 when the spool is 70 % full or its disk is.", func() float64 {
		if s.Alarm() != "" {
			return 1
		}
		return 0
	})
	reg.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "tollgate_metering_unmetered_calls_total",
		Help: "Calls that went on without a record because the spool was full and SPOOL_FULL says serve."}, func() float64 { return float64(s.Unmetered()) }))
}

// busy is how many calls in one shipment make the next begin only gather after
// it began: a larger one adds up more calls in each sum that it stores, and calls
// are still in the database before the spool would bring them to the disk.
const (
	busy   = 500
	gather = 600 * time.Millisecond
)

// Run ships until ctx ends: soon after records are appended, and again after a
// pause when the database fails. It does not drain: call Drain when calls have ended.
func (s *Shipper) Run(ctx context.Context) {
	const soon, pause = 100 * time.Millisecond, time.Second
	for {
		next := time.NewTimer(gather)
		n, err := s.ShipPending(ctx)
		if err != nil && ctx.Err() == nil {
			s.failures.Inc()
			s.logger.Warn("usage could not be shipped and stays in the spool", "error", err)
		}
		switch {
		case err != nil:
			next.Reset(pause)
		case n <= busy:
			next.Reset(soon)
		}
		s.tellAlarm()
		select {
		case <-ctx.Done():
			next.Stop()
			return
		case <-next.C:
		}
		select { // idle: sleep until there is something
		case <-ctx.Done():
			return
		case <-s.spool.Wake():
		case <-time.After(pause):
		}
	}
}

// tellAlarm logs the spool's alarm when it begins and when it ends.
func (s *Shipper) tellAlarm() {
	alarm := s.spool.Alarm()
	if (alarm == "") == (s.alarm == "") {
		return
	}
	s.alarm = alarm
	if alarm == "" {
		s.logger.Info("the usage spool has room again")
		return
	}
	s.logger.Error("the usage spool fills up", "alarm", alarm)
}

// Drain seals the spool and ships all of it. Call it when no call is under way.
func (s *Shipper) Drain(ctx context.Context) error {
	s.spool.Seal()
	_, err := s.ShipPending(ctx)
	if err == nil && len(s.spool.Pending()) > 0 { // an earlier shipment was stored just as it was broken off: that is known only now
		_, err = s.ShipPending(ctx)
	}
	return err
}

// ShipPending ships everything that is finished now and removes segments that
// are done. It returns how many records were stored.
func (s *Shipper) ShipPending(ctx context.Context) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	pending := s.spool.Pending()
	stored := make([]int, len(pending))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(lanes)
	for i, p := range pending {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			var err error
			stored[i], err = s.shipOn(ctx, p)
			return err
		})
	}
	err := group.Wait()
	total := 0
	for _, n := range stored {
		total += n
	}
	return total, err
}

// shipOn ships a segment on a lane that is idle. A fault is an error, so that it
// is counted and what it was about is tried again.
func (s *Shipper) shipOn(ctx context.Context, p spool.Pending) (stored int, err error) {
	lane := <-s.lanes
	defer func() {
		s.lanes <- lane
		if fault := recover(); fault != nil {
			err = fmt.Errorf("panic: %v\n%s", fault, debug.Stack())
		}
	}()
	return s.shipSegment(ctx, lane, p)
}

func (s *Shipper) shipSegment(ctx context.Context, lane *batch, p spool.Pending) (total int, err error) {
	from := p.From
	if from == spool.Unknown {
		if p.To == 0 {
			return 0, nil
		}
		if from, err = s.register(ctx, p.Segment.ID); err != nil {
			return 0, err
		}
		s.spool.Shipped(p.Segment, from)
	}
	for from < p.To {
		if err := lane.read(p.Segment, from, p.To); err != nil {
			return total, err
		}
		if err := s.days.prepare(ctx, s.pool, lane.hourly.rows); err != nil {
			return total, err
		}
		err := s.store(ctx, lane)
		if errors.Is(err, errMoved) { // a copy of this spool was there first: go on from where it is
			s.spool.Shipped(p.Segment, spool.Unknown)
			return total, nil
		}
		if err != nil {
			s.days.forget() // perhaps because one was dropped
			return total, err
		}
		s.records.Add(float64(lane.calls))
		s.damaged.Add(float64(lane.damaged))
		total += lane.calls
		from = lane.to
		s.spool.Shipped(p.Segment, from)
	}
	if p.Sealed && from >= p.To {
		if err := s.spool.Forget(p.Segment); err != nil {
			s.logger.Warn("a file of the usage spool was shipped and cannot be removed yet", "error", err)
		}
	}
	return total, nil
}

func (s *Shipper) register(ctx context.Context, segment uuid.UUID) (shipped int64, err error) {
	err = s.pool.QueryRow(ctx, `
		INSERT INTO usage_segments (id, gateway) VALUES ($1, $2)
		ON CONFLICT (id) DO UPDATE SET gateway = usage_segments.gateway RETURNING shipped`, segment, s.gateway).Scan(&shipped)
	if err != nil {
		return 0, fmt.Errorf("register spool segment: %w", err)
	}
	return shipped, nil
}
