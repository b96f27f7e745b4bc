// The queries that read blocks, as messages: what a query worker is asked and answers. A pure dispatcher over a
// view's files, run by query-worker.ts on a thread of the pool and directly by tests.
import { Pulse, type SharedPulse } from '../base/pulse.ts';
import type { DamagedPlace } from '../part/quarantine.ts';
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

export type QueryTask =
  | { readonly kind: 'find'; readonly traceIds: readonly Uint8Array[] }
  | { readonly kind: 'search'; readonly query: TraceQuery }
  | { readonly kind: 'dependencies'; readonly startNs: bigint; readonly endNs: bigint }
  | { readonly kind: 'metrics'; readonly query: MetricsQuery };

export interface QueryJob {
  readonly task: QueryTask;
  readonly tenant: Tenant;
  readonly view: ViewFiles;
  readonly durationMaxMs: number;
  /** Stored bytes the query may look at; undefined: any number. */
  readonly bytesMax?: number;
  /** One int, set to 1 when the client has gone. */
  readonly cancelled: Int32Array;
  /** Beats at each look at the deadline. */
  readonly pulse?: SharedPulse;
}

export type QueryAnswer =
  | { readonly kind: 'traces'; readonly traces: FoundTrace[] }
  | { readonly kind: 'ids'; readonly traceIds: Uint8Array[] }
  | { readonly kind: 'dependencies'; readonly dependencies: Dependency[] }
  | { readonly kind: 'metrics'; readonly series: CallSeries[] };

export type QueryResult = QueryAnswer & {
  readonly warnings: readonly string[];
  /** Blocks that were met damaged, for whoever owns the store to put aside. */
  readonly damaged: readonly DamagedPlace[];
};

/**
 * Runs one job and counts what it costs on `work`. Throws TIMEOUT, CANCELLED, LIMIT_EXCEEDED, FORMAT_TOO_NEW; damaged
 * blocks are skipped and named in the warnings.
 */
export function runQuery(cache: PartCache, job: QueryJob, work: QueryWork = newWork(job.view)): QueryResult {
  const { cancelled, bytesMax = Infinity } = job;
  const pulse = new Pulse(job.pulse);
  pulse.beat();
  const deadline = new Deadline(job.durationMaxMs, { cancelled, pulse, budget: { bytesMax, work } });
  using source = new BlockSource(cache, job.view, job.tenant, work);
  return { ...answer(source, job.task, deadline), warnings: source.warnings(), damaged: source.damaged() };
}

function answer(source: BlockSource, task: QueryTask, deadline: Deadline): QueryAnswer {
  switch (task.kind) {
    case 'find':
      return { kind: 'traces', traces: findTraces(source, task.traceIds, deadline) };
    case 'search':
      return { kind: 'ids', traceIds: searchTraceIds(source, task.query, deadline) };
    case 'dependencies':
      return { kind: 'dependencies', dependencies: listDependencies(source, task.startNs, task.endNs, deadline) };
    case 'metrics':
      return { kind: 'metrics', series: listCallSeries(source, task.query, deadline) };
    default:
      return task satisfies never;
  }
}
