// Random filters over spans: every operator, level and built-in field, most of their constants taken from what one of the
// spans has, or from right beside it. The same random source gives the same filters.
import { limits } from '../../src/base/limits.ts';
import type { WireCall, WireTerm } from './filter-oracle.ts';
import type { OtlpAnyValue } from './otlp-proto.ts';
import type { Random } from './random-request.ts';
import { operationOf, serviceOf, type KnownSpan } from './search-oracle.ts';

function pick<T>(random: Random, items: readonly T[]): T {
  return items[Math.floor(random() * items.length)]!;
}

const LEVELS = ['', 'span', 'resource', 'scope', 'event', 'link'];
const KEYS = ['k', 'K', 'tag', 'http.status_code', 'resource.k', 'event', 'error', 'span.kind', 'scope.name', 'nobody'];
const UNTYPED = ['x', '1', '1.0', '72.5', '-1', 'true', 'False', '', 'inf', '1e21', '1152921504606846976', '0.1', '+1'];
const TYPED: Readonly<Record<string, readonly string[]>> = {
  string: ['x', '1', 'true', '', 'y'],
  int: ['1', '-1', '0', '1152921504606846976'],
  double: ['1', '0.1', '72.5', '1e21', '-inf', 'nan'],
  bool: ['true', 'false'],
};
/** The same to RE2 and to the oracle's engine. */
const PATTERNS = ['', 'x', '^x$', '[0-9]+', 'GET|get', '^(?:a|x)', 'e.*y', 'ť', '\\.', '^.{1,3}$', 'er+', '0$'];
const WORDS: Readonly<Record<string, readonly string[]>> = {
  kind: ['unspecified', 'internal', 'server', 'client', 'producer', 'consumer'],
  status: ['unset', 'ok', 'error'],
};
const DURATIONS = ['-5ns', '0s', '1ns', '2ns', '999ns', '1us', '1001ns', '5ms', '60s', '86400s'];

/** What a field holds: texts, or times of one of two kinds. */
type Kind = 'text' | 'kind' | 'status' | 'duration' | 'instant';
const FIELDS: Readonly<Record<string, Readonly<Record<string, Kind>>>> = {
  span: {
    traceID: 'text',
    spanID: 'text',
    parentSpanID: 'text',
    traceState: 'text',
    name: 'text',
    kind: 'kind',
    startTime: 'instant',
    endTime: 'instant',
    status: 'status',
    statusMessage: 'text',
    duration: 'duration',
  },
  resource: { service: 'text', schemaURL: 'text' },
  scope: { name: 'text', version: 'text', schemaURL: 'text' },
  event: { name: 'text', time: 'instant', timeSinceStart: 'duration' },
  link: { traceID: 'text', spanID: 'text', traceState: 'text' },
};
const BY_KIND = Object.entries(FIELDS).flatMap(([level, names]) =>
  Object.entries(names).map(([name, kind]) => ({ level, name, kind })),
);

/** One filter; `spans` must not be empty. */
export function randomFilter(random: Random, spans: readonly KnownSpan[]): WireCall {
  return new Generator(random, spans).call(0, []);
}

class Generator {
  readonly #random: Random;
  readonly #spans: readonly KnownSpan[];
  #patterns = 0;

  constructor(random: Random, spans: readonly KnownSpan[]) {
    this.#random = random;
    this.#spans = spans;
  }

