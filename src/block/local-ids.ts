// The block-local numbers of strings, resources and scopes: only those in use, in order of first use. So a block is
// self-contained, and equal rows give equal bytes whatever else their batch has interned.
import { assert } from '../base/assert.ts';
import type { ByteTable } from '../bytes/byte-table.ts';
import type { ByteWriter } from '../bytes/byte-writer.ts';
import { IdMap } from '../bytes/id-map.ts';
import { scratch } from '../bytes/scratch.ts';
import { encodeTextList } from '../codec/texts.ts';
import type { SpanBatch } from '../trace/span-batch.ts';
import * as T from '../trace/templates.ts';

class LocalTable {
  readonly #table: ByteTable;
  readonly #local: IdMap;

  constructor(table: ByteTable, local: IdMap) {
    this.#table = table;
    this.#local = local.begin(table.count);
  }

  id(id: number): number {
    let local = this.#local.get(id);
    if (local < 0) {
      assert(id < this.#table.count, 'a template with an entry that its batch has not');
      local = this.#local.used.length;
      this.#local.set(id, local);
    }
    return local;
  }

  /** A view of local entry `local`. */
  bytes(local: number): Uint8Array {
    assert(local < this.#local.used.length, 'an entry that the block has not');
    return this.#table.bytes(this.#local.used[local]!);
  }

  /** Writes the used entries in local order; returns their number. */
  write(out: ByteWriter): number {
    const table = this.#table;
    const { used } = this.#local;
    const count = used.length;
    const taken = scratch.used;
    const a = scratch.uint32(count);
    const b = scratch.uint32(count);
    used.forEach((id, local) => {
      a[local] = table.start(id);
      b[local] = table.end(id) - table.start(id);
    });
    encodeTextList(out, { bytes: table.arena, a, b }, count, false);
    scratch.giveBack(taken);
    return count;
  }
}

/** Maps of strings, resources and scopes; their memory is reused from block to block. */
const maps = [new IdMap(), new IdMap(), new IdMap()] as const;

/** The numbering of one block. The maps are shared: dispose it before making the next. */
export class LocalIds implements Disposable {
  readonly strings: LocalTable;
  readonly resources: LocalTable;
  readonly scopes: LocalTable;

  constructor(batch: SpanBatch) {
    this.strings = new LocalTable(batch.strings, maps[0]);
    this.resources = new LocalTable(batch.resources, maps[1]);
    this.scopes = new LocalTable(batch.scopes, maps[2]);
  }

  /** Converts the key in a template's field to local numbering. */
  field(field: number): number {
    if (T.isIntrinsic(field)) return field;
    return T.attributeField(this.strings.id(T.fieldId(field)), T.fieldType(field));
  }

  [Symbol.dispose](): void {
    for (const map of maps) map[Symbol.dispose]();
  }
}
