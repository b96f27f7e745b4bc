// Encodes one section of a block (spans, events or links): its templates, the template of each row, and the values.
// Values are gathered by field over all templates, template by template, so that similar values are adjacent. A field
// with the same value in every row of a template is written once, in the template.
import { assert } from '../base/assert.ts';
import { encodeNumbers } from '../codec/numbers.ts';
import { encodeTextColumn, encodeTextList, tableTexts, type DistinctTexts } from '../codec/texts.ts';
import { encodeDoubles, encodeInts } from '../codec/words.ts';
import { ByteTable } from '../bytes/byte-table.ts';
import { IdMap } from '../bytes/id-map.ts';
import { scratch } from '../bytes/scratch.ts';
import type { SequenceTable } from '../bytes/sequence-table.ts';
import type { ValueList } from '../trace/span-batch.ts';
import * as T from '../trace/templates.ts';
import {
  COLUMN_CONSTANTS,
  COLUMN_DISTINCT,
  COLUMN_ROW_TEMPLATES,
  COLUMN_TEMPLATES,
  COLUMN_VALUES,
} from './block-columns.ts';
import type { BlockColumns, ColumnWriter } from './column-writer.ts';
import { addColumnTerms, addConstantTerm, type OperationRun } from './collect-terms.ts';
import { TemplateWriter } from './encode-templates.ts';
import type { LocalIds } from './local-ids.ts';
import type { TermSet } from './terms.ts';

export interface SectionRows {
  readonly section: number;
  /** Ints of a template before its fields. */
  readonly headInts: number;
  readonly templates: SequenceTable;
  readonly count: number;
  /** Batch template and first value of each row, in block order. */
  readonly template: Int32Array;
  readonly valueStart: Uint32Array;
  readonly values: ValueList;
  readonly arena: Uint8Array;
}

/** Rows of each template, most frequent template first: rows[starts[t]] … rows[starts[t + 1] - 1], in block order. */
export interface Buckets {
  readonly rows: Uint32Array;
  readonly starts: Uint32Array;
  /** Batch template ids in block order. */
  readonly templates: Int32Array;
}

/** The buckets of one row group. Its rows count from `firstRow`, which is a row of the section. */
export interface GroupBuckets extends Pick<Buckets, 'rows' | 'starts'> {
  readonly firstRow: number;
}

/** State that the sections of one block share during encoding. */
export interface EncodeContext {
  readonly columns: BlockColumns;
  readonly ids: LocalIds;
  /** Look for repeated text values. */
  readonly dictionary: boolean;
  /** Collects the block's terms; undefined: no terms are collected. Needs `dictionary`. */
  readonly terms: TermSet | undefined;
  /** As in BlockOptions. */
  readonly onTemplates: ((section: number, templates: Int32Array) => void) | undefined;
  /** For spans: the operation of each template (operationKey), for the terms. */
  readonly operations?: readonly Uint8Array[];
}

export interface RowTemplates {
  /** Local template of each row. */
  readonly local: Float64Array;
  /** For each group, the row after its last. */
  readonly ends: readonly number[];
  readonly localHead: LocalHead;
}

/** The block-local number for the head int at `position` of a template. */
export type LocalHead = (int: number, position: number) => number;

/** Maps templates; its memory is reused from section to section. */
const templateMap = new IdMap();

/** The constants of the section whose templates are being written. */
const sharedConstants = new ByteTable();

/** The rows by template, and the block's number of each row's template. In scratch memory. */
export function bucketRows(rows: SectionRows): { buckets: Buckets; local: Float64Array } {
  using map = templateMap.begin(rows.templates.count);
  for (let i = 0; i < rows.count; i++) {
    const template = rows.template[i]!;
    map.set(template, Math.max(0, map.get(template)) + 1);
  }
  // Frequent templates get small numbers; ties keep the order of first sight, so equal rows give equal blocks.
  const order = map.used.map((template, rank) => ({ template, rank, count: map.get(template) }));
  order.sort((x, y) => y.count - x.count || x.rank - y.rank);
  const starts = new Uint32Array(order.length + 1);
  const templates = new Int32Array(order.length);
  order.forEach(({ template, count }, id) => {
    map.set(template, id);
    templates[id] = template;
    starts[id + 1] = starts[id]! + count;
  });
  const next = starts.slice();
  const bucketed = scratch.uint32(rows.count);
  const localOfRow = scratch.float64(rows.count);
  for (let i = 0; i < rows.count; i++) {
    const id = map.get(rows.template[i]!);
    localOfRow[i] = id;
    bucketed[next[id]!++] = i;
  }
  return { buckets: { rows: bucketed, starts, templates }, local: localOfRow };
}

