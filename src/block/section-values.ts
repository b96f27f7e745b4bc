// Copies the values of a section's rows into a batch, in one of two ways with the same result. AllValues first decodes
// all columns into row order, which is fastest for a whole block. SomeValues looks up single rows and decodes only the
// columns that their templates name, which is fastest for one trace of a block.
import { StoreError } from '../base/errors.ts';
import type { ByteTable } from '../bytes/byte-table.ts';
import type { SequenceTable } from '../bytes/sequence-table.ts';
import type { SpanBatch, ValueList } from '../trace/span-batch.ts';
import * as T from '../trace/templates.ts';
import * as C from './block-columns.ts';
import { TextArena, type BlockReader } from './block-reader.ts';
import type { SectionReader, ValueColumn } from './read-section.ts';
import type { StoredField } from './read-templates.ts';

/** Maps a block's dictionary to ids of the batch; interns an entry on first use. */
export class LocalEntries {
  readonly #table: ByteTable;
  readonly #texts = new TextArena();
  readonly #a: Uint32Array;
  readonly #b: Uint32Array;
  readonly #ids: Int32Array;

  constructor(block: BlockReader, code: number, table: ByteTable) {
    this.#table = table;
    const { a, b } = block.texts(code, this.#texts);
    this.#a = a;
    this.#b = b;
    this.#ids = new Int32Array(a.length).fill(-1);
  }

  /** The batch id of local entry `local`. Throws CORRUPTION when the block has no such entry. */
  id(local: number): number {
    const known = this.#ids[local];
    if (known === undefined) throw new StoreError('CORRUPTION', `dictionary entry ${local} of ${this.#ids.length}`);
    if (known >= 0) return known;
    const start = this.#a[local]!;
    return (this.#ids[local] = this.#table.intern(this.#texts.arena, start, start + this.#b[local]!));
  }
}

export interface Dictionaries {
  readonly strings: LocalEntries;
  readonly resources: LocalEntries;
  readonly scopes: LocalEntries;
}

/** Maps a section's templates to ids of the batch; interns a template on first use. */
class LocalTemplates {
  readonly #reader: SectionReader;
  readonly #table: SequenceTable;
  readonly #dictionaries: Dictionaries;
  readonly #ids: Int32Array;
  #scratch = new Int32Array(64);

  constructor(reader: SectionReader, table: SequenceTable, dictionaries: Dictionaries) {
    this.#reader = reader;
    this.#table = table;
    this.#dictionaries = dictionaries;
    this.#ids = new Int32Array(reader.templates.length).fill(-1);
  }

  id(local: number): number {
    const known = this.#ids[local]!;
    return known >= 0 ? known : (this.#ids[local] = this.#intern(local));
  }

  #intern(local: number): number {
    const { head, fields } = this.#reader.templates[local]!;
    const { strings } = this.#dictionaries;
    const length = head.length + fields.length;
    if (length > this.#scratch.length) this.#scratch = new Int32Array(length * 2);
    const scratch = this.#scratch;
    scratch.set(head);
    this.#mapHead(scratch);
    for (let i = 0; i < fields.length; i++) {
      const { field } = fields[i]!;
      scratch[head.length + i] = T.isIntrinsic(field)
        ? field
        : T.attributeField(strings.id(T.fieldId(field)), T.fieldType(field));
    }
    return this.#table.intern(scratch, length);
  }

  #mapHead(head: Int32Array): void {
    const { strings, resources, scopes } = this.#dictionaries;
    if (this.#reader.section === C.SECTION_SPANS) {
      head[T.SPAN_RESOURCE] = resources.id(head[T.SPAN_RESOURCE]!);
      head[T.SPAN_SCOPE] = scopes.id(head[T.SPAN_SCOPE]!);
      head[T.SPAN_NAME] = strings.id(head[T.SPAN_NAME]!);
    } else if (this.#reader.section === C.SECTION_EVENTS) head[T.EVENT_NAME] = strings.id(head[T.EVENT_NAME]!);
  }
}

export interface SectionValues {
  readonly reader: SectionReader;
  /** The batch template of a row. */
  template(row: number): number;
  /** Appends a row's values, one for each field of its template. */
  copy(row: number, into: ValueList): void;
}

interface Target {
  readonly batch: SpanBatch;
  readonly table: SequenceTable;
  readonly dictionaries: Dictionaries;
}

/** Decoded columns and constants of a section; their text is in the batch's arena. */
class Columns {
  readonly #reader: SectionReader;
  readonly #batch: SpanBatch;
  readonly #columns = new Map<number, ValueColumn>();
  #constants: { a: Uint32Array; b: Uint32Array } | undefined;

  constructor(reader: SectionReader, batch: SpanBatch) {
    this.#reader = reader;
    this.#batch = batch;
  }

  column(field: number): ValueColumn {
    let column = this.#columns.get(field);
    if (column === undefined) this.#columns.set(field, (column = this.#reader.values(field, this.#batch)));
    return column;
  }

  /** The words of a constant field. */
  constant(field: StoredField): { a: number; b: number } {
    if (!T.isArenaType(T.fieldType(field.field))) return field;
    const { a, b } = (this.#constants ??= this.#reader.constants(this.#batch));
    if (field.a >= a.length) throw new StoreError('CORRUPTION', `constant ${field.a} of ${a.length}`);
    return { a: a[field.a]!, b: b[field.a]! };
  }
}

/** Throws CORRUPTION unless the column has values up to `end`. */
function checkLength(column: ValueColumn, end: number): void {
  const available = column.kind === 'texts' && column.codes !== undefined ? column.codes.length : column.a.length;
  if (end > available) throw new StoreError('CORRUPTION', 'a value column is too short for its rows');
}

export class AllValues implements SectionValues {
  readonly reader: SectionReader;
  readonly #templates: LocalTemplates;
  /** The first value of each row in a and b, then the count. */
  readonly #valueStart: Uint32Array;
  readonly #a: Uint32Array;
  readonly #b: Uint32Array;

  constructor(reader: SectionReader, target: Target) {
    this.reader = reader;
    this.#templates = new LocalTemplates(reader, target.table, target.dictionaries);
    const count = reader.rowTemplates.length;
    const valueStart = new Uint32Array(count + 1);
    for (let row = 0; row < count; row++) {
      valueStart[row + 1] = valueStart[row]! + reader.templates[reader.rowTemplates[row]!]!.fields.length;
    }
    this.#valueStart = valueStart;
    this.#a = new Uint32Array(valueStart[count]!);
    this.#b = new Uint32Array(valueStart[count]!);
    const columns = new Columns(reader, target.batch);
    reader.templates.forEach(({ fields, rowCount }, id) => {
      fields.forEach((field, position) => {
        if (field.isConstant) return this.#fillConstant(id, position, columns.constant(field));
        const column = columns.column(field.field);
        checkLength(column, field.valueStart + rowCount);
        this.#fillColumn({ id, position, valueStart: field.valueStart }, column);
      });
    });
  }

  #fillConstant(id: number, position: number, words: { a: number; b: number }): void {
    const { starts, rows } = this.reader;
    for (let i = starts[id]!; i < starts[id + 1]!; i++) {
      const to = this.#valueStart[rows[i]!]! + position;
      this.#a[to] = words.a;
      this.#b[to] = words.b;
    }
  }

  #fillColumn(slot: { id: number; position: number; valueStart: number }, column: ValueColumn): void {
    const { starts, rows } = this.reader;
    const codes = column.kind === 'texts' ? column.codes : undefined;
    let from = slot.valueStart;
    for (let i = starts[slot.id]!; i < starts[slot.id + 1]!; i++, from++) {
      const to = this.#valueStart[rows[i]!]! + slot.position;
      const entry = codes === undefined ? from : codes[from]!;
      this.#a[to] = column.a[entry]!;
      this.#b[to] = column.b[entry]!;
    }
  }

  template(row: number): number {
    return this.#templates.id(this.reader.rowTemplates[row]!);
  }

  copy(row: number, into: ValueList): void {
    const from = this.#valueStart[row]!;
    const end = this.#valueStart[row + 1]!;
    into.reserve(end - from);
    const { a, b } = into;
    let to = into.count;
    for (let i = from; i < end; i++, to++) {
      a[to] = this.#a[i]!;
      b[to] = this.#b[i]!;
    }
    into.count = to;
  }
}

export class SomeValues implements SectionValues {
  readonly reader: SectionReader;
  readonly #templates: LocalTemplates;
  readonly #columns: Columns;
  /** Position of each row among the rows of its template. */
  readonly #ranks: Uint32Array;

  constructor(reader: SectionReader, target: Target) {
    this.reader = reader;
    this.#templates = new LocalTemplates(reader, target.table, target.dictionaries);
    this.#columns = new Columns(reader, target.batch);
    this.#ranks = new Uint32Array(reader.rows.length);
    reader.templates.forEach((_, id) => {
      const start = reader.starts[id]!;
      for (let i = start; i < reader.starts[id + 1]!; i++) this.#ranks[reader.rows[i]!] = i - start;
    });
  }

  template(row: number): number {
    return this.#templates.id(this.reader.rowTemplates[row]!);
  }

  copy(row: number, into: ValueList): void {
    const { fields } = this.reader.templates[this.reader.rowTemplates[row]!]!;
    for (const field of fields) {
      if (field.isConstant) {
        const { a, b } = this.#columns.constant(field);
        into.push(a, b);
        continue;
      }
      const column = this.#columns.column(field.field);
      const at = field.valueStart + this.#ranks[row]!;
      checkLength(column, at + 1);
      const entry = column.kind === 'texts' && column.codes !== undefined ? column.codes[at]! : at;
      into.push(column.a[entry]!, column.b[entry]!);
    }
  }
}
