// A heartbeat between threads, in memory that both see. A thread that lives beats; another one looks now and then, and when
// nothing has changed over so many looks, the thread is dead or hangs. Looks are counted, not time: a process that was
// stopped, or a machine without a free CPU, costs one look and not a life.
import { assert } from './assert.ts';

/** What both threads see; crosses to a worker as it is. */
export type SharedPulse = Int32Array<SharedArrayBuffer>;

const BEATS = 0;
/** Of the thread that beats, as its system knows it; 0: not known. */
const THREAD_ID = 1;

/** By a timer, whatever else the thread does. Several times a look. */
const BEAT_MS = 250;
/** Between two looks. */
export const LOOK_MS = 1_000;

/** The side that beats. */
export class Pulse {
  readonly shared: SharedPulse;

  constructor(shared: SharedPulse = new Int32Array(new SharedArrayBuffer(8))) {
    this.shared = shared;
  }

  /** The first beat of a thread that beats by what it does from then on. `threadId` is the calling thread's. */
  begin(threadId: number): void {
    Atomics.store(this.shared, THREAD_ID, threadId);
    this.beat();
  }

  /** As begin(), and beats whenever the event loop turns. */
  start(threadId: number): void {
    this.begin(threadId);
    setInterval(() => this.beat(), BEAT_MS).unref();
  }

  beat(): void {
    Atomics.add(this.shared, BEATS, 1);
  }
}

export interface Patience {
  /** Looks without a beat until the thread counts as silent. */
  readonly looksMax: number;
  /** Looks that find it waiting for a disk; these are not counted among the others. */
  readonly waitingLooksMax: number;
}

/** The side that looks. */
export class PulseWatch {
  readonly #shared: SharedPulse;
  readonly #patience: Patience;
  readonly #isWaiting: (threadId: number) => boolean;
  #beats = 0;
  #quiet = 0;
  #waiting = 0;

  /** `isWaiting` tells whether the thread waits for a disk, which no thread can hasten. */
  constructor(shared: SharedPulse, patience: Patience, isWaiting: (threadId: number) => boolean = () => false) {
    assert(patience.looksMax >= 1 && patience.waitingLooksMax >= 1, 'a watch without patience');
    this.#shared = shared;
    this.#patience = patience;
    this.#isWaiting = isWaiting;
  }

  /** Called every LOOK_MS. True: the thread is silent. One that never beat has not begun, and is not. */
  look(): boolean {
    const beats = Atomics.load(this.#shared, BEATS);
    if (beats !== this.#beats || beats === 0) {
      this.#beats = beats;
      this.#quiet = this.#waiting = 0;
    } else if (this.#isWaiting(Atomics.load(this.#shared, THREAD_ID))) this.#waiting++;
    else this.#quiet++;
    return this.#quiet >= this.#patience.looksMax || this.#waiting >= this.#patience.waitingLooksMax;
  }

  /** Looks since the last one that saw a beat. */
  get silentLooks(): number {
    return this.#quiet + this.#waiting;
  }
}
