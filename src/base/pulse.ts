// A heartbeat in memory shared by two threads. A live thread beats; the other one looks at intervals, and if the count
// has not changed over a number of looks, the thread is dead or hangs. It counts looks, not time, so that a stopped
// process or a machine without a free CPU costs one look and not the thread.
import { assert } from './assert.ts';

/** The memory of both threads; can be passed to a worker as it is. */
export type SharedPulse = Int32Array<SharedArrayBuffer>;

const BEATS = 0;
/** Thread id of the beating thread in its operating system; 0: unknown. */
const THREAD_ID = 1;

/** The interval of the timer that beats, several times a look. */
const BEAT_MS = 250;
/** The interval between two looks. */
export const LOOK_MS = 1_000;

/** The beating side. */
export class Pulse {
  readonly shared: SharedPulse;

  constructor(shared: SharedPulse = new Int32Array(new SharedArrayBuffer(8))) {
    this.shared = shared;
  }

  /** Beats once, for a thread whose own work beats from then on. `threadId` is the calling thread's. */
  begin(threadId: number): void {
    Atomics.store(this.shared, THREAD_ID, threadId);
    this.beat();
  }

  /** As begin(), and also beats by a timer while the event loop runs. */
  start(threadId: number): void {
    this.begin(threadId);
    setInterval(() => this.beat(), BEAT_MS).unref();
  }

  beat(): void {
    Atomics.add(this.shared, BEATS, 1);
  }
}

export interface Patience {
  /** Looks without a beat after which the thread counts as silent. */
  readonly looksMax: number;
  /** The same for looks that find the thread waiting for a disk; they are counted apart. */
  readonly waitingLooksMax: number;
}

/** The looking side. */
export class PulseWatch {
  readonly #shared: SharedPulse;
  readonly #patience: Patience;
  readonly #isWaiting: (threadId: number) => boolean;
  #beats = 0;
  #quiet = 0;
  #waiting = 0;

  /** `isWaiting` tells whether the thread waits for a disk, which no thread can speed up. */
  constructor(shared: SharedPulse, patience: Patience, isWaiting: (threadId: number) => boolean = () => false) {
    assert(patience.looksMax >= 1 && patience.waitingLooksMax >= 1, 'a watch without patience');
    this.#shared = shared;
    this.#patience = patience;
    this.#isWaiting = isWaiting;
  }

  /** Call it every LOOK_MS. True: the thread is silent. A thread that never beat has not started: false. */
  look(): boolean {
    const beats = Atomics.load(this.#shared, BEATS);
    if (beats !== this.#beats || beats === 0) {
      this.#beats = beats;
      this.#quiet = this.#waiting = 0;
    } else if (this.#isWaiting(Atomics.load(this.#shared, THREAD_ID))) this.#waiting++;
    else this.#quiet++;
    return this.#quiet >= this.#patience.looksMax || this.#waiting >= this.#patience.waitingLooksMax;
  }

  /** Looks since the last beat was seen. */
  get silentLooks(): number {
    return this.#quiet + this.#waiting;
  }
}
