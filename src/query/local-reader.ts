// The TraceReader of a node with its own store: names come from the index on the engine thread, spans from a view's files on
// the query workers. Every query has a bounded wait and a time limit, and stops when its client leaves.
import { extname } from 'node:path';
import { BugError } from '../base/assert.ts';
import { isStoreError, StoreError, type StoreErrorCode } from '../base/errors.ts';
import { limits } from '../base/limits.ts';
import { ThreadPool, type PulsingJob } from '../base/thread-pool.ts';
import type { Logger } from '../base/logger.ts';
import type { DamagedPlace } from '../quarantine/quarantine.ts';
import { waitsForDisk } from '../disk/thread-state.ts';
import type { ViewFilter } from '../partition/view.ts';
import type {
  FoundLinks,
  FoundSeries,
  FoundTraces,
  Listed,
  MetricsQuery,
  Operation,
  TraceReader,
} from '../trace/store.ts';
import type { SearchExplainer, SearchExplanation } from '../trace/search-explanation.ts';
import type { Tenant } from '../trace/tenant.ts';
import type { TraceQuery } from '../trace/trace-query.ts';
import type { ViewFiles } from './block-source.ts';
import { wholeDays } from './call-totals.ts';
import type { QueryReply, QueryThread } from './query-worker.ts';
import type { QueryJob, QueryKind, QueryResult, QueryTask } from './run-query.ts';
import { queryShape } from './query-shape.ts';
import type { QueryWork } from './query-work.ts';
import { Turns } from './turns.ts';

/** What the reader needs of the store; ThreadedStore and Storage implement it. */
export interface ViewSource {
  listServices(tenant: Tenant): Promise<Listed<string>>;
  listOperations(tenant: Tenant, service: string): Promise<Listed<Operation>>;
  takeView(tenant: Tenant, filter: ViewFilter): Promise<ViewFiles & { readonly id: number }>;
  releaseView(id: number): void;
  /** Reports damage found in a view that is still held. */
  reportDamage(places: readonly DamagedPlace[]): Promise<void>;
}

/** Finds archived traces; ArchiveFolder implements it. */
export interface ArchivedFiles {
  find(tenant: Tenant, traceId: Uint8Array): string | undefined;
}

export interface LocalReaderOptions {
  readonly source: ViewSource;
  readonly logger: Logger;
  /** Also read by queries for traces by id. */
  readonly archive?: ArchivedFiles | undefined;
  /** Query threads. */
  readonly workers: number;
  /** Queries that hold a view, running or about to run; further ones wait. */
  readonly concurrentMax: number;
  /** Wall-clock limit of one query, and separately of its wait before it, ms. */
  readonly durationMaxMs: number;
  /** Stored bytes one query may read; undefined: no limit. */
  readonly bytesMax?: number;
  /** Memory that a query thread keeps for blocks, and again for filters; default: the useful maximum. */
  readonly cacheBytes?: number;
  /** OTLP bytes of the traces of one answer; default limits.answerBytesMax. */
  readonly answerBytesMax?: number;
  /** Slower queries are logged, by their shape; undefined or 0: none. */
  readonly slowMs?: number;
  /** A query thread that takes longer than this between two blocks is terminated; default HUNG_MAX_SECONDS. */
  readonly hungMaxSeconds?: number;
  /** Called for every query that ran, successful or not. */
  readonly observe?: (query: RunQuery) => void;
}

/** Twice the longest time that a pattern may take on one value (limits.patternWorkMax), which cannot be interrupted. */
const HUNG_MAX_SECONDS = 30;

/** One query as metrics see it. */
export interface RunQuery {
  readonly kind: QueryKind;
  /** From the request for a turn to the answer. */
  readonly seconds: number;
  /** Stored bytes that it read. */
  readonly bytes: number;
  readonly outcome: 'ok' | StoreErrorCode;
}

/** A query's answer, its cost, its waiting time and its running time. */
interface Answer<K extends QueryKind> extends Times {
  readonly result: QueryResult<K>;
  readonly work: QueryWork;
}

interface Times {
  readonly waitedMs: number;
  readonly tookMs: number;
}

/** Warnings remembered as already logged; when there are more, all are logged once again. */
const LOGGED_MAX = 1_000;

export class LocalReader implements TraceReader, SearchExplainer {
  readonly #options: LocalReaderOptions;
  readonly #threads: ThreadPool<QueryJob & PulsingJob, QueryReply>;
  readonly #turns: Turns;
  readonly #logged = new Set<string>();

