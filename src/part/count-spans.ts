// Counts the calls of many blocks of one tenant and day in groups, to bound memory. Each group counts what it adds to
// the groups and parts before it, so the sum equals a count of all blocks at once.
import type { CallColumns } from '../block/call-columns.ts';
import { CallCounts, CallNames } from '../block/call-counts.ts';
import { CallCounter, type CountedSpans } from '../block/count-calls.ts';
import { CountedBlocks, type ReadAgain } from './counted-spans.ts';

/**
 * Rows of a group. A row takes some 60 bytes while its group is open, and its trace's rows in older blocks as much
 * again. A group whose names are all different also holds all names: 30 to 80 MB.
 */
export const GROUP_ROWS_MAX = 262_144;
/** Bytes of a group with its own names. If each span has its own name, names take more memory than rows. */
const GROUP_BYTES_MAX: number = 32 << 20;
const ROW_BYTES = 60;
/** Memory of a series with its counts, and its key while it is written. */
const SERIES_BYTES = 256;

export interface SpanCounterOptions {
  /** Spans counted before all groups; the result is the difference to their counts. */
  readonly counted: CountedSpans | undefined;
  /** Receives the counts of a group; they are valid until it returns. */
  readonly emit: (counts: CallCounts, names: CallNames) => void;
  /** Names kept by the caller; undefined: each group has its own. */
  readonly names?: CallNames;
  /** Default GROUP_ROWS_MAX. */
  readonly groupRowsMax?: number;
  /** Default GROUP_BYTES_MAX. */
  readonly groupBytesMax?: number | undefined;
}

export class SpanCounter {
  readonly #options: SpanCounterOptions;
  /** The blocks of the finished groups. */
  readonly #before = new CountedBlocks();
  #group: { columns: CallColumns; readAgain: ReadAgain }[] = [];
  #rows = 0;
  #names: CallNames;

  constructor(options: SpanCounterOptions) {
    this.#options = options;
    this.#names = options.names ?? new CallNames();
  }

  /** The names to read the next block's columns with; they change with every group. */
  get names(): CallNames {
    // Also frees the names read from damaged blocks, which were never added.
    if (this.#isFull) this.finish();
    return this.#names;
  }

  /** Adds a block; `readAgain` reads its columns again. */
  add(columns: CallColumns, readAgain: ReadAgain): void {
    this.#group.push({ columns, readAgain });
    this.#rows += columns.starts.length;
    if (this.#isFull) this.finish();
  }

  get #isFull(): boolean {
    const { groupRowsMax = GROUP_ROWS_MAX, groupBytesMax = GROUP_BYTES_MAX, names } = this.#options;
    return this.#rows >= groupRowsMax || (names === undefined && this.usedBytes >= groupBytesMax);
  }

  /** Bytes of the open group: its rows, names and series. */
  get usedBytes(): number {
    return ROW_BYTES * this.#rows + this.#names.sizeBytes + SERIES_BYTES * this.#names.series.count;
  }

  /** Counts the added rows that are not counted yet. */
  finish(): void {
    if (this.#group.length > 0) this.#countGroup();
    this.#group = [];
    this.#rows = 0;
    this.#names = this.#options.names ?? new CallNames();
  }

  #countGroup(): void {
    const counts = new CallCounts();
    const counter = new CallCounter(this.#names, counts);
    for (const { columns } of this.#group) counter.addBlock(columns);
    const all = [this.#options.counted, this.#before].filter((spans) => spans !== undefined);
    counter.count({
      findPieces: (traces, names, visit) => all.forEach((spans) => spans.findPieces(traces, names, visit)),
    });
    this.#options.emit(counts, this.#names);
    for (const { columns, readAgain } of this.#group) this.#before.add(columns, readAgain);
  }
}