/** The buckets of each group, in scratch memory. `ends`: for each group, the row of the section after its last. */
export function splitBuckets({ rows, starts }: Buckets, ends: readonly number[]): GroupBuckets[] {
  if (ends.length === 1) return [{ rows, starts, firstRow: 0 }];
  const templates = starts.length - 1;
  // Inside a template rows ascend, so the rows of a group follow those of the group before.
  const next = starts.slice(0, templates);
  return ends.map((end, group) => {
    const firstRow = group === 0 ? 0 : ends[group - 1]!;
    const own = scratch.uint32(end - firstRow);
    const ownStarts = scratch.uint32(templates + 1);
    ownStarts[0] = 0;
    let to = 0;
    for (let id = 0; id < templates; id++) {
      let at = next[id]!;
      for (const stop = starts[id + 1]!; at < stop && rows[at]! < end; at++) own[to++] = rows[at]! - firstRow;
      next[id] = at;
      ownStarts[id + 1] = to;
    }
    assert(to === own.length, 'a group with other rows than its block has');
    return { rows: own, starts: ownStarts, firstRow };
  });
}

export class SectionEncoder {
  readonly #rows: SectionRows;
  readonly #shared: ColumnWriter;
  readonly #groups: readonly ColumnWriter[];
  readonly #ids: LocalIds;
  readonly #dictionary: boolean;
  readonly #terms: TermSet | undefined;
  readonly #operations: readonly Uint8Array[] | undefined;
  readonly #constants = sharedConstants;
  /**
   * Local field → the templates in which it differs between rows, each followed by its position there, in order of first appearance.
   * The values of all these rows go to one column.
   */
  readonly #slots = new Map<number, number[]>();

  constructor(rows: SectionRows, context: EncodeContext) {
    this.#rows = rows;
    this.#shared = context.columns.shared;
    this.#groups = context.columns.groups.map(({ columns }) => columns);
    this.#ids = context.ids;
    this.#dictionary = context.dictionary;
    this.#terms = context.terms;
    this.#operations = context.operations;
  }

  /** Writes the templates, the constants and the template of each row. Then call encodeValues(). */
  encodeTemplates(buckets: Buckets, { local, ends, localHead }: RowTemplates): void {
    const { section, headInts, count } = this.#rows;
    assert(buckets.rows.length === count && local.length === count, 'the buckets of other rows');
    const { out } = this.#shared;
    this.#constants.clear();
    const writer = new TemplateWriter(section, headInts);
    for (let id = 0; id < buckets.templates.length; id++) this.#addTemplate(writer, buckets, id, localHead);
    writer.write(out);
    this.#shared.end(COLUMN_TEMPLATES + section, writer.count);
    encodeTextList(out, tableTexts(this.#constants), this.#constants.count, this.#dictionary);
    this.#shared.end(COLUMN_CONSTANTS + section, this.#constants.count);
    let from = 0;
    this.#groups.forEach((columns, group) => {
      const end = ends[group]!;
      if (end === from) return;
      encodeNumbers(columns.out, local.subarray(from, end), end - from);
      columns.end(COLUMN_ROW_TEMPLATES + section, end - from);
      from = end;
    });
  }

