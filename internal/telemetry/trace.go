package telemetry

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// NewTracer sends traces to a collector that speaks OTLP over HTTP at endpoint,
// such as http://127.0.0.1:4318: a share of calls from 0 to 1, whatever callers
// ask for. Close sends what is left.
func NewTracer(ctx context.Context, endpoint string, share float64, program, instance string) (t trace.Tracer, closeFn func(context.Context) error, err error) {
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(endpoint))
	if err != nil {
		return nil, nil, fmt.Errorf("send traces to %s: %w", endpoint, err)
	}
	provider := TracerProvider(share, program, instance, sdktrace.WithBatcher(exporter))
	return provider.Tracer("tollgate"), provider.Shutdown, nil
}

// TracerProvider makes traces of a share of calls for the given processor.
func TracerProvider(share float64, program, instance string, to sdktrace.TracerProviderOption) *sdktrace.TracerProvider {
	return sdktrace.NewTracerProvider(
		sdktrace.WithSampler(sdktrace.TraceIDRatioBased(share)),
		sdktrace.WithResource(resource.NewSchemaless(attribute.String("service.name", "tollgate-"+program), attribute.String("service.instance.id", instance))),
		to,
	)
}
