// Columns of log blocks between the queries of one thread: until a flush takes them, every query for calls counts them
// anew, and decoding is half of that. They live as long as the block they were read from stays open (block-cache.ts).
import type { BlockReader } from '../block/block-reader.ts';
import { CallColumns } from '../block/call-columns.ts';
import { CallNames } from '../block/call-counts.ts';

/** Bytes of names above which all are forgotten, and the columns read with them. */
const NAMES_BYTES_MAX: number = 4 << 20;

export class CallCache {
  #names = new CallNames();
  #columns = new WeakMap<BlockReader, CallColumns>();

  /** The names for one query, which all its columns are to be read with. */
  beginQuery(): CallNames {
    if (this.#names.sizeBytes > NAMES_BYTES_MAX) {
      this.#names = new CallNames();
      this.#columns = new WeakMap();
    }
    return this.#names;
  }

  /** The columns of a block, of the names given last. Throws CORRUPTION. */
  columns(block: BlockReader): CallColumns {
    let columns = this.#columns.get(block);
    if (columns === undefined) this.#columns.set(block, (columns = new CallColumns(block, this.#names)));
    return columns;
  }
}
