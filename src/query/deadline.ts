// How long a query may still run, how much it may look at, and whether anybody still waits for it. Checked between
// blocks: a block is a few milliseconds of work.
import { StoreError } from '../base/errors.ts';
import type { Pulse } from '../base/pulse.ts';
import type { QueryWork } from './query-work.ts';

export interface DeadlineOptions {
  /** Set to 1 by another thread when the client has gone. */
  readonly cancelled?: Int32Array;
  /** Beats with each check: a query that does not come here for long hangs. */
  readonly pulse?: Pulse;
  /** Stored bytes the query may look at, and where they are counted. */
  readonly budget?: { readonly bytesMax: number; readonly work: Pick<QueryWork, 'bytes'> };
}

export class Deadline {
  readonly #endMs: number;
  readonly #durationMs: number;
  readonly #options: DeadlineOptions;

  constructor(durationMs: number, options: DeadlineOptions = {}) {
    this.#durationMs = durationMs;
    this.#endMs = performance.now() + durationMs;
    this.#options = options;
  }

  /** Throws TIMEOUT when the time or the bytes are over, CANCELLED when nobody waits any more. */
  check(): void {
    const { cancelled, pulse, budget } = this.#options;
    pulse?.beat();
    if (cancelled !== undefined && Atomics.load(cancelled, 0) !== 0) {
      throw new StoreError('CANCELLED', 'the client closed the connection before its query was answered');
    }
    if (performance.now() > this.#endMs) {
      throw new StoreError(
        'TIMEOUT',
        `the query ran longer than ${this.#durationMs} ms (-search.maxQueryDuration); narrow its time range or conditions`,
      );
    }
    if (budget !== undefined && budget.work.bytes > budget.bytesMax) {
      throw new StoreError(
        'TIMEOUT',
        `the query looked at more than ${budget.bytesMax} stored bytes (-search.maxScannedBytes); ` +
          'narrow its time range, or ask for a service, an operation or a tag besides (explain=1 shows what it reads)',
      );
    }
  }
}