  call(depth: number, bound: readonly string[]): WireCall {
    const branch = depth < 4 ? this.#random() : 1;
    if (branch < 0.16 || (depth === 0 && branch < 0.3)) return this.#many('and', depth, bound);
    if (branch < 0.4) return this.#many('or', depth, bound);
    if (branch < 0.5) return { op: 'not', args: [{ call: this.call(depth + 1, bound) }] };
    const free = ['event', 'link'].filter((level) => !bound.includes(level));
    if (branch < 0.62 && free.length > 0) {
      const level = pick(this.#random, free);
      return { op: 'some', args: [{ nested: { level } }, { call: this.call(depth + 1, [...bound, level]) }] };
    }
    return this.#leaf(bound);
  }

  #many(op: string, depth: number, bound: readonly string[]): WireCall {
    const count = 2 + Math.floor(this.#random() * 2);
    return { op, args: Array.from({ length: count }, () => ({ call: this.call(depth + 1, bound) })) };
  }

  #leaf(bound: readonly string[]): WireCall {
    // Inside `some`, mostly of what it binds.
    const levels = bound.length > 0 && this.#random() < 0.75 ? bound : undefined;
    return this.#random() < 0.5 ? this.#attributeLeaf(levels) : this.#fieldLeaf(levels);
  }

