// Reads the columns of one row group of a block; the columns that all groups share come from the block.
import { StoreError } from '../base/errors.ts';
import type { ByteReader } from '../bytes/byte-reader.ts';
import { decodeNumbers } from '../codec/numbers.ts';
import type { PickableTexts } from '../codec/pick-texts.ts';
import type { Texts } from '../codec/text-forms.ts';
import type { BlockHeader } from './block-header.ts';
import type { StoredTemplates } from './read-templates.ts';
import type { GroupBounds } from './row-group.ts';

/** A column in a block's directory. */
export interface ColumnEntry {
  readonly code: number;
  readonly section: number;
  readonly field: number;
  readonly count: number;
  readonly frame: number;
  readonly start: number;
  readonly size: number;
}

/** What a group needs of its block; BlockReader implements it. */
export interface GroupedBlock {
  readonly header: BlockHeader;
  readonly sharedEntries: readonly ColumnEntry[];
  open(entry: ColumnEntry): ByteReader;
  load(entries: readonly ColumnEntry[]): void;
  list(code: number, section?: number, field?: number): Texts;
  pickable(code: number, section?: number, field?: number): PickableTexts;
  templates(section: number): StoredTemplates;
  traceIds(): Uint8Array;
  /** Counts memory that is kept with the block. */
  keep(bytes: number): void;
}

/** The entries of columns, by what they hold. */
export class ColumnIndex {
  readonly #byKey = new Map<number, ColumnEntry>();

  constructor(entries: readonly ColumnEntry[]) {
    for (const entry of entries) {
      const key = keyOf(entry.code, entry.section, entry.field);
      if (!this.#byKey.has(key)) this.#byKey.set(key, entry);
    }
  }

  find(code: number, section = 0, field = 0): ColumnEntry | undefined {
    return this.#byKey.get(keyOf(code, section, field));
  }
}

/** Unique for numbers that a writer uses; others only miss their column. */
function keyOf(code: number, section: number, field: number): number {
  return (field * 4 + section) * 64 + code;
}

export class GroupReader {
  readonly block: GroupedBlock;
  readonly bounds: GroupBounds;
  /** The block's number of the group's first trace. */
  readonly firstTrace: number;
  readonly entries: readonly ColumnEntry[];
  readonly #index: ColumnIndex;

  /** `entries`: the group's own columns. */
  constructor(
    block: GroupedBlock,
    place: { bounds: GroupBounds; firstTrace: number; entries: readonly ColumnEntry[]; index?: ColumnIndex },
  ) {
    this.block = block;
    this.bounds = place.bounds;
    this.firstTrace = place.firstTrace;
    this.entries = place.entries;
    this.#index = place.index ?? new ColumnIndex(place.entries);
  }

  get rowCount(): number {
    return this.bounds.rowCount;
  }

  get traceCount(): number {
    return this.bounds.traceCount;
  }

  /** The entry of one of the group's own columns; undefined if it has no such column. */
  find(code: number, section = 0, field = 0): ColumnEntry | undefined {
    return this.#index.find(code, section, field);
  }

  /** A cursor over the column's bytes. Throws CORRUPTION when one of the column's frames fails its checksum. */
  open(entry: ColumnEntry): ByteReader {
    return this.block.open(entry);
  }

  /** As find() and open(), for a column that every group has. */
  require(code: number): { reader: ByteReader; count: number } {
    const entry = this.find(code);
    if (entry === undefined) throw new StoreError('CORRUPTION', `a block without column ${code}`);
    return { reader: this.open(entry), count: entry.count };
  }

  /** A number column; empty if the group has none. */
  numbers(code: number): Float64Array {
    const entry = this.find(code);
    return entry === undefined ? new Float64Array(0) : decodeNumbers(this.open(entry), entry.count);
  }

  /** A column of fixed-size entries (ids). A view. */
  fixed(code: number, sizeBytes: number): Uint8Array {
    const entry = this.find(code);
    return entry === undefined ? new Uint8Array(0) : this.open(entry).view(entry.count * sizeBytes);
  }

  /** Reads, checks and keeps all frames of the group and those that it shares with others. Throws CORRUPTION. */
  load(): void {
    this.block.load(this.block.sharedEntries);
    this.block.load(this.entries);
  }

  /** 16 bytes for each of the group's traces. A view. */
  traceIds(): Uint8Array {
    return this.block.traceIds().subarray(this.firstTrace * 16, (this.firstTrace + this.traceCount) * 16);
  }
}
