// The queries that read blocks, as messages to and from a query worker. A pure dispatcher over a view's files, run by
// query-worker.ts on a thread of the pool and directly by tests.
import { Pulse, type SharedPulse } from '../base/pulse.ts';
import { ownThreadId } from '../disk/thread-state.ts';
import type { DamagedPlace } from '../quarantine/quarantine.ts';
import type { CountedService } from '../trace/inventory.ts';
import type { CallSeries, Dependency, FoundTrace, MetricsQuery, SearchHit, SpanSelection } from '../trace/store.ts';
import type { Tenant } from '../trace/tenant.ts';
import type { TraceQuery } from '../trace/trace-query.ts';
import { BlockSource, type ViewFiles } from './block-source.ts';
import type { PartCache } from './part-cache.ts';
import { Deadline } from './deadline.ts';
import { countServices, listCallSeries, listDependencies } from './dependencies.ts';
import { digestSpans, type DigestedBlocks } from './digest-spans.ts';
import { existingTraces, findTraces } from './find-traces.ts';
import { matchingRows, type FoundRows } from './matching-rows.ts';
import { newWork, type QueryWork } from './query-work.ts';
import { searchTraces } from './search-traces.ts';
import { warmUp } from './warm-up.ts';

/** The arguments of every query. QueryAnswers holds its answer, and QUERIES its implementation. */
interface QueryTasks {
  /** `bytesMax`: OTLP bytes of the traces in the answer. */
  readonly find: {
    readonly kind: 'find';
    readonly traceIds: readonly Uint8Array[];
    readonly bytesMax?: number | undefined;
  };
  /** Asks which of the traces exist. */
  readonly exists: { readonly kind: 'exists'; readonly traceIds: readonly Uint8Array[] };
  readonly search: { readonly kind: 'search'; readonly query: TraceQuery };
  /** A search and its whole traces; the view has every day. */
  readonly newest: {
    readonly kind: 'newest';
    readonly query: TraceQuery;
    readonly bytesMax?: number | undefined;
  };
  /** A step of selecting spans to be deleted: from block number `from` of the view on. */
  readonly rows: { readonly kind: 'rows'; readonly selection: SpanSelection; readonly from: number };
  readonly dependencies: { readonly kind: 'dependencies'; readonly startNs: bigint; readonly endNs: bigint };
  readonly metrics: { readonly kind: 'metrics'; readonly query: MetricsQuery };
  /** `from`: the first block. */
  readonly digest: { readonly kind: 'digest'; readonly from: number };
  readonly services: { readonly kind: 'services' };
  /** Compiles what queries run; the view is empty. */
  readonly warm: { readonly kind: 'warm' };
}

interface QueryAnswers {
  readonly find: { readonly kind: 'traces'; readonly traces: FoundTrace[] };
  readonly exists: { readonly kind: 'ids'; readonly traceIds: Uint8Array[] };
  readonly search: { readonly kind: 'hits'; readonly hits: SearchHit[] };
  /** `isWhole`: false if the view has losses: which of them concern the answer is known only by its window and its ids. */
  readonly newest: { readonly kind: 'traces'; readonly traces: FoundTrace[]; readonly isWhole: boolean };
  readonly rows: { readonly kind: 'rows' } & FoundRows;
  readonly dependencies: { readonly kind: 'dependencies'; readonly dependencies: Dependency[] };
  readonly metrics: { readonly kind: 'metrics'; readonly series: CallSeries[] };
  readonly digest: { readonly kind: 'digest' } & DigestedBlocks;
  readonly services: { readonly kind: 'services'; readonly services: CountedService[] };
  readonly warm: { readonly kind: 'warm' };
}

export type QueryKind = keyof QueryTasks;
export type QueryTask<K extends QueryKind = QueryKind> = QueryTasks[K];

