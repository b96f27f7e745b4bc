// Counts the calls of many blocks of one tenant and day, a bounded number of rows at a time: each group counts what it
// adds to the groups and parts before it, so the sum is the same as of all at once.
import type { CallColumns } from '../block/call-columns.ts';
import { CallCounts, CallNames } from '../block/call-counts.ts';
import { CallCounter, type CountedSpans } from '../block/count-calls.ts';
import { CountedBlocks, type ReadAgain } from './counted-spans.ts';

/**
 * Rows of a group. A row takes some 60 bytes while its group is open, and its trace's rows in older blocks as much again;
 * a group of unique names holds them all: 30 to 80 MB.
 */
export const GROUP_ROWS_MAX = 262_144;
/** Bytes of a group that has its own names: where each span has its own name, names weigh more than rows. */
const GROUP_BYTES_MAX: number = 32 << 20;
const ROW_BYTES = 60;
/** A series with its counts, and its key while it is written. */
const SERIES_BYTES = 256;

export interface SpanCounterOptions {
  /** Spans counted before all of these; their counts are taken off. */
  readonly counted: CountedSpans | undefined;
  /** Takes the counts of a group; valid until it returns. */
  readonly emit: (counts: CallCounts, names: CallNames) => void;
  /** Names kept by the caller; without, each group has its own. */
  readonly names?: CallNames;
  /** Default GROUP_ROWS_MAX. */
  readonly groupRowsMax?: number;
  /** Default GROUP_BYTES_MAX. */
  readonly groupBytesMax?: number | undefined;
}

export class SpanCounter {
  readonly #options: SpanCounterOptions;
  /** Blocks of the groups before. */
  readonly #before = new CountedBlocks();
  #group: { columns: CallColumns; readAgain: ReadAgain }[] = [];
  #rows = 0;
  #names: CallNames;

  constructor(options: SpanCounterOptions) {
    this.#options = options;
    this.#names = options.names ?? new CallNames();
  }

  /** What the next block's columns are to be read with; changes with every group. */
  get names(): CallNames {
    // What was read of blocks that were never added, because they are damaged, is forgotten too.
    if (this.#isFull) this.finish();
    return this.#names;
  }

  /** Takes a block in; `readAgain` gives its columns once more. */
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

  /** Counts what was taken in and not counted yet. */
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