  #attributeLeaf(levels: readonly string[] | undefined): WireCall {
    const attr = this.#attribute(levels);
    const op = pick(this.#random, [
      'eq',
      'eq',
      'ne',
      'gt',
      'lt',
      'gte',
      'lte',
      'in',
      'not_in',
      'exists',
      'regex',
      'two',
    ]);
    if (this.#isOneTooMany(op)) return { op: 'exists', args: [attr] };
    switch (op) {
      case 'exists':
        return { op, args: [attr] };
      case 'regex':
        return { op, args: [attr, { scalar: { value: pick(this.#random, PATTERNS), type: '' } }] };
      case 'in':
      case 'not_in': {
        const type = pick(this.#random, ['string', 'int', 'double', 'bool']);
        const values = Array.from({ length: 1 + Math.floor(this.#random() * 3) }, () =>
          pick(this.#random, TYPED[type]!),
        );
        return { op, args: [attr, { list: { values, type } }] };
      }
      case 'two': {
        const operator = pick(this.#random, ['eq', 'ne', 'gt', 'lte']);
        const other = this.#random() < 0.7 ? this.#attribute(levels) : this.#field(levels, ['text']);
        return { op: operator, args: this.#random() < 0.5 ? [attr, other] : [other, attr] };
      }
      default: {
        const scalar = this.#constant(attr, op);
        return { op, args: this.#random() < 0.8 ? [attr, { scalar }] : [{ scalar }, attr] };
      }
    }
  }

  /** There may be so many patterns in one filter. */
  #isOneTooMany(op: string): boolean {
    return op === 'regex' && ++this.#patterns > limits.patternsMax;
  }

  #attribute(levels: readonly string[] | undefined): WireTerm {
    return { attr: { key: pick(this.#random, KEYS), level: pick(this.#random, levels ?? LEVELS) } };
  }

  /** A constant, half of the time one that some span has under the key. */
  #constant({ attr }: WireTerm, op: string): { value: string; type: string } {
    const { span, resource } = pick(this.#random, this.#spans);
    const found = [...(span.attributes ?? []), ...resource].find(({ key }) => key === attr!.key)?.value;
    const own = found === undefined ? undefined : textOf(found);
    if (own !== undefined && this.#random() < 0.5) return { value: own, type: '' };
    if (this.#random() < 0.6) return { value: pick(this.#random, UNTYPED), type: '' };
    const types = ['eq', 'ne'].includes(op) ? ['string', 'int', 'double', 'bool'] : ['string', 'int', 'double'];
    const type = pick(this.#random, types);
    return { value: pick(this.#random, TYPED[type]!), type };
  }

  #field(levels: readonly string[] | undefined, kinds: readonly Kind[]): WireTerm {
    const all = BY_KIND.filter(
      ({ level, kind }) => kinds.includes(kind) && (levels === undefined || levels.includes(level)),
    );
    const { level, name } = pick(this.#random, all);
    return { field: { level, name } };
  }

  #fieldLeaf(levels: readonly string[] | undefined): WireCall {
    const field = this.#field(levels, ['text', 'text', 'kind', 'status', 'duration', 'instant']);
    const kind = FIELDS[field.field!.level]![field.field!.name]!;
    const isWord = kind === 'kind' || kind === 'status';
    const op = pick(this.#random, [
      'eq',
      'eq',
      'ne',
      'in',
      'not_in',
      'exists',
      ...(isWord ? ['regex'] : ['gt', 'lt', 'gte', 'lte', 'two']),
      ...(kind === 'text' ? ['regex'] : []),
    ]);
    if (this.#isOneTooMany(op)) return { op: 'exists', args: [field] };
    switch (op) {
      case 'exists':
        return { op, args: [field] };
      case 'regex':
        return { op, args: [field, { scalar: { value: pick(this.#random, PATTERNS), type: 'string' } }] };
      case 'in':
      case 'not_in': {
        const values = Array.from({ length: 1 + Math.floor(this.#random() * 3) }, () => this.#textFor(field, kind));
        const isTyped = (kind === 'text' || isWord) && this.#random() < 0.5;
        return { op, args: [field, { list: { values, type: isTyped ? 'string' : '' } }] };
      }
      case 'two':
        return { op: pick(this.#random, ['eq', 'ne', 'gt', 'lte']), args: [field, this.#field(undefined, [kind])] };
      default: {
        const scalar = { value: this.#textFor(field, kind), type: '' };
        return { op, args: this.#random() < 0.8 ? [field, { scalar }] : [{ scalar }, field] };
      }
    }
  }

  /** What some span has in the field, or something near it. */
  #textFor({ field }: WireTerm, kind: Kind): string {
    const known = pick(this.#random, this.#spans);
    const { span } = known;
    if (kind === 'duration') {
      const own = (span.endTimeUnixNano ?? 0n) - (span.startTimeUnixNano ?? 0n);
      return this.#random() < 0.5
        ? `${own + BigInt(Math.floor(this.#random() * 3) - 1)}ns`
        : pick(this.#random, DURATIONS);
    }
    if (kind === 'instant') {
      const of = pick(this.#random, [span.startTimeUnixNano, span.endTimeUnixNano, span.events?.[0]?.timeUnixNano]);
      return instant((of ?? span.startTimeUnixNano!) + BigInt(Math.floor(this.#random() * 3) - 1));
    }
    if (kind !== 'text') return pick(this.#random, WORDS[kind]!);
    const text = textsOf(known)[`${field!.level}.${field!.name}`];
    return text !== undefined && this.#random() < 0.8 ? text : pick(this.#random, ['x', '1', 'boom', '', 'retry', 'm']);
  }
}

function hex(id: Uint8Array | undefined): string {
  return Buffer.from(id ?? []).toString('hex');
}

/** Texts that a span has in some of the fields. */
function textsOf(known: KnownSpan): Readonly<Record<string, string | undefined>> {
  const { span, scope } = known;
  const [event] = span.events ?? [];
  const [link] = span.links ?? [];
  return {
    'span.traceID': hex(span.traceId),
    'span.spanID': hex(span.spanId),
    'span.parentSpanID': hex(span.parentSpanId),
    'span.name': operationOf(known),
    'resource.service': serviceOf(known),
    'resource.schemaURL': known.resourceSchemaUrl,
    'scope.name': scope.name,
    'scope.schemaURL': known.scopeSchemaUrl,
    'link.traceID': hex(link?.traceId),
    'link.spanID': hex(link?.spanId),
    'event.name': event?.name,
  };
}

/** Values that a constant without a type may equal; undefined for the others. */
function textOf(value: OtlpAnyValue): string | undefined {
  if (value.intValue !== undefined) return String(value.intValue);
  if (value.doubleValue !== undefined) return String(value.doubleValue);
  if (value.boolValue !== undefined) return String(value.boolValue);
  return value.stringValue;
}

/** RFC 3339 with nine digits; times of no year that it can say become the epoch. */
function instant(ns: bigint): string {
  if (ns < 0n || ns > 4_000_000_000_000_000_000n) return '1970-01-01T00:00:00.000000000Z';
  const seconds = new Date(Number(ns / 1_000_000n)).toISOString().slice(0, 19);
  return `${seconds}.${String(ns % 1_000_000_000n).padStart(9, '0')}Z`;
}
