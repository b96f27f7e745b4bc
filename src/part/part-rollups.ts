// Makes the roll-ups of a new part. A flush counts its spans as a difference to the day's parts; a merge adds up the
// roll-ups of its inputs. If they are unreadable, a merge of the whole day counts the day again, and any other merge
// makes a part without roll-ups. Queries then count the day's calls from its spans: slower but exact.
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

/** The source of the counts; paths are folders of parts. */
export type RollupPlan =
  | { readonly kind: 'count'; readonly counted: readonly string[] }
  | { readonly kind: 'sum'; readonly parts: readonly string[]; readonly isWholeDay: boolean }
  | { readonly kind: 'none' };

export class PartRollups implements Disposable {
  readonly #writer: PartWriter;
  /** count: count the spans beyond #counted. sum: add up #summands. none: the part will have no roll-ups. */
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
      // 'count' with nothing counted before is exact if the part has all spans of the day.
      if (!intact(open)) this.#how = plan.kind === 'sum' && plan.isWholeDay ? 'count' : 'none';
    } catch (error) {
      giveUp(() => this[Symbol.dispose]());
      throw error;
    }
  }

  /** Memory of the count; never above `memoryBytes` by more than one block. */
  get usedBytes(): number {
    return this.#counter?.usedBytes ?? 0;
  }

  /** The columns of a block of the new part, if they are to be counted. Blocks arrive by tenant. Throws CORRUPTION. */
  readColumns(tenant: Tenant, block: BlockReader): CallColumns | undefined {
    if (this.#how !== 'count') return undefined;
    if (tenant !== this.#tenant) this.#beginTenant(tenant);
    return new CallColumns(block, this.#counter!.names);
  }

  /** Adds the block that was read last; `readAgain` reads its columns again. */
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

  /** Gives the part's roll-ups to the writer, or drops them. Throws DISK. */
  finish(): void {
    if (this.#how === 'none') return;
    this.#counter?.finish();
    const { rollups } = this.#writer;
    // Without roll-ups, queries count the day from its spans, find the unreadable part and report it.
    if (this.#countedBy.some(({ fault }) => fault !== undefined)) this.#writer.dropRollups();
    if (this.#how === 'count') return;
    if (!intact(() => mergeRollups(this.#summands, rollups))) this.#writer.dropRollups();
  }

  [Symbol.dispose](): void {
    for (const part of this.#counted) part.close();
    for (const rollups of this.#summands) rollups.close();
  }
}

/** Whether the part in folder `path` has intact roll-ups; checks every byte. Throws FORMAT_TOO_NEW, DISK. */
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

/** False when `read` finds damage. */
function intact(read: () => void): boolean {
  try {
    read();
    return true;
  } catch (error) {
    if (!isUnreadable(error)) throw error;
    return false;
  }
}
