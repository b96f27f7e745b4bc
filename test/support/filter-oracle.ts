// Filters (jaeger.expression.v1) evaluated as plain loops over spans in memory, straight from the wire form: written from RFC
// 0005 and docs/decisions/0010-filters.md, and from nothing in src. What the store's answers are compared with.
import type { OtlpAnyValue, OtlpEvent, OtlpKeyValue, OtlpLink } from './otlp-proto.ts';
import { isInError, operationOf, serviceOf, type KnownSpan } from './search-oracle.ts';

/** An Expression of the wire, in JSON: one of its members. */
export interface WireTerm {
  readonly attr?: { readonly key: string; readonly level: string };
  readonly field?: { readonly name: string; readonly level: string };
  readonly nested?: { readonly level: string };
  readonly scalar?: { readonly value: string; readonly type: string };
  readonly list?: { readonly values: readonly string[]; readonly type: string };
  readonly call?: WireCall;
}

export interface WireCall {
  readonly op: string;
  readonly args: readonly WireTerm[];
}

/** Text, whole number, double, truth, something that is there but compares with nothing, or a constant without a type. */
type Value =
  | { readonly is: 'text'; readonly text: string }
  | { readonly is: 'int'; readonly int: bigint; readonly isDeclared?: boolean }
  | { readonly is: 'double'; readonly double: number; readonly isDeclared?: boolean }
  | { readonly is: 'bool'; readonly bool: boolean }
  | { readonly is: 'opaque' }
  | { readonly is: 'untyped'; readonly text: string };

/** A span, and the event and the link that `some` looks at. */
interface Bound {
  readonly known: KnownSpan;
  readonly event?: OtlpEvent;
  readonly link?: OtlpLink;
}

export function meetsFilter(known: KnownSpan, filter: WireCall): boolean {
  return holds(filter, { known });
}

function holds({ op, args }: WireCall, bound: Bound): boolean {
  const inner = (term: WireTerm): boolean => holds(term.call!, bound);
  const [left, right] = args as [WireTerm, WireTerm];
  switch (op) {
    case 'and':
      return args.every(inner);
    case 'or':
      return args.some(inner);
    case 'not':
      return !inner(left);
    case 'some': {
      const { span } = bound.known;
      return left.nested!.level === 'event'
        ? (span.events ?? []).some((event) => holds(right.call!, { ...bound, event }))
        : (span.links ?? []).some((link) => holds(right.call!, { ...bound, link }));
    }
    case 'exists':
      return valuesOf(left, bound).length > 0;
    case 'regex': {
      const pattern = patternOf(right.scalar!.value);
      return valuesOf(left, bound).some((value) => value.is === 'text' && pattern.test(value.text));
    }
    case 'in':
    case 'not_in': {
      const values = valuesOf(left, bound);
      const { type } = right.list!;
      const elements = right.list!.values.map((value) => constantOf({ value, type }, left));
      const isIn = values.some((value) => elements.some((element) => compare(value, element) === 0));
      return values.length > 0 && isIn === (op === 'in');
    }
    default:
      return comparisonHolds(op, operand(left, right, bound), operand(right, left, bound));
  }
}

const patterns = new Map<string, RegExp>();

/** V8's engine: the generator's patterns mean the same to it. */
function patternOf(text: string): RegExp {
  let pattern = patterns.get(text);
  if (pattern === undefined) patterns.set(text, (pattern = new RegExp(text, 'u')));
  return pattern;
}

function comparisonHolds(op: string, xs: readonly Value[], ys: readonly Value[]): boolean {
  const signs = xs.flatMap((x) => ys.map((y) => ({ sign: compare(x, y), isBool: x.is === 'bool' || y.is === 'bool' })));
  switch (op) {
    case 'eq':
      return signs.some(({ sign }) => sign === 0);
    case 'ne':
      return signs.length > 0 && signs.every(({ sign }) => sign !== 0);
    default: {
      const wanted = { gt: [1], gte: [0, 1], lt: [-1], lte: [-1, 0] }[op]!;
      return signs.some(({ sign, isBool }) => !isBool && sign !== undefined && wanted.includes(sign));
    }
  }
}

function operand(term: WireTerm, opposite: WireTerm, bound: Bound): Value[] {
  return term.scalar === undefined ? valuesOf(term, bound) : [constantOf(term.scalar, opposite)];
}

