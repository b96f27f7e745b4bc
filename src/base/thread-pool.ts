// Threads of one kind, on piscina. If a thread dies, cannot start for lack of descriptors, or hangs, only its one job
// fails, and the pool replaces the thread. Errors inside a job are part of its reply.
import { once } from 'node:events';
import type { ResourceLimits, Worker } from 'node:worker_threads';
import { Piscina } from 'piscina';
import { StoreError } from './errors.ts';
import { LOOK_MS, Pulse, PulseWatch, type SharedPulse } from './pulse.ts';

export interface ThreadPoolOptions {
  /** The module that the threads run, and its function. */
  readonly workerUrl: URL;
  readonly name: string;
  readonly threadsMax: number;
  /** Threads that start before they are needed. */
  readonly threadsMin: number;
  /**
   * After this long without work, threads above threadsMin end and the others are replaced, to free the memory of a
   * spike.
   */
  readonly idleMs?: number;
  /** JavaScript heap of a thread: a job that needs more fails with ERR_WORKER_OUT_OF_MEMORY. Default: Node's own. */
  readonly heapBytesMax?: number | undefined;
  /** Passed to every thread at its start. */
  readonly workerData?: unknown;
  /** Limit of the jobs waiting for a thread. */
  readonly queueMax: number;
  /** A job without a beat over this many looks (seconds) hangs: its thread is ended. */
  readonly looksMax: number;
  /** Whether the thread with this id waits for a device: looksMax is then × WAITING_PATIENCE. Default: never. */
  readonly isWaiting?: (threadId: number) => boolean;
}

/** A disk may stall for minutes: ending a thread meanwhile would only make its work start again. */
const WAITING_PATIENCE = 10;

/** A large young generation would cost memory and gain nothing: a job's objects live as long as the job. */
const YOUNG_HEAP_MB = 16;

function heapLimits(heapBytesMax: number): ResourceLimits {
  return { maxOldGenerationSizeMb: Math.ceil(heapBytesMax / 2 ** 20), maxYoungGenerationSizeMb: YOUNG_HEAP_MB };
}

/** Added to every job: the worker beats when the job begins and while it runs. */
export interface PulsingJob {
  readonly pulse: SharedPulse;
}

export interface RunJobOptions {
  readonly transferList?: ArrayBuffer[];
  /** On abort the job's thread is ended; run() rejects after it has ended. */
  readonly signal?: AbortSignal | undefined;
}

interface Run {
  /** Why its thread, or the one it waited for, could not start. */
  startFault: string | undefined;
}

export class ThreadPool<Job extends PulsingJob, Reply> {
  readonly #options: ThreadPoolOptions;
  #pool: Piscina<Job, Reply>;
  /** Running jobs. */
  readonly #runs = new Set<Run>();
  #renewing: NodeJS.Timeout | undefined;

  constructor(options: ThreadPoolOptions) {
    this.#options = options;
    this.#pool = this.#open();
  }

  /**
   * The worker's reply to `job`. Throws UNAVAILABLE when no thread could start for it; an Error when its thread died,
   * hung or was ended by `signal`, or when the worker threw one.
   */
  async run(job: Omit<Job, 'pulse'>, { transferList = [], signal }: RunJobOptions = {}): Promise<Reply> {
    const pulse = new Pulse();
    const hung = new AbortController();
    const { looksMax, name, isWaiting } = this.#options;
    const patience = { looksMax, waitingLooksMax: WAITING_PATIENCE * looksMax };
    const watch = new PulseWatch(pulse.shared, patience, isWaiting);
    const looking = setInterval(() => watch.look() && hung.abort(), LOOK_MS);
    clearTimeout(this.#renewing);
    const run: Run = { startFault: undefined };
    this.#runs.add(run);
    try {
      const whole = { ...job, pulse: pulse.shared } as unknown as Job;
      return await this.#runOn(this.#pool, whole, { transferList, hung: hung.signal, signal });
    } catch (cause) {
      if (hung.signal.aborted) throw new Error(`${name}: the thread hung for ${looksMax} s and was ended`, { cause });
      const fault = run.startFault ?? initFault(cause);
      if (fault === undefined) throw cause;
      throw new StoreError('UNAVAILABLE', `${name}: no thread could be started (${fault}); try again`, { cause });
    } finally {
      clearInterval(looking);
      this.#runs.delete(run);
      if (this.#runs.size === 0) this.#renewLater();
    }
  }

  async close(): Promise<void> {
    clearTimeout(this.#renewing);
    await this.#pool.destroy();
  }

  async #runOn(
    pool: Piscina<Job, Reply>,
    job: Job,
    { transferList, hung, signal }: { transferList: ArrayBuffer[]; hung: AbortSignal; signal: AbortSignal | undefined },
  ): Promise<Reply> {
    let atAbort: Worker[] = [];
    const note = (): void => void (atAbort = [...pool.threads]);
    // Runs before piscina's own listener, which removes the ended thread from the list. No one awaits a hung thread.
    signal?.addEventListener('abort', note);
    try {
      return await pool.run(job, {
        transferList,
        signal: signal === undefined ? hung : AbortSignal.any([signal, hung]),
      });
    } catch (cause) {
      const ended = atAbort.filter((thread) => !pool.threads.includes(thread));
      await Promise.all(ended.map((thread) => once(thread, 'exit')));
      throw cause;
    } finally {
      signal?.removeEventListener('abort', note);
    }
  }

  #open(): Piscina<Job, Reply> {
    const { workerUrl, name, threadsMin, threadsMax, idleMs, queueMax, heapBytesMax, workerData } = this.#options;
    const pool = new Piscina<Job, Reply>({
      filename: workerUrl.href,
      name,
      minThreads: threadsMin,
      maxThreads: threadsMax,
      maxQueue: queueMax,
      ...(idleMs === undefined ? {} : { idleTimeout: idleMs }),
      ...(heapBytesMax === undefined ? {} : { resourceLimits: heapLimits(heapBytesMax) }),
      workerData,
      // A worker waiting in Atomics would not run the callbacks of its file calls.
      atomics: 'disabled',
    });
    // A thread failed before it had a job: piscina would leave the jobs waiting for it waiting for ever.
    pool.on('error', (error: Error) => {
      for (const run of this.#runs) run.startFault = error.message;
      void pool.destroy();
    });
    return pool;
  }

  #renewLater(): void {
    const { idleMs, threadsMin } = this.#options;
    if (idleMs === undefined || threadsMin === 0) return;
    this.#renewing = setTimeout(() => {
      const used = this.#pool;
      this.#pool = this.#open();
      void used.destroy();
    }, idleMs).unref();
  }
}

/** Node's error code for a thread that lacks descriptors or memory. */
function initFault(cause: unknown): string | undefined {
  const isFault = cause instanceof Error && 'code' in cause && cause.code === 'ERR_WORKER_INIT_FAILED';
  return isFault ? cause.message : undefined;
}
