package proxy

import (
	"context"
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// spans are what a traced call records. The zero value records nothing, at the
// cost of a look.
type spans struct {
	tracer trace.Tracer
	ctx    context.Context
	root   trace.Span
	phase  trace.Span // of the pipeline, or an attempt to call the upstream
	name   string     // of phase
}

// trace begins the call's span, below the one that the client names in W3C form
// (Trace Context, section 3).
func (g *Gateway) trace(c *call) {
	if g.Tracer == nil {
		return
	}
	parent := propagation.TraceContext{}.Extract(c.ctx, propagation.MapCarrier{"traceparent": c.r.parent, "tracestate": c.r.state})
	c.spans.tracer = g.Tracer
	c.spans.ctx, c.spans.root = g.Tracer.Start(parent, c.r.method, trace.WithSpanKind(trace.SpanKindServer), trace.WithTimestamp(c.started))
}

// begin ends the present phase and begins another; the same again goes on.
func (s *spans) begin(name string) {
	if s.root == nil || s.name == name {
		return
	}
	s.finish()
	s.name = name
	if name != "" {
		_, s.phase = s.tracer.Start(s.ctx, name)
	}
}

// attempt begins the span of one attempt to call the upstream.
func (s *spans) attempt(host string) {
	if s.root == nil {
		return
	}
	s.finish()
	s.name = "upstream"
	_, s.phase = s.tracer.Start(s.ctx, "upstream", trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(attribute.String("server.address", host)))
}

// finish ends the present phase.
func (s *spans) finish() {
	if s.phase != nil {
		s.phase.End()
		s.phase, s.name = nil, ""
	}
}

// fail notes why the present phase failed.
func (s *spans) fail(reason string) {
	if s.phase != nil {
		s.phase.SetStatus(codes.Error, reason)
	}
}

// endTrace ends the call's span.
func (c *call) endTrace(status int) {
	s := &c.spans
	if s.root == nil {
		return
	}
	s.finish()
	attributes := []attribute.KeyValue{
		attribute.String("http.request.method", c.r.method), attribute.Int("http.response.status_code", status), attribute.String("tollgate.request_id", c.id.String()),
	}
	if c.route != nil {
		attributes = append(attributes, attribute.String("tollgate.api", c.route.API))
	}
	if c.op != nil {
		s.root.SetName(c.op.LimitName())
		attributes = append(attributes, attribute.String("http.route", c.op.Path))
	}
	s.root.SetAttributes(attributes...)
	if status >= http.StatusInternalServerError {
		s.root.SetStatus(codes.Error, "")
	}
	s.root.End()
	s.root = nil
}

// parent is the headers that name the present phase to the upstream; empty
// where the call is not traced and the client's own pass.
func (s *spans) parent() (traceparent, tracestate string) {
	if s.phase == nil {
		return "", ""
	}
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(trace.ContextWithSpan(s.ctx, s.phase), carrier)
	return carrier["traceparent"], carrier["tracestate"]
}
