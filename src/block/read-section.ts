// Reads one section (spans, events or links) of a row group: the template of each row, and the position of each field's
// values. The full decoder and the query's predicates both use it.
import { StoreError } from '../base/errors.ts';
import { freeBytes } from '../bytes/free-bytes.ts';
import { decodeNumbers } from '../codec/numbers.ts';
import type { Texts } from '../codec/text-forms.ts';
import { decodeTextColumn, type Arena, type TextColumn } from '../codec/texts.ts';
import { openTextColumn, type PickableColumn, type PickableTexts } from '../codec/pick-texts.ts';
import { decodeDoubles, decodeInts, openDoubles, openInts, type PickableWords, type Words } from '../codec/words.ts';
import type { ByteReader } from '../bytes/byte-reader.ts';
import * as T from '../trace/templates.ts';
import {
  COLUMN_CONSTANTS,
  COLUMN_DISTINCT,
  COLUMN_ROW_TEMPLATES,
  COLUMN_VALUES,
  SECTION_SPANS,
} from './block-columns.ts';
import type { ColumnEntry, GroupReader } from './group-reader.ts';
import type { StoredTemplates } from './read-templates.ts';

/** A decoded value column: words, or text entries with codes. */
export type ValueColumn =
  | { readonly kind: 'words'; readonly a: Uint32Array; readonly b: Uint32Array }
  | ({ readonly kind: 'texts' } & TextColumn);

/** A value column of which a few values are read. */
export type PickedColumn =
  | { readonly kind: 'words'; readonly words: PickableWords }
  | { readonly kind: 'texts'; readonly texts: PickableColumn };

/** The rows of a section of a group, by template. */
export interface SectionRows {
  /** Local template of each row. */
  readonly rowTemplates: Float64Array;
  /** Rows template by template, as the writer bucketed them: rows[starts[t]] … rows[starts[t+1]-1]. */
  readonly rows: Uint32Array;
  readonly starts: Uint32Array;
}

/** `templateCount`: templates of the section in the block. Throws CORRUPTION. */
export function readSectionRows(group: GroupReader, section: number, templateCount: number): SectionRows {
  const column = group.find(COLUMN_ROW_TEMPLATES + section);
  const rowTemplates = column === undefined ? new Float64Array(0) : decodeNumbers(group.open(column), column.count);
  if (section === SECTION_SPANS && rowTemplates.length !== group.rowCount) {
    throw new StoreError('CORRUPTION', 'the rows do not fit the header');
  }
  const starts = countRows(rowTemplates, templateCount);
  return { rowTemplates, rows: bucket(rowTemplates, starts), starts };
}

export class SectionReader implements SectionRows {
  readonly section: number;
  readonly templates: StoredTemplates;
  readonly rowTemplates: Float64Array;
  readonly rows: Uint32Array;
  readonly starts: Uint32Array;
  readonly #group: GroupReader;
  #ranks: Uint32Array | undefined;
  #valueStarts: { readonly ofTemplate: Uint32Array; readonly ofField: Uint32Array } | undefined;

  constructor(group: GroupReader, section: number) {
    this.#group = group;
    this.section = section;
    this.templates = group.block.templates(section);
    ({
      rowTemplates: this.rowTemplates,
      rows: this.rows,
      starts: this.starts,
    } = readSectionRows(group, section, this.templates.count));
  }

