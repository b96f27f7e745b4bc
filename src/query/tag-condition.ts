// A tag condition compiled once per query: the places to look (contract/jaeger.md §4.3 maps the names that clients see to OTLP
// fields) and the value to compare with. Values are compared by their string form, in every type that has this form.
import { isUtf8 } from 'node:buffer';
import { formatDouble, formatInt64 } from '../bytes/json-writer.ts';
import { infiniteText, textOfAnyValue } from '../trace/attributes.ts';
import { doubleOf } from '../bytes/double-of.ts';
import { STATUS_WORDS } from '../trace/filter.ts';
import { SPAN_KINDS } from '../trace/span-kinds.ts';
import { compilePattern, type Pattern } from '../trace/pattern.ts';
import * as T from '../trace/templates.ts';
import type { TagCondition } from '../trace/trace-query.ts';

/** Where an attribute may be; a condition names a set of these levels. */
export const LEVEL_SPAN = 1;
export const LEVEL_EVENT = 2;
export const LEVEL_LINK = 4;
export const LEVEL_SCOPE = 8;
export const LEVEL_RESOURCE = 16;
export const LEVEL_ALL = 31;

/** One way in which a condition can hold; a compiled tag holds if any of its ways does. */
export type Way =
  | { readonly kind: 'attribute'; readonly key: Buffer; readonly levels: number }
  | { readonly kind: 'span-kind'; readonly value: number }
  | { readonly kind: 'status'; readonly value: number }
  | { readonly kind: 'intrinsic'; readonly field: number }
  | { readonly kind: 'scope-text'; readonly field: number }
  | { readonly kind: 'event-name' };

export interface CompiledTag {
  readonly ways: readonly Way[];
  readonly value: ValueMatcher;
  /** Holds if none of the ways does. */
  readonly isNegated: boolean;
}

/**
 * Compiles one condition of a search. Throws INVALID_REQUEST if its value should be a pattern and is not; `check`: see
 * compilePattern.
 */
export function compileTag(
  { key, value, isPattern = false, isNegated = false }: TagCondition,
  check?: () => void,
): CompiledTag {
  if (isPattern) return compilePatternTag(key, new PatternMatcher(value, check), isNegated);
  if (key === 'error' && (value === 'true' || value === 'false')) {
    const ways: Way[] = [IN_ERROR, attribute(key, LEVEL_SPAN)];
    return { ways, value: new TextMatcher('true'), isNegated: (value === 'false') !== isNegated };
  }
  const lower = value.toLowerCase();
  const ways = [...intrinsicWays(key, (word) => word === lower), ...attributeWays(key)];
  return { ways, value: new TextMatcher(value), isNegated };
}

function compilePatternTag(key: string, value: PatternMatcher, isNegated: boolean): CompiledTag {
  const matches = (word: string): boolean => value.matchesText(word);
  const error = key === 'error' && matches('true') ? [IN_ERROR] : [];
  return { ways: [...error, ...intrinsicWays(key, matches), ...attributeWays(key)], value, isNegated };
}

const IN_ERROR: Way = { kind: 'status', value: 2 };

function attribute(key: string, levels: number): Way {
  return { kind: 'attribute', key: Buffer.from(key, 'utf8'), levels };
}

/** `isAsked` tells whether the condition means the kind or status with this lower-case name. */
function intrinsicWays(key: string, isAsked: (word: string) => boolean): Way[] {
  switch (key) {
    case 'span.kind':
      return SPAN_KINDS.flatMap((word, value) => (isAsked(word) ? [{ kind: 'span-kind', value }] : []));
    case 'span.status':
    case 'otel.status_code':
      return STATUS_WORDS.flatMap((word, value) => (isAsked(word) ? [{ kind: 'status', value }] : []));
    case 'otel.status_description':
      return [{ kind: 'intrinsic', field: T.FIELD_STATUS_MESSAGE }];
    case 'w3c.tracestate':
      return [{ kind: 'intrinsic', field: T.FIELD_TRACE_STATE }];
    case 'scope.name':
    case 'otel.scope.name':
    case 'otel.library.name':
      return [{ kind: 'scope-text', field: 1 }];
    case 'scope.version':
    case 'otel.scope.version':
    case 'otel.library.version':
      return [{ kind: 'scope-text', field: 2 }];
    case 'event':
      return [{ kind: 'event-name' }];
    default:
      return [];
  }
}

/** Prefixes that name one level: Jaeger's `resource.`, and VictoriaTraces' for users who come from there (§4.4). */
const LEVEL_PREFIXES: readonly (readonly [string, number])[] = [
  ['resource.', LEVEL_RESOURCE],
  ['resource_attr:', LEVEL_RESOURCE],
  ['scope_attr:', LEVEL_SCOPE],
  ['span_attr:', LEVEL_SPAN],
];

function attributeWays(key: string): Way[] {
  const ways = [attribute(key, LEVEL_ALL)];
  for (const [prefix, level] of LEVEL_PREFIXES) {
    if (key.startsWith(prefix) && key.length > prefix.length) ways.push(attribute(key.slice(prefix.length), level));
  }
  return ways;
}

/** A test of stored values by their string form. */
export interface ValueMatcher {
  /** The one text to match; undefined: a pattern. */
  readonly text: string | undefined;
  /** A value of `type` with these words (templates.ts). */
  matches(type: number, a: number, b: number, arena: Uint8Array): boolean;
  /** An AnyValue message, as resources and scopes hold them. */
  matchesAnyValue(message: Uint8Array): boolean;
  matchesBytes(bytes: Uint8Array, start: number, end: number): boolean;
}

