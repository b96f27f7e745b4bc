// Columns of log blocks, kept between the queries of one thread: until a flush, every query for calls counts the log blocks
// anew, and decoding is half of that work. Columns live as long as their block stays open (block-cache.ts).
import type { BlockReader } from '../block/block-reader.ts';
import { CallColumns } from '../block/call-columns.ts';
import { CallNames } from '../block/call-counts.ts';

/** Above this many bytes of names, all names and the columns read with them are forgotten. */
const NAMES_BYTES_MAX: number = 4 << 20;

export class CallCache {
  #names = new CallNames();
  #columns = new WeakMap<BlockReader, CallColumns>();

  /** The names for one query; all its columns must be read with them. */
  beginQuery(): CallNames {
    if (this.#names.sizeBytes > NAMES_BYTES_MAX) {
      this.#names = new CallNames();
      this.#columns = new WeakMap();
    }
    return this.#names;
  }

  /** The columns of a block, with the names of the last beginQuery(). Throws CORRUPTION. */
  columns(block: BlockReader): CallColumns {
    let columns = this.#columns.get(block);
    if (columns === undefined) this.#columns.set(block, (columns = new CallColumns(block, this.#names)));
    return columns;
  }
}
