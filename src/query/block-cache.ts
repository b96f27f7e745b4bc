// Blocks that stay open between the queries of one thread: their directories are parsed, and frames that were read are
// decompressed. Users mostly query the newest data, and the pages of a UI request the same traces many times.
import { assert } from '../base/assert.ts';
import { BlockReader, type BlockBytes } from '../block/block-reader.ts';
import { releaseBlock } from '../block/decoded-group.ts';
import type { ReadFile } from '../disk/disk.ts';
import type { Identity } from '../part/identity.ts';
import type { BlockRange } from '../part/part-reader.ts';

/** A directory's parsed entry; measured 90 to 130 bytes on the heap. */
const ENTRY_BYTES = 120;

/** The bytes of a block in a file. Each use passes the open file anew: files are closed when nobody reads them. */
class FileRange implements BlockBytes {
  readonly sizeBytes: number;
  readonly #offset: number;
  file: ReadFile;

  constructor(file: ReadFile, { offset, sizeBytes }: BlockRange) {
    this.file = file;
    this.#offset = offset;
    this.sizeBytes = sizeBytes;
  }

  read(offset: number, sizeBytes: number): Uint8Array {
    return this.file.read(this.#offset + offset, sizeBytes);
  }
}

interface OpenBlock {
  readonly range: FileRange;
  readonly reader: BlockReader;
  /** Size at the last measurement. */
  bytes: number;
}

/** Evicts the least recently used block first. */
export class BlockCache {
  readonly #bytesMax: number;
  readonly #blocks = new Map<string, OpenBlock>();
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Runs `work` on the block at `range` of `file`. `key` starts with the file's identity and is unique to the block. Throws
   * what `work` throws, and CORRUPTION; a block that failed is read anew next time.
   */
  use<T>(key: string, place: { file: ReadFile; range: BlockRange }, work: (block: BlockReader) => T): T {
    const known = this.#blocks.get(key);
    if (known !== undefined) this.#forget(key, known);
    const open = known ?? openBlock(place);
    open.range.file = place.file;
    const result = work(open.reader);
    open.bytes = open.reader.keptBytes + open.reader.entryCount * ENTRY_BYTES;
    this.#bytes += open.bytes;
    this.#blocks.set(key, open);
    for (const [oldest, block] of this.#blocks) {
      if (this.#bytes <= this.#bytesMax) break;
      this.#drop(oldest, block);
    }
    return result;
  }

  /** Nobody reads it: while it is used it is not in the cache. */
  #drop(key: string, block: OpenBlock): void {
    this.#forget(key, block);
    // Half a megabyte a group: left to the collector, 35 traces by id started a full collection, which stops queries for 20 ms.
    releaseBlock(block.reader);
  }

  #forget(key: string, block: OpenBlock): void {
    this.#blocks.delete(key);
    this.#bytes -= block.bytes;
    assert(this.#bytes >= 0, `blocks kept open hold ${this.#bytes} bytes`);
  }

  /** Forgets the blocks of the file `identity`. */
  drop(identity: Identity): void {
    for (const [key, block] of this.#blocks) if (key.startsWith(identity)) this.#drop(key, block);
  }

  clear(): void {
    for (const [key, block] of this.#blocks) this.#drop(key, block);
  }
}

function openBlock({ file, range }: { file: ReadFile; range: BlockRange }): OpenBlock {
  const bytes = new FileRange(file, range);
  return { range: bytes, reader: new BlockReader(bytes), bytes: 0 };
}
