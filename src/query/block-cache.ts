// Blocks that stay open between the queries of one thread: directories parsed, frames that were looked at decompressed.
// What users ask for again and again is the newest, and pages of a UI ask for the same traces many times.
import { assert } from '../base/assert.ts';
import { BlockReader, type BlockBytes } from '../block/block-reader.ts';
import type { ReadFile } from '../disk/disk.ts';
import type { Identity } from '../part/identity.ts';
import type { BlockRange } from '../part/part-reader.ts';

/** A directory's parsed entry; measured 90 to 130 bytes on the heap. */
const ENTRY_BYTES = 120;

/** The bytes of a block in a file, which each use gives anew: files are closed when nobody reads them. */
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
  /** What it was last known to hold. */
  bytes: number;
}

/** Least recently used goes first. */
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
   * Runs `work` on the block at `range` of `file`. `key` begins with the identity of the file and tells the block apart
   * from every other. Throws what `work` throws, and CORRUPTION; a block that failed is read anew next time.
   */
  use<T>(key: string, place: { file: ReadFile; range: BlockRange }, work: (block: BlockReader) => T): T {
    const known = this.#blocks.get(key);
    if (known !== undefined) this.#drop(key, known);
    const open = known ?? openBlock(place);
    open.range.file = place.file;
    const result = work(open.reader);
    open.bytes = open.reader.rawBytes + open.reader.entryCount * ENTRY_BYTES;
    this.#bytes += open.bytes;
    this.#blocks.set(key, open);
    for (const [oldest, block] of this.#blocks) {
      if (this.#bytes <= this.#bytesMax) break;
      this.#drop(oldest, block);
    }
    return result;
  }

  #drop(key: string, block: OpenBlock): void {
    this.#blocks.delete(key);
    this.#bytes -= block.bytes;
    assert(this.#bytes >= 0, `blocks kept open hold ${this.#bytes} bytes`);
  }

  /** Forgets the blocks of the file `identity`. */
  drop(identity: Identity): void {
    for (const [key, block] of this.#blocks) if (key.startsWith(identity)) this.#drop(key, block);
  }

  clear(): void {
    this.#blocks.clear();
    this.#bytes = 0;
  }
}

function openBlock({ file, range }: { file: ReadFile; range: BlockRange }): OpenBlock {
  const bytes = new FileRange(file, range);
  return { range: bytes, reader: new BlockReader(bytes), bytes: 0 };
}
