package proxy

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strconv"
	"sync/atomic"
	"time"

	"tollgate/internal/metering/spool"
	"tollgate/internal/upstream"
)

// answer is what became of a forwarded call.
type answer struct {
	status    int
	firstByte time.Duration
	in, bytes uint64 // of the bodies
	ours      bool   // the gateway answered in the upstream's place
	fault     bool   // the client's: says nothing about the upstream
	broken    bool   // the upstream's answer ended before its end, and not because the client left
	complete  bool   // every byte was handed to the client's connection
	metered   bool

	units      uint32 // as the answer says
	unitsKnown bool
	body       []byte // kept while the answer's units may still come in it
}

// meter records the call, once, at the real time now. It runs before the
// answer's last byte goes out, so that no full answer is ever without its record.
func (g *Gateway) meter(c *call, now time.Time) error {
	if c.out.metered || constant {
		return nil
	}
	c.out.metered = true
	if c.r.upgrade == "" { // whoever has the whole answer may call again at once
		c.rate.Done()
	}
	answered := c.out.status > 0 && c.out.status < 500 && !c.out.ours && !c.out.broken
	rec := c.record(now)
	switch {
	case c.test():
		rec.Flags |= spool.FlagTest
	case !c.out.ours && !c.out.broken && c.hold.Plan.Bills(c.out.status):
		rec.Flags |= spool.FlagBillable
	}
	if !c.out.complete {
		rec.Flags |= spool.FlagAborted
	}
	if !answered && c.lease != 0 { // a call without an answer costs no quota
		g.Wallet.Return(c.account(), c.lease)
		rec.Lease = 0
	}
	err := g.Spool.Append(&rec)
	if err != nil {
		g.metrics.lost.Inc()
		g.Logger.Error("usage could not be recorded", "error", err, "request_id", c.id)
	}
	g.metrics.observe(c, rec.Duration)
	if g.Logger.Enabled(c.ctx, slog.LevelDebug) {
		g.Logger.Debug("call", "request_id", c.id, "api", c.route.API, "method", c.r.method, "operation", c.op.Path, "status", c.out.status,
			"ms", strconv.FormatFloat(rec.Duration.Seconds()*1000, 'f', 2, 64))
	}
	return err
}

func (c *call) record(now time.Time) spool.Record {
	rec := spool.Record{
		RequestID: c.id, At: c.arrived, Subscription: c.hold.ID, Version: c.route.ID, Operation: c.op.ID, Lease: c.lease,
		Method: c.r.method, Path: c.within, Status: uint16(c.out.status), Units: uint32(c.op.Weight), BytesIn: c.out.in, BytesOut: c.out.bytes,
		Duration: now.Sub(c.started), Upstream: c.out.firstByte,
	}
	if c.out.unitsKnown {
		rec.Units = c.out.units
	}
	if c.key != nil {
		rec.Org, rec.Application, rec.Key = c.key.Org, c.key.Application, c.key.ID
	}
	return rec
}

// end closes what a forwarded call held: its place among those under way, and
// its target, which learns how it did.
func (g *Gateway) end(c *call, now time.Time) {
	c.rate.Done()
	o := upstream.Success
	switch {
	case c.out.fault:
		o = upstream.ClientFault
	case c.out.broken, c.out.ours, upstream.Failed(c.out.status):
		o = upstream.Failure
	}
	g.report(c, o, now)
	c.endTrace(c.out.status)
}

// report tells the present target's group what became of the call, once.
func (g *Gateway) report(c *call, o upstream.Outcome, now time.Time) {
	if c.target.Member != nil {
		c.group.Report(c.target, o, c.out.firstByte, now)
		c.target.Member = nil
	}
}

// meteredBody passes the upstream's answer on and calls done when its end is
// known, before the last bytes are handed over.
type meteredBody struct {
	body io.ReadCloser
	left int64 // declared bytes still to come; negative: unknown, the end says so
	done func() error
	out  *answer

	client context.Context   // of the client's request: ended when it has left
	keep   func(part []byte) // sees each part, before it is passed on
}

// Read implements io.Reader.
func (b *meteredBody) Read(p []byte) (int, error) {
	n, err := b.body.Read(p)
	b.out.bytes += uint64(n)
	b.keep(p[:n])
	known := b.left >= 0
	if known {
		b.left -= int64(n)
	}
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		b.out.broken = b.client.Err() == nil
	case err != nil || (known && b.left <= 0 && n > 0):
		if failed := b.done(); failed != nil {
			return 0, failed // unrecorded: the client must not get the whole answer
		}
	}
	return n, err
}

// Close implements io.Closer.
func (b *meteredBody) Close() error { return b.body.Close() }

// countingBody counts what the client sent and remembers its faults. The
// transport may still read it while the answer is being passed on.
type countingBody struct {
	io.ReadCloser
	n      atomic.Uint64
	failed atomic.Bool
}

// Read implements io.Reader.
func (b *countingBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.n.Add(uint64(n))
	if err != nil && !errors.Is(err, io.EOF) {
		b.failed.Store(true)
	}
	return n, err
}
