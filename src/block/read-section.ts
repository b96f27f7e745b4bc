// Reads one section of a block (spans, events or links): its templates as stored, the template of each row, and the
// position of each field's values. The full decoder and the query's predicates both use it.
import { StoreError } from '../base/errors.ts';
import { decodeNumbers } from '../codec/numbers.ts';
import { decodeTextColumn, type Arena, type TextColumn } from '../codec/texts.ts';
import { decodeDoubles, decodeInts } from '../codec/words.ts';
import * as T from '../trace/templates.ts';
import {
  COLUMN_CONSTANTS,
  COLUMN_ROW_TEMPLATES,
  COLUMN_TEMPLATES,
  COLUMN_VALUES,
  SECTION_SPANS,
} from './block-columns.ts';
import type { BlockReader } from './block-reader.ts';
import { readTemplateHeads, readTemplates, type StoredTemplate } from './read-templates.ts';

/** A decoded value column: words, or text entries with codes. */
export type ValueColumn =
  | { readonly kind: 'words'; readonly a: Uint32Array; readonly b: Uint32Array }
  | ({ readonly kind: 'texts' } & TextColumn);

export class SectionReader {
  readonly section: number;
  readonly templates: readonly StoredTemplate[];
  /** Local template of each row. */
  readonly rowTemplates: Float64Array;
  /** Rows template by template, as the writer bucketed them: rows[starts[t]] … rows[starts[t+1]-1]. */
  readonly rows: Uint32Array;
  readonly starts: Uint32Array;
  readonly #block: BlockReader;

  /**
   * `what` 'templates' skips the rows, for callers that need only the list of templates; 'heads' reads the rows but
   * skips the templates' fields.
   */
  constructor(block: BlockReader, section: number, what: 'rows' | 'templates' | 'heads' = 'rows') {
    this.#block = block;
    this.section = section;
    const rowColumn = what !== 'templates' ? block.find(COLUMN_ROW_TEMPLATES + section) : undefined;
    this.rowTemplates =
      rowColumn === undefined ? new Float64Array(0) : decodeNumbers(block.open(rowColumn), rowColumn.count);
    if (what !== 'templates' && section === SECTION_SPANS && this.rowTemplates.length !== block.header.rowCount) {
      throw new StoreError('CORRUPTION', 'the rows do not fit the header');
    }
    const templateColumn = block.find(COLUMN_TEMPLATES + section);
    const count = templateColumn?.count ?? 0;
    this.starts = countRows(this.rowTemplates, count);
    this.rows = bucket(this.rowTemplates, this.starts);
    const read = what === 'heads' ? readTemplateHeads : readTemplates;
    this.templates = templateColumn === undefined ? [] : read(block.open(templateColumn), section, this.starts);
  }

  /** The constants' text, decoded into `arena`. */
  constants(arena: Arena): { a: Uint32Array; b: Uint32Array } {
    return this.#block.texts(COLUMN_CONSTANTS + this.section, arena);
  }

  /** The values of a field that is not constant in every template; text goes to `arena`. */
  values(field: number, arena: Arena): ValueColumn {
    const entry = this.#block.find(COLUMN_VALUES, this.section, field);
    if (entry === undefined) throw new StoreError('CORRUPTION', `a block without values of field ${field}`);
    const reader = this.#block.open(entry);
    const type = T.fieldType(field);
    if (T.isArenaType(type)) return { kind: 'texts', ...decodeTextColumn(reader, entry.count, arena) };
    const words = type === T.TYPE_DOUBLE ? decodeDoubles(reader, entry.count) : decodeInts(reader, entry.count);
    return { kind: 'words', a: words.a, b: words.b };
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
