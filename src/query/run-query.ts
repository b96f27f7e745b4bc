// The queries that read blocks, as messages to and from a query worker. A pure dispatcher over a view's files, run by
// query-worker.ts on a thread of the pool and directly by tests.
import { Pulse, type SharedPulse } from '../base/pulse.ts';
import { ownThreadId } from '../disk/thread-state.ts';
import type { DamagedPlace } from '../quarantine/quarantine.ts';
import type { CallSeries, Dependency, FoundTrace, MetricsQuery } from '../trace/store.ts';
import type { Tenant } from '../trace/tenant.ts';
import type { TraceQuery } from '../trace/trace-query.ts';
import { BlockSource, type ViewFiles } from './block-source.ts';
import type { PartCache } from './part-cache.ts';
import { Deadline } from './deadline.ts';
import { listCallSeries, listDependencies } from './dependencies.ts';
import { findTraces } from './find-traces.ts';
import { newWork, type QueryWork } from './query-work.ts';
import { searchTraceIds } from './search-traces.ts';

/** The arguments of every query. QueryAnswers holds its answer, and QUERIES its implementation. */
interface QueryTasks {
  /** `bytesMax`: OTLP bytes of the traces in the answer. */
  readonly find: {
    readonly kind: 'find';
    readonly traceIds: readonly Uint8Array[];
    readonly bytesMax?: number | undefined;
  };
  readonly search: { readonly kind: 'search'; readonly query: TraceQuery };
  readonly dependencies: { readonly kind: 'dependencies'; readonly startNs: bigint; readonly endNs: bigint };
  readonly metrics: { readonly kind: 'metrics'; readonly query: MetricsQuery };
}

interface QueryAnswers {
  readonly find: { readonly kind: 'traces'; readonly traces: FoundTrace[] };
  readonly search: { readonly kind: 'ids'; readonly traceIds: Uint8Array[] };
  readonly dependencies: { readonly kind: 'dependencies'; readonly dependencies: Dependency[] };
  readonly metrics: { readonly kind: 'metrics'; readonly series: CallSeries[] };
}

export type QueryKind = keyof QueryTasks;
export type QueryTask<K extends QueryKind = QueryKind> = QueryTasks[K];

const QUERIES: {
  readonly [K in QueryKind]: (source: BlockSource, task: QueryTasks[K], deadline: Deadline) => QueryAnswers[K];
} = {
  find: (source, { traceIds, bytesMax }, deadline) => ({
    kind: 'traces',
    traces: findTraces(source, traceIds, deadline, bytesMax),
  }),
  search: (source, { query }, deadline) => ({ kind: 'ids', traceIds: searchTraceIds(source, query, deadline) }),
  dependencies: (source, { startNs, endNs }, deadline) => ({
    kind: 'dependencies',
    dependencies: listDependencies(source, startNs, endNs, deadline),
  }),
  metrics: (source, { query }, deadline) => ({ kind: 'metrics', series: listCallSeries(source, query, deadline) }),
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
  return { ...answer(source, job.task, deadline), warnings: source.warnings(), damaged: source.damaged() };
}

function answer<K extends QueryKind>(
  source: BlockSource,
  task: QueryTasks[K] & { readonly kind: K },
  deadline: Deadline,
): QueryAnswers[K] {
  return QUERIES[task.kind](source, task, deadline);
}
