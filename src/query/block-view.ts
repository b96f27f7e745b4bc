// One row group as a search's conditions see it: dictionaries and templates of its block, its rows and value columns, each
// read on first use. Rows are separate, because templates alone decide most conditions.
import { isUtf8 } from 'node:buffer';
import { StoreError } from '../base/errors.ts';
import { TextArena, type BlockReader } from '../block/block-reader.ts';
import * as C from '../block/block-columns.ts';
import { decodedGroup } from '../block/decoded-group.ts';
import type { GroupReader } from '../block/group-reader.ts';
import { textsOf } from '../block/read-names.ts';
import type { SectionReader } from '../block/read-section.ts';
import type { StoredTemplates } from '../block/read-templates.ts';
import type { TraceColumns } from '../block/read-traces.ts';
import type { Texts } from '../codec/text-forms.ts';
import { operationName } from '../trace/service-name.ts';
import * as T from '../trace/templates.ts';
import type { ValueMatcher } from './tag-condition.ts';

/** The values of a field: words, or texts with their bytes. */
export type FieldValues =
  | { readonly kind: 'words'; readonly a: Uint32Array; readonly b: Uint32Array }
  | (Texts & { readonly kind: 'texts'; readonly codes: ArrayLike<number> | undefined });

/** What the views of a block's groups share. */
class SharedViews {
  readonly lists = new Map<number, readonly Uint8Array[]>();
  /** By list of distinct values, the flags of those that match a value; undefined: none matches. */
  readonly matches = new Map<ValueMatcher, Map<Texts, Uint8Array | undefined>>();
}

/** Views of the groups of `block`, in the order of their rows. */
export function viewsOf(block: BlockReader): BlockView[] {
  const shared = new SharedViews();
  return block.groups.map((group) => new BlockView(group, shared));
}

export class BlockView {
  readonly group: GroupReader;
  readonly #shared: SharedViews;
  /** Text of values that no other group has. */
  readonly #arena = new TextArena();
  readonly #columns = new Map<number, FieldValues>();

  constructor(group: GroupReader, shared: SharedViews = new SharedViews()) {
    this.group = group;
    this.#shared = shared;
  }

  /** Templates of a section of the block. */
  templates(section: number): StoredTemplates {
    return this.group.block.templates(section);
  }

  /** A section with the group's rows. */
  rows(section: number): SectionReader {
    return decodedGroup(this.group).section(section);
  }

  /** First event or link of each row; the last entry is their total count. */
  childStarts(section: number): Uint32Array {
    return decodedGroup(this.group).childStarts(section);
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
    const { lists } = this.#shared;
    let list = lists.get(code);
    if (list === undefined) lists.set(code, (list = textsOf(this.group.block.list(code))));
    return list;
  }

  /** Id of a key in the block; -1 if the block does not have the key. */
  keyId(key: Buffer): number {
    return this.strings().findIndex((text) => key.equals(text));
  }

  /** Times and parents of every span of the group. */
  traceColumns(): TraceColumns {
    return decodedGroup(this.group).traceColumns();
  }

  /** The text constants of a section. */
  constants(section: number): Texts {
    return this.group.block.list(C.COLUMN_CONSTANTS + section);
  }

  /** The values of a field that is not constant everywhere. */
  column(section: number, field: number): FieldValues {
    const key = field * 4 + section;
    let column = this.#columns.get(key);
    if (column === undefined) this.#columns.set(key, (column = this.#readColumn(section, field)));
    return column;
  }

  #readColumn(section: number, field: number): FieldValues {
    const column = this.rows(section).values(field, this.#arena);
    if (column.kind === 'words') return column;
    const { a, b, codes, shared } = column;
    // The arena may be replaced when more is read; the old one stays unchanged.
    return { kind: 'texts', a, b, codes, bytes: shared?.bytes ?? this.#arena.arena };
  }

  /** Whether the constant field at `at` of the section's templates matches. */
  constantMatches(section: number, at: number, value: ValueMatcher): boolean {
    const templates = this.templates(section);
    const type = T.fieldType(templates.field(at));
    const a = templates.a(at);
    if (!T.isArenaType(type)) return value.matches(type, a, templates.b(at), NO_BYTES);
    const constants = this.constants(section);
    if (a >= constants.a.length) throw new StoreError('CORRUPTION', `constant ${a} of ${constants.a.length}`);
    return value.matches(type, constants.a[a]!, constants.b[a]!, constants.bytes);
  }

  /** A flag for each value of a field in the column's order: 1 if it matches `value`; undefined: no value matches. */
  columnMatches(section: number, field: number, value: ValueMatcher): Uint8Array | undefined {
    // The distinct values come first: if none of them matches, the group's codes are not read.
    const distinct = this.group.block.list(C.COLUMN_DISTINCT, section, field);
    const type = T.fieldType(field);
    if (distinct.a.length > 0 && this.#distinctMatches(distinct, type, value) === undefined) return undefined;
    const column = this.column(section, field);
    if (column.kind === 'words') return matchesOf(type, { ...column, bytes: NO_BYTES }, value);
    const isShared = column.a === distinct.a;
    const flags = isShared ? this.#distinctMatches(distinct, type, value) : matchesOf(type, column, value);
    const { codes } = column;
    return flags === undefined || codes === undefined ? flags : Uint8Array.from(codes, (code) => flags[code]!);
  }

  #distinctMatches(distinct: Texts, type: number, value: ValueMatcher): Uint8Array | undefined {
    let known = this.#shared.matches.get(value);
    if (known === undefined) this.#shared.matches.set(value, (known = new Map()));
    if (!known.has(distinct)) known.set(distinct, matchesOf(type, distinct, value));
    return known.get(distinct);
  }
}

const NO_BYTES = new Uint8Array(0);

/** A flag for each of the values, 1 if it matches; undefined: none does. */
function matchesOf(type: number, { a, b, bytes }: Texts, value: ValueMatcher): Uint8Array | undefined {
  const flags = new Uint8Array(a.length);
  let isAny = 0;
  for (let i = 0; i < a.length; i++) {
    if (value.matches(type, a[i]!, b[i]!, bytes)) isAny = flags[i] = 1;
  }
  return isAny === 0 ? undefined : flags;
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
