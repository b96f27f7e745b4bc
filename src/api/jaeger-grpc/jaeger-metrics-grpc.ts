// jaeger.api_v2.metrics.MetricsQueryService: the Monitor's figures over gRPC, computed as for /api/metrics (contract/jaeger.md
// §1.6). Points are encoded by hand, because there are thousands of them with the same form.
import { StoreError } from '../../base/errors.ts';
import { KIND_MAX } from '../../trace/span-kinds.ts';
import { ByteWriter } from '../../bytes/byte-writer.ts';
import {
  CALL_METRICS_DEFAULTS,
  callMetricLines,
  callSeriesQuery,
  checkLine,
  checkPoints,
  describeCallMetric,
  type CallMetricKind,
  type CallMetricLine,
  type CallMetricsRequest,
} from '../jaeger/call-metrics.ts';
import type { JaegerGrpcOptions } from './grpc-answers.ts';
import { registerService, type GrpcCall, type Reply } from '../grpc/grpc-call.ts';
import type { GrpcMethodTable } from '../grpc/grpc-server.ts';
import { durationNs, timestampNs, type ProtoTime } from '../jaeger/grpc-search.ts';
import { disabled } from '../jaeger-http/jaeger-metrics.ts';

export const METRICS = 'jaeger.api_v2.metrics.MetricsQueryService';

export interface MetricsGrpcOptions extends JaegerGrpcOptions {
  /** Refuses all calls, for users whose Monitor reads another source. */
  readonly isMonitorOff: boolean;
}

/** For all lines together, some 30 bytes each: keeps the answer's one message below the 4 MiB that a client takes. */
const POINTS_MAX = 100_000;
const NS_PER_MS = 1_000_000n;
const MS_PER_SECOND = 1_000;
/** Number of MetricType. */
const GAUGE = 1;

interface MetricsRequest {
  readonly baseRequest?: {
    readonly serviceNames: readonly string[];
    readonly groupByOperation?: boolean;
    readonly endTime?: ProtoTime;
    readonly lookback?: ProtoTime;
    readonly step?: ProtoTime;
    readonly ratePer?: ProtoTime;
    readonly spanKinds: readonly number[];
  };
  readonly quantile?: number;
}

export function registerMetricsService(server: GrpcMethodTable, options: MetricsGrpcOptions): void {
  const unary = {
    GetMinStepDuration: getMinStep,
    GetLatencies: getMetrics((request) => ({ metric: 'latencies', quantile: quantileOf(request) })),
    GetCallRates: getMetrics(() => ({ metric: 'calls' })),
    GetErrorRates: getMetrics(() => ({ metric: 'errors' })),
  };
  registerService(server, METRICS, { unary }, options);
}

/** Points may be as close as a client likes; Jaeger expressed this with 1 ms until 2.17. */
async function getMinStep(): Promise<Reply> {
  return { minStep: { nanos: Number(NS_PER_MS) } };
}

/** The method that answers with the kind of metric that `kindOf` returns. */
function getMetrics(kindOf: (request: MetricsRequest) => CallMetricKind) {
  return async (
    { reader, isMonitorOff }: MetricsGrpcOptions,
    message: MetricsRequest,
    call: GrpcCall,
  ): Promise<Reply> => {
    if (isMonitorOff) throw disabled();
    const kind = kindOf(message);
    const request = readRequest(message, Date.now());
    const found = await reader.listCallSeries(call, callSeriesQuery(request));
    call.mark(found);
    const { series } = found;
    checkPoints(series.length, request, POINTS_MAX);
    return encodeFamily(callMetricLines(series, request, kind), request, kind);
  };
}

function quantileOf({ quantile = 0 }: MetricsRequest): number {
  if (quantile > 0 && quantile <= 1) return quantile;
  throw new StoreError('INVALID_REQUEST', 'please provide a quantile between (0, 1]');
}

function readRequest({ baseRequest }: MetricsRequest, nowMs: number): CallMetricsRequest {
  const services = [...new Set(baseRequest?.serviceNames ?? [])];
  if (baseRequest === undefined || services.length === 0) {
    throw new StoreError('INVALID_REQUEST', 'please provide at least one service name');
  }
  const { groupByOperation: isByOperation = false, endTime, lookback, step, ratePer, spanKinds } = baseRequest;
  const unknown = spanKinds.find((kind) => kind < 0 || kind > KIND_MAX);
  if (unknown !== undefined) throw new StoreError('INVALID_REQUEST', `unsupported span kind: '${unknown}'`);
  const endNs = timestampNs(endTime);
  const defaults = CALL_METRICS_DEFAULTS;
  const request = {
    services,
    kinds: spanKinds.length === 0 ? defaults.kinds : [...new Set(spanKinds)],
    isByOperation,
    endMs: endNs === undefined ? nowMs : Number(endNs / NS_PER_MS),
    lookbackMs: millisecondsOf('lookback', lookback, defaults.lookbackMs),
    stepMs: millisecondsOf('step', step, defaults.stepMs),
    ratePerMs: millisecondsOf('ratePer', ratePer, defaults.ratePerMs),
  };
  checkLine(request);
  if (request.endMs < request.lookbackMs) throw new StoreError('INVALID_REQUEST', 'lookback: reaches back before 1970');
  return request;
}

function millisecondsOf(name: string, duration: ProtoTime | undefined, defaultMs: number): number {
  if (duration === undefined) return defaultMs;
  const ns = durationNs(duration);
  if (ns < 0n) throw new StoreError('INVALID_REQUEST', `${name}: must not be negative`);
  return Number(ns / NS_PER_MS);
}

/** GetMetricsResponse. */
function encodeFamily(lines: Iterable<CallMetricLine>, request: CallMetricsRequest, kind: CallMetricKind): Uint8Array {
  const { name, help } = describeCallMetric(kind, request.isByOperation);
  const out = new ByteWriter(65_536);
  out.tag(1, 2);
  const at = out.beginMessage();
  out.stringField(1, name);
  out.tag(2, 0);
  out.u8(GAUGE);
  out.stringField(4, help);
  for (const line of lines) writeLine(out, line, request);
  out.endMessage(at);
  return out.take();
}

function writeLine(out: ByteWriter, { service, operation, values }: CallMetricLine, request: CallMetricsRequest): void {
  out.tag(5, 2);
  const at = out.beginMessage();
  writeLabel(out, 'service_name', service);
  if (operation !== undefined) writeLabel(out, 'operation', operation);
  const startMs = request.endMs - request.lookbackMs;
  for (let i = 0; i < values.length; i++) writePoint(out, values[i]!, startMs + i * request.stepMs);
  out.endMessage(at);
}

function writeLabel(out: ByteWriter, name: string, value: string): void {
  out.tag(1, 2);
  const at = out.beginMessage();
  out.stringField(1, name);
  out.stringField(2, value);
  out.endMessage(at);
}

function writePoint(out: ByteWriter, value: number, timeMs: number): void {
  out.tag(2, 2);
  const at = out.beginMessage();
  out.tag(2, 2);
  const gaugeAt = out.beginMessage();
  out.tag(1, 1);
  out.f64(value);
  out.endMessage(gaugeAt);
  out.tag(8, 2);
  const timeAt = out.beginMessage();
  out.tag(1, 0);
  out.varint(Math.floor(timeMs / MS_PER_SECOND));
  out.tag(2, 0);
  out.varint((timeMs % MS_PER_SECOND) * Number(NS_PER_MS));
  out.endMessage(timeAt);
  out.endMessage(at);
}
