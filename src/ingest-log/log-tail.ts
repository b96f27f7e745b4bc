// Where each partition of the log ends now: what a question must be able to see. Questions that come together ask once, but never use
// what was asked before they came: a span that was acknowledged before a question is below the ends that it gets.
import { isStoreError } from '../base/errors.ts';
import type { IngestLog } from './ingest-log.ts';

/** A question does not wait longer for the log: an election takes seconds, and nothing is acknowledged meanwhile. */
const WAIT_MS = 1_500;

export interface LogEnds {
  /** The last offset of each partition that told it. */
  readonly offsets: ReadonlyMap<number, bigint>;
  /** The partitions that did not, ascending. */
  readonly unknown: readonly number[];
}

export class LogTail {
  readonly #log: Pick<IngestLog, 'partitions' | 'last'>;
  readonly #waitMs: number;
  /** What is being asked now, and what will be asked next, for those who came since. */
  #running: Promise<LogEnds> | undefined;
  #next: Promise<LogEnds> | undefined;

  constructor(log: Pick<IngestLog, 'partitions' | 'last'>, waitMs: number = WAIT_MS) {
    this.#log = log;
    this.#waitMs = waitMs;
  }

  /** Never rejects. */
  ends(): Promise<LogEnds> {
    if (this.#running === undefined) return this.#start();
    this.#next ??= this.#running.then(() => {
      this.#next = undefined;
      return this.#start();
    });
    return this.#next;
  }

  #start(): Promise<LogEnds> {
    const running = this.#ask().finally(() => {
      if (this.#running === running) this.#running = undefined;
    });
    return (this.#running = running);
  }

  async #ask(): Promise<LogEnds> {
    const offsets = new Map<number, bigint>();
    const numbers = Array.from({ length: this.#log.partitions }, (_, partition) => partition);
    const asked = numbers.map(async (partition) => {
      try {
        offsets.set(partition, await this.#log.last(partition));
      } catch (error) {
        if (!isStoreError(error)) throw error;
      }
    });
    const over = Promise.withResolvers<void>();
    const timer = setTimeout(over.resolve, this.#waitMs);
    await Promise.race([Promise.all(asked), over.promise]);
    clearTimeout(timer);
    const told = new Map(offsets);
    return { offsets: told, unknown: numbers.filter((partition) => !told.has(partition)) };
  }
}
