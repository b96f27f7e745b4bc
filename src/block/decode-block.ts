// Decodes a whole block, or chosen traces of it, into a batch: what merges, recovery and assembling traces need.
import { StoreError } from '../base/errors.ts';
import type { ByteTable } from '../bytes/byte-table.ts';
import type { SequenceTable } from '../bytes/sequence-table.ts';
import type { SpanBatch, ValueList } from '../trace/span-batch.ts';
import * as T from '../trace/templates.ts';
import * as C from './block-columns.ts';
import { BlockReader, TextArena } from './block-reader.ts';
import { readChildStarts } from './read-children.ts';
import { SectionReader, type StoredTemplate, type ValueColumn } from './read-section.ts';
import { readTraceColumns, type TraceColumns } from './read-traces.ts';

/** Appends every row of the block that `bytes` begins with. Throws CORRUPTION and leaves the batch as it was. */
export function appendBlock(batch: SpanBatch, bytes: Uint8Array): void {
  const { rowCount, arenaLength } = batch;
  try {
    appendRows(batch, new BlockReader(bytes), undefined);
  } catch (error) {
    batch.truncate(rowCount);
    batch.arenaLength = arenaLength;
    throw error;
  }
}

/** Appends the rows of the block's traces whose index `traces` lists (ascending). */
export function appendTraces(batch: SpanBatch, block: BlockReader, traces: readonly number[]): void {
  appendRows(batch, block, traces);
}

/** One section decoded: every row's values side by side, rows in block order. */
interface DecodedSection {
  readonly reader: SectionReader;
  /** Batch template of each local template. */
  readonly templates: Int32Array;
  /** First value of each row in a, b; and the count behind the last. */
  readonly valueStart: Uint32Array;
  readonly a: Uint32Array;
  readonly b: Uint32Array;
}

function appendRows(batch: SpanBatch, block: BlockReader, traces: readonly number[] | undefined): void {
  const texts = new TextArena();
  const strings = internAll(block, C.COLUMN_STRINGS, batch.strings, texts);
  const resources = internAll(block, C.COLUMN_RESOURCES, batch.resources, texts);
  const scopes = internAll(block, C.COLUMN_SCOPES, batch.scopes, texts);
  const section = (id: number, table: SequenceTable, mapHead: (head: Int32Array) => void): DecodedSection =>
    decodeSection(new SectionReader(block, id), { batch, table, strings, mapHead });
  const spans = section(C.SECTION_SPANS, batch.spanTemplates, (head) => {
    head[T.SPAN_RESOURCE] = mapped(resources, head[T.SPAN_RESOURCE]!);
    head[T.SPAN_SCOPE] = mapped(scopes, head[T.SPAN_SCOPE]!);
    head[T.SPAN_NAME] = mapped(strings, head[T.SPAN_NAME]!);
  });
  if (spans.reader.rows.length !== block.header.rowCount)
    throw new StoreError('CORRUPTION', 'the rows do not fit the header');
  const events = section(C.SECTION_EVENTS, batch.eventTemplates, (head) => {
    head[T.EVENT_NAME] = mapped(strings, head[T.EVENT_NAME]!);
  });
  const links = section(C.SECTION_LINKS, batch.linkTemplates, () => {});
  const columns = readTraceColumns(block, spans.reader);
  new RowCopier(batch, block, { spans, events, links, columns }).copy(traces);
}

function internAll(block: BlockReader, code: number, table: ByteTable, texts: TextArena): Int32Array {
  const { a, b } = block.texts(code, texts);
  const ids = new Int32Array(a.length);
  for (let i = 0; i < a.length; i++) ids[i] = table.intern(texts.arena, a[i]!, a[i]! + b[i]!);
  return ids;
}

function mapped(ids: Int32Array, local: number): number {
  const id = ids[local];
  if (id === undefined) throw new StoreError('CORRUPTION', `dictionary entry ${local} of ${ids.length}`);
  return id;
}

interface SectionTarget {
  readonly batch: SpanBatch;
  readonly table: SequenceTable;
  readonly strings: Int32Array;
  readonly mapHead: (head: Int32Array) => void;
}

