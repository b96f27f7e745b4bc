// Turns the terms of a received filter into a Filter: checks them, reads each constant in the type of its opposite operand,
// and puts references first. Rules and error texts are those of Jaeger's query/expression/v1 (contract/jaeger.md §5.5), so a
// filter is refused for the same reason as in Jaeger. One rule is left out: a pattern may anchor itself, be lazy or fold
// case, because patterns here have RE2's meaning (docs/decisions/0010-filters.md).
import { StoreError } from '../../base/errors.ts';
import { ATTRIBUTE_LEVELS, type AttributeLevel, type ChildLevel } from '../../trace/attribute-levels.ts';
import {
  FILTER_FIELDS,
  FILTER_OPERATORS,
  STATUS_WORDS,
  type Comparison,
  type FieldName,
  type FieldType,
  type Filter,
  type FilterConstant,
  type FilterOperand,
  type FilterReference,
} from '../../trace/filter.ts';
import { SPAN_KINDS } from '../../trace/span-kinds.ts';
import { compilePattern } from '../../trace/pattern.ts';
import type { TraceQuery } from '../../trace/trace-query.ts';
import { decodeCall, invalid, readTyped, VALUE_TYPES, type CallTerm, type Term } from './expression-messages.ts';
import { parseGoDuration } from '../go/go-duration.ts';
import { parseGoFloat } from '../go/go-float.ts';
import { findGoSyntaxError } from '../go/go-json.ts';
import { goQuote } from '../go/go-quote.ts';
import { rfc3339Error, rfc3339Ns } from '../go/go-time.ts';
import { parseGoBool, parseInteger } from './jaeger-params.ts';

/** The prefix of Jaeger's ErrFilterInvalid. */
const PREFIX = 'invalid query filter: ';

/** The filter of a jaeger.expression.v1.Call that protobufjs decoded. Throws INVALID_REQUEST with Jaeger's text. */
export function parseFilter(message: unknown): Filter {
  return finalizeFilter(decodeCall(message));
}

/** The terms of `text`, the JSON form of a Call. Throws INVALID_REQUEST. */
export function readFilterJson(text: string): CallTerm {
  const syntaxError = findGoSyntaxError(text);
  if (syntaxError !== undefined) invalid(syntaxError);
  return decodeCall(JSON.parse(text));
}

/** The filter for the terms. Throws INVALID_REQUEST if they have no meaning. */
export function finalizeFilter(call: CallTerm): Filter {
  try {
    return predicate(call, []);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    throw new StoreError(error.code, `${PREFIX}${error.message}`, { cause: error });
  }
}

/** The filter for `text`, the JSON form of a Call. Throws INVALID_REQUEST. */
export function parseFilterJson(text: string): Filter {
  return finalizeFilter(readFilterJson(text));
}

/** Throws INVALID_REQUEST if a query with a filter also has a condition that the filter replaces. */
export function checkFilterStandsAlone(query: Omit<TraceQuery, 'filter'>): void {
  const set: string[] = [];
  if (query.service !== undefined) set.push('service_name');
  if (query.operation !== undefined) set.push('operation_name');
  if (query.durationMinNs !== undefined) set.push('duration_min');
  if (query.durationMaxNs !== undefined) set.push('duration_max');
  if (query.tags.length > 0) set.push('attributes');
  if (set.length > 0) {
    invalid(`${PREFIX}it cannot be combined with [${set.join(' ')}]; express those predicates in the filter instead`);
  }
}

/** `bound`: the levels of the enclosing `some` calls. */
function predicate(call: CallTerm, bound: readonly ChildLevel[]): Filter {
  const op = FILTER_OPERATORS.find((known) => known === call.op);
  switch (op) {
    case undefined:
      return invalid(`unknown filter operator ${goQuote(call.op)}`);
    case 'and':
    case 'or':
      if (call.args.length < 2) {
        invalid(`operator "${op}" takes at least two arguments, got ${call.args.length}`);
      }
      return { op, filters: call.args.map((arg) => predicateArg(op, arg, bound)) };
    case 'not':
      return { op, filter: predicateArg(op, args(call, 1)[0]!, bound) };
    case 'exists':
      return { op, reference: reference(op, args(call, 1)[0]!) };
    case 'some':
      return some(call, bound);
    case 'in':
    case 'not_in':
      return membership(op, call);
    case 'regex':
      return regex(call);
    default:
      return comparison(op, call);
  }
}

function args(call: CallTerm, count: number): readonly Term[] {
  if (call.args.length !== count) {
    invalid(`operator "${call.op}" takes ${count} argument(s), got ${call.args.length}`);
  }
  return call.args;
}

function predicateArg(op: string, arg: Term, bound: readonly ChildLevel[]): Filter {
  if (arg.kind === 'call') return predicate(arg, bound);
  return invalid(`operator "${op}" takes predicates as arguments, got ${termName(arg)}`);
}