  #addTemplate(writer: TemplateWriter, buckets: Buckets, id: number, localHead: LocalHead): void {
    const { templates, headInts } = this.#rows;
    const template = buckets.templates[id]!;
    const { ints } = templates;
    const start = templates.start(template);
    const end = templates.end(template);
    assert(end - start >= headInts, 'a template shorter than its head');
    // In a template with one row every field is constant. Such a value goes to the column, next to similar values. Log
    // blocks keep it in the template, which is cheaper: most of their templates have few rows.
    const isCommon = !this.#dictionary || buckets.starts[id + 1]! - buckets.starts[id]! > 1;
    for (let position = 0; position < headInts; position++) {
      writer.addHead(localHead(ints[start + position]!, position), position);
    }
    for (let i = start + headInts; i < end; i++) {
      const field = this.#ids.field(ints[i]!);
      const position = i - start - headInts;
      const isConstant = isCommon && this.#isConstant(buckets, id, position, T.fieldType(field));
      if (isConstant) this.#addConstant(writer, buckets, { id, position, field });
      else {
        writer.addField(field);
        this.#addSlot(field, id, position);
      }
    }
    writer.endTemplate();
  }

  #addSlot(field: number, template: number, position: number): void {
    const slots = this.#slots.get(field);
    if (slots === undefined) this.#slots.set(field, [template, position]);
    else slots.push(template, position);
  }

  #isConstant(buckets: Buckets, id: number, position: number, type: number): boolean {
    const { valueStart, values, arena } = this.#rows;
    const { a, b } = values;
    const first = valueStart[buckets.rows[buckets.starts[id]!]!]! + position;
    const firstA = a[first]!;
    const firstB = b[first]!;
    const isArena = T.isArenaType(type);
    for (let i = buckets.starts[id]! + 1; i < buckets.starts[id + 1]!; i++) {
      const at = valueStart[buckets.rows[i]!]! + position;
      if (b[at] !== firstB) return false;
      if (a[at] === firstA) continue;
      if (!isArena || !sameBytes(arena, a[at]!, firstA, firstB)) return false;
    }
    return true;
  }

  #addConstant(writer: TemplateWriter, buckets: Buckets, slot: { id: number; position: number; field: number }): void {
    const { valueStart, values, arena } = this.#rows;
    const { field } = slot;
    const type = T.fieldType(field);
    const at = valueStart[buckets.rows[buckets.starts[slot.id]!]!]! + slot.position;
    const a = values.a[at]!;
    const b = values.b[at]!;
    writer.addConstant(field, T.isArenaType(type) ? this.#constants.intern(arena, a, a + b) : a, b);
    if (this.#terms === undefined) return;
    addConstantTerm(this.#terms, { field, a, b, arena, operation: this.#operations?.[slot.id] }, this.#ids);
  }

  /** Writes one column for each field that is not constant in every template, a piece of it to each group. */
  encodeValues(groups: readonly GroupBuckets[]): void {
    const { used } = scratch;
    for (const [field, slots] of this.#slots) {
      const gathered = this.#gather(groups, slots);
      const texts = this.#writeValues(field, gathered);
      if (this.#terms !== undefined) {
        const operations = this.#operationRuns(groups, slots);
        addColumnTerms(this.#terms, { field, ...gathered, operations, ...texts }, this.#ids);
      }
      scratch.giveBack(used);
    }
  }

  #writeValues(field: number, { a, b, ends }: Gathered): DistinctTexts | undefined {
    const { section, arena } = this.#rows;
    const type = T.fieldType(field);
    let texts: DistinctTexts | undefined;
    if (T.isArenaType(type)) {
      const pieces = { outs: this.#groups.map(({ out }) => out), ends, shared: this.#shared.out };
      texts = encodeTextColumn(pieces, { bytes: arena, a, b }, this.#dictionary);
      if (texts?.isShared === true) this.#shared.end(COLUMN_DISTINCT, texts.distinct.count, { section, field });
    }
    let from = 0;
    this.#groups.forEach((columns, group) => {
      const end = ends[group]!;
      if (end === from) return;
      if (!T.isArenaType(type)) {
        const words = this.#groups.length === 1 ? { a, b } : { a: a.subarray(from, end), b: b.subarray(from, end) };
        if (type === T.TYPE_DOUBLE) encodeDoubles(columns.out, words, end - from);
        else encodeInts(columns.out, words, end - from);
      }
      columns.end(COLUMN_VALUES, end - from, { section, field });
      from = end;
    });
    return texts;
  }

  /** The operations of a column's values, run by run. */
  #operationRuns(groups: readonly GroupBuckets[], slots: readonly number[]): OperationRun[] | undefined {
    const operations = this.#operations;
    if (operations === undefined) return undefined;
    const runs: OperationRun[] = [];
    for (const { starts } of groups) {
      for (let slot = 0; slot < slots.length; slot += 2) {
        const template = slots[slot]!;
        const count = starts[template + 1]! - starts[template]!;
        if (count > 0) runs.push({ operation: operations[template]!, count });
      }
    }
    return runs;
  }

  /** The values of a column, group by group, inside a group template by template. */
  #gather(groups: readonly GroupBuckets[], slots: readonly number[]): Gathered {
    const { valueStart, values } = this.#rows;
    let count = 0;
    const ends = groups.map(({ starts }) => {
      for (let slot = 0; slot < slots.length; slot += 2) count += starts[slots[slot]! + 1]! - starts[slots[slot]!]!;
      return count;
    });
    const a = scratch.uint32(count);
    const b = scratch.uint32(count);
    let to = 0;
    for (const { rows, starts, firstRow } of groups) {
      for (let slot = 0; slot < slots.length; slot += 2) {
        const template = slots[slot]!;
        const position = slots[slot + 1]!;
        for (let i = starts[template]!; i < starts[template + 1]!; i++) {
          const at = valueStart[firstRow + rows[i]!]! + position;
          a[to] = values.a[at]!;
          b[to++] = values.b[at]!;
        }
      }
    }
    return { a, b, ends };
  }
}

/** The values of a column; those of a group end at ends[group]. */
interface Gathered {
  readonly a: Uint32Array;
  readonly b: Uint32Array;
  readonly ends: readonly number[];
}

function sameBytes(arena: Uint8Array, x: number, y: number, size: number): boolean {
  for (let i = 0; i < size; i++) if (arena[x + i] !== arena[y + i]) return false;
  return true;
}