const DURATIONS = ['duration', 'timeSinceStart'];
const INSTANTS = ['startTime', 'endTime', 'time'];

function constantOf({ value, type }: { value: string; type: string }, opposite: WireTerm): Value {
  const field = opposite.field?.name ?? '';
  if (DURATIONS.includes(field)) return { is: 'int', int: nsOfDuration(value) };
  if (INSTANTS.includes(field)) return { is: 'int', int: nsOfInstant(value) };
  if (opposite.field !== undefined) return { is: 'text', text: value };
  switch (type) {
    case 'int':
      return { is: 'int', int: BigInt(value), isDeclared: true };
    case 'double':
      return { is: 'double', double: doubleOf(value)!, isDeclared: true };
    case 'bool':
      return { is: 'bool', bool: value === 'true' };
    case 'string':
      return { is: 'text', text: value };
    default:
      return { is: 'untyped', text: value };
  }
}

/** Durations of the generator: a whole number and one unit. */
function nsOfDuration(text: string): bigint {
  const [, number = '', unit = ''] = /^(-?\d+)(ns|us|ms|s)$/.exec(text)!;
  return BigInt(number) * { ns: 1n, us: 1_000n, ms: 1_000_000n, s: 1_000_000_000n }[unit]!;
}

/** Instants of the generator: nine digits of fraction, Z. */
function nsOfInstant(text: string): bigint {
  return BigInt(Date.parse(`${text.slice(0, 19)}Z`)) * 1_000_000n + BigInt(text.slice(20, 29));
}

function doubleOf(text: string): number | undefined {
  if (/^[+-]?inf$/i.test(text)) return text.startsWith('-') ? -Infinity : Infinity;
  if (/^nan$/i.test(text)) return NaN;
  return /^[+-]?[0-9]+(\.[0-9]*)?(e[+-]?[0-9]+)?$/i.test(text) ? Number(text) : undefined;
}

/** -1, 0, 1; undefined when the two cannot be compared. */
function compare(x: Value, y: Value): number | undefined {
  const [a, b] = [readAs(x, y), readAs(y, x)];
  if (a.is === 'text' && b.is === 'text') return Buffer.compare(Buffer.from(a.text), Buffer.from(b.text));
  if (a.is === 'bool' && b.is === 'bool') return Number(a.bool) - Number(b.bool);
  const isNumber = (value: Value): value is Value & { is: 'int' | 'double' } =>
    value.is === 'int' || value.is === 'double';
  return isNumber(a) && isNumber(b) ? compareNumbers(a, b) : undefined;
}

type NumberValue = Value & { is: 'int' | 'double' };

function compareNumbers(a: NumberValue, b: NumberValue): number | undefined {
  if ((a.isDeclared === true || b.isDeclared === true) && a.is !== b.is) return undefined;
  const [p, q] = [a, b].map((value) => (value.is === 'int' ? value.int : value.double)) as [bigint, bigint];
  // JavaScript compares a bigint with a number as the numbers they are.
  return p < q ? -1 : p > q ? 1 : Number.isNaN(p) || Number.isNaN(q) ? undefined : 0;
}

