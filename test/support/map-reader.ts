// A TraceReader over a Map of traces: a small, slow, exact implementation of the port for tests of what lies above it.
// It keeps every query it is asked, and fails with `failure` while that is set.
import { compareUtf8 } from '../../src/trace/attributes.ts';
import { operationName } from '../../src/trace/service-name.ts';
import { bucketOf } from '../../src/trace/latency-buckets.ts';
import type { CallContext } from '../../src/trace/call-context.ts';
import type {
  FoundHits,
  FoundIds,
  FoundLinks,
  FoundSeries,
  FoundTrace,
  FoundTraces,
  Listed,
  Marked,
  MetricsQuery,
  Missing,
  Operation,
  TraceReader,
} from '../../src/trace/store.ts';
import { DEFAULT_TENANT, type Tenant } from '../../src/trace/tenant.ts';
import type { TraceQuery } from '../../src/trace/trace-query.ts';
import { callSeriesNaively, dependenciesNaively, toCallSeries } from './calls-oracle.ts';
import { knownSpans, type KnownSpan } from './search-oracle.ts';
import { encodeTraces, type OtlpAnyValue, type OtlpKeyValue, type OtlpRequest, type OtlpSpan } from './otlp-proto.ts';

interface Row {
  readonly span: OtlpSpan;
  readonly service: string;
  readonly resource: readonly OtlpKeyValue[];
}

interface Trace {
  readonly tenant: Tenant;
  readonly traceId: Uint8Array;
  readonly data: OtlpRequest;
  readonly rows: readonly Row[];
}

export class MapReader implements TraceReader {
  readonly #traces = new Map<string, Trace>();
  readonly queries: TraceQuery[] = [];
  readonly dependencyRanges: (readonly [bigint, bigint])[] = [];
  readonly metricsQueries: MetricsQuery[] = [];
  readonly signals: (AbortSignal | undefined)[] = [];
  /** What the next answers are said to lack. */
  warnings: readonly string[] = [];
  missing: readonly Missing[] = [];
  failure: unknown;
  /** While set, answers wait for it. */
  gate: Promise<void> | undefined;

  /** Adds one trace; all its spans have the same trace id. */
  add(data: OtlpRequest, tenant: Tenant = DEFAULT_TENANT): void {
    const rows = rowsOf(data);
    const traceId = rows[0]?.span.traceId ?? new Uint8Array(16);
    this.#traces.set(`${tenant} ${hex(traceId)}`, { tenant, traceId, data, rows });
  }

  clear(): void {
    this.#traces.clear();
    this.queries.length = 0;
    this.dependencyRanges.length = 0;
    this.metricsQueries.length = 0;
    this.signals.length = 0;
    this.warnings = [];
    this.missing = [];
    this.failure = undefined;
    this.gate = undefined;
  }

