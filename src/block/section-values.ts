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
import type { StoredTemplates } from './read-templates.ts';

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
    const ids = (this.#templates[section] ??= new Int32Array(templates.count).fill(-1));
    const known = ids[local]!;
    return known >= 0 ? known : (ids[local] = this.#intern(section, templates, local));
  }

  #intern(section: number, templates: StoredTemplates, local: number): number {
    const { size, starts } = templates;
    const [from, end] = [starts[local]!, starts[local + 1]!];
    const length = size + end - from;
    if (length > this.#scratch.length) this.#scratch = new Int32Array(length * 2);
    const scratch = this.#scratch;
    for (let int = 0; int < size; int++) scratch[int] = templates.head(local, int);
    this.#mapHead(section, scratch);
    for (let at = from, to = size; at < end; at++, to++) {
      const field = templates.field(at);
      scratch[to] = T.isIntrinsic(field)
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
    const { templates } = reader;
    const { starts } = templates;
    const count = reader.rowTemplates.length;
    const valueStart = new Uint32Array(count + 1);
    for (let row = 0; row < count; row++) {
      const id = reader.rowTemplates[row]!;
      valueStart[row + 1] = valueStart[row]! + starts[id + 1]! - starts[id]!;
    }
    this.#valueStart = valueStart;
    this.#a = new Uint32Array(valueStart[count]!);
    this.#b = new Uint32Array(valueStart[count]!);
    for (let id = 0; id < templates.count; id++) {
      const rowCount = reader.starts[id + 1]! - reader.starts[id]!;
      if (rowCount === 0) continue;
      for (let at = starts[id]!, position = 0; at < starts[id + 1]!; at++, position++) {
        if (templates.isConstant(at)) this.#fillConstant(id, position, this.#constant(at));
        else this.#fillField({ id, position, rowCount }, templates.field(at));
      }
    }
  }

  #fillField({ id, position, rowCount }: { id: number; position: number; rowCount: number }, field: number): void {
    const column = this.#column(field);
    const valueStart = this.reader.valueStart(id, position);
    const available = (column.kind === 'texts' ? column.codes : undefined)?.length ?? column.a.length;
    checkLength(valueStart + rowCount, available);
    this.#fillColumn({ id, position, valueStart }, column);
  }

  /** The words of the constant field at `at`; text is in the batch's arena. */
  #constant(at: number): { a: number; b: number } {
    const { templates } = this.reader;
    const [a, b] = [templates.a(at), templates.b(at)];
    if (!T.isArenaType(T.fieldType(templates.field(at)))) return { a, b };
    const constants = this.reader.constants();
    checkConstant(constants, a);
    return { a: this.#entries.place(constants)[a]!, b: constants.b[a]! };
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
    const { templates } = reader;
    const { starts } = templates;
    const rank = reader.rank(row);
    for (let at = starts[template]!, position = 0; at < starts[template + 1]!; at++, position++) {
      if (templates.isConstant(at)) this.#copyConstant(at, into);
      else this.#copyValue(templates.field(at), reader.valueStart(template, position) + rank, into);
    }
  }

  #copyConstant(at: number, into: ValueList): void {
    const { templates } = this.reader;
    const a = templates.a(at);
    if (!T.isArenaType(T.fieldType(templates.field(at)))) return into.push(a, templates.b(at));
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
