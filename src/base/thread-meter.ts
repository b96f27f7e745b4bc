// How a thread feels, in memory shared by two threads: its event-loop delay and the pauses of its garbage collections. The
// thread itself measures and writes; another one reads at any time, also while the thread hangs.
import { monitorEventLoopDelay, PerformanceObserver, type PerformanceEntry } from 'node:perf_hooks';

/** The memory of both threads; can be passed to a worker as it is. */
export type SharedMeter = Float64Array<SharedArrayBuffer>;

/** Kinds of collections; V8 counts two for young objects, and steps of finalization, which are `other`. */
export const PAUSE_KINDS = ['minor', 'major', 'incremental', 'other'] as const;
export type PauseKind = (typeof PAUSE_KINDS)[number];
const KIND_OF_NUMBER: Readonly<Record<number, PauseKind>> = { 1: 'minor', 2: 'minor', 4: 'major', 8: 'incremental' };

/** Upper bounds of pauses, seconds: a collection of young objects takes some milliseconds, more is felt. */
export const PAUSE_BOUNDS: readonly number[] = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1];
const BUCKETS = PAUSE_BOUNDS.length + 1;

/** The timer that measures the loop; its own interval is subtracted. */
const RESOLUTION_MS = 20;
/** How often the figures are published. */
const PUBLISH_MS = 5_000;
/** The figures cover this many publications, and once more as many: a scrape a minute misses no peak. */
const WINDOW_PUBLICATIONS = 6;

const DELAY_P99 = 0;
const DELAY_MAX = 1;
const PAUSES = 2;
/** Sum and buckets of one kind. */
const KIND_SIZE = BUCKETS + 1;

export interface Pauses {
  /** Pauses of at most PAUSE_BOUNDS[i]; the last ones are longer. Since the start of the thread. */
  readonly counts: readonly number[];
  readonly sumSeconds: number;
}

export interface ThreadFigures {
  /** How late timers ran, of the last 30 to 60 s. */
  readonly delayP99Seconds: number;
  readonly delayMaxSeconds: number;
  readonly pauses: Readonly<Record<PauseKind, Pauses>>;
}

export function newMeter(): SharedMeter {
  return new Float64Array(
    new SharedArrayBuffer((PAUSES + PAUSE_KINDS.length * KIND_SIZE) * Float64Array.BYTES_PER_ELEMENT),
  );
}

/** The figures as the thread published them last. */
export function readMeter(meter: SharedMeter): ThreadFigures {
  const pauses = PAUSE_KINDS.map((kind, i) => {
    const at = PAUSES + i * KIND_SIZE;
    return [kind, { sumSeconds: meter[at]!, counts: [...meter.subarray(at + 1, at + KIND_SIZE)] }] as const;
  });
  return {
    delayP99Seconds: meter[DELAY_P99]!,
    delayMaxSeconds: meter[DELAY_MAX]!,
    pauses: Object.fromEntries(pauses) as Record<PauseKind, Pauses>,
  };
}

type GcEntry = PerformanceEntry & { readonly detail: { readonly kind: number } };

/** Measures the calling thread from now on, as long as it lives. */
export function startMeter(meter: SharedMeter): void {
  const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delays.enable();
  const window = new DelayWindow(meter);
  setInterval(() => window.publish(delays), PUBLISH_MS).unref();
  const observer = new PerformanceObserver((list) => {
    for (const { duration, detail } of list.getEntries() as GcEntry[]) addPause(meter, detail.kind, duration / 1000);
  });
  observer.observe({ entryTypes: ['gc'] });
}

/** Counts one pause of a collection of `kind`, as node:perf_hooks numbers it. */
export function addPause(meter: SharedMeter, kind: number, seconds: number): void {
  const index = PAUSE_KINDS.indexOf(KIND_OF_NUMBER[kind] ?? 'other');
  const bound = PAUSE_BOUNDS.findIndex((one) => seconds <= one);
  const at = PAUSES + index * KIND_SIZE;
  meter[at]! += seconds;
  meter[at + 1 + (bound < 0 ? PAUSE_BOUNDS.length : bound)]! += 1;
}

/** The delays of the current window and of the one before. */
export class DelayWindow {
  readonly #meter: SharedMeter;
  #before = { p99: 0, max: 0 };
  #publications = 0;

  constructor(meter: SharedMeter) {
    this.#meter = meter;
  }

  /** Publishes the larger of both windows; a full window becomes the one before. */
  publish(delays: Pick<ReturnType<typeof monitorEventLoopDelay>, 'max' | 'percentile' | 'count' | 'reset'>): void {
    const p99 = delays.count === 0 ? 0 : delaySeconds(delays.percentile(99));
    const max = delays.count === 0 ? 0 : delaySeconds(delays.max);
    this.#meter[DELAY_P99] = Math.max(p99, this.#before.p99);
    this.#meter[DELAY_MAX] = Math.max(max, this.#before.max);
    this.#publications++;
    if (this.#publications < WINDOW_PUBLICATIONS) return;
    this.#publications = 0;
    this.#before = { p99, max };
    delays.reset();
  }
}

/** Node's histogram has the time between two runs of its timer, in ns. */
function delaySeconds(intervalNs: number): number {
  return Math.max(0, intervalNs / 1e9 - RESOLUTION_MS / 1000);
}
