// One block as a search's conditions see it: dictionaries, templates, rows and value columns, each read on first use. Rows
// are separate, because templates alone decide most conditions.
import { isUtf8 } from 'node:buffer';
import { StoreError } from '../base/errors.ts';
import { TextArena, type BlockReader } from '../block/block-reader.ts';
import * as C from '../block/block-columns.ts';
import { readChildStarts } from '../block/read-children.ts';
import { readTexts } from '../block/read-names.ts';
import { SectionReader, type ValueColumn } from '../block/read-section.ts';
import type { StoredField, StoredTemplate } from '../block/read-templates.ts';
import { readTraceColumns, type TraceColumns } from '../block/read-traces.ts';
import { operationName } from '../trace/service-name.ts';
import * as T from '../trace/templates.ts';
import type { ValueMatcher } from './tag-condition.ts';

export class BlockView {
  readonly block: BlockReader;
  /** Constants and values. Names have their own arena: it must not move while views of them are used. */
  readonly #values = new TextArena();
  readonly #names = new TextArena();
  readonly #lists = new Map<number, readonly Uint8Array[]>();
  readonly #templates: (SectionReader | undefined)[] = [];
  readonly #rows: (SectionReader | undefined)[] = [];
  readonly #constants: ({ a: Uint32Array; b: Uint32Array } | undefined)[] = [];
  readonly #columns = new Map<number, ValueColumn>();
  readonly #childStarts: (Uint32Array | undefined)[] = [];
  #traceColumns: TraceColumns | undefined;

  constructor(block: BlockReader) {
    this.block = block;
  }

  /** Templates of a section without its rows: rowCount and valueStart are not valid. */
  templates(section: number): readonly StoredTemplate[] {
    return this.#templateReader(section).templates;
  }

  #templateReader(section: number): SectionReader {
    return (this.#templates[section] ??= new SectionReader(this.block, section, 'templates'));
  }

  /** A section with its rows. */
  rows(section: number): SectionReader {
    return (this.#rows[section] ??= new SectionReader(this.block, section));
  }

  /** First event or link of each row; the last entry is their total count. */
  childStarts(section: number): Uint32Array {
    return (this.#childStarts[section] ??= readChildStarts(this.block, this.rows(C.SECTION_SPANS), this.rows(section)));
  }

  /** Keys and names. */
  strings(): readonly Uint8Array[] {
    return this.#texts(C.COLUMN_STRINGS);
  }

  /** Descriptors (see SpanBatch.resources). */
  resources(): readonly Uint8Array[] {
    return this.#texts(C.COLUMN_RESOURCES);
  }

  scopes(): readonly Uint8Array[] {
    return this.#texts(C.COLUMN_SCOPES);
  }

  #texts(code: number): readonly Uint8Array[] {
    let list = this.#lists.get(code);
    if (list === undefined) this.#lists.set(code, (list = readTexts(this.block, code, this.#names)));
    return list;
  }

  /** Id of a key in the block; -1 if the block does not have the key. */
  keyId(key: Buffer): number {
    return this.strings().findIndex((text) => key.equals(text));
  }

  /** Times and parents of every span. */
  traceColumns(): TraceColumns {
    return (this.#traceColumns ??= readTraceColumns(this.block, this.rows(C.SECTION_SPANS)));
  }

  /** The text of all constants and columns read so far. Reading more may replace this arena; the old one stays valid. */
  get valueBytes(): Uint8Array {
    return this.#values.arena;
  }

  /** The text constants of a section. */
  constants(section: number): { readonly a: Uint32Array; readonly b: Uint32Array } {
    return (this.#constants[section] ??= this.#templateReader(section).constants(this.#values));
  }

  /** The values of a field that is not constant everywhere. */
  column(section: number, field: number): ValueColumn {
    const key = field * 4 + section;
    let column = this.#columns.get(key);
    if (column === undefined) {
      this.#columns.set(key, (column = this.rows(section).values(field, this.#values)));
    }
    return column;
  }

  constantMatches(section: number, { field, a, b }: StoredField, value: ValueMatcher): boolean {
    const type = T.fieldType(field);
    if (!T.isArenaType(type)) return value.matches(type, a, b, this.#values.arena);
    const constants = this.constants(section);
    if (a >= constants.a.length) throw new StoreError('CORRUPTION', `constant ${a} of ${constants.a.length}`);
    return value.matches(type, constants.a[a]!, constants.b[a]!, this.#values.arena);
  }

  /** A flag for each value of a field in the column's order: 1 if it matches `value`; undefined: no value matches. */
  columnMatches(section: number, field: number, value: ValueMatcher): Uint8Array | undefined {
    const column = this.column(section, field);
    const type = T.fieldType(field);
    const { a, b } = column;
    const flags = new Uint8Array(a.length);
    let isAny = 0;
    for (let i = 0; i < a.length; i++) {
      if (value.matches(type, a[i]!, b[i]!, this.#values.arena)) isAny = flags[i] = 1;
    }
    if (isAny === 0) return undefined;
    const codes = column.kind === 'texts' ? column.codes : undefined;
    return codes === undefined ? flags : Uint8Array.from(codes, (code) => flags[code]!);
  }
}

/** Flags the names that are listed as operation `name`. */
export function operationIds(view: BlockView, name: Buffer): Uint8Array {
  const ids = new Uint8Array(view.strings().length);
  view.strings().forEach((text, id) => {
    // Two kinds of names are not listed as they are stored: the empty name, and bytes that are not UTF-8.
    const isListedAsIs = text.length > 0 && isUtf8(text);
    ids[id] = Number(
      isListedAsIs ? name.equals(text) : operationName(Buffer.from(text).toString('utf8')) === name.toString('utf8'),
    );
  });
  return ids;
}
