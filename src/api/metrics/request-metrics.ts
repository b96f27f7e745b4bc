// What happens at the edges: requests and spans that came in, by protocol and route, and the state of connections and of the
// intake. Labels are route patterns, media types and HTTP statuses: never a path, header or attribute that a client chose.
import type { WriteResult } from '../../trace/store.ts';
import type { MetricRegistry, MetricSource, Sample } from './metric-registry.ts';
import { RecentQuantiles } from './recent-quantiles.ts';

/** The `type` label of ingest counters, as VictoriaTraces names it. */
export type IngestType =
  | `opentelemetry_traces_${'otlphttp_protobuf' | 'otlphttp_json' | 'otlpgrpc'}`
  // Several requests in one call of an insert node.
  | 'internalinsert';

const INGEST_TYPES: readonly IngestType[] = [
  'opentelemetry_traces_otlphttp_protobuf',
  'opentelemetry_traces_otlphttp_json',
  'opentelemetry_traces_otlpgrpc',
  'internalinsert',
];

/** One answered request, over HTTP or gRPC. */
export interface AnsweredRequest {
  /** The route's pattern, without -http.pathPrefix. */
  readonly path: string;
  /** Encoding of an OTLP request; undefined for every other route. */
  readonly format: 'protobuf' | 'json' | 'other' | undefined;
  /** HTTP status; a gRPC call gets the one that the same failure has over HTTP. */
  readonly status: number;
  readonly seconds: number;
}

/** Of summaries. */
const RECENT = 'quantiles of the last minutes, an eighth too high at most';

/** A refusal because a flag disables something does not count as a failure. */
const DISABLED_STATUS = 501;

/** Statuses of requests that VictoriaMetrics counts as errors of the HTTP server itself. */
const SERVER_ERRORS: Readonly<Record<number, string>> = { 401: 'wrong_auth_key', 404: 'unsupported' };

/** One request that was written. */
export interface WrittenRequest {
  readonly result: WriteResult;
  /** Of its body. */
  readonly bytes: number;
  /** That the store, or the nodes behind, took. */
  readonly seconds: number;
}

export interface RequestCounters {
  countIngest(type: IngestType, written: WrittenRequest): void;
  countRequest(request: AnsweredRequest): void;
}

export function createRequestMetrics(registry: MetricRegistry): RequestCounters {
  const rows = registry.counter({
    name: 'vt_rows_ingested_total',
    unit: 'spans',
    help: 'Spans stored, by the protocol they came in; on disk when counted',
    labels: ['type'],
  });
  const bytes = registry.counter({
    name: 'vt_bytes_ingested_total',
    unit: 'bytes',
    help: 'OTLP protobuf bytes of the requests they came in, after decompression',
    labels: ['type'],
  });
  const unknownFields = registry.counter({
    name: 'tracelith_requests_with_unknown_fields_total',
    unit: 'requests',
    help: 'OTLP requests with a field that is not known and was not stored, named in partial_success',
    labels: ['type'],
  });
  const flushed = 'vt_insert_flush_duration_seconds';
  const flushes = new RecentQuantiles(flushed, 'type');
  const help =
    'Time from handing the spans of a request to the store until they are on disk (on an insert node: with the storage nodes or the log)';
  registry
    .source(() => flushes)
    .summary({ name: flushed, unit: 'seconds', help: `${help}; ${RECENT}`, labels: ['type'] }, (all) => all.samples());
  for (const type of INGEST_TYPES) for (const counter of [rows, bytes, unknownFields]) counter.inc({ type }, 0);
  return {
    countIngest: (type, { result: { stored, unknownField }, bytes: size, seconds }) => {
      flushes.observe(type, seconds);
      rows.inc({ type }, stored);
      if (unknownField !== undefined) unknownFields.inc({ type });
      bytes.inc({ type }, size);
    },
    countRequest: createAnswerCounter(registry),
  };
}

function createAnswerCounter(registry: MetricRegistry): RequestCounters['countRequest'] {
  const labels = ['path', 'format'] as const;
  const counter = (name: string, help: string, labelNames: readonly string[] = labels) =>
    registry.counter({ name, unit: 'requests', help, labels: labelNames });
  const all = counter('vm_http_requests_all_total', 'Requests answered, over HTTP and gRPC', []);
  const requests = counter('vt_http_requests_total', 'Requests answered, by route');
  const errors = counter(
    'vt_http_errors_total',
    'Requests that the server failed at (HTTP status 500 and above, but 501), and ingest requests that were not stored',
  );
  const refused = counter(
    'tracelith_requests_refused_total',
    'Requests refused for what they asked (400 to 429), or whose client left (499), by HTTP status',
    ['path', 'code'],
  );
  const unserved = counter(
    'vm_http_request_errors_total',
    'Requests without the key or login that their path needs (wrong_auth_key), or for an unknown path (unsupported)',
    ['path', 'reason'],
  );
  const help = 'Time from the first byte of the request to the end of the answer';
  const durations = registry.histogram({
    name: 'tracelith_http_request_duration_seconds',
    unit: 'seconds',
    help,
    labels: ['path'],
  });
  const name = 'vt_http_request_duration_seconds';
  const recent = new RecentQuantiles(name, 'path');
  const recentHelp = `${help}; ${RECENT}`;
  registry
    .source(() => recent)
    .summary({ name, unit: 'seconds', help: recentHelp, labels: ['path'] }, (quantiles) => quantiles.samples());
  all.inc(0);
  return ({ path, format, status, seconds }) => {
    const series = format === undefined ? { path } : { path, format };
    const isRefused = (status >= 400 && status < 500) || status === DISABLED_STATUS;
    all.inc();
    requests.inc(series);
    if (isRefused) refused.inc({ path, code: String(status) });
    // 0 from the first request on, so that an alert sees the first error.
    errors.inc(series, Number(status >= 400 && (!isRefused || format !== undefined)));
    const reason = SERVER_ERRORS[status];
    // An unknown trace is a 404 of a known path.
    if (reason !== undefined && (status !== 404 || path === '*')) unserved.inc({ path, reason });
    durations.observe({ path }, seconds);
    recent.observe(path, seconds);
  };
}