  /** Frees its arrays (decoded-group.ts). */
  release(): void {
    for (const array of [this.rowTemplates, this.rows, this.starts]) freeBytes(array);
    if (this.#ranks !== undefined) freeBytes(this.#ranks);
  }

  /** Index, in its field's column, of the first value of field number `position` of a template that has rows. */
  valueStart(template: number, position: number): number {
    const { ofTemplate, ofField } = (this.#valueStarts ??= this.#findValues());
    return ofField[ofTemplate[template]! + position]!;
  }

  /** Position of a row among the rows of its template. */
  rank(row: number): number {
    if (this.#ranks === undefined) {
      const { rows, starts, rowTemplates } = this;
      this.#ranks = new Uint32Array(rows.length);
      for (let i = 0; i < rows.length; i++) this.#ranks[rows[i]!] = i - starts[rowTemplates[rows[i]!]!]!;
    }
    return this.#ranks[row]!;
  }

  #findValues(): { ofTemplate: Uint32Array; ofField: Uint32Array } {
    const { templates, starts } = this;
    const ofTemplate = new Uint32Array(templates.count);
    let fieldCount = 0;
    for (let id = 0; id < templates.count; id++) {
      ofTemplate[id] = fieldCount;
      if (starts[id + 1]! > starts[id]!) fieldCount += templates.starts[id + 1]! - templates.starts[id]!;
    }
    const ofField = new Uint32Array(fieldCount);
    /** Values so far, by column. */
    const next: number[] = [];
    for (let id = 0; id < templates.count; id++) {
      const rowCount = starts[id + 1]! - starts[id]!;
      if (rowCount === 0) continue;
      let to = ofTemplate[id]!;
      for (let at = templates.starts[id]!; at < templates.starts[id + 1]!; at++, to++) {
        if (templates.isConstant(at)) continue;
        const column = templates.column(at);
        const start = next[column] ?? 0;
        ofField[to] = start;
        next[column] = start + rowCount;
      }
    }
    return { ofTemplate, ofField };
  }

  /** The text of the constants. */
  constants(): Texts {
    return this.#group.block.list(COLUMN_CONSTANTS + this.section);
  }

  /** As values(), to read a few of them: nothing is decoded. */
  pick(field: number): PickedColumn {
    const { entry, reader } = this.#open(field);
    const type = T.fieldType(field);
    if (!T.isArenaType(type))
      return { kind: 'words', words: (type === T.TYPE_DOUBLE ? openDoubles : openInts)(reader, entry.count) };
    const shared = (): PickableTexts => this.#group.block.pickable(COLUMN_DISTINCT, this.section, field);
    return { kind: 'texts', texts: openTextColumn(reader, entry.count, shared) };
  }

  /** The values of a field that is not constant in every template; text goes to `arena` unless the groups share it. */
  values(field: number, arena: Arena): ValueColumn {
    const { entry, reader } = this.#open(field);
    if (!T.isArenaType(T.fieldType(field))) return { kind: 'words', ...this.#words(field, reader, entry.count) };
    const shared = (): Texts => this.#group.block.list(COLUMN_DISTINCT, this.section, field);
    return { kind: 'texts', ...decodeTextColumn(reader, entry.count, arena, shared) };
  }

  #open(field: number): { entry: ColumnEntry; reader: ByteReader } {
    const entry = this.#group.find(COLUMN_VALUES, this.section, field);
    if (entry === undefined) throw new StoreError('CORRUPTION', `a block without values of field ${field}`);
    return { entry, reader: this.#group.open(entry) };
  }

  #words(field: number, reader: ByteReader, count: number): Words {
    return T.fieldType(field) === T.TYPE_DOUBLE ? decodeDoubles(reader, count) : decodeInts(reader, count);
  }
}

function countRows(rowTemplates: Float64Array, count: number): Uint32Array {
  const starts = new Uint32Array(count + 1);
  for (let i = 0; i < rowTemplates.length; i++) {
    const template = rowTemplates[i]!;
    if (!(template < count) || template >>> 0 !== template)
      throw new StoreError('CORRUPTION', `row template ${template} of ${count}`);
    starts[template + 1]!++;
  }
  for (let id = 0; id < count; id++) starts[id + 1] = starts[id + 1]! + starts[id]!;
  return starts;
}

function bucket(rowTemplates: Float64Array, starts: Uint32Array): Uint32Array {
  const next = starts.slice();
  const rows = new Uint32Array(rowTemplates.length);
  for (let i = 0; i < rowTemplates.length; i++) rows[next[rowTemplates[i]!]!++] = i;
  return rows;
}
