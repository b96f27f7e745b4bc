// How the threads of one kind feel, in memory that all of them share: their event-loop delays and the pauses of their garbage
// collections. The threads themselves measure and write, without locks; another one reads at any time, also while they hang, and
// what ended threads have counted stays.
import { monitorEventLoopDelay, PerformanceObserver, type PerformanceEntry } from 'node:perf_hooks';

/** The memory of one kind of threads; can be passed to workers as it is. */
export type SharedMeter = BigInt64Array<SharedArrayBuffer>;

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
/** The figures of a thread cover this many publications, and once more as many: while it lives, a scrape a minute misses no peak. */
const WINDOW_PUBLICATIONS = 6;

/** What is published counts in this tick and the next: each thread publishes twice in one, and those that have ended are forgotten. */
const TICK_NS = 10_000_000_000n;
/** If nothing was published for longer, no such thread is left, or each of them has been in one job since. */
const TICKS_KEPT = 6n;

/** Two cells each, of even and odd ticks: the tick in the upper half, the largest delay published in it, µs, in the lower. */
const DELAY_P99 = 0;
const DELAY_MAX = 2;
const PAUSES = 4;
/** Sum in nanoseconds, and buckets, of one kind. */
const KIND_SIZE = BUCKETS + 1;

export interface Pauses {
  /** Pauses of at most PAUSE_BOUNDS[i]; the last ones are longer. Of all threads, ended ones too, since the meter was made. */
  readonly counts: readonly number[];
  readonly sumSeconds: number;
}

export interface ThreadFigures {
  /** How late timers ran in the last 30 to 60 s, in the thread that was latest; undefined: no thread has told for a minute. */
  readonly delayP99Seconds: number | undefined;
  readonly delayMaxSeconds: number | undefined;
  readonly pauses: Readonly<Record<PauseKind, Pauses>>;
}

export function newMeter(): SharedMeter {
  const cells = PAUSES + PAUSE_KINDS.length * KIND_SIZE;
  return new BigInt64Array(new SharedArrayBuffer(cells * BigInt64Array.BYTES_PER_ELEMENT));
}

/**
 * The figures as the threads published them last. `nowNs` is of process.hrtime, which all threads share. `isPool`: threads of this kind come
 * and go; another one that tells nothing any more hangs, and its last figures stay.
 */
export function readMeter(
  meter: SharedMeter,
  { nowNs = process.hrtime.bigint(), isPool = true }: { readonly nowNs?: bigint; readonly isPool?: boolean } = {},
): ThreadFigures {
  const oldestTick = isPool ? nowNs / TICK_NS - TICKS_KEPT : 0n;
  const pausesOf = (kind: PauseKind): Pauses => {
    const at = PAUSES + PAUSE_KINDS.indexOf(kind) * KIND_SIZE;
    const read = (cell: number): number => Number(Atomics.load(meter, at + cell));
    return { sumSeconds: read(0) / 1e9, counts: Array.from({ length: BUCKETS }, (_, i) => read(1 + i)) };
  };
  return {
    delayP99Seconds: readDelay(meter, DELAY_P99, oldestTick),
    delayMaxSeconds: readDelay(meter, DELAY_MAX, oldestTick),
    pauses: Object.fromEntries(PAUSE_KINDS.map((kind) => [kind, pausesOf(kind)])) as Record<PauseKind, Pauses>,
  };
}

/** The largest delay of the newest tick in which one was published, and of the one before; undefined if that is before `oldestTick`. */
function readDelay(meter: SharedMeter, at: number, oldestTick: bigint): number | undefined {
  const cells = [Atomics.load(meter, at), Atomics.load(meter, at + 1)];
  const newest = cells.reduce((last, cell) => (cell > last ? cell : last)) >> 32n;
  if (newest === 0n || newest < oldestTick) return undefined;
  const delays = cells.filter((cell) => cell >> 32n >= newest - 1n).map((cell) => Number(cell & 0xffff_ffffn));
  return Math.max(...delays) / 1e6;
}

/** A newer tick is the larger number, so it takes the place of an older one. */
function publishDelay(meter: SharedMeter, at: number, seconds: number, nowNs: bigint): void {
  const tick = nowNs / TICK_NS;
  const cell = at + Number(tick & 1n);
  const delayUs = Math.min(Math.round(seconds * 1e6), 0xffff_ffff);
  const next = (tick << 32n) | BigInt(delayUs);
  for (let last = Atomics.load(meter, cell); last < next;) {
    const found = Atomics.compareExchange(meter, cell, last, next);
    if (found === last) return;
    last = found;
  }
}

type Delays = Pick<ReturnType<typeof monitorEventLoopDelay>, 'max' | 'percentile' | 'count' | 'reset'>;
type GcEntry = PerformanceEntry & { readonly detail: { readonly kind: number } };

/** What a thread of a pool gets at its start. */
export interface MeteredThread {
  /** undefined: it is not measured. */
  readonly meter?: SharedMeter | undefined;
}

/** Measures the calling thread in `meter` from now on, as long as it lives, beside other threads of its kind; returns `meter`. */
export function startMeter(meter: SharedMeter = newMeter()): SharedMeter {
  const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delays.enable();
  const window = new DelayWindow(meter);
  // At once, so that there is no scrape without it.
  window.publish(delays);
  setInterval(() => window.publish(delays), PUBLISH_MS).unref();
  const observer = new PerformanceObserver((list) => {
    for (const { duration, detail } of list.getEntries() as GcEntry[]) addPause(meter, detail.kind, duration / 1000);
  });
  observer.observe({ entryTypes: ['gc'] });
  return meter;
}

/** Counts one pause of a collection of `kind`, as node:perf_hooks numbers it. */
export function addPause(meter: SharedMeter, kind: number, seconds: number): void {
  const index = PAUSE_KINDS.indexOf(KIND_OF_NUMBER[kind] ?? 'other');
  const bound = PAUSE_BOUNDS.findIndex((one) => seconds <= one);
  const at = PAUSES + index * KIND_SIZE;
  Atomics.add(meter, at, BigInt(Math.round(seconds * 1e9)));
  Atomics.add(meter, at + 1 + (bound < 0 ? PAUSE_BOUNDS.length : bound), 1n);
}

/** The delays of one thread, of its current window and of the one before. */
export class DelayWindow {
  readonly #meter: SharedMeter;
  #before = { p99: 0, max: 0 };
  #publications = 0;

  constructor(meter: SharedMeter) {
    this.#meter = meter;
  }

  /** Publishes the larger of both windows; a full window becomes the one before. */
  publish(delays: Delays, nowNs: bigint = process.hrtime.bigint()): void {
    const p99 = delays.count === 0 ? 0 : delaySeconds(delays.percentile(99));
    const max = delays.count === 0 ? 0 : delaySeconds(delays.max);
    publishDelay(this.#meter, DELAY_P99, Math.max(p99, this.#before.p99), nowNs);
    publishDelay(this.#meter, DELAY_MAX, Math.max(max, this.#before.max), nowNs);
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