function some(call: CallTerm, bound: readonly ChildLevel[]): Filter {
  const [collection, inner] = args(call, 2) as [Term, Term];
  if (collection.kind !== 'nested') {
    return invalid(`operator "some" takes a collection reference as its first argument, got ${termName(collection)}`);
  }
  const { level } = collection;
  if (level !== 'event' && level !== 'link') {
    return invalid(`operator "some" quantifies over "event" or "link", got level ${goQuote(level)}`);
  }
  if (bound.includes(level)) {
    invalid(
      `operator "some" is already quantifying over "${level}", and this version does not define what a nested one would bind`,
    );
  }
  if (inner.kind !== 'call') {
    return invalid(`operator "some" takes a predicate as its second argument, got ${termName(inner)}`);
  }
  return { op: 'some', level, filter: predicate(inner, [...bound, level]) };
}

function reference(op: string, arg: Term): FilterReference {
  switch (arg.kind) {
    case 'attr':
      return attributeReference(arg.key, arg.level);
    case 'field':
      return fieldReference(arg.name, arg.level);
    case 'nested':
      return invalid('a collection reference is only the first argument of "some"');
    default:
      return invalid(`operator "${op}" takes a reference, got ${termName(arg)}`);
  }
}

function levelOf(text: string): AttributeLevel {
  return ATTRIBUTE_LEVELS.find((level) => level === text) ?? invalid(`unknown filter level ${goQuote(text)}`);
}

function attributeReference(key: string, level: string): FilterReference {
  const known = level === '' ? '' : levelOf(level);
  if (key === '') invalid('attribute reference has no key');
  return { kind: 'attribute', key, level: known };
}

function fieldReference(name: string, level: string): FilterReference {
  if (level === '') invalid('field reference has no level, and a built-in field belongs to one');
  const known = levelOf(level);
  if (name === '') invalid('field reference has no name');
  if (!Object.hasOwn(FILTER_FIELDS[known], name)) {
    invalid(
      `unknown built-in field ${goQuote(name)} at the "${known}" level; name an attribute to match a tag of that name instead`,
    );
  }
  return { kind: 'field', name: `${known}.${name}` as FieldName };
}

/** The type of a built-in field; undefined for an attribute, whose type only the stored data knows. */
function typeOf(operand: FilterReference): FieldType | undefined {
  if (operand.kind === 'attribute') return undefined;
  const [level, name] = operand.name.split('.') as [AttributeLevel, string];
  return (FILTER_FIELDS[level] as Readonly<Record<string, FieldType>>)[name];
}

const FIELD_DOMAINS: Readonly<Record<FieldType, string>> = {
  string: 'text',
  kind: 'text',
  status: 'text',
  duration: 'duration',
  timestamp: 'timestamp',
};
const VALUE_DOMAINS: Readonly<Record<string, string>> = {
  int: 'number',
  double: 'number',
  string: 'text',
  bool: 'bool',
};

/** The kind of a term's values; undefined if unknown, which is compatible with every kind. */
function domainOf(term: Term): string | undefined {
  return term.kind === 'field'
    ? FIELD_DOMAINS[typeOf(fieldReference(term.name, term.level))!]
    : VALUE_DOMAINS[term.kind];
}

function comparison(op: Comparison, call: CallTerm): Filter {
  const terms = args(call, 2) as [Term, Term];
  for (const term of terms) checkOperand(op, term);
  const [x, y] = terms.map(domainOf);
  if (x !== undefined && y !== undefined && x !== y) {
    invalid(
      `operator "${op}" compares ${describe(terms[0])} against ${describe(terms[1])}, which hold different kinds of value`,
    );
  }
  if (op !== 'eq' && op !== 'ne') for (const term of terms) checkOrder(op, term);
  const left = operand(terms[0], terms[1]);
  const right = operand(terms[1], terms[0]);
  const isTurned = !isReferenceTerm(terms[0]) && isReferenceTerm(terms[1]);
  return isTurned ? { op: TURNED[op], left: right, right: left } : { op, left, right };
}

const TURNED: Readonly<Record<Comparison, Comparison>> = {
  eq: 'eq',
  ne: 'ne',
  gt: 'lt',
  lt: 'gt',
  gte: 'lte',
  lte: 'gte',
};

function isReferenceTerm(term: Term): boolean {
  return term.kind === 'attr' || term.kind === 'field';
}

function checkOperand(op: string, term: Term): void {
  if (term.kind === 'attr' || term.kind === 'field' || term.kind === 'nested') reference(op, term);
  else if (term.kind === 'list' || term.kind === 'call') {
    invalid(`operator "${op}" compares a reference or a constant, got ${termName(term)}`);
  }
}

/** Neither booleans nor words such as `server` have an order. */
function checkOrder(op: string, term: Term): void {
  const type = term.kind === 'field' ? typeOf(fieldReference(term.name, term.level)) : undefined;
  if (term.kind === 'bool' || type === 'kind' || type === 'status') {
    invalid(`operator "${op}" has no ordering for ${describe(term)}`);
  }
}