function decodeSection(reader: SectionReader, target: SectionTarget): DecodedSection {
  const { batch, table, strings } = target;
  const count = reader.rowTemplates.length;
  const templates = new Int32Array(reader.templates.length);
  let scratch = new Int32Array(64);
  reader.templates.forEach((stored, id) => {
    const length = stored.head.length + stored.fields.length;
    if (length > scratch.length) scratch = new Int32Array(length * 2);
    scratch.set(stored.head);
    target.mapHead(scratch);
    stored.fields.forEach(({ field }, i) => {
      const isLocal = !T.isIntrinsic(field);
      scratch[stored.head.length + i] = isLocal
        ? T.attributeField(mapped(strings, T.fieldId(field)), T.fieldType(field))
        : field;
    });
    templates[id] = table.intern(scratch, length);
  });
  const valueStart = new Uint32Array(count + 1);
  for (let row = 0; row < count; row++)
    valueStart[row + 1] = valueStart[row]! + reader.templates[reader.rowTemplates[row]!]!.fields.length;
  const a = new Uint32Array(valueStart[count]!);
  const b = new Uint32Array(valueStart[count]!);
  const section = { reader, templates, valueStart, a, b };
  fillValues(section, batch);
  return section;
}

/** Puts every field's values at their rows. */
function fillValues(section: DecodedSection, batch: SpanBatch): void {
  const { reader } = section;
  const constants = reader.constants(batch);
  const columns = new Map<number, ValueColumn>();
  reader.templates.forEach((stored, id) => {
    stored.fields.forEach((field, position) => {
      if (field.isConstant) {
        const isArena = T.isArenaType(T.fieldType(field.field));
        if (isArena && field.a >= constants.a.length)
          throw new StoreError('CORRUPTION', `constant ${field.a} of ${constants.a.length}`);
        fillConstant(section, id, position, isArena ? { a: constants.a[field.a]!, b: constants.b[field.a]! } : field);
        return;
      }
      let column = columns.get(field.field);
      if (column === undefined) columns.set(field.field, (column = reader.values(field.field, batch)));
      fillColumn(section, { id, position, stored, valueStart: field.valueStart }, column);
    });
  });
}

function fillConstant(section: DecodedSection, id: number, position: number, words: { a: number; b: number }): void {
  const { reader, valueStart, a, b } = section;
  for (let i = reader.starts[id]!; i < reader.starts[id + 1]!; i++) {
    const to = valueStart[reader.rows[i]!]! + position;
    a[to] = words.a;
    b[to] = words.b;
  }
}

function fillColumn(
  section: DecodedSection,
  slot: { id: number; position: number; stored: StoredTemplate; valueStart: number },
  column: ValueColumn,
): void {
  const { reader, valueStart, a, b } = section;
  const codes = column.kind === 'texts' ? column.codes : undefined;
  const available = codes === undefined ? column.a.length : codes.length;
  if (slot.valueStart + slot.stored.rowCount > available)
    throw new StoreError('CORRUPTION', 'a value column is too short for its rows');
  let from = slot.valueStart;
  for (let i = reader.starts[slot.id]!; i < reader.starts[slot.id + 1]!; i++, from++) {
    const to = valueStart[reader.rows[i]!]! + slot.position;
    const entry = codes === undefined ? from : codes[from]!;
    a[to] = column.a[entry]!;
    b[to] = column.b[entry]!;
  }
}

interface DecodedBlock {
  readonly spans: DecodedSection;
  readonly events: DecodedSection;
  readonly links: DecodedSection;
  readonly columns: TraceColumns;
}

/** Copies decoded rows to the end of a batch, in block order. */
class RowCopier {
  readonly #batch: SpanBatch;
  readonly #block: BlockReader;
  readonly #decoded: DecodedBlock;
  readonly #spanIds: Uint8Array;
  readonly #orphans: Uint8Array;
  readonly #linkIds: Uint8Array;
  readonly #eventTimes: Float64Array;
  readonly #eventStart: Uint32Array;
  readonly #linkStart: Uint32Array;
  /** Rank of each row among the orphans, where it is one. */
  readonly #orphanRank: Uint32Array;

