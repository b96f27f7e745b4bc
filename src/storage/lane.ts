// One kind of work of one day: flushes, merges, opening, removing. At most one is under way; after a failure the next one
// waits, longer each time. A failure is told and kept here: it never reaches the work of another kind or another day.
import { assert } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';
import { isStoreError, type StoreError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';

/** Pause after the first failure; it doubles with each further one. Most are a full disk: looking again costs little. */
const PAUSE_MS_MIN = 1_000;
/** Longest pause: how long after its cause is gone a day may go on failing. */
const PAUSE_MS_MAX = 60_000;

export interface LaneOptions {
  /** What the log says has failed: "flush". */
  readonly what: string;
  /** Of which partition, where it is of one. */
  readonly partition?: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

export class Lane {
  readonly #options: LaneOptions;
  #running: Promise<void> | undefined;
  #failures = 0;
  #readyMs = -Infinity;
  #lastError: StoreError | undefined;

  constructor(options: LaneOptions) {
    this.#options = options;
  }

  /** What is under way; it does not reject with a StoreError. */
  get running(): Promise<void> | undefined {
    return this.#running;
  }

  /** Whether nothing is under way and no pause holds it back. */
  get isReady(): boolean {
    return this.#running === undefined && this.#options.clock.monotonicMs() >= this.#readyMs;
  }

  /** Why the last attempt failed; undefined when it did not. */
  get lastError(): StoreError | undefined {
    return this.#lastError;
  }

  /** Starts `action`, with nothing of the kind under way. Resolves when it has ended, however; rejects with bugs only. */
  run(action: () => Promise<void>): Promise<void> {
    assert(this.#running === undefined, `${this.#options.what} started twice`);
    this.#running = this.#attempt(action).finally(() => (this.#running = undefined));
    return this.#running;
  }

  async #attempt(action: () => Promise<void>): Promise<void> {
    try {
      await action();
      this.#failures = 0;
      this.#readyMs = -Infinity;
      this.#lastError = undefined;
    } catch (error) {
      if (!isStoreError(error)) throw error;
      this.#fail(error);
    }
  }

  /** As if an attempt had ended with `error`. */
  fail(error: StoreError): void {
    assert(this.#running === undefined, `${this.#options.what} failed beside an attempt`);
    this.#fail(error);
  }

  #fail(error: StoreError): void {
    const { what, partition, clock, logger } = this.#options;
    const pauseMs = Math.min(PAUSE_MS_MAX, PAUSE_MS_MIN * 2 ** this.#failures++);
    this.#readyMs = clock.monotonicMs() + pauseMs;
    this.#lastError = error;
    logger.error(`${what} failed, tried again later`, { partition, error, retrySeconds: pauseMs / 1000 });
  }
}
