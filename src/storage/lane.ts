// One kind of work of one day: flushes, merges, opening, removing. At most one action runs at a time; after each failure the
// pause before the next grows. Failures are logged and kept here, so they never reach other kinds of work or other days.
import { assert } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';
import { isStoreError, type StoreError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';

/** Pause after the first failure; each further failure doubles it. Usually the disk is full, and a check costs little. */
const PAUSE_MS_MIN = 1_000;
/** Longest pause: once the cause is gone, a day keeps failing at most this long. */
const PAUSE_MS_MAX = 60_000;

export interface LaneOptions {
  /** The work as the log names it: "flush". */
  readonly what: string;
  /** The partition it belongs to, if any. */
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

  /** The action under way; it does not reject with a StoreError. */
  get running(): Promise<void> | undefined {
    return this.#running;
  }

  /** Whether no action is under way and no pause delays the next. */
  get isReady(): boolean {
    return this.#running === undefined && this.#options.clock.monotonicMs() >= this.#readyMs;
  }

  /** Why the last attempt failed; undefined if it succeeded. */
  get lastError(): StoreError | undefined {
    return this.#lastError;
  }

  /** Starts `action`; no other may be under way. Resolves when it has succeeded or failed; rejects only with bugs. */
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

  /** Behaves as if an attempt had failed with `error`. */
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
