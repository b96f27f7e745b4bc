// What the node uses of OpenTelemetry's SDK, loaded only when it traces itself. `npm pack` makes one file of it and of what it needs
// (deploy/package/prepack.mjs): installed as packages, it would be a quarter of the whole program.
export { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
export { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
export { ProtobufTraceSerializer } from '@opentelemetry/otlp-transformer';
export { resourceFromAttributes } from '@opentelemetry/resources';
export { BasicTracerProvider, BatchSpanProcessor, TraceIdRatioBasedSampler } from '@opentelemetry/sdk-trace-base';
