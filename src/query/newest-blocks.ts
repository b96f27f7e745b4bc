// Returns blocks by the start of their latest span, newest first, without reading all of them: the parts of a day are sorted
// by their latest span, and a part is opened only when one of its blocks may be next. So a query that finds its answer in
// the newest blocks opens only their parts.
import { assert } from '../base/assert.ts';
import type { PartitionView, ViewLogBlock, ViewPart } from '../partition/view.ts';
import { DAY_NS } from '../trace/day-clock.ts';

/** A known block that was not requested yet. */
export interface WaitingBlock<B> {
  /** Latest span start, ns since the day's midnight. */
  readonly startMax: number;
  readonly take: () => B;
}

export interface NewestBlocksOptions<B> {
  /** The candidate blocks of a part, in any order. */
  readonly openPart: (day: number, place: ViewPart) => WaitingBlock<B>[];
  readonly openLog: (day: number, places: readonly ViewLogBlock[]) => WaitingBlock<B>[];
  /** Called for every part that was never opened. */
  readonly passPart: (place: ViewPart) => void;
}

export class NewestBlocks<B> {
  readonly #options: NewestBlocksOptions<B>;
  /** Oldest first. */
  readonly #days: PartitionView[];
  #day = Infinity;
  /** Unopened parts of the day, newest last. */
  #parts: ViewPart[] = [];
  /** Blocks of the day, newest last. */
  #blocks: WaitingBlock<B>[] = [];

  constructor(days: readonly PartitionView[], options: NewestBlocksOptions<B>) {
    this.#options = options;
    this.#days = days.toSorted((x, y) => x.day - y.day);
  }

  /** undefined: there are no more. */
  next(): B | undefined {
    for (;;) {
      const last = this.#blocks.at(-1);
      const part = this.#parts.at(-1);
      if (part !== undefined && (last === undefined || this.#latestStart(part) >= last.startMax)) {
        this.#parts.pop();
        this.#add(this.#options.openPart(this.#day, part));
      } else if (last !== undefined) {
        this.#blocks.pop();
        return last.take();
      } else if (!this.#beginDay()) return undefined;
    }
  }

  /** Gives up the remaining blocks; returns how many they are, as far as is known without opening their parts. */
  passRest(): number {
    let passed = 0;
    do {
      passed += this.#blocks.length;
      for (const part of this.#parts) {
        this.#options.passPart(part);
        passed += part.blocks;
      }
      this.#blocks = [];
      this.#parts = [];
    } while (this.#beginDay());
    return passed;
  }

  #beginDay(): boolean {
    const view = this.#days.pop();
    if (view === undefined) return false;
    assert(this.#blocks.length === 0 && this.#parts.length === 0, 'a day begins before the one after it is through');
    assert(view.day < this.#day, `day ${view.day} comes after day ${this.#day}`);
    this.#day = view.day;
    this.#parts = view.parts.toSorted((x, y) => this.#latestStart(x) - this.#latestStart(y));
    this.#blocks = [];
    this.#add(this.#options.openLog(view.day, view.logBlocks));
    return true;
  }

  #add(blocks: readonly WaitingBlock<B>[]): void {
    for (const block of blocks) this.#blocks.push(block);
    this.#blocks.sort((x, y) => x.startMax - y.startMax);
  }

  #latestStart({ startMaxNs }: ViewPart): number {
    return Number(startMaxNs - BigInt(this.#day) * BigInt(DAY_NS));
  }
}
