// The TraceReader of a node with its own store: names come from the index on the engine thread, spans from a view's files on
// the query workers. Every query has a bounded wait and a time limit, and stops when its client leaves.
import { extname } from 'node:path';
import { BugError } from '../base/assert.ts';
import { isStoreError, StoreError, type StoreErrorCode } from '../base/errors.ts';
import { limits } from '../base/limits.ts';
import type { SharedMeter } from '../base/thread-meter.ts';
import { ThreadPool, type PulsingJob } from '../base/thread-pool.ts';
import type { Logger } from '../base/logger.ts';
import type { DamagedPlace } from '../quarantine/quarantine.ts';
import { waitsForDisk } from '../disk/thread-state.ts';
import type { ViewFilter } from '../partition/view.ts';
import { leftMs, type CallContext } from '../trace/call-context.ts';
import type {
  FoundHits,
  FoundIds,
  FoundLinks,
  FoundSeries,
  FoundTrace,
  FoundTraces,
  Listed,
  MetricsQuery,
  Operation,
  SpanRows,
  SpanSelection,
  SpanSelector,
  TraceReader,
} from '../trace/store.ts';
import type { CountedServices } from '../trace/inventory.ts';
import type { SearchExplainer, SearchExplanation } from '../trace/search-explanation.ts';
import { DAY_NS } from '../trace/day-clock.ts';
import type { DigestPage, SpanDigester } from '../trace/span-digests.ts';
import { DEFAULT_TENANT, type Tenant } from '../trace/tenant.ts';
import type { TraceQuery } from '../trace/trace-query.ts';
import type { ViewFiles } from './block-source.ts';
import { findPage } from './find-page.ts';
import { wholeDays } from './call-totals.ts';
import { piecesOf } from './digest-spans.ts';
import type { QueryReply, QueryThread } from './query-worker.ts';
import type { QueryJob, QueryKind, QueryResult, QueryTask } from './run-query.ts';
import { queryShape } from './query-shape.ts';
import type { QueryWork } from './query-work.ts';
import { Turns, type TurnCounts } from './turns.ts';

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
  /** They measure themselves here. */
  readonly meter?: SharedMeter;
  /** Queries that hold a view, running or about to run; further ones wait. */
  readonly concurrentMax: number;
  /** Of them those of one tenant; default: all. */
  readonly runningMaxOf?: (tenant: Tenant) => number;
  /** How long a query waits for its turn, ms; default durationMaxMs. */
  readonly waitMaxMs?: number;
  /** Wall-clock limit of one query, without its wait, ms. */
  readonly durationMaxMs: number;
  /** Stored bytes one query may read; undefined: no limit. */
  readonly bytesMax?: number;
  /** As bytesMax, for queries of one tenant; the lower of the two counts. */
  readonly bytesMaxOf?: (tenant: Tenant) => number;
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
  readonly tenant: Tenant;
  readonly kind: Exclude<QueryKind, 'exists' | 'newest' | 'rows'>;
  /** From the request for a turn to the answer. */
  readonly seconds: number;
  /** Stored bytes that it read. */
  readonly bytes: number;
  readonly outcome: 'ok' | StoreErrorCode;
  /** Longer than slowMs. */
  readonly isSlow: boolean;
  /** Milliseconds by what it did. */
  readonly phases: Readonly<Record<'wait' | 'plan' | 'read blocks' | 'answer', number>>;
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

/** The kinds that metrics have: of two that do the same for a user, the one. */
const SHOWN_KINDS: Readonly<Record<QueryKind, RunQuery['kind']>> = {
  find: 'find',
  exists: 'find',
  search: 'search',
  newest: 'search',
  rows: 'search',
  dependencies: 'dependencies',
  metrics: 'metrics',
  digest: 'digest',
  services: 'services',
  warm: 'services',
};

/** Warnings remembered as already logged; when there are more, all are logged once again. */
const LOGGED_MAX = 1_000;

export class LocalReader implements TraceReader, SearchExplainer, SpanDigester, SpanSelector {
  #options: LocalReaderOptions;
  readonly #threads: ThreadPool<QueryJob & PulsingJob, QueryReply>;
  readonly #turns: Turns;
  readonly #logged = new Set<string>();

