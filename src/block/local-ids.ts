// The block's own numbering of strings, resources and scopes: only what the block uses, in order of first use, so that
// a block is self-contained and equal rows give equal bytes whatever else their batch has interned.
import type { ByteTable } from '../bytes/byte-table.ts';
import type { ByteWriter } from '../bytes/byte-writer.ts';
import { encodeTextList } from '../codec/texts.ts';
import type { SpanBatch } from '../trace/span-batch.ts';
import * as T from '../trace/templates.ts';

class LocalTable {
  readonly #table: ByteTable;
  readonly #local: Int32Array;
  readonly #used: number[] = [];

  constructor(table: ByteTable) {
    this.#table = table;
    this.#local = new Int32Array(table.count).fill(-1);
  }

  id(id: number): number {
    let local = this.#local[id]!;
    if (local < 0) {
      local = this.#used.length;
      this.#local[id] = local;
      this.#used.push(id);
    }
    return local;
  }

  /** Batch ids of the entries used, in local order. */
  get used(): readonly number[] {
    return this.#used;
  }

  /** A view of local entry `local`. */
  bytes(local: number): Uint8Array {
    return this.#table.bytes(this.#used[local]!);
  }

  /** Writes the entries used, in local order; returns their number. */
  write(out: ByteWriter): number {
    const table = this.#table;
    const count = this.#used.length;
    const a = new Uint32Array(count);
    const b = new Uint32Array(count);
    this.#used.forEach((id, local) => {
      a[local] = table.start(id);
      b[local] = table.end(id) - table.start(id);
    });
    encodeTextList(out, { bytes: table.arena, a, b }, count, false);
    return count;
  }
}

export class LocalIds {
  readonly strings: LocalTable;
  readonly resources: LocalTable;
  readonly scopes: LocalTable;

  constructor(batch: SpanBatch) {
    this.strings = new LocalTable(batch.strings);
    this.resources = new LocalTable(batch.resources);
    this.scopes = new LocalTable(batch.scopes);
  }

  /** A template's field with its key in local numbering. */
  field(field: number): number {
    if (T.isIntrinsic(field)) return field;
    return T.attributeField(this.strings.id(T.fieldId(field)), T.fieldType(field));
  }
}