/** A search without conditions. */
const NOTHING: Omit<TraceQuery, 'limit'> = {
  service: undefined,
  operation: undefined,
  tags: [],
  startMinNs: 0n,
  startMaxNs: 0n,
  durationMinNs: undefined,
  durationMaxNs: undefined,
};

const QUERIES: {
  readonly [K in QueryKind]: (source: BlockSource, task: QueryTasks[K], deadline: Deadline) => QueryAnswers[K];
} = {
  find: (source, { traceIds, bytesMax }, deadline) => ({
    kind: 'traces',
    traces: findTraces(source, traceIds, deadline, bytesMax),
  }),
  exists: (source, { traceIds }, deadline) => ({ kind: 'ids', traceIds: existingTraces(source, traceIds, deadline) }),
  search: (source, { query }, deadline) => ({ kind: 'hits', hits: searchTraces(source, query, deadline) }),
  newest: (source, { query, bytesMax }, deadline) => {
    if (source.hasLosses) return { kind: 'traces', traces: [], isWhole: false };
    const traceIds = searchTraces(source, query, deadline, query).map(({ traceId }) => traceId);
    return { kind: 'traces', traces: findTraces(source, traceIds, deadline, bytesMax), isWhole: true };
  },
  rows: (source, task, deadline) => ({ kind: 'rows', ...matchingRows(source, task, deadline) }),
  dependencies: (source, { startNs, endNs }, deadline) => ({
    kind: 'dependencies',
    dependencies: listDependencies(source, startNs, endNs, deadline),
  }),
  metrics: (source, { query }, deadline) => ({ kind: 'metrics', series: listCallSeries(source, query, deadline) }),
  digest: (source, { from }, deadline) => ({ kind: 'digest', ...digestSpans(source, from, deadline) }),
  services: (source, _task, deadline) => ({ kind: 'services', services: countServices(source, deadline) }),
  warm: (source, _task, deadline) => {
    warmUp();
    findTraces(source, [new Uint8Array(16)], deadline);
    searchTraces(source, { ...NOTHING, limit: 1 }, deadline);
    return { kind: 'warm' };
  },
};

export interface QueryJob {
  readonly task: QueryTask;
  readonly tenant: Tenant;
  readonly view: ViewFiles;
  readonly durationMaxMs: number;
  /** Stored bytes that the query may read; undefined: no limit. */
  readonly bytesMax?: number;
  /** One int, set to 1 when the client has gone. */
  readonly cancelled: Int32Array;
  /** Beats at each check of the deadline. */
  readonly pulse?: SharedPulse;
}

export type QueryResult<K extends QueryKind = QueryKind> = QueryAnswers[K] & {
  readonly warnings: readonly string[];
  /** As BlockSource.notes; absent: there are none. */
  readonly notes?: readonly string[];
  /** Blocks found damaged; the owner of the store quarantines them. */
  readonly damaged: readonly DamagedPlace[];
};

/**
 * Runs one job and counts its cost on `work`. Throws TIMEOUT, CANCELLED, LIMIT_EXCEEDED, FORMAT_TOO_NEW; damaged blocks are
 * skipped and named in the warnings.
 */
export function runQuery(cache: PartCache, job: QueryJob, work: QueryWork = newWork(job.view)): QueryResult {
  const { cancelled, bytesMax = Infinity } = job;
  const pulse = new Pulse(job.pulse);
  pulse.begin(ownThreadId());
  const deadline = new Deadline(job.durationMaxMs, { cancelled, pulse, budget: { bytesMax, work } });
  using source = new BlockSource(cache, job.view, job.tenant, work);
  const result = answer(source, job.task, deadline);
  const notes = source.notes();
  return {
    ...result,
    warnings: source.warnings(),
    ...(notes.length > 0 && { notes }),
    damaged: source.damaged(),
  };
}

function answer<K extends QueryKind>(
  source: BlockSource,
  task: QueryTasks[K] & { readonly kind: K },
  deadline: Deadline,
): QueryAnswers[K] {
  return QUERIES[task.kind](source, task, deadline);
}
