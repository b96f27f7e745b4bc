// The Monitor's figures (contract/jaeger.md §1.6) from calls counted by minute: request rate, error ratio and latency quantiles
// at evenly spaced times. A point at time t covers the whole minutes of [t − ratePer, t], including the minute of t; the newest
// minute counts as a whole one while it still fills. Pure.
import { StoreError } from '../../base/errors.ts';
import { bucketMinNs, LATENCY_BUCKETS } from '../../trace/latency-buckets.ts';
import type { CallSeries, MetricsQuery } from '../../trace/store.ts';
import { unparsable } from './jaeger-params.ts';

const MINUTE_MS = 60_000;
const NS_PER_MS = 1_000_000;

export type CallMetric = 'latencies' | 'calls' | 'errors';

/** A request to a metrics endpoint, HTTP or gRPC. Times in ms. */
export interface CallMetricsRequest {
  readonly services: readonly string[];
  /** OTLP numbers; empty = every kind. */
  readonly kinds: readonly number[];
  readonly isByOperation: boolean;
  readonly endMs: number;
  readonly lookbackMs: number;
  /** Above 0. */
  readonly stepMs: number;
  /** The period before a point that it covers; at least one minute is used. */
  readonly ratePerMs: number;
}

/** One of the three figures, and for latencies the quantile, 0 … 1. */
export type CallMetricKind =
  | { readonly metric: 'calls' | 'errors' }
  | { readonly metric: 'latencies'; readonly quantile: number };

/** One line of a chart: values at startMs + i · stepMs. Latencies in ms, NaN if there were no calls. */
export interface CallMetricLine {
  readonly service: string;
  /** undefined if operations are not distinguished. */
  readonly operation: string | undefined;
  readonly values: Float64Array;
}

/** Defaults of a request. */
export const CALL_METRICS_DEFAULTS = {
  /** Server spans. */
  kinds: [2],
  lookbackMs: 3_600_000,
  stepMs: 5_000,
  ratePerMs: 600_000,
} as const;
/** Per line: Prometheus' own limit, which Jaeger's users know. */
const LINE_POINTS_MAX = 11_000;

/** Throws INVALID_REQUEST if a line would have no end, or too many points. */
export function checkLine(request: CallMetricsRequest): void {
  if (request.stepMs === 0) unparsable('step', 'must be above 0');
  const points = pointCount(request);
  if (points > LINE_POINTS_MAX) {
    unparsable('step', `gives ${points} points a line, at most ${LINE_POINTS_MAX}: ask with a larger one`);
  }
}

/** Throws INVALID_REQUEST if all lines together would have more than `pointsMax` points. */
export function checkPoints(lines: number, request: CallMetricsRequest, pointsMax: number): void {
  const points = pointCount(request);
  if (lines * points <= pointsMax) return;
  throw new StoreError(
    'INVALID_REQUEST',
    `${lines} lines of ${points} points are more than ${pointsMax} points: ask with a larger step`,
  );
}

/** Points of a line: at endMs − lookbackMs and every step after it, up to and including endMs. */
export function pointCount({ lookbackMs, stepMs }: CallMetricsRequest): number {
  return lookbackMs < 0 ? 0 : Math.floor(lookbackMs / stepMs) + 1;
}

/** The query to the store, including the minutes before the first point. */
export function callSeriesQuery(request: CallMetricsRequest): MetricsQuery {
  const { services, kinds, isByOperation, endMs, lookbackMs } = request;
  const firstMinute = minuteOf(endMs - lookbackMs) - windowMinutes(request) + 1;
  return {
    services,
    kinds,
    isByOperation,
    startNs: BigInt(Math.max(firstMinute, 0)) * BigInt(MINUTE_MS * NS_PER_MS),
    endNs: BigInt(Math.max(endMs, 0)) * BigInt(NS_PER_MS),
  };
}

