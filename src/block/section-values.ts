// Copies the values of a section's rows into a batch, in one of two ways with the same result. AllValues first decodes
// all columns into row order, which is fastest for a whole block. SomeValues looks up single rows and decodes only the
// columns that their templates name, which is fastest for one trace of a block.
import { StoreError } from '../base/errors.ts';
import type { ByteTable } from '../bytes/byte-table.ts';
import type { Texts } from '../codec/text-forms.ts';
import type { SpanBatch, ValueList } from '../trace/span-batch.ts';
import * as T from '../trace/templates.ts';
import * as C from './block-columns.ts';
import type { BlockReader } from './block-reader.ts';
import type { PickedColumn, SectionReader, ValueColumn } from './read-section.ts';
import type { StoredField, StoredTemplate } from './read-templates.ts';

/** Maps one of a block's dictionaries to ids of the batch; interns an entry on first use. */
class LocalEntries {
  readonly #table: ByteTable;
  readonly #list: Texts;
  readonly #ids: Int32Array;

  constructor(list: Texts, table: ByteTable) {
    this.#table = table;
    this.#list = list;
    this.#ids = new Int32Array(list.a.length).fill(-1);
  }

  /** The batch id of local entry `local`. Throws CORRUPTION when the block has no such entry. */
  id(local: number): number {
    const known = this.#ids[local];
    if (known === undefined) throw new StoreError('CORRUPTION', `dictionary entry ${local} of ${this.#ids.length}`);
    if (known >= 0) return known;
    const start = this.#list.a[local]!;
    return (this.#ids[local] = this.#table.intern(this.#list.bytes, start, start + this.#list.b[local]!));
  }
}

/** What the groups of a block share while their rows are copied into a batch: ids and text that are already there. */
export class BlockEntries {
  readonly batch: SpanBatch;
  readonly #strings: LocalEntries;
  readonly #resources: LocalEntries;
  readonly #scopes: LocalEntries;
  /** By section: the batch's template of each of the block's, -1 if it is not there yet. */
  readonly #templates: (Int32Array | undefined)[] = [];
  /** Offsets in the batch's arena of texts copied there. */
  readonly #placed = new Map<Texts, Uint32Array>();
  #scratch = new Int32Array(64);

  constructor(block: BlockReader, batch: SpanBatch) {
    this.batch = batch;
    this.#strings = new LocalEntries(block.list(C.COLUMN_STRINGS), batch.strings);
    this.#resources = new LocalEntries(block.list(C.COLUMN_RESOURCES), batch.resources);
    this.#scopes = new LocalEntries(block.list(C.COLUMN_SCOPES), batch.scopes);
  }