/** A constant without a type takes that of the other side. */
function readAs(value: Value, other: Value): Value {
  if (value.is !== 'untyped') return value;
  const { text } = value;
  if (other.is === 'bool') {
    if (['1', 't', 'T', 'true', 'TRUE', 'True'].includes(text)) return { is: 'bool', bool: true };
    return ['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(text) ? { is: 'bool', bool: false } : { is: 'opaque' };
  }
  if (other.is === 'int' || other.is === 'double') {
    if (/^[+-]?[0-9]+$/.test(text)) return { is: 'int', int: BigInt(text.replace('+', '')) };
    const double = doubleOf(text);
    return double === undefined ? { is: 'opaque' } : { is: 'double', double };
  }
  return { is: 'text', text };
}

function valuesOf(term: WireTerm, bound: Bound): Value[] {
  if (term.field !== undefined) return fieldValues(`${term.field.level}.${term.field.name}`, bound);
  const { key, level } = term.attr!;
  const { resource, scope, span } = bound.known;
  if (level === '' || level === 'span') {
    if (key === 'error') return [{ is: 'bool', bool: isInError(span) }];
    if (['span.kind', 'span.status', 'scope.name', 'scope.version'].includes(key)) return fieldValues(key, bound);
  }
  const lists: Readonly<Record<string, readonly (readonly OtlpKeyValue[] | undefined)[]>> = {
    '': [span.attributes, resource],
    span: [span.attributes],
    resource: [resource],
    scope: [scope.attributes],
    event: eventsOf(bound).map(({ attributes }) => attributes),
    link: linksOf(bound).map(({ attributes }) => attributes),
  };
  return lists[level]!.flatMap((list) => list ?? [])
    .filter((attribute) => (attribute.key ?? '') === key)
    .map(({ value = {} }) => valueOf(value));
}

function valueOf(value: OtlpAnyValue): Value {
  if (value.stringValue !== undefined) return { is: 'text', text: value.stringValue };
  if (value.intValue !== undefined) return { is: 'int', int: value.intValue };
  if (value.doubleValue !== undefined) return { is: 'double', double: value.doubleValue };
  if (value.boolValue !== undefined) return { is: 'bool', bool: value.boolValue };
  return { is: 'opaque' };
}

function eventsOf({ known, event }: Bound): readonly OtlpEvent[] {
  return event === undefined ? (known.span.events ?? []) : [event];
}

function linksOf({ known, link }: Bound): readonly OtlpLink[] {
  return link === undefined ? (known.span.links ?? []) : [link];
}

const KINDS = ['unspecified', 'internal', 'server', 'client', 'producer', 'consumer'];
const STATUSES = ['unset', 'ok', 'error'];
const text = (value: string): Value[] => [{ is: 'text', text: value }];
const unlessEmpty = (value = ''): Value[] => (value === '' ? [] : text(value));
const ns = (value: bigint): Value[] => [{ is: 'int', int: value > 2n ** 63n - 1n ? 2n ** 63n - 1n : value }];

function fieldValues(name: string, bound: Bound): Value[] {
  const { known } = bound;
  const { span, scope } = known;
  const start = span.startTimeUnixNano ?? 0n;
  switch (name) {
    case 'span.traceID':
      return text(hex(span.traceId));
    case 'span.spanID':
      return text(hex(span.spanId));
    case 'span.parentSpanID':
      return unlessEmpty(hex(span.parentSpanId));
    case 'span.traceState':
      return unlessEmpty(span.traceState);
    case 'span.name':
      return text(operationOf(known));
    case 'span.kind':
      return text(KINDS[span.kind ?? 0] ?? 'unspecified');
    case 'span.status':
      return text(STATUSES[span.status?.code ?? 0] ?? 'unset');
    case 'span.statusMessage':
      return unlessEmpty(span.status?.message);
    case 'span.startTime':
      return ns(start);
    case 'span.endTime':
      return ns(span.endTimeUnixNano ?? 0n);
    case 'span.duration':
      return ns((span.endTimeUnixNano ?? 0n) - start);
    case 'resource.service':
      return text(serviceOf(known));
    case 'resource.schemaURL':
      return unlessEmpty(known.resourceSchemaUrl);
    case 'scope.name':
      return unlessEmpty(scope.name);
    case 'scope.version':
      return unlessEmpty(scope.version);
    case 'scope.schemaURL':
      return unlessEmpty(known.scopeSchemaUrl);
    case 'event.name':
      return eventsOf(bound).flatMap((event) => text(event.name ?? ''));
    case 'event.time':
      return eventsOf(bound).flatMap((event) => ns(event.timeUnixNano ?? 0n));
    case 'event.timeSinceStart':
      return eventsOf(bound).flatMap((event) => ns((event.timeUnixNano ?? 0n) - start));
    case 'link.traceID':
      return linksOf(bound).flatMap((link) => text(hex(link.traceId)));
    case 'link.spanID':
      return linksOf(bound).flatMap((link) => text(hex(link.spanId)));
    case 'link.traceState':
      return linksOf(bound).flatMap((link) => unlessEmpty(link.traceState));
    default:
      throw new Error(`no field ${name}`);
  }
}

/** Lower case; '' for zeros. */
function hex(id: Uint8Array | undefined): string {
  const digits = Buffer.from(id ?? []).toString('hex');
  return /^0*$/.test(digits) ? '' : digits;
}