  constructor(options: LocalReaderOptions) {
    this.#options = options;
    const { concurrentMax: runningMax, durationMaxMs: waitMaxMs } = options;
    this.#turns = new Turns({ runningMax, waitingMax: limits.queriesWaitingMax, waitMaxMs });
    this.#threads = new ThreadPool({
      workerUrl: new URL(`./query-worker${extname(import.meta.filename)}`, import.meta.url),
      name: 'run',
      threadsMin: options.workers,
      threadsMax: options.workers,
      workerData: { cacheBytes: options.cacheBytes } satisfies QueryThread,
      // Turns already bound the queries that come here.
      queueMax: runningMax,
      looksMax: options.hungMaxSeconds ?? HUNG_MAX_SECONDS,
      isWaiting: waitsForDisk,
    });
  }

  async listServices(tenant: Tenant, signal?: AbortSignal): Promise<Listed<string>> {
    assertWanted(signal);
    return this.#options.source.listServices(tenant);
  }

  async listOperations(
    tenant: Tenant,
    service: string,
    kind?: number,
    signal?: AbortSignal,
  ): Promise<Listed<Operation>> {
    assertWanted(signal);
    const { items, warnings } = await this.#options.source.listOperations(tenant, service);
    return { items: kind === undefined ? items : items.filter((operation) => operation.kind === kind), warnings };
  }

  async findTraces(tenant: Tenant, traceIds: readonly Uint8Array[], signal?: AbortSignal): Promise<FoundTraces> {
    if (traceIds.length === 0) return { traces: [], warnings: [] };
    const { answerBytesMax: bytesMax } = this.#options;
    const { result } = await this.#run<'find'>(tenant, { traceIds }, { kind: 'find', traceIds, bytesMax }, signal);
    return { traces: result.traces, warnings: result.warnings };
  }

  async searchTraces(tenant: Tenant, query: TraceQuery, signal?: AbortSignal): Promise<FoundTraces> {
    const { result } = await this.#search(tenant, query, signal);
    // A second view, of every day: the answer contains whole traces, wherever their spans are.
    const { traces, warnings } = await this.#findPage(tenant, result.traceIds, query, signal);
    return { traces, warnings: [...new Set([...result.warnings, ...warnings])] };
  }

  /** If the answer would be too large, traces beyond its limit (TraceQuery.lastUnit) are left out. */
  async #findPage(
    tenant: Tenant,
    traceIds: readonly Uint8Array[],
    { limit }: TraceQuery,
    signal: AbortSignal | undefined,
  ): Promise<FoundTraces> {
    try {
      return await this.findTraces(tenant, traceIds, signal);
    } catch (error) {
      if (traceIds.length <= limit || !isStoreError(error, 'LIMIT_EXCEEDED')) throw error;
      const { traces, warnings } = await this.findTraces(tenant, traceIds.slice(0, limit), signal);
      const left = `${traceIds.length - limit} traces more begin in the last ms or us of the time range and are too large to be given with these`;
      return { traces, warnings: [...warnings, left] };
    }
  }

  async explainSearch(tenant: Tenant, query: TraceQuery, signal?: AbortSignal): Promise<SearchExplanation> {
    const { result, work, waitedMs, tookMs } = await this.#search(tenant, query, signal);
    const { traceIds, warnings } = result;
    return { ...work, traces: traceIds.length, waitedMs, tookMs, warnings };
  }

  #search(tenant: Tenant, query: TraceQuery, signal: AbortSignal | undefined): Promise<Answer<'search'>> {
    const filter = { startMinNs: query.startMinNs, startMaxNs: query.startMaxNs };
    return this.#run<'search'>(tenant, filter, { kind: 'search', query }, signal);
  }

  async listDependencies(tenant: Tenant, startNs: bigint, endNs: bigint, signal?: AbortSignal): Promise<FoundLinks> {
    const filter = wholeDays(startNs, endNs);
    const { result } = await this.#run<'dependencies'>(
      tenant,
      filter,
      { kind: 'dependencies', startNs, endNs },
      signal,
    );
    return { links: result.dependencies, warnings: result.warnings };
  }

  async listCallSeries(tenant: Tenant, query: MetricsQuery, signal?: AbortSignal): Promise<FoundSeries> {
    const filter = wholeDays(query.startNs, query.endNs);
    const { result } = await this.#run<'metrics'>(tenant, filter, { kind: 'metrics', query }, signal);
    return { series: result.series, warnings: result.warnings };
  }

  /** Waits for a turn before it takes a view, so that a waiting query pins no files. */
  async #run<K extends QueryKind>(
    tenant: Tenant,
    filter: ViewFilter,
    task: QueryTask<K>,
    signal: AbortSignal | undefined,
  ): Promise<Answer<K>> {
    const { source, durationMaxMs, bytesMax = Infinity } = this.#options;
    const askedMs = performance.now();
    await this.#turns.take(signal);
    const startMs = performance.now();
    try {
      const taken = await source.takeView(tenant, filter);
      try {
        const view = { ...taken, archived: this.#archived(tenant, filter) };
        const reply = await this.#ask({ task, tenant, view, durationMaxMs, bytesMax }, signal);
        const times = { waitedMs: startMs - askedMs, tookMs: performance.now() - startMs };
        this.#tell(task, reply, times);
        const answer = this.#take<K>(reply);
        this.#report(answer.result.damaged);
        return { ...answer, ...times };
      } finally {
        source.releaseView(taken.id);
      }
    } finally {
      this.#turns.release();
    }
  }

  #archived(tenant: Tenant, { traceIds = [] }: ViewFilter): { traceId: Uint8Array; path: string }[] {
    return traceIds.flatMap((traceId) => {
      const path = this.#options.archive?.find(tenant, traceId);
      return path === undefined ? [] : [{ traceId, path }];
    });
  }

  /** The answer does not wait for the report. The report is sent before the view is released, so the files still exist. */
  #report(damaged: readonly DamagedPlace[]): void {
    if (damaged.length === 0) return;
    this.#options.source
      .reportDamage(damaged)
      .catch((error: unknown) => this.#options.logger.error('damage could not be put aside', { error }));
  }

  async #ask(job: Omit<QueryJob, 'cancelled' | 'pulse'>, signal: AbortSignal | undefined): Promise<QueryReply> {
    const cancelled = new Int32Array(new SharedArrayBuffer(4));
    const cancel = (): void => void Atomics.store(cancelled, 0, 1);
    if (signal?.aborted === true) cancel();
    signal?.addEventListener('abort', cancel, { once: true });
    try {
      return await this.#threads.run({ ...job, cancelled });
    } finally {
      signal?.removeEventListener('abort', cancel);
    }
  }

  /** Updates metrics and logs slow queries. */
  #tell(task: QueryTask, reply: QueryReply, { waitedMs, tookMs }: Times): void {
    const { observe, slowMs = 0, logger } = this.#options;
    const { bytes, fates } = reply.work;
    const outcome = reply.kind === 'done' ? 'ok' : reply.code;
    observe?.({ kind: task.kind, seconds: (waitedMs + tookMs) / 1000, bytes, outcome });
    if (slowMs === 0 || tookMs < slowMs) return;
    const blocks = Object.entries(fates).flatMap(([fate, count]) => (count > 0 ? [`${fate}:${count}`] : []));
    const times = { tookMs: Math.round(tookMs), waitedMs: Math.round(waitedMs) };
    logger.warn('a slow query', { ...queryShape(task), ...times, outcome, bytes, blocks });
  }

  /** Warnings not logged yet: a loss is in every answer until an operator accepts it. */
  #news(warnings: readonly string[]): string[] {
    const news = warnings.filter((warning) => !this.#logged.has(warning));
    if (this.#logged.size > LOGGED_MAX) this.#logged.clear();
    for (const warning of news) this.#logged.add(warning);
    return news;
  }

  /** Casts the reply: threads do not carry types, but the table of queries says how a task of kind K is answered. */
  #take<K extends QueryKind>(reply: QueryReply): Pick<Answer<K>, 'result' | 'work'> {
    if (reply.kind === 'failed') {
      if (reply.code === 'BUG') throw new BugError(`in a query worker: ${reply.message}`);
      throw new StoreError(reply.code, reply.message);
    }
    for (const warning of this.#news(reply.result.warnings))
      this.#options.logger.warn('a query skipped damaged data', { warning });
    return { result: reply.result as unknown as QueryResult<K>, work: reply.work };
  }

  async close(): Promise<void> {
    await this.#threads.close();
  }
}

function assertWanted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw new StoreError('CANCELLED', 'the client left before its names were looked up');
}