/** The intake of OTLP requests. */
export interface IntakeGauges {
  readonly bytes: number;
  readonly writing: number;
  /** -maxConcurrentInserts */
  readonly writingMax: number;
  readonly waiting: number;
  /** Requests that had to wait for an insert slot, and of them those that got none in time; since start. */
  readonly limitReached: number;
  readonly limitTimeouts: number;
}

export function createIntakeMetrics(registry: MetricRegistry, read: () => IntakeGauges): void {
  const intake = registry.source(read);
  const named = (name: string, help: string, unit = 'requests') => ({ name, unit, help });
  const bytes = named('tracelith_intake_bytes', 'OTLP bodies between socket and store', 'bytes');
  intake.gauge(bytes, (now) => now.bytes);
  intake.gauge(named('vm_concurrent_insert_current', 'OTLP requests being written'), (now) => now.writing);
  const capacity = named('vm_concurrent_insert_capacity', 'OTLP requests written at once: -maxConcurrentInserts');
  intake.gauge(capacity, (now) => now.writingMax);
  const waiting = named('tracelith_intake_waiting_requests', 'OTLP requests that wait for a free insert slot');
  intake.gauge(waiting, (now) => now.waiting);
  const reached = named(
    'vm_concurrent_insert_limit_reached_total',
    'OTLP requests that had to wait for an insert slot',
  );
  intake.counter(reached, (now) => now.limitReached);
  const timeouts = named(
    'vm_concurrent_insert_limit_timeout_total',
    'OTLP requests told to come back, because no insert slot was free within -insert.maxQueueDuration',
  );
  intake.counter(timeouts, (now) => now.limitTimeouts);
}

/** The connections of one listener; counters since start. */
export interface ConnectionGauges {
  readonly open: number;
  readonly max: number;
  readonly accepted: number;
  /** Closed because there were too many. */
  readonly pushedOut: number;
  /** Closed because their request took too long to arrive. */
  readonly timedOut: number;
  readonly bytesRead: number;
  readonly bytesWritten: number;
}

/** The result adds a listener, which is named by its flag. */
export function createConnectionMetrics(
  registry: MetricRegistry,
): (listener: string, read: () => ConnectionGauges) => void {
  const listeners = new Map<string, () => ConnectionGauges>();
  const source: MetricSource<[string, ConnectionGauges][]> = registry.source(() =>
    [...listeners].map(([name, read]) => [name, read()] as [string, ConnectionGauges]),
  );
  const figure = (
    kind: 'gauge' | 'counter',
    [name, help, unit = 'connections']: readonly [string, string, string?],
    what: keyof ConnectionGauges,
  ): void => {
    source[kind]({ name, unit, help, labels: ['name'] }, (all) =>
      all.map(([listener, now]): Sample => ({ labels: { name: listener }, value: now[what] })),
    );
  };
  figure('gauge', ['vm_tcplistener_conns', 'Open connections of a listener, which is named by its flag'], 'open');
  figure('counter', ['vm_tcplistener_accepts_total', 'Connections accepted'], 'accepted');
  figure(
    'counter',
    ['vm_tcplistener_read_bytes_total', 'Bytes received on the sockets of a listener', 'bytes'],
    'bytesRead',
  );
  figure(
    'counter',
    ['vm_tcplistener_written_bytes_total', 'Bytes sent on the sockets of a listener', 'bytes'],
    'bytesWritten',
  );
  figure('gauge', ['tracelith_connections_max', 'Connections a listener may have'], 'max');
  const pushedOut = 'Connections closed, silent longest first, because a listener had as many as it may';
  figure('counter', ['tracelith_connections_pushed_out_total', pushedOut], 'pushedOut');
  const timedOut = 'Connections closed because their request, or its headers, did not arrive in time';
  figure('counter', ['vm_http_conn_timeout_closed_conns_total', timedOut], 'timedOut');
  return (listener, read) => void listeners.set(listener, read);
}

/** The result adds a listener. */
export function createCertificateMetric(registry: MetricRegistry): (listener: string, read: () => number) => void {
  const listeners = new Map<string, () => number>();
  const spec = {
    name: 'tracelith_tls_certificate_expiry_timestamp_seconds',
    unit: 'seconds',
    help: 'End of the certificate in use, Unix time, by the flag of its listener',
    labels: ['name'],
  };
  registry
    .source(() => listeners)
    .gauge(spec, (all) => [...all].map(([name, read]): Sample => ({ labels: { name }, value: read() })));
  return (listener, read) => void listeners.set(listener, read);
}