  async listServices(call: CallContext): Promise<Listed<string>> {
    await this.#begin(call);
    const items = [...new Set(this.#rows(call.tenant).map(({ service }) => service))].toSorted(compareUtf8);
    return { items, ...this.#marked };
  }

  async listOperations(call: CallContext, service: string, kind?: number): Promise<Listed<Operation>> {
    await this.#begin(call);
    const byText = new Map<string, Operation>();
    for (const { span, service: found } of this.#rows(call.tenant)) {
      const operation = { name: operationName(span.name ?? ''), kind: span.kind ?? 0 };
      if (found === service && (kind === undefined || kind === operation.kind)) {
        byText.set(JSON.stringify(operation), operation);
      }
    }
    const items = [...byText.values()].toSorted((a, b) => compareUtf8(a.name, b.name) || a.kind - b.kind);
    return { items, ...this.#marked };
  }

  async findTraces(call: CallContext, ids: readonly Uint8Array[]): Promise<FoundTraces> {
    await this.#begin(call);
    return { traces: this.#find(call, ids).map(found), ...this.#marked };
  }

  async hasTraces(call: CallContext, ids: readonly Uint8Array[]): Promise<FoundIds> {
    await this.#begin(call);
    return { traceIds: this.#find(call, ids).map(({ traceId }) => traceId), ...this.#marked };
  }

  async searchTraces(call: CallContext, query: TraceQuery): Promise<FoundHits> {
    await this.#begin(call);
    const hits = this.#search(call, query).map(({ trace: { traceId }, start }) => ({ traceId, matchedStartNs: start }));
    return { hits, ...this.#marked };
  }

  async findNewest(call: CallContext, query: TraceQuery): Promise<FoundTraces> {
    await this.#begin(call);
    return { traces: this.#search(call, query).map(({ trace }) => found(trace)), ...this.#marked };
  }

  #find({ tenant }: CallContext, ids: readonly Uint8Array[]): Trace[] {
    return ids.flatMap((id) => this.#traces.get(`${tenant} ${hex(id)}`) ?? []);
  }

  #search({ tenant }: CallContext, query: TraceQuery): { readonly trace: Trace; readonly start: bigint }[] {
    this.queries.push(query);
    const hits = this.#of(tenant).flatMap((trace) => {
      const starts = trace.rows.filter((row) => matches(row, query)).map(({ span }) => span.startTimeUnixNano ?? 0n);
      return starts.length === 0 ? [] : [{ trace, start: starts.reduce((a, b) => (a > b ? a : b)) }];
    });
    hits.sort((a, b) => (a.start > b.start ? -1 : a.start < b.start ? 1 : 0));
    return hits.slice(0, query.limit);
  }

  async listDependencies(call: CallContext, startNs: bigint, endNs: bigint): Promise<FoundLinks> {
    await this.#begin(call);
    this.dependencyRanges.push([startNs, endNs]);
    return { links: dependenciesNaively(this.#known(call.tenant), startNs, endNs), ...this.#marked };
  }

  async listCallSeries(call: CallContext, query: MetricsQuery): Promise<FoundSeries> {
    await this.#begin(call);
    this.metricsQueries.push(query);
    const series = toCallSeries(callSeriesNaively(this.#known(call.tenant), query), bucketOf);
    return { series, ...this.#marked };
  }

  get #marked(): Marked {
    return { warnings: this.warnings, ...(this.missing.length === 0 ? {} : { missing: this.missing }) };
  }

  async #begin({ signal }: CallContext): Promise<void> {
    this.signals.push(signal);
    await this.gate;
    if (this.failure !== undefined) throw this.failure;
  }

  #of(tenant: Tenant): Trace[] {
    return [...this.#traces.values()].filter((trace) => trace.tenant === tenant);
  }

  #known(tenant: Tenant): KnownSpan[] {
    return this.#of(tenant).flatMap(({ data }) => knownSpans(data));
  }

  #rows(tenant: Tenant): Row[] {
    return this.#of(tenant).flatMap(({ rows }) => rows);
  }
}

function found({ traceId, data }: Trace): FoundTrace {
  return { traceId, otlp: encodeTraces(data) };
}

function hex(bytes: Uint8Array | undefined): string {
  return Buffer.from(bytes ?? []).toString('hex');
}

function rowsOf(data: OtlpRequest): Row[] {
  return (data.resourceSpans ?? []).flatMap(({ resource, scopeSpans }) => {
    const attributes = resource?.attributes ?? [];
    const name = attributes.find(({ key }) => key === 'service.name')?.value?.stringValue;
    const service = name ?? 'missing-service-name';
    return (scopeSpans ?? []).flatMap(({ spans }) =>
      (spans ?? []).map((span) => ({ span, service, resource: attributes })),
    );
  });
}

function matches({ span, service, resource }: Row, query: TraceQuery): boolean {
  const start = span.startTimeUnixNano ?? 0n;
  const duration = (span.endTimeUnixNano ?? 0n) - start;
  if (query.service !== undefined && query.service !== service) return false;
  if (query.operation !== undefined && query.operation !== operationName(span.name ?? '')) return false;
  if (start < query.startMinNs || start > query.startMaxNs) return false;
  if (query.durationMinNs !== undefined && duration < query.durationMinNs) return false;
  if (query.durationMaxNs !== undefined && duration > query.durationMaxNs) return false;
  const attributes = [...(span.attributes ?? []), ...resource];
  return query.tags.every((tag) => attributes.some(({ key, value }) => key === tag.key && text(value) === tag.value));
}

function text(value: OtlpAnyValue | undefined): string | undefined {
  const scalar = value?.stringValue ?? value?.intValue ?? value?.doubleValue ?? value?.boolValue;
  return scalar === undefined ? undefined : String(scalar);
}
