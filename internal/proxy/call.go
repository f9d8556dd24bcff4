package proxy

import (
	"context"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/google/uuid"

	"tollgate/internal/problem"
	"tollgate/internal/quota"
	"tollgate/internal/quota/lease"
	"tollgate/internal/snapshot"
	"tollgate/internal/subscriptions/period"
	"tollgate/internal/upstream"
	"tollgate/internal/wire"
)

// call is one request on its way.
type call struct {
	id      uuid.UUID
	ctx     context.Context
	r       request
	view    *snapshot.View
	started time.Time // real time, for durations
	now     time.Time // real time when the clock was last read
	arrived time.Time // business time, for limits and usage

	path   string // canonical, decoded
	within string // path within the version
	route  *snapshot.Route
	key    *snapshot.Credential // nil: an anonymous call
	access *snapshot.AccessSet  // of key
	hold   *snapshot.Hold
	op     *snapshot.Operation

	set      *quota.Set // of limits; nil: none apply
	who      quota.Subject
	rate     quota.Decision
	plan     snapshot.Quota
	period   period.Period // of the quota
	quota    quota.Status
	lease    int64
	reserved bool

	group  *upstream.Group
	target upstream.Call
	out    answer
	spans  spans

	std  *exchange      // where net/http serves the call
	fast *wire.Exchange // where wire does
}

// request is what the pipeline reads of a request, whichever server read it.
type request struct {
	method  string
	host    string
	path    string // as sent, escaped
	query   string // as sent
	length  int64  // of the body, as declared; negative: not declared
	keys    presented
	client  netip.Addr
	origin  string // of the page that calls
	wants   string // of a preflight: the method that is to follow
	upgrade string // the protocol to switch to
	parent  string // traceparent: the client's span
	state   string // tracestate
}

// exchange is a call as net/http serves it.
type exchange struct {
	w    http.ResponseWriter
	r    *http.Request
	body *countingBody
	sent *boundedBody // what body counts
	keep func()       // notes that the answer goes on

	late   *time.Timer // runs while the upstream is silent
	cancel func()      // ends the call
	socket *socketBody // what the call has become, if that is a WebSocket
}

func (c *call) test() bool { return c.key != nil && c.key.Test }

// caller is the ids that usage is recorded under; all zero for an anonymous call.
func (c *call) caller() (org, key uuid.UUID) {
	if c.key == nil {
		return uuid.Nil, uuid.Nil
	}
	return c.key.Org, c.key.ID
}

func (c *call) account() lease.Account {
	return lease.Account{Subscription: c.hold.ID, Start: c.period.Start, End: c.period.End, Seat: &c.hold.Seat}
}

// url is the target's address.
func (c *call) url() *url.URL { return c.target.Member.URL }

// refusal is why a call was not forwarded.
type refusal struct {
	*problem.Error
	status *quota.Status // the limit that refused, if one did
	policy string
	after  int64 // seconds until it is worth trying again; 0: status says
	answer bool  // not a refusal: a preflight, answered here
}

func refuse(code, format string, args ...any) *refusal {
	return &refusal{Error: problem.New(code, format, args...)}
}
