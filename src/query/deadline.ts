// How long a query may still run, how much it may read, and whether its client still waits. Checked between blocks: a
// block takes a few milliseconds.
import { StoreError } from '../base/errors.ts';
import type { Pulse } from '../base/pulse.ts';
import type { QueryWork } from './query-work.ts';

export interface DeadlineOptions {
  /** Set to 1 by another thread when the client has gone. */
  readonly cancelled?: Int32Array;
  /** Beats with each check: a query that does not check for a long time hangs. */
  readonly pulse?: Pulse;
  /** Stored bytes that the query may read, and where they are counted. */
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

  /** Throws TIMEOUT when the time or bytes are used up, CANCELLED when the client has gone. */
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
        `the query looked at more than ${budget.bytesMax} stored bytes (-search.maxScannedBytes, or queryBytes in -tenants.config); ` +
          'narrow its time range, or ask for a service, an operation or a tag besides (explain=1 shows what it reads)',
      );
    }
  }
}
