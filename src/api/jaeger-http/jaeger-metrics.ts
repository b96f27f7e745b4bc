// Jaeger's metrics endpoints for the Monitor tab (contract/jaeger.md §1.6, §2.6): parameters, defaults and texts as in Jaeger;
// the answer is the protobuf JSON of its MetricFamily, without the envelope. Counted from the stored spans, so neither
// Prometheus nor a connector is needed.
import type { FastifyInstance } from 'fastify';
import { StoreError } from '../../base/errors.ts';
import { quoteJson } from '../../bytes/json-writer.ts';
import {
  CALL_METRICS_DEFAULTS,
  callMetricLines,
  callSeriesQuery,
  checkLine,
  checkPoints,
  describeCallMetric,
  pointCount,
  type CallMetric,
  type CallMetricKind,
  type CallMetricLine,
  type CallMetricsRequest,
} from '../jaeger/call-metrics.ts';
import { SPAN_KINDS } from '../../trace/span-kinds.ts';
import { goQuote } from '../go/go-quote.ts';
import { envelope, registerLegacyRoute, type LegacyHandler } from './jaeger-envelope.ts';
import { nowOf, type JaegerOptions, type JaegerRequest } from './jaeger-http.ts';
import { parseBool, parseInteger, parseTime, unparsable } from '../jaeger/jaeger-params.ts';
import type { QueryString } from '../go/query-string.ts';

const DURATION_MAX_MS = 100n * 365n * 86_400_000n;
/** For all lines together, some 80 bytes each. */
const POINTS_MAX = 1_000_000;

/** Registers `{prefix}/api/metrics/…`. */
export function registerMetricsRoutes(app: FastifyInstance, prefix: string, options: JaegerOptions): void {
  const metrics: readonly CallMetric[] = ['latencies', 'calls', 'errors'];
  const handlers: readonly [string, LegacyHandler][] = [
    ...metrics.map((metric): [string, LegacyHandler] => [metric, (_, asked) => answer(options, asked, metric)]),
    // Points may be as close as a client likes; Jaeger expressed this with 1 ms until 2.17.
    ['minstep', () => Promise.resolve(envelope('1'))],
  ];
  for (const [name, handler] of handlers) {
    const checked: LegacyHandler = async (...asked) => {
      if (options.isMonitorOff === true) throw disabled();
      return handler(...asked);
    };
    registerLegacyRoute(app, { method: 'GET', url: `${prefix}/api/metrics/${name}`, handler: checked, options });
  }
}

/** The error if the Monitor is switched off. */
export function disabled(): StoreError {
  return new StoreError('DISABLED', 'trace metrics are currently disabled - no metrics backend configured');
}

async function answer(options: JaegerOptions, asked: JaegerRequest, metric: CallMetric): Promise<Iterable<Buffer>> {
  const { params } = asked;
  const kind = metric === 'latencies' ? { metric, quantile: parseQuantile(params) } : { metric };
  const request = parseCallMetrics(params, nowOf(options));
  const found = await options.reader.listCallSeries(asked, callSeriesQuery(request));
  asked.mark(found);
  const { series } = found;
  checkPoints(series.length, request, POINTS_MAX);
  return familyJson(callMetricLines(series, request, kind), request, kind);
}

function parseQuantile(params: QueryString): number {
  const text = params.first('quantile');
  const value = Number(text);
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) {
    unparsable('quantile', `strconv.ParseFloat: parsing ${goQuote(text)}: invalid syntax`);
  }
  return value >= 0 && value <= 1 ? value : unparsable('quantile', `must be from 0 to 1, received: ${text}`);
}

/** Throws INVALID_REQUEST with Jaeger's text for the first parameter that is wrong. */
export function parseCallMetrics(params: QueryString, nowMs: number): CallMetricsRequest {
  const services = params.all('service');
  if (services.length === 0) unparsable('service', 'please provide at least one service name');
  const isByOperation = parseBool(params, 'groupByOperation');
  const kinds = params.all('spanKind').map(kindOf);
  // Calls are counted by minute, so the end of the given time's unit does not matter.
  const end = parseTime(params, 'endTs');
  const request = {
    services: [...new Set(services)],
    kinds: kinds.length === 0 ? CALL_METRICS_DEFAULTS.kinds : [...new Set(kinds)],
    isByOperation,
    endMs: end === undefined ? Math.floor(nowMs) : Number(end.ns / 1_000_000n),
    lookbackMs: parseMs(params, 'lookback', CALL_METRICS_DEFAULTS.lookbackMs),
    stepMs: parseMs(params, 'step', CALL_METRICS_DEFAULTS.stepMs),
    ratePerMs: parseMs(params, 'ratePer', CALL_METRICS_DEFAULTS.ratePerMs),
  };
  checkLine(request);
  return request;
}

function kindOf(text: string): number {
  const kind = (SPAN_KINDS as readonly string[]).indexOf(text);
  return kind >= 0 ? kind : unparsable('spanKind', `unsupported span kind: '${text}'`);
}

function parseMs(params: QueryString, name: string, defaultMs: number): number {
  const text = params.first(name);
  if (text === '') return defaultMs;
  const value = parseInteger(text, 64);
  if (typeof value === 'string') unparsable(name, value);
  if (value < 0n || value > DURATION_MAX_MS) {
    unparsable(name, `must be from 0 to ${DURATION_MAX_MS} (100 years), received: ${text}`);
  }
  return Number(value);
}

/** `metrics` is a list even if it is empty: without it, Jaeger UI's charts stay blank. */
function* familyJson(
  lines: Iterable<CallMetricLine>,
  request: CallMetricsRequest,
  kind: CallMetricKind,
): Generator<Buffer, void, undefined> {
  const { name, help } = describeCallMetric(kind, request.isByOperation);
  yield Buffer.from(`{"name":"${name}","type":"GAUGE","help":${quoteJson(help)},"metrics":[`);
  const { endMs, lookbackMs, stepMs } = request;
  // The same for every line.
  const times = Array.from({ length: pointCount(request) }, (_, i) => rfc3339(endMs - lookbackMs + i * stepMs));
  let count = 0;
  for (const line of lines) yield Buffer.from((count++ > 0 ? ',' : '') + lineJson(line, times));
  yield Buffer.from(']}');
}

function lineJson({ service, operation, values }: CallMetricLine, times: readonly string[]): string {
  // service_name first: the UI reads it from there.
  const labels = [`{"name":"service_name","value":${quoteJson(service)}}`];
  if (operation !== undefined) labels.push(`{"name":"operation","value":${quoteJson(operation)}}`);
  const points = Array.from(values, (value, i) => {
    const text = Number.isNaN(value) ? '"NaN"' : String(value);
    return `{"gaugeValue":{"doubleValue":${text}},"timestamp":"${times[i]}"}`;
  });
  return `{"labels":[${labels.join(',')}],"metricPoints":[${points.join(',')}]}`;
}

function rfc3339(ms: number): string {
  return new Date(ms).toISOString().replace('.000Z', 'Z');
}
