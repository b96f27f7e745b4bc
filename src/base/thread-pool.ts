// Threads of one kind, on piscina. What may become of a thread is an error of the one job that it has: it may die, fail to
// start for want of descriptors, or hang, and is replaced each time. Errors of the job itself are its reply's affair.
import type { ResourceLimits } from 'node:worker_threads';
import { Piscina } from 'piscina';
import { StoreError } from './errors.ts';
import { LOOK_MS, Pulse, PulseWatch, type SharedPulse } from './pulse.ts';

export interface ThreadPoolOptions {
  /** The module that the threads run, and its function. */
  readonly workerUrl: URL;
  readonly name: string;
  readonly threadsMax: number;
  /** Threads that are there before they are needed, and stay. */
  readonly threadsMin: number;
  /** Others end when there was nothing to do for so long. */
  readonly idleMs?: number;
  /** JavaScript heap of a thread: a job that needs more fails with ERR_WORKER_OUT_OF_MEMORY. Default: Node's own. */
  readonly heapBytesMax?: number;
  /** What every thread is started with. */
  readonly workerData?: unknown;
  /** Jobs that wait for a thread. */
  readonly queueMax: number;
  /** A job that has begun and does not beat over so many looks (seconds) hangs: its thread is ended. */
  readonly looksMax: number;
}

/** A large young generation would take memory and win nothing: objects of a job live as long as the job. */
const YOUNG_HEAP_MB = 16;

function heapLimits(heapBytesMax: number): ResourceLimits {
  return { maxOldGenerationSizeMb: Math.ceil(heapBytesMax / 2 ** 20), maxYoungGenerationSizeMb: YOUNG_HEAP_MB };
}

/** What every job has beside its own: it beats when it begins, and while it goes on. */
export interface PulsingJob {
  readonly pulse: SharedPulse;
}

export class ThreadPool<Job extends PulsingJob, Reply> {
  readonly #options: ThreadPoolOptions;
  readonly #pool: Piscina<Job, Reply>;
  #startFault: string | undefined;

  constructor(options: ThreadPoolOptions) {
    this.#options = options;
    const { heapBytesMax } = options;
    const { workerUrl, name, threadsMin: minThreads, threadsMax: maxThreads, idleMs, queueMax: maxQueue } = options;
    this.#pool = new Piscina<Job, Reply>({
      filename: workerUrl.href,
      name,
      minThreads,
      maxThreads,
      maxQueue,
      ...(idleMs === undefined ? {} : { idleTimeout: idleMs }),
      ...(heapBytesMax === undefined ? {} : { resourceLimits: heapLimits(heapBytesMax) }),
      workerData: options.workerData,
      // Workers compute and read files; one that waits in Atomics would not see the callbacks of its file calls.
      atomics: 'disabled',
    });
    // A thread that fails before it has a job: piscina would let the jobs that wait for it wait for ever.
    this.#pool.on('error', (error: Error) => {
      this.#startFault = error.message;
      void this.#pool.destroy().then(() => (this.#startFault = undefined));
    });
  }

  /**
   * The worker's reply to `job`. Throws UNAVAILABLE when no thread could be started for it; an Error when its thread died
   * or hung, or when the worker threw one.
   */
  async run(job: Omit<Job, 'pulse'>, transferList: ArrayBuffer[] = []): Promise<Reply> {
    const pulse = new Pulse();
    const hung = new AbortController();
    const { looksMax, name } = this.#options;
    const watch = new PulseWatch(pulse.shared, { looksMax, waitingLooksMax: looksMax });
    // Aborted, piscina ends the thread and starts another one.
    const looking = setInterval(() => watch.look() && hung.abort(), LOOK_MS);
    try {
      const whole = { ...job, pulse: pulse.shared } as unknown as Job;
      return await this.#pool.run(whole, { transferList, signal: hung.signal });
    } catch (cause) {
      if (hung.signal.aborted) throw new Error(`${name}: the thread hung for ${looksMax} s and was ended`, { cause });
      if (this.#startFault === undefined) throw cause;
      throw new StoreError('UNAVAILABLE', `${name}: no thread could be started (${this.#startFault}); try again`, {
        cause,
      });
    } finally {
      clearInterval(looking);
    }
  }

  async close(): Promise<void> {
    await this.#pool.destroy();
  }
}