/** A term of a comparison; a constant is read in the type of `opposite`, if that has one. */
function operand(term: Term, opposite: Term): FilterOperand {
  if (term.kind === 'attr') return attributeReference(term.key, term.level);
  if (term.kind === 'field') return fieldReference(term.name, term.level);
  if (opposite.kind !== 'field') return constant(term);
  const type = typeOf(fieldReference(opposite.name, opposite.level))!;
  const isWord = type === 'kind' || type === 'status';
  if (term.kind === 'any' || (term.kind === 'string' && isWord)) return besideField(opposite, type, term.text);
  return constant(term);
}

function constant(term: Term): FilterConstant {
  switch (term.kind) {
    case 'any':
      return anyConstant(term.text);
    case 'string':
    case 'int':
    case 'double':
    case 'bool':
      return term;
    default:
      return invalid(`${termName(term)} is no constant`);
  }
}

function anyConstant(text: string): FilterConstant {
  const integer = parseInteger(text, 64);
  const bool = parseGoBool(text);
  return {
    kind: 'any',
    text,
    number: typeof integer === 'bigint' ? integer : parseGoFloat(text),
    bool: typeof bool === 'boolean' ? bool : undefined,
  };
}

/** `text` as a value of the field's type. */
function besideField(field: Term & { kind: 'field' }, type: FieldType, text: string): FilterConstant {
  const refuse = (why: string): never =>
    invalid(`cannot compare ${field.level}.${field.name} against ${goQuote(text)}: ${why}`);
  switch (type) {
    case 'duration': {
      const parsed = parseGoDuration(text);
      return 'error' in parsed ? refuse(parsed.error) : { kind: 'ns', value: parsed.ns };
    }
    case 'timestamp': {
      const error = rfc3339Error(text);
      return error === undefined ? { kind: 'ns', value: rfc3339Ns(text) } : refuse(error);
    }
    case 'string':
      return { kind: 'string', text };
    default: {
      const words = type === 'kind' ? SPAN_KINDS : STATUS_WORDS;
      return words.includes(text) ? { kind: 'string', text } : refuse(`not one of ${words.join(', ')}`);
    }
  }
}

function membership(op: 'in' | 'not_in', call: CallTerm): Filter {
  const [subject, list] = args(call, 2) as [Term, Term];
  const of = reference(op, subject);
  if (list.kind !== 'list') {
    return invalid(`operator "${op}" takes a list as its second argument, got ${termName(list)}`);
  }
  const { values, type } = list;
  if (values.length === 0) invalid(`operator "${op}" takes a list with at least one element`);
  if (type !== '' && !VALUE_TYPES.includes(type)) invalid(`unknown filter value type ${goQuote(type)}`);
  if (type === '' && subject.kind !== 'field') {
    invalid(`operator "${op}" takes a list that declares its element type when it is compared against an attribute`);
  }
  const typed = type === '' ? [] : values.map((text) => element(text, type));
  if (subject.kind !== 'field') return { op, reference: of, values: typed };
  const fieldType = typeOf(of)!;
  if (type !== '' && VALUE_DOMAINS[type] !== FIELD_DOMAINS[fieldType]) {
    invalid(
      `cannot compare ${subject.level}.${subject.name} against a list of ${type}: the field holds ${GO_TYPES[fieldType]}`,
    );
  }
  return { op, reference: of, values: values.map((text) => besideField(subject, fieldType, text)) };
}

/** Jaeger's own names of the types. */
const GO_TYPES: Readonly<Record<FieldType, string>> = {
  string: 'string',
  duration: 'duration',
  timestamp: 'timestamp',
  kind: 'spanKind',
  status: 'spanStatus',
};

function element(text: string, type: string): FilterConstant {
  return readTyped(text, type, () => invalid(`element ${goQuote(text)} of a list of ${type}: it is none`));
}

function regex(call: CallTerm): Filter {
  const [subject, pattern] = args(call, 2) as [Term, Term];
  const of = reference('regex', subject);
  const type = typeOf(of);
  if (type === 'duration' || type === 'timestamp') {
    invalid(`operator "regex" matches text, and ${describe(subject)} holds a ${type}`);
  }
  if (pattern.kind !== 'any' && pattern.kind !== 'string') {
    return invalid(`operator "regex" takes a constant string as its pattern, got ${termName(pattern)}`);
  }
  try {
    compilePattern(pattern.text);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    invalid(`operator "regex" takes a pattern in RE2 syntax: ${error.message}`);
  }
  return { op: 'regex', reference: of, pattern: pattern.text };
}

function describe(term: Term): string {
  return term.kind === 'field' ? `${term.level}.${term.name}` : termName(term);
}

const TERM_NAMES: Readonly<Record<Term['kind'], string>> = {
  attr: 'an attribute reference',
  field: 'a field reference',
  nested: 'a collection reference',
  any: 'an untyped constant',
  string: 'a string constant',
  int: 'an integer constant',
  double: 'a floating-point constant',
  bool: 'a boolean constant',
  list: 'a list',
  call: 'a predicate',
};

function termName(term: Term): string {
  return TERM_NAMES[term.kind];
}
