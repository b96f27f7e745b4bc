// Runs merges on their own threads, so that the engine thread only waits for them. If a thread dies (out of heap, a bug), only
// its merge fails. An aborted merge's thread is terminated before run() rejects.
import { extname } from 'node:path';
import { getHeapStatistics } from 'node:v8';
import { StoreError } from '../base/errors.ts';
import type { MeteredThread, SharedMeter } from '../base/thread-meter.ts';
import { ThreadPool, type PulsingJob } from '../base/thread-pool.ts';
import { waitsForDisk } from '../disk/thread-state.ts';
import { isFlush, type MergeJob, type MergeResult } from '../part/merge-parts.ts';
import { cancelled, type MergeRunner, type RunOptions } from '../partition/merge-runner.ts';
import type { ReadLog, ReadLogJob } from '../partition/recover-log.ts';
import {
  resultOf,
  type MergeReply,
  type PulsingMergeJob,
  type PulsingReadLogJob,
  type ReadLogReply,
} from './merge-job.ts';

/** A thread idle for this long ends and frees its memory. */
const IDLE_MS = 30_000;
/**
 * A merge of fewer bytes runs on the thread of the flushes, which waits for it a second or two: 1.2 M usual spans. A second thread
 * would compile the same code again and keep a heap and a window of its own, for a second of work a minute.
 */
const SMALL_MERGE_BYTES: number = 32 << 20;
/** A merge may run this long without a disk call: between two calls it merges one window of rows, a second or two. */
const HUNG_MAX_SECONDS = 60;

export interface MergePoolOptions {
  /** The worker's module; default merge-worker. */
  readonly workerUrl?: URL;
  /** MergeJob.memoryBytes of every job; default: the job's own. */
  readonly memoryBytes?: number;
  /** Default: Node's own. */
  readonly heapMbMax?: number;
  /** All threads measure themselves here. */
  readonly meter?: SharedMeter;
}

/** Separate threads for flushes and small merges, for `mergeWorkers` large merges, and for a day that opens. */
export function createMergePool(mergeWorkers: number, options: MergePoolOptions = {}): MergeRunner {
  return new MergePool(mergeWorkers, options);
}

class MergePool implements MergeRunner {
  readonly #merges: ThreadPool<PulsingMergeJob, MergeReply>;
  readonly #flushes: ThreadPool<PulsingMergeJob, MergeReply>;
  readonly #openings: ThreadPool<PulsingReadLogJob, ReadLogReply>;
  /** Jobs that have not ended. */
  readonly #jobs = new Set<Promise<unknown>>();
  /** Settles when the last job that had to run alone has ended; later jobs wait for it. */
  #lastAlone: Promise<unknown> = Promise.resolve();
  readonly #memoryBytes: number | undefined;
  #isClosed = false;

  constructor(mergeWorkers: number, options: MergePoolOptions) {
    this.#memoryBytes = options.memoryBytes;
    // Started in advance: a flush must not depend on whether the system grants a new thread.
    this.#flushes = openThreads('runMergeJob', { min: 1, max: 1 }, options);
    this.#merges = openThreads('runMergeJob', { min: 0, max: mergeWorkers }, options);
    this.#openings = openThreads('runReadLogJob', { min: 0, max: 1 }, options);
  }

  async run(job: MergeJob, options: RunOptions = {}): Promise<MergeResult> {
    const { signal, isAlone = false } = options;
    const turn = isAlone ? Promise.all(this.#jobs) : this.#lastAlone;
    const ended = turn.then(() => this.#runNow(job, signal));
    const settled = ended.catch(() => undefined);
    if (isAlone) this.#lastAlone = settled;
    this.#jobs.add(settled);
    void settled.then(() => this.#jobs.delete(settled));
    return await Promise.race([ended, abortedWhile(turn, job, signal)]);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([this.#merges.close(), this.#flushes.close(), this.#openings.close()]);
  }

  async readLog(job: ReadLogJob): Promise<ReadLog> {
    if (this.#isClosed) throw closing(job.folder);
    try {
      return resultOf(await this.#openings.run(job));
    } catch (cause) {
      throw this.#errorOf(job.folder, cause);
    }
  }

  async #runNow(job: MergeJob, signal: AbortSignal | undefined): Promise<MergeResult> {
    if (this.#isClosed) throw closing(job.partPath);
    if (signal !== undefined && isAborted(signal)) throw cancelled(job);
    const threads = isFlush(job) || bytesOf(job) < SMALL_MERGE_BYTES ? this.#flushes : this.#merges;
    try {
      const { memoryBytes = this.#memoryBytes } = job;
      return resultOf(await threads.run({ ...job, memoryBytes }, { signal }));
    } catch (cause) {
      if (!this.#isClosed && signal !== undefined && isAborted(signal)) throw cancelled(job);
      throw this.#errorOf(job.partPath, cause);
    }
  }

  #errorOf(path: string, cause: unknown): StoreError {
    if (cause instanceof StoreError) return cause;
    // Closing the pool rejects its running jobs: this is no failure, the store is closing.
    if (this.#isClosed) return closing(path, cause);
    return new StoreError('WORKER_FAILED', `${path}: the thread that worked on it failed: ${String(cause)}`, { cause });
  }
}

function bytesOf({ inputs }: MergeJob): number {
  let sizeBytes = 0;
  for (const { blocks } of inputs) for (const block of blocks) sizeBytes += block.sizeBytes;
  return sizeBytes;
}

/** `name`: the task's function in the worker's module. */
function openThreads<Job extends PulsingJob, Reply>(
  name: string,
  threads: { readonly min: number; readonly max: number },
  options: MergePoolOptions,
): ThreadPool<Job, Reply> {
  return new ThreadPool({
    workerUrl: options.workerUrl ?? new URL(`./merge-worker${extname(import.meta.filename)}`, import.meta.url),
    name,
    threadsMin: threads.min,
    threadsMax: threads.max,
    idleMs: IDLE_MS,
    workerData: { meter: options.meter } satisfies MeteredThread,
    queueMax: Infinity,
    looksMax: HUNG_MAX_SECONDS,
    isWaiting: waitsForDisk,
    // Set even to Node's own value, because setting it also makes the young generation small. With a large one, the survivors of
    // one collection may exceed V8's limit for the thread, and then the whole process dies instead of the thread.
    heapBytesMax: options.heapMbMax === undefined ? getHeapStatistics().heap_size_limit : options.heapMbMax * 2 ** 20,
  });
}

/** Rejects if `signal` is aborted before `turn` settles; otherwise it never settles. */
function abortedWhile(turn: Promise<unknown>, job: MergeJob, signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_resolve, reject) => {
    const abort = (): void => reject(cancelled(job));
    signal?.addEventListener('abort', abort, { once: true });
    void turn.then(() => signal?.removeEventListener('abort', abort));
  });
}

function closing(path: string, cause?: unknown): StoreError {
  const text = `${path}: the store is closing; this is done again after the next start`;
  return new StoreError('UNAVAILABLE', text, { cause });
}

/** A function, so that TypeScript does not assume that an earlier check still holds. */
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}