  constructor(batch: SpanBatch, block: BlockReader, decoded: DecodedBlock) {
    this.#batch = batch;
    this.#block = block;
    this.#decoded = decoded;
    this.#spanIds = block.fixed(C.COLUMN_SPAN_IDS, 8);
    this.#orphans = block.fixed(C.COLUMN_ORPHAN_PARENTS, 8);
    this.#linkIds = block.fixed(C.COLUMN_LINK_IDS, 24);
    this.#eventTimes = block.numbers(C.COLUMN_EVENT_TIMES);
    const { rowCount } = block.header;
    this.#eventStart = readChildStarts(block, decoded.spans.reader, decoded.events.reader);
    this.#linkStart = readChildStarts(block, decoded.spans.reader, decoded.links.reader);
    this.#orphanRank = new Uint32Array(rowCount);
    let orphans = 0;
    for (let row = 0; row < rowCount; row++) if (decoded.columns.parents[row] === -2) this.#orphanRank[row] = orphans++;
    const isShort =
      this.#spanIds.length !== 8 * rowCount ||
      this.#orphans.length !== 8 * orphans ||
      this.#linkIds.length !== 24 * decoded.links.reader.rows.length ||
      this.#eventTimes.length !== decoded.events.reader.rows.length;
    if (isShort) throw new StoreError('CORRUPTION', 'the id columns do not fit the rows');
  }

  copy(traces: readonly number[] | undefined): void {
    const { firsts } = this.#decoded.columns;
    const ids = this.#block.traceIds();
    if (traces === undefined) this.#batch.reserveRows(this.#block.header.rowCount);
    const count = traces?.length ?? this.#block.header.traceCount;
    for (let i = 0; i < count; i++) {
      const trace = traces === undefined ? i : traces[i]!;
      for (let row = firsts[trace]!; row < firsts[trace + 1]!; row++) this.#copyRow(row, ids, trace * 16);
    }
  }

  #copyRow(row: number, traceIds: Uint8Array, traceAt: number): void {
    const batch = this.#batch;
    const { spans, events, links, columns } = this.#decoded;
    const to = batch.beginRow();
    copyWords(traceIds, traceAt, batch.traceId, to * 4, 4);
    copyWords(this.#spanIds, row * 8, batch.spanId, to * 2, 2);
    const parent = columns.parents[row]!;
    if (parent >= 0) copyWords(this.#spanIds, parent * 8, batch.parentId, to * 2, 2);
    else if (parent === -2) copyWords(this.#orphans, this.#orphanRank[row]! * 8, batch.parentId, to * 2, 2);
    else batch.parentId[to * 2] = batch.parentId[to * 2 + 1] = 0;
    batch.day[to] = this.#block.header.day;
    batch.start[to] = columns.starts[row]!;
    batch.duration[to] = columns.durations[row]!;
    batch.template[to] = spans.templates[spans.reader.rowTemplates[row]!]!;
    copyValues(spans, row, batch.values);
    for (let event = this.#eventStart[row]!; event < this.#eventStart[row + 1]!; event++) {
      const before = batch.events.values.count;
      copyValues(events, event, batch.events.values);
      batch.events.push(events.templates[events.reader.rowTemplates[event]!]!, this.#eventTimes[event]!, before);
    }
    for (let link = this.#linkStart[row]!; link < this.#linkStart[row + 1]!; link++) {
      const at = batch.reserveLink();
      copyWords(this.#linkIds, link * 24, batch.linkIds, at, 6);
      const before = batch.links.values.count;
      copyValues(links, link, batch.links.values);
      batch.links.push(links.templates[links.reader.rowTemplates[link]!]!, 0, before);
    }
    batch.commitRow();
  }
}

function copyValues(section: DecodedSection, row: number, values: ValueList): void {
  const from = section.valueStart[row]!;
  const end = section.valueStart[row + 1]!;
  values.reserve(end - from);
  const { a, b } = values;
  let to = values.count;
  for (let i = from; i < end; i++, to++) {
    a[to] = section.a[i]!;
    b[to] = section.b[i]!;
  }
  values.count = to;
}

function copyWords(bytes: Uint8Array, from: number, target: Uint32Array, to: number, words: number): void {
  for (let word = 0, i = from; word < words; word++, i += 4) {
    target[to + word] = bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);
  }
}
