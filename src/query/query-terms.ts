// Lookups of a search in a block's filter: for a tag condition, the terms (block/terms.ts) of which a block with a matching
// span, event or link has at least one. Resources, scopes, kinds and statuses are in the outlines instead.
import { ofOperation, SOME_OPERATION, TermHash } from '../block/terms.ts';
import * as Terms from '../block/terms.ts';
import type { FuseFilter } from '../codec/fuse-filter.ts';
import * as T from '../trace/templates.ts';
import { LEVEL_EVENT, LEVEL_LINK, LEVEL_SPAN, type CompiledTag, type Way } from './tag-condition.ts';

/** Hashes in pairs: lo, hi, lo, hi … */
export type Hashes = readonly number[];

/** The terms of one condition. */
export class TagTerms {
  /** The condition has a pattern: it has no terms, because any block may have a matching value. */
  readonly isAny: boolean;
  /** Terms of values that are stored alone. */
  readonly alone: Hashes = [];
  /** Terms that say that values stored with their operations exist. */
  readonly paired: Hashes = [];
  /** The same terms before the operation is added. */
  readonly #begun: Hashes = [];

  constructor({ ways, value: { text } }: CompiledTag) {
    this.isAny = text === undefined;
    if (text === undefined) return;
    const begun = ways.flatMap((way) => valueTerms(way, text));
    this.#begun = begun.flatMap(({ lo, hi }) => [lo, hi]);
    const all = [...begun, ...ways.flatMap((way) => loneTerms(way, text))];
    this.paired = this.of(SOME_OPERATION);
    this.alone = all.flatMap((hash) => pair(hash));
  }

  /** Terms of values that are stored with `operation` (operationKey). */
  of(operation: Uint8Array): Hashes {
    const out: number[] = [];
    for (let i = 0; i < this.#begun.length; i += 2) {
      const hash = new TermHash();
      hash.lo = this.#begun[i]!;
      hash.hi = this.#begun[i + 1]!;
      out.push(...pair(ofOperation(hash, operation)));
    }
    return out;
  }
}

/** False if the filter surely has none of `terms`. */
export function hasAny(filter: FuseFilter, terms: Hashes): boolean {
  for (let i = 0; i < terms.length; i += 2) if (filter.mayContain(terms[i]!, terms[i + 1]!)) return true;
  return false;
}

function pair(hash: TermHash): number[] {
  const { lo, hi } = hash.end();
  return [lo, hi];
}

/** Terms of values that never belong to an operation. */
function loneTerms(way: Way, text: string): TermHash[] {
  switch (way.kind) {
    case 'intrinsic':
      return [name(Terms.TERM_INTRINSIC + way.field, text)];
    case 'event-name':
      return [name(Terms.TERM_EVENT_NAME, text)];
    case 'attribute': {
      const kinds = text === '' ? [Terms.TERM_PRINTED, Terms.TERM_EMPTY] : [Terms.TERM_PRINTED];
      return hasValues(way) ? kinds.map((kind) => begin(kind, way.key)) : [];
    }
    default:
      return [];
  }
}

function hasValues(way: Way): way is Way & { kind: 'attribute' } {
  return way.kind === 'attribute' && (way.levels & (LEVEL_SPAN | LEVEL_EVENT | LEVEL_LINK)) !== 0;
}

function begin(kind: number, key: Buffer): TermHash {
  return new TermHash().begin(kind).bytes(key, 0, key.length);
}

function name(kind: number, text: string): TermHash {
  const bytes = Buffer.from(text, 'utf8');
  return new TermHash().begin(kind).bytes(bytes, 0, bytes.length);
}

/** Every value that prints as `text`, whatever its type. */
function valueTerms(way: Way, text: string): TermHash[] {
  if (!hasValues(way)) return [];
  const { key } = way;
  const bytes = Buffer.from(text, 'utf8');
  const words = (type: number, lo: number, hi: number): TermHash =>
    begin(Terms.TERM_WORDS + type, key)
      .word(lo)
      .word(hi);
  const out = [begin(Terms.TERM_TEXT, key).bytes(bytes, 0, bytes.length)];
  if (text === 'true' || text === 'false') out.push(words(T.TYPE_BOOL, text === 'true' ? 1 : 0, 0));
  if (/^-?\d{1,19}$/.test(text)) {
    const value = BigInt.asUintN(64, BigInt(text));
    out.push(words(T.TYPE_INT, Number(value & 0xffffffffn), Number(value >> 32n)));
  }
  for (const value of doublesPrinting(text)) {
    const view = new Uint32Array(Float64Array.of(value).buffer);
    out.push(
      Number.isNaN(value) ? words(T.TYPE_DOUBLE, 0, Terms.NAN_HIGH_WORD) : words(T.TYPE_DOUBLE, view[0]!, view[1]!),
    );
  }
  return out;
}

/** Doubles that some printed form of `text` may mean; too many are harmless, a missing one would lose answers. */
function doublesPrinting(text: string): number[] {
  if (text === '+Inf') return [Infinity];
  if (text === '-Inf') return [-Infinity];
  const value = Number(text);
  if (text !== 'NaN' && (text.trim() === '' || Number.isNaN(value))) return [];
  return value === 0 ? [0, -0] : [value];
}