/** The family's name, by which Jaeger UI groups the lines, and its help text. */
export function describeCallMetric(kind: CallMetricKind, isByOperation: boolean): { name: string; help: string } {
  const of = isByOperation ? 'service_operation' : 'service';
  const by = isByOperation ? 'grouped by service & operation' : 'grouped by service';
  if (kind.metric === 'latencies') {
    return { name: `${of}_latencies`, help: `${kind.quantile.toFixed(2)}th quantile latency, ${by}` };
  }
  if (kind.metric === 'calls') return { name: `${of}_call_rate`, help: `calls/sec, ${by}` };
  return {
    name: `${of}_error_rate`,
    help: `error rate, computed as a fraction of errors/sec over calls/sec, ${by}`,
  };
}

/** The lines of `series`, each computed when it is requested. */
export function* callMetricLines(
  series: Iterable<CallSeries>,
  request: CallMetricsRequest,
  kind: CallMetricKind,
): Generator<CallMetricLine, void, undefined> {
  for (const one of series) {
    yield { service: one.service, operation: one.operation, values: valuesOf(one, request, kind) };
  }
}

function valuesOf(series: CallSeries, request: CallMetricsRequest, kind: CallMetricKind): Float64Array {
  const values = new Float64Array(pointCount(request));
  const windowLength = windowMinutes(request);
  const window = new MinuteWindow(series, kind.metric === 'latencies');
  let last = -1;
  for (let i = 0; i < values.length; i++) {
    const minute = minuteOf(request.endMs - request.lookbackMs + i * request.stepMs);
    if (minute === last) {
      values[i] = values[i - 1]!; // the same minutes
      continue;
    }
    last = minute;
    window.moveTo(minute - windowLength + 1, minute);
    values[i] = valueOf(window, kind, windowLength);
  }
  return values;
}

function valueOf(window: MinuteWindow, kind: CallMetricKind, windowLength: number): number {
  switch (kind.metric) {
    case 'calls':
      return window.calls / (windowLength * 60);
    case 'errors':
      return window.calls === 0 ? 0 : window.errors / window.calls;
    case 'latencies':
      return window.quantileNs(kind.quantile) / NS_PER_MS;
  }
}

function minuteOf(ms: number): number {
  return Math.floor(ms / MINUTE_MS);
}

function windowMinutes({ ratePerMs }: CallMetricsRequest): number {
  return Math.max(1, Math.round(ratePerMs / MINUTE_MS));
}

/** Sums over a range of minutes that only moves forward. Counts are integers, so adding and subtracting is exact. */
class MinuteWindow {
  calls = 0;
  errors = 0;
  readonly #series: CallSeries;
  readonly #hasHistogram: boolean;
  readonly #histogram = new Float64Array(LATENCY_BUCKETS);
  /** Indexes into series.minutes: [from, to) are in the window. */
  #from = 0;
  #to = 0;

  constructor(series: CallSeries, hasHistogram: boolean) {
    this.#series = series;
    this.#hasHistogram = hasHistogram;
  }

  moveTo(firstMinute: number, lastMinute: number): void {
    const { minutes } = this.#series;
    for (; this.#to < minutes.length && minutes[this.#to]! <= lastMinute; this.#to++) this.#add(this.#to, 1);
    for (; this.#from < this.#to && minutes[this.#from]! < firstMinute; this.#from++) this.#add(this.#from, -1);
  }

  #add(index: number, sign: number): void {
    const { calls, errors, bucketEnds, buckets, counts } = this.#series;
    this.calls += sign * calls[index]!;
    this.errors += sign * errors[index]!;
    if (!this.#hasHistogram) return;
    for (let i = bucketEnds[index - 1] ?? 0; i < bucketEnds[index]!; i++) {
      this.#histogram[buckets[i]!] = this.#histogram[buckets[i]!]! + sign * counts[i]!;
    }
  }

  /** Interpolated within the bucket that holds the rank, as in Prometheus; NaN if there were no calls. */
  quantileNs(quantile: number): number {
    if (this.calls === 0) return NaN;
    const rank = quantile * this.calls;
    let before = 0;
    let bucket = 0;
    for (let at = 0; at < this.#histogram.length; at++) {
      if (this.#histogram[at] === 0) continue;
      bucket = at;
      if (before + this.#histogram[at]! >= rank) break;
      before += this.#histogram[at]!;
    }
    const [minNs, endNs] = [bucketMinNs(bucket), bucketMinNs(bucket + 1)];
    return minNs + ((endNs - minNs) * (rank - before)) / this.#histogram[bucket]!;
  }
}