  /** The batch template of a block's template; interns it on first use. */
  template({ section, templates }: SectionReader, local: number): number {
    const ids = (this.#templates[section] ??= new Int32Array(templates.length).fill(-1));
    const known = ids[local]!;
    return known >= 0 ? known : (ids[local] = this.#intern(section, templates[local]!));
  }

  #intern(section: number, { head, fields }: StoredTemplate): number {
    const length = head.length + fields.length;
    if (length > this.#scratch.length) this.#scratch = new Int32Array(length * 2);
    const scratch = this.#scratch;
    scratch.set(head);
    this.#mapHead(section, scratch);
    for (let i = 0; i < fields.length; i++) {
      const { field } = fields[i]!;
      scratch[head.length + i] = T.isIntrinsic(field)
        ? field
        : T.attributeField(this.#strings.id(T.fieldId(field)), T.fieldType(field));
    }
    const { spanTemplates, eventTemplates, linkTemplates } = this.batch;
    return [spanTemplates, eventTemplates, linkTemplates][section]!.intern(scratch, length);
  }

  #mapHead(section: number, head: Int32Array): void {
    if (section === C.SECTION_SPANS) {
      head[T.SPAN_RESOURCE] = this.#resources.id(head[T.SPAN_RESOURCE]!);
      head[T.SPAN_SCOPE] = this.#scopes.id(head[T.SPAN_SCOPE]!);
      head[T.SPAN_NAME] = this.#strings.id(head[T.SPAN_NAME]!);
    } else if (section === C.SECTION_EVENTS) head[T.EVENT_NAME] = this.#strings.id(head[T.EVENT_NAME]!);
  }

  /** Copies all of `texts` into the batch's arena, once; returns their offsets there. */
  place(texts: Texts): Uint32Array {
    let placed = this.#placed.get(texts);
    if (placed === undefined) {
      const at = this.batch.appendArena(texts.bytes);
      this.#placed.set(texts, (placed = texts.a.map((start) => start + at)));
    }
    return placed;
  }

  /** Copies text `index` of `texts` into the batch's arena, once; returns its offset there. */
  placeOne(texts: Texts, index: number): number {
    let placed = this.#placed.get(texts);
    if (placed === undefined) this.#placed.set(texts, (placed = new Uint32Array(texts.a.length).fill(NOT_PLACED)));
    const known = placed[index]!;
    if (known !== NOT_PLACED) return known;
    const start = texts.a[index]!;
    return (placed[index] = this.batch.appendArena(texts.bytes, start, start + texts.b[index]!));
  }
}

/** No offset of an arena, which is smaller. */
const NOT_PLACED = 0xffffffff;

export interface SectionValues {
  readonly reader: SectionReader;
  /** The batch template of a row. */
  template(row: number): number;
  /** Appends a row's values, one for each field of its template. */
  copy(row: number, into: ValueList): void;
}

/** Throws CORRUPTION unless a column of `available` values has values up to `end`. */
function checkLength(end: number, available: number): void {
  if (end > available) throw new StoreError('CORRUPTION', 'a value column is too short for its rows');
}

/** Throws CORRUPTION unless the constants have text `index`. */
function checkConstant(constants: Texts, index: number): void {
  if (index >= constants.a.length) throw new StoreError('CORRUPTION', `constant ${index} of ${constants.a.length}`);
}

export class AllValues implements SectionValues {
  readonly reader: SectionReader;
  readonly #entries: BlockEntries;
  readonly #columns = new Map<number, ValueColumn>();
  /** The first value of each row in a and b, then the count. */
  readonly #valueStart: Uint32Array;
  readonly #a: Uint32Array;
  readonly #b: Uint32Array;

  constructor(reader: SectionReader, entries: BlockEntries) {
    this.reader = reader;
    this.#entries = entries;
    const count = reader.rowTemplates.length;
    const valueStart = new Uint32Array(count + 1);
    for (let row = 0; row < count; row++) {
      valueStart[row + 1] = valueStart[row]! + reader.templates[reader.rowTemplates[row]!]!.fields.length;
    }
    this.#valueStart = valueStart;
    this.#a = new Uint32Array(valueStart[count]!);
    this.#b = new Uint32Array(valueStart[count]!);
    reader.templates.forEach(({ fields }, id) => {
      const rowCount = reader.starts[id + 1]! - reader.starts[id]!;
      if (rowCount === 0) return;
      fields.forEach((field, position) => {
        if (field.isConstant) return this.#fillConstant(id, position, this.#constant(field));
        const column = this.#column(field.field);
        const valueStart = reader.valueStart(id, position);
        checkLength(
          valueStart + rowCount,
          (column.kind === 'texts' ? column.codes : undefined)?.length ?? column.a.length,
        );
        this.#fillColumn({ id, position, valueStart }, column);
      });
    });
  }

  /** The words of a constant field; text is in the batch's arena. */
  #constant(field: StoredField): { a: number; b: number } {
    if (!T.isArenaType(T.fieldType(field.field))) return field;
    const constants = this.reader.constants();
    checkConstant(constants, field.a);
    return { a: this.#entries.place(constants)[field.a]!, b: constants.b[field.a]! };
  }

  /** A decoded column whose text is in the batch's arena. */
  #column(field: number): ValueColumn {
    let column = this.#columns.get(field);
    if (column === undefined) {
      column = this.reader.values(field, this.#entries.batch);
      if (column.kind === 'texts' && column.shared !== undefined)
        column = { ...column, a: this.#entries.place(column.shared) };
      this.#columns.set(field, column);
    }
    return column;
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
    return this.#entries.template(this.reader, this.reader.rowTemplates[row]!);
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
  readonly #entries: BlockEntries;
  readonly #columns = new Map<number, PickedColumn>();

  constructor(reader: SectionReader, entries: BlockEntries) {
    this.reader = reader;
    this.#entries = entries;
  }

  template(row: number): number {
    return this.#entries.template(this.reader, this.reader.rowTemplates[row]!);
  }

  copy(row: number, into: ValueList): void {
    const { reader } = this;
    const template = reader.rowTemplates[row]!;
    const { fields } = reader.templates[template]!;
    const rank = reader.rank(row);
    for (let position = 0; position < fields.length; position++) {
      const field = fields[position]!;
      if (field.isConstant) this.#copyConstant(field, into);
      else this.#copyValue(field.field, reader.valueStart(template, position) + rank, into);
    }
  }

  #copyConstant({ field, a, b }: StoredField, into: ValueList): void {
    if (!T.isArenaType(T.fieldType(field))) return into.push(a, b);
    const constants = this.reader.constants();
    checkConstant(constants, a);
    into.push(this.#entries.placeOne(constants, a), constants.b[a]!);
  }

  #copyValue(field: number, at: number, into: ValueList): void {
    let column = this.#columns.get(field);
    if (column === undefined) this.#columns.set(field, (column = this.reader.pick(field)));
    if (column.kind === 'words') {
      const { words } = column;
      checkLength(at + 1, words.count);
      words.read(at);
      return into.push(words.a, words.b);
    }
    const { texts } = column;
    checkLength(at + 1, texts.count);
    const start = texts.print(at, this.#entries.batch);
    into.push(start, texts.size);
  }
}
