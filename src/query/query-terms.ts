// What a search asks of a block's filter: for each condition the terms (block/terms.ts) of which a matching block must
// have at least one. A block that fails one condition holds no match, whatever else is in it. Conditions that a filter
// cannot answer (negations) ask nothing.
import { TermHash } from '../block/terms.ts';
import * as Terms from '../block/terms.ts';
import type { FuseFilter } from '../codec/fuse-filter.ts';
import * as T from '../trace/templates.ts';
import type { TraceQuery } from '../trace/trace-query.ts';
import type { CompiledTag, Way } from './tag-condition.ts';

/** Hashes in pairs: lo, hi, lo, hi … One of them must be in the block. */
export type AnyOf = readonly number[];

/** The conditions of a search that filters can answer. */
export function queryTerms(query: Pick<TraceQuery, 'service' | 'operation'>, tags: readonly CompiledTag[]): AnyOf[] {
  const all: AnyOf[] = [];
  if (query.service !== undefined) all.push(name(Terms.TERM_SERVICE, query.service));
  if (query.operation !== undefined) all.push(name(Terms.TERM_OPERATION, query.operation));
  for (const { ways, value, isNegated } of tags) {
    if (!isNegated) all.push(ways.flatMap((way) => wayTerms(way, value.text)));
  }
  return all;
}

/** False when the filter says that some condition cannot hold in its block. */
export function mayMatch(filter: FuseFilter, conditions: readonly AnyOf[]): boolean {
  return conditions.every((terms) => {
    for (let i = 0; i < terms.length; i += 2) if (filter.mayContain(terms[i]!, terms[i + 1]!)) return true;
    return false;
  });
}

function pair(hash: TermHash): number[] {
  const { lo, hi } = hash.end();
  return [lo, hi];
}

function name(kind: number, text: string): number[] {
  const bytes = Buffer.from(text, 'utf8');
  return pair(new TermHash().begin(kind).bytes(bytes, 0, bytes.length));
}

function number(kind: number, value: number): number[] {
  return pair(new TermHash().begin(kind).word(value).word(0));
}

function wayTerms(way: Way, text: string): number[] {
  switch (way.kind) {
    case 'span-kind':
      return number(Terms.TERM_KIND, way.value);
    case 'status':
      return number(Terms.TERM_STATUS, way.value);
    case 'intrinsic':
      return name(Terms.TERM_INTRINSIC + way.field, text);
    case 'scope-text':
      return name(Terms.TERM_SCOPE_TEXT + way.field, text);
    case 'event-name':
      return name(Terms.TERM_EVENT_NAME, text);
    default:
      return attributeTerms(way.key, text);
  }
}

/** Every value that prints as `text`, whatever its type. */
function attributeTerms(key: Buffer, text: string): number[] {
  const bytes = Buffer.from(text, 'utf8');
  const begin = (kind: number): TermHash => new TermHash().begin(kind).bytes(key, 0, key.length);
  const words = (type: number, lo: number, hi: number): number[] =>
    pair(
      begin(Terms.TERM_WORDS + type)
        .word(lo)
        .word(hi),
    );
  const out = [...pair(begin(Terms.TERM_TEXT).bytes(bytes, 0, bytes.length)), ...pair(begin(Terms.TERM_PRINTED))];
  if (text === '') out.push(...pair(begin(Terms.TERM_EMPTY)));
  if (text === 'true' || text === 'false') out.push(...words(T.TYPE_BOOL, text === 'true' ? 1 : 0, 0));
  if (/^-?\d{1,19}$/.test(text)) {
    const value = BigInt.asUintN(64, BigInt(text));
    out.push(...words(T.TYPE_INT, Number(value & 0xffffffffn), Number(value >> 32n)));
  }
  for (const value of doublesPrinting(text)) {
    const view = new Uint32Array(Float64Array.of(value).buffer);
    out.push(
      ...(Number.isNaN(value)
        ? words(T.TYPE_DOUBLE, 0, Terms.NAN_HIGH_WORD)
        : words(T.TYPE_DOUBLE, view[0]!, view[1]!)),
    );
  }
  return out;
}

/** Doubles that some printed form of `text` may mean; more than match is harmless, fewer would lose answers. */
function doublesPrinting(text: string): number[] {
  if (text === '+Inf') return [Infinity];
  if (text === '-Inf') return [-Infinity];
  const value = Number(text);
  if (text !== 'NaN' && (text.trim() === '' || Number.isNaN(value))) return [];
  return value === 0 ? [0, -0] : [value];
}