  constructor(options: LocalReaderOptions) {
    this.#options = options;
    const { concurrentMax: runningMax, waitMaxMs = options.durationMaxMs, runningMaxOf } = options;
    const waitingMax = limits.queriesWaitingMax;
    this.#turns = new Turns({ runningMax, waitingMax, waitMaxMs, ...(runningMaxOf && { runningMaxOf }) });
    this.#threads = new ThreadPool({
      workerUrl: new URL(`./query-worker${extname(import.meta.filename)}`, import.meta.url),
      name: 'run',
      threadsMin: options.workers,
      threadsMax: options.workers,
      workerData: { cacheBytes: options.cacheBytes, meter: options.meter } satisfies QueryThread,
      // Turns already bound the queries that come here.
      queueMax: runningMax,
      looksMax: options.hungMaxSeconds ?? HUNG_MAX_SECONDS,
      isWaiting: waitsForDisk,
    });
  }

  /** Queries that begin from now on have these bounds. */
  rebound(bounds: Pick<LocalReaderOptions, 'durationMaxMs' | 'bytesMax' | 'slowMs'>): void {
    this.#options = { ...this.#options, ...bounds };
  }

  async listServices(call: CallContext): Promise<Listed<string>> {
    assertWanted(call);
    return this.#options.source.listServices(call.tenant);
  }

  async listOperations(call: CallContext, service: string, kind?: number): Promise<Listed<Operation>> {
    assertWanted(call);
    const { items, warnings } = await this.#options.source.listOperations(call.tenant, service);
    return { items: kind === undefined ? items : items.filter((operation) => operation.kind === kind), warnings };
  }

  async findTraces(call: CallContext, traceIds: readonly Uint8Array[]): Promise<FoundTraces> {
    if (traceIds.length === 0) return { traces: [], warnings: [] };
    const { answerBytesMax: bytesMax } = this.#options;
    const { result } = await this.#run<'find'>(call, { traceIds }, { kind: 'find', traceIds, bytesMax });
    return { traces: result.traces, warnings: result.warnings };
  }

  async hasTraces(call: CallContext, traceIds: readonly Uint8Array[]): Promise<FoundIds> {
    if (traceIds.length === 0) return { traceIds: [], warnings: [] };
    const { result } = await this.#run<'exists'>(call, { traceIds }, { kind: 'exists', traceIds });
    return { traceIds: result.traceIds, warnings: result.warnings };
  }

  async searchTraces(call: CallContext, query: TraceQuery): Promise<FoundHits> {
    const { result } = await this.#search(call, query);
    return { hits: result.hits, warnings: result.warnings };
  }

  /** Searches and reads in one view of every day, because the answer has whole traces, wherever their spans are. */
  async findNewest(call: CallContext, query: TraceQuery): Promise<FoundTraces> {
    const { answerBytesMax: bytesMax } = this.#options;
    try {
      const { result } = await this.#run<'newest'>(call, {}, { kind: 'newest', query, bytesMax });
      if (result.isWhole && !this.#isAnyArchived(call.tenant, result.traces))
        return { traces: result.traces, warnings: result.warnings };
    } catch (error) {
      if (query.lastUnit === undefined || !isStoreError(error, 'LIMIT_EXCEEDED')) throw error;
    }
    // In two views; the second includes archived files, which are known by trace id only.
    return await findPage(this, call, query);
  }

  #isAnyArchived(tenant: Tenant, traces: readonly FoundTrace[]): boolean {
    const { archive } = this.#options;
    return archive !== undefined && traces.some(({ traceId }) => archive.find(tenant, traceId) !== undefined);
  }

  async explainSearch(call: CallContext, query: TraceQuery): Promise<SearchExplanation> {
    const { result, work, waitedMs, tookMs } = await this.#search(call, query);
    const { hits, warnings } = result;
    const { times: _times, ...cost } = work;
    return { ...cost, traces: hits.length, waitedMs, tookMs, warnings };
  }

  #search(call: CallContext, query: TraceQuery): Promise<Answer<'search'>> {
    const filter = { startMinNs: query.startMinNs, startMaxNs: query.startMaxNs };
    return this.#run<'search'>(call, filter, { kind: 'search', query });
  }

  async listDependencies(call: CallContext, startNs: bigint, endNs: bigint): Promise<FoundLinks> {
    const filter = wholeDays(startNs, endNs);
    const { result } = await this.#run<'dependencies'>(call, filter, { kind: 'dependencies', startNs, endNs });
    return { links: result.dependencies, warnings: [...result.warnings, ...(result.notes ?? [])] };
  }

  async listCallSeries(call: CallContext, query: MetricsQuery): Promise<FoundSeries> {
    const filter = wholeDays(query.startNs, query.endNs);
    const { result } = await this.#run<'metrics'>(call, filter, { kind: 'metrics', query });
    return { series: result.series, warnings: [...result.warnings, ...(result.notes ?? [])] };
  }

  /** Each page waits for its turn, so that other queries get theirs; the view pins the files until the last one. */
  async *digestSpans({ tenant, signal }: CallContext, day: number): AsyncGenerator<DigestPage, void, undefined> {
    const { source, durationMaxMs } = this.#options;
    const midnightNs = BigInt(day) * BigInt(DAY_NS);
    const taken = await source.takeView(tenant, wholeDays(midnightNs, midnightNs));
    try {
      for (const view of piecesOf(taken)) {
        let from: number | undefined = 0;
        while (from !== undefined) {
          await this.#turns.take(tenant, signal);
          const task: QueryTask<'digest'> = { kind: 'digest', from };
          const reply: QueryReply = await this.#ask({ task, tenant, view, durationMaxMs }, signal).finally(() =>
            this.#turns.release(tenant),
          );
          const page = this.#take<'digest'>(reply).result;
          this.#report(page.damaged);
          yield page;
          from = page.next;
        }
      }
    } finally {
      source.releaseView(taken.id);
    }
  }

  /** Compiles on every query thread what queries run. One pass; later ones let the engine optimise it. */
  async warmUp(): Promise<void> {
    const { workers, durationMaxMs } = this.#options;
    const job = { task: { kind: 'warm' }, tenant: DEFAULT_TENANT, view: { partitions: [] }, durationMaxMs } as const;
    const replies = await Promise.all(Array.from({ length: workers }, () => this.#ask(job, undefined)));
    for (const reply of replies) this.#take<'warm'>(reply);
  }

  /** As StoreInventory says. */
  async countServices(call: CallContext): Promise<CountedServices> {
    const { result } = await this.#run<'services'>(call, {}, { kind: 'services' });
    return { services: result.services, warnings: result.warnings };
  }

  /** Waits for a turn before it takes a view, so that a waiting query pins no files. */
  async #run<K extends QueryKind>(call: CallContext, filter: ViewFilter, task: QueryTask<K>): Promise<Answer<K>> {
    const { source, bytesMax = Infinity, bytesMaxOf } = this.#options;
    const { tenant } = call;
    return await this.#inTurn(call, async (waitedMs) => {
      const taken = await source.takeView(tenant, filter);
      try {
        return await this.#answer<K>(call, {
          task,
          view: { ...taken, archived: this.#archived(tenant, filter) },
          waitedMs,
          bytesMax: Math.min(bytesMax, bytesMaxOf?.(tenant) ?? Infinity),
        });
      } finally {
        source.releaseView(taken.id);
      }
    });
  }

  async #inTurn<T>({ tenant, signal }: CallContext, work: (waitedMs: number) => Promise<T>): Promise<T> {
    const askedMs = performance.now();
    await this.#turns.take(tenant, signal);
    try {
      return await work(performance.now() - askedMs);
    } finally {
      this.#turns.release(tenant);
    }
  }

  async #answer<K extends QueryKind>(
    call: CallContext,
    asked: {
      readonly task: QueryTask<K>;
      readonly view: ViewFiles;
      readonly waitedMs: number;
      readonly bytesMax: number;
    },
  ): Promise<Answer<K>> {
    const { task, view, waitedMs, bytesMax } = asked;
    const startMs = performance.now();
    const durationMaxMs = Math.min(this.#options.durationMaxMs, leftMs(call));
    const reply = await this.#ask({ task, tenant: call.tenant, view, durationMaxMs, bytesMax }, call.signal);
    const times = { waitedMs, tookMs: performance.now() - startMs };
    this.#tell(call.tenant, task, reply, times);
    const answer = this.#take<K>(reply);
    this.#report(answer.result.damaged);
    return { ...answer, ...times };
  }

  /** As SpanSelector.selectRows. In steps, each with a turn of its own, so that queries are answered in between. */
  async selectRows(call: CallContext, day: number, selection: SpanSelection): Promise<SpanRows[]> {
    const { source } = this.#options;
    const startMinNs = BigInt(day) * BigInt(DAY_NS);
    const taken = await source.takeView(call.tenant, { startMinNs, startMaxNs: startMinNs + BigInt(DAY_NS) - 1n });
    try {
      const found: SpanRows[] = [];
      for (let from: number | undefined = 0; from !== undefined;) {
        const task: QueryTask<'rows'> = { kind: 'rows', selection, from };
        const { result } = await this.#inTurn(call, (waitedMs) =>
          this.#answer<'rows'>(call, { task, view: taken, waitedMs, bytesMax: Infinity }),
        );
        const [warning] = result.warnings;
        if (warning !== undefined) throw new StoreError('CORRUPTION', `${warning}; it may hold what is to be deleted`);
        found.push(...result.rows);
        from = result.next;
      }
      return found;
    } finally {
      source.releaseView(taken.id);
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
  #tell(tenant: Tenant, task: QueryTask, reply: QueryReply, { waitedMs, tookMs }: Times): void {
    const { observe, slowMs = 0, logger } = this.#options;
    const { bytes, fates, times } = reply.work;
    const { ranMs, readMs, answerMs } = times;
    const phases = { wait: waitedMs, plan: ranMs - readMs - answerMs, 'read blocks': readMs, answer: answerMs };
    const outcome = reply.kind === 'done' ? 'ok' : reply.code;
    const isSlow = slowMs > 0 && tookMs >= slowMs;
    const seconds = (waitedMs + tookMs) / 1000;
    observe?.({ tenant, kind: SHOWN_KINDS[task.kind], seconds, bytes, outcome, isSlow, phases });
    if (!isSlow) return;
    const blocks = Object.entries(fates).flatMap(([fate, count]) => (count > 0 ? [`${fate}:${count}`] : []));
    const took = { tookMs: Math.round(tookMs), waitedMs: Math.round(waitedMs) };
    logger.warn('a slow query', { tenant, ...queryShape(task), ...took, outcome, bytes, blocks });
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

  /** How many queries run and wait. */
  get turns(): TurnCounts {
    return this.#turns.counts;
  }

  async close(): Promise<void> {
    await this.#threads.close();
  }
}

function assertWanted({ signal }: CallContext): void {
  if (signal?.aborted === true) throw new StoreError('CANCELLED', 'the client left before its names were looked up');
}
