// How long a query may still run, and whether anybody still waits for it. Checked between blocks: a block is a few
// milliseconds of work.
import { StoreError } from '../base/errors.ts';

export class Deadline {
  readonly #endMs: number;
  readonly #durationMs: number;
  /** Set to 1 by another thread when the client has gone. */
  readonly #cancelled: Int32Array | undefined;

  constructor(durationMs: number, cancelled?: Int32Array) {
    this.#durationMs = durationMs;
    this.#endMs = performance.now() + durationMs;
    this.#cancelled = cancelled;
  }

  /** Throws TIMEOUT when the time is over, CANCELLED when nobody waits any more. */
  check(): void {
    if (this.#cancelled !== undefined && Atomics.load(this.#cancelled, 0) !== 0) {
      throw new StoreError('CANCELLED', 'the client closed the connection before its query was answered');
    }
    if (performance.now() > this.#endMs) {
      throw new StoreError(
        'TIMEOUT',
        `the query ran longer than ${this.#durationMs} ms (-search.maxQueryDuration); narrow its time range or conditions`,
      );
    }
  }
}