/** Compares stored values with a query's text. */
export class TextMatcher implements ValueMatcher {
  readonly text: string;
  readonly #bytes: Buffer;
  readonly #int: readonly [number, number] | undefined;
  readonly #bool: number;

  constructor(text: string) {
    this.text = text;
    this.#bytes = Buffer.from(text, 'utf8');
    this.#int = parseInt64(text);
    this.#bool = text === 'true' ? 1 : text === 'false' ? 0 : -1;
  }

  /** True when a value of `type` with these words (templates.ts) has the query's string form. */
  matches(type: number, a: number, b: number, arena: Uint8Array): boolean {
    switch (type) {
      case T.TYPE_STRING:
        return this.matchesBytes(arena, a, a + b);
      case T.TYPE_BOOL:
        return a === this.#bool;
      case T.TYPE_INT:
        return this.#int !== undefined && a === this.#int[0] && b === this.#int[1];
      case T.TYPE_DOUBLE:
        return this.#matchesDouble(a, b);
      case T.TYPE_BYTES:
        return Buffer.from(arena.buffer, arena.byteOffset + a, b).toString('base64') === this.text;
      case T.TYPE_RAW:
        return textOfAnyValue(arena.subarray(a, a + b)) === this.text;
      default:
        return this.text === '';
    }
  }

  /** The same for an AnyValue message, as resources and scopes hold them. */
  matchesAnyValue(message: Uint8Array): boolean {
    // Of these, only a double has several string forms, as on a span.
    if (message.length === 9 && message[0] === DOUBLE_TAG) {
      const { lo, hi } = readDoubleWords(message);
      return this.#matchesDouble(lo, hi);
    }
    return textOfAnyValue(message) === this.text;
  }

  matchesBytes(bytes: Uint8Array, start: number, end: number): boolean {
    const mine = this.#bytes;
    if (end - start !== mine.length) return false;
    for (let i = 0; i < mine.length; i++) if (bytes[start + i] !== mine[i]) return false;
    return true;
  }

  #matchesDouble(lo: number, hi: number): boolean {
    const value = doubleOf(lo, hi);
    if (Number.isFinite(value)) return formatDouble(value) === this.text || String(value) === this.text;
    if (Number.isNaN(value)) return this.text === 'NaN';
    return this.text === (value > 0 ? '+Inf' : '-Inf') || this.text === String(value);
  }
}

/** Matches stored values with a query's pattern. */
export class PatternMatcher implements ValueMatcher {
  readonly text: undefined;
  readonly #pattern: Pattern;

  constructor(pattern: string, check?: () => void) {
    this.#pattern = compilePattern(pattern, check);
  }

  matches(type: number, a: number, b: number, arena: Uint8Array): boolean {
    switch (type) {
      case T.TYPE_STRING:
        return this.matchesBytes(arena, a, a + b);
      case T.TYPE_BOOL:
        return this.matchesText(a === 0 ? 'false' : 'true');
      case T.TYPE_INT:
        return this.matchesText(formatInt64(a, b));
      case T.TYPE_DOUBLE:
        return this.#matchesDouble(a, b);
      case T.TYPE_BYTES:
        return this.matchesText(Buffer.from(arena.buffer, arena.byteOffset + a, b).toString('base64'));
      case T.TYPE_RAW:
        return this.matchesText(textOfAnyValue(arena.subarray(a, a + b)));
      default:
        return this.matchesText('');
    }
  }

  matchesAnyValue(message: Uint8Array): boolean {
    if (message.length !== 9 || message[0] !== DOUBLE_TAG) return this.matchesText(textOfAnyValue(message));
    const { lo, hi } = readDoubleWords(message);
    return this.#matchesDouble(lo, hi);
  }

  /** Bytes that are not UTF-8 are matched in the form in which Jaeger shows them. */
  matchesBytes(bytes: Uint8Array, start: number, end: number): boolean {
    const value = bytes.subarray(start, end);
    return isUtf8(value)
      ? this.#pattern.test(bytes, start, end)
      : this.matchesText(Buffer.from(value).toString('base64'));
  }

  matchesText(text: string): boolean {
    const bytes = Buffer.from(text, 'utf8');
    return this.#pattern.test(bytes, 0, bytes.length);
  }

  #matchesDouble(lo: number, hi: number): boolean {
    const value = doubleOf(lo, hi);
    return this.matchesText(Number.isFinite(value) ? formatDouble(value) : infiniteText(value));
  }
}

/** Tag of AnyValue.double_value: field 4, fixed64. */
const DOUBLE_TAG = 0x21;

function readDoubleWords(message: Uint8Array): { lo: number; hi: number } {
  const view = new DataView(message.buffer, message.byteOffset + 1, 8);
  return { lo: view.getUint32(0, true), hi: view.getUint32(4, true) };
}

/** The words of a canonical decimal int64, or undefined: "007" and "+7" are texts, not the number 7. */
function parseInt64(text: string): readonly [number, number] | undefined {
  if (!/^(0|-?[1-9]\d{0,18})$/.test(text)) return undefined;
  const value = BigInt(text);
  if (BigInt.asIntN(64, value) !== value) return undefined;
  const unsigned = BigInt.asUintN(64, value);
  return [Number(unsigned & 0xffffffffn), Number(unsigned >> 32n)];
}
