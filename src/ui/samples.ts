// How to send a first trace, as text to copy: with curl, from an SDK, through a Collector. Pure.

export interface SamplePlace {
  /** URL of the page's mount, with a slash at its end. */
  readonly mount: string;
  /** OTLP's own listeners as host:port; undefined: closed. */
  readonly otlpHttp?: string | undefined;
  readonly otlpGrpc?: string | undefined;
}

export interface Sample {
  readonly name: string;
  readonly hint: string;
  readonly text: string;
}

export interface SpanIds {
  readonly traceId: string;
  readonly spanId: string;
}

export function samplesOf(place: SamplePlace, ids: SpanIds): Sample[] {
  return [
    {
      name: 'curl',
      hint: 'Nothing to install: paste it into a terminal.',
      text: curlSample(place.mount, ids),
    },
    {
      name: 'SDK',
      hint: 'Set these for your service; every OpenTelemetry SDK reads them. On this machine the defaults do.',
      text: sdkSample(place),
    },
    {
      name: 'Collector',
      hint: 'Add this exporter to the configuration of an OpenTelemetry Collector.',
      text: collectorSample(place.mount),
    },
  ];
}

function curlSample(mount: string, { traceId, spanId }: SpanIds): string {
  const attribute = '{"key":"service.name","value":{"stringValue":"hello"}}';
  const times = `"startTimeUnixNano":"'$now'000000000","endTimeUnixNano":"'$now'250000000"`;
  const span = `{"traceId":"${traceId}","spanId":"${spanId}","name":"first span","kind":2,\n  ${times}}`;
  return [
    'now=$(date +%s)',
    `curl -i ${mount}v1/traces -H 'Content-Type: application/json' -d '{"resourceSpans":[{`,
    `  "resource":{"attributes":[${attribute}]},`,
    `  "scopeSpans":[{"spans":[${span}]}]}]}'`,
  ].join('\n');
}

function sdkSample({ mount, otlpHttp, otlpGrpc }: SamplePlace): string {
  const { hostname } = new URL(mount);
  const portOf = (address: string): string => address.slice(address.lastIndexOf(':') + 1);
  const http = otlpHttp === undefined ? mount.replace(/\/$/, '') : `http://${hostname}:${portOf(otlpHttp)}`;
  const lines = [
    'OTEL_SERVICE_NAME=hello',
    `OTEL_EXPORTER_OTLP_ENDPOINT=${http}`,
    'OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf',
  ];
  if (otlpGrpc === undefined) return lines.join('\n');
  return [
    ...lines,
    '# or, over gRPC:',
    `OTEL_EXPORTER_OTLP_ENDPOINT=http://${hostname}:${portOf(otlpGrpc)}`,
    'OTEL_EXPORTER_OTLP_PROTOCOL=grpc',
  ].join('\n');
}

function collectorSample(mount: string): string {
  return `exporters:
  otlphttp/tracelith:
    traces_endpoint: ${mount}insert/opentelemetry/v1/traces
    compression: zstd
service:
  pipelines:
    traces:
      receivers: [otlp]
      exporters: [otlphttp/tracelith]`;
}
