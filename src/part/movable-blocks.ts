// The blocks that a merge of parts copies as they are: full, compressed in the final form, and without a trace that another input
// has. The others are decoded, regrouped and encoded again. So most spans are encoded once, by the flush, and a merge costs little
// more than reading and writing. Filters and outlines are copied with their blocks.
import { dirname } from 'node:path';
import { BLOCK_VERSION } from '../block/block-header.ts';
import type { BlockReader } from '../block/block-reader.ts';
import type { BlockOutline } from '../block/outline.ts';
import { CODEC_LZ4 } from '../bytes/compression.ts';
import type { DiskReads } from '../disk/disk.ts';
import { isUnreadable } from '../disk/unreadable.ts';
import { isUnknown, outlineAt } from './outlines.ts';
import { openPart, outlinesBytes, type PartReader } from './part-reader.ts';
import { findReach } from './shared-traces.ts';
import { LookupCursor } from './trace-lookup.ts';

/** Smaller blocks are encoded again, together: a block of 8 k rows takes 6 % more bytes a span than one of 16 k. */
const FULL_ROWS_MIN = 12_288;
/** A block of large spans is cut earlier (BLOCK_BYTES_TARGET, which is before compression). */
const FULL_BYTES_MIN: number = 1 << 20;

/** Where a block comes from. */
export interface BlockSource {
  readonly input: number;
  /** Its number in that input. */
  readonly block: number;
  /** Rows that are not to be copied. */
  readonly leftOut?: Uint8Array | undefined;
}

/** What is copied with a block. */
export interface MovedIndex {
  readonly filter: Uint8Array;
  readonly outline: BlockOutline;
}

export class MovableBlocks implements Disposable {
  readonly #parts: readonly PartReader[];
  readonly #reach: Int32Array;

  private constructor(parts: readonly PartReader[], reach: Int32Array) {
    this.#parts = parts;
    this.#reach = reach;
  }

  /**
   * For the parts that have the files `dataPaths`, and all their blocks in the order of the merge. undefined if no block may be
   * copied: a trace lookup is unreadable, or the outlines together exceed `outlinesBytesMax`.
   */
  static find(
    disk: DiskReads,
    dataPaths: readonly string[],
    {
      order,
      tenants,
      outlinesBytesMax,
    }: { order: readonly BlockSource[]; tenants: Int32Array; outlinesBytesMax: number },
  ): MovableBlocks | undefined {
    const parts: PartReader[] = [];
    try {
      for (const path of dataPaths) parts.push(openPart(disk, dirname(path)));
      const places = parts.map(({ metadata }) => new Int32Array(metadata.blocks.length));
      order.forEach(({ input, block }, place) => (places[input]![block] = place));
      const lookups = parts.map((part, i) => ({ entries: new LookupCursor(part.lookup()), places: places[i]! }));
      const outlines = parts.reduce((sum, { metadata }) => sum + outlinesBytes(metadata), 0);
      if (outlines <= outlinesBytesMax) return new MovableBlocks(parts, findReach(lookups, tenants));
    } catch (error) {
      closeAll(parts);
      if (!isUnreadable(error)) throw error;
      return undefined;
    }
    closeAll(parts);
    return undefined;
  }

  /** The last place in the merge's order whose block shares a trace with the block at `place`; -1: none does. */
  reach(place: number): number {
    return this.#reach[place]!;
  }

  /** What is to be copied with the block; undefined: the block must be encoded again. */
  indexOf(place: number, { input, block, leftOut }: BlockSource, reader: BlockReader): MovedIndex | undefined {
    const { rowCount, sizeBytes, version } = reader.header;
    const isFull = rowCount >= FULL_ROWS_MIN || sizeBytes >= FULL_BYTES_MIN;
    const isFinal = version === BLOCK_VERSION && !reader.usesCodec(CODEC_LZ4);
    if (leftOut !== undefined || this.reach(place) >= 0 || !isFull || !isFinal) return undefined;
    const part = this.#parts[input]!;
    const outlines = part.outlines();
    if (outlines === undefined || isUnknown(outlines, block)) return undefined;
    const filter = part.filterBytes(block);
    return filter === undefined ? undefined : { filter, outline: outlineAt(outlines, block) };
  }

  [Symbol.dispose](): void {
    closeAll(this.#parts);
  }
}

function closeAll(parts: readonly PartReader[]): void {
  for (const part of parts) part.close();
}
