// How the roll-ups of a new part come about. A flush counts its spans beyond those of the day's parts; a merge adds up
// what its inputs have. Where that cannot be read, a merge of the whole day counts it anew, any other leaves its part
// without roll-ups: the day's calls are then counted from its spans by every query, slower but as exact.
import type { BlockReader } from '../block/block-reader.ts';
import { CallColumns } from '../block/call-columns.ts';
import type { Disk } from '../disk/disk.ts';
import { giveUp } from '../disk/give-up.ts';
import { isUnreadable } from '../disk/unreadable.ts';
import type { Tenant } from '../trace/tenant.ts';
import { SpanCounter } from './count-spans.ts';
import { CountedParts, type ReadAgain } from './counted-spans.ts';
import { mergeRollups } from './merge-rollups.ts';
import { openPart, type PartReader } from './part-reader.ts';
import type { PartWriter } from './part-writer.ts';
import { openRollups, type RollupReader } from './rollup-reader.ts';

/** Where counts come from; paths are folders of parts. */
export type RollupPlan =
  | { readonly kind: 'count'; readonly counted: readonly string[] }
  | { readonly kind: 'sum'; readonly parts: readonly string[]; readonly isWholeDay: boolean }
  | { readonly kind: 'none' };

export class PartRollups implements Disposable {
  readonly #writer: PartWriter;
  /** count: the parts whose spans were counted before. sum: what is added up. none: the part will have none. */
  #how: 'count' | 'sum' | 'none';
  readonly #counted: PartReader[] = [];
  readonly #countedBy: CountedParts[] = [];
  readonly #summands: RollupReader[] = [];
  readonly #memoryBytes: number | undefined;
  #tenant: Tenant | undefined;
  #counter: SpanCounter | undefined;

  /** `memoryBytes` bounds usedBytes. */
  constructor(disk: Disk, writer: PartWriter, plan: RollupPlan, memoryBytes?: number) {
    this.#writer = writer;
    this.#memoryBytes = memoryBytes;
    this.#how = plan.kind;
    const open = (): void => {
      if (plan.kind === 'count') for (const path of plan.counted) this.#counted.push(openPart(disk, path));
      if (plan.kind === 'sum') for (const path of plan.parts) this.#summands.push(openRollups(disk, path));
      for (const rollups of this.#summands) rollups.verifyAll();
    };
    try {
      // Counted beyond nothing, where all the day's spans are in this part.
      if (!intact(open)) this.#how = plan.kind === 'sum' && plan.isWholeDay ? 'count' : 'none';
    } catch (error) {
      giveUp(() => this[Symbol.dispose]());
      throw error;
    }
  }

  /** Bytes of what is being counted; never above what was given, but for one block's. */
  get usedBytes(): number {
    return this.#counter?.usedBytes ?? 0;
  }

  /** What of a block of the new part is to be counted, if anything is. Tenants come one after the other. Throws CORRUPTION. */
  readColumns(tenant: Tenant, block: BlockReader): CallColumns | undefined {
    if (this.#how !== 'count') return undefined;
    if (tenant !== this.#tenant) this.#beginTenant(tenant);
    return new CallColumns(block, this.#counter!.names);
  }

  /** Takes note of the block read last; `readAgain` gives its columns once more. */
  add(columns: CallColumns, readAgain: ReadAgain): void {
    this.#counter!.add(columns, readAgain);
  }

  #beginTenant(tenant: Tenant): void {
    this.#counter?.finish();
    this.#tenant = tenant;
    const counted = new CountedParts(this.#counted, tenant);
    this.#countedBy.push(counted);
    this.#counter = new SpanCounter({
      counted,
      groupBytesMax: this.#memoryBytes,
      emit: (counts, names) => this.#writer.rollups.addCounts(tenant, counts, names),
    });
  }

  /** Gives the writer the part's roll-ups, or none. Throws DISK. */
  finish(): void {
    if (this.#how === 'none') return;
    this.#counter?.finish();
    const { rollups } = this.#writer;
    // Queries count the day from its spans then, meet what is unreadable, and say so.
    if (this.#countedBy.some(({ fault }) => fault !== undefined)) this.#writer.dropRollups();
    if (this.#how === 'count') return;
    if (!intact(() => mergeRollups(this.#summands, rollups))) this.#writer.dropRollups();
  }

  [Symbol.dispose](): void {
    for (const part of this.#counted) part.close();
    for (const rollups of this.#summands) rollups.close();
  }
}

/** Whether the part in folder `path` has roll-ups, every byte of them intact. Throws FORMAT_TOO_NEW, DISK. */
export function hasRollups(disk: Disk, path: string): boolean {
  return intact(() => {
    const rollups = openRollups(disk, path);
    try {
      rollups.verifyAll();
    } finally {
      rollups.close();
    }
  });
}

/** False when what `read` reads is damaged. */
function intact(read: () => void): boolean {
  try {
    read();
    return true;
  } catch (error) {
    if (!isUnreadable(error)) throw error;
    return false;
  }
}
