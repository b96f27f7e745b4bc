// The messages of `jaeger.expression.v1` as received, one description for both encodings: protobufjs reads the binary one with
// it, and the output of JSON.parse is checked against it as strictly as by Go's jsonpb. decodeCall turns either into terms;
// parse-filter.ts interprets well-formed terms.
import protobuf from 'protobufjs/light.js';
import { StoreError } from '../../base/errors.ts';
import { limits } from '../../base/limits.ts';
import { goQuote } from '../go/go-quote.ts';
import { goKind } from '../go/go-json.ts';
import { parseGoFloat } from '../go/go-float.ts';
import { parseGoBool, parseInteger } from './jaeger-params.ts';

interface FieldDescription {
  readonly id: number;
  readonly type: string;
  readonly rule?: 'repeated';
}

const field = (id: number, type: string): FieldDescription => ({ id, type });
const list = (id: number, type: string): FieldDescription => ({ id, type, rule: 'repeated' });

const MESSAGES: Readonly<Record<string, { readonly fields: Readonly<Record<string, FieldDescription>> }>> = {
  Expression: {
    fields: {
      attr: field(1, 'AttributeReference'),
      field: field(2, 'FieldReference'),
      nested: field(3, 'NestedReference'),
      scalar: field(4, 'Scalar'),
      list: field(5, 'List'),
      call: field(6, 'Call'),
    },
  },
  AttributeReference: { fields: { key: field(1, 'string'), level: field(2, 'string') } },
  FieldReference: { fields: { name: field(1, 'string'), level: field(2, 'string') } },
  NestedReference: { fields: { level: field(1, 'string') } },
  Scalar: { fields: { value: field(1, 'string'), type: field(2, 'string') } },
  List: { fields: { values: list(1, 'string'), type: field(2, 'string') } },
  Call: { fields: { op: field(1, 'string'), args: list(2, 'Expression') } },
};

const oneofs = { term: { oneof: Object.keys(MESSAGES['Expression']!.fields) } };
const EXPRESSION = { ...MESSAGES, Expression: { ...MESSAGES['Expression']!, oneofs } };

/** For protobuf.Root.fromJSON: `jaeger.expression.v1`. A decoded Call goes to parseFilter as it is. */
export const expressionNamespace = {
  jaeger: { nested: { expression: { nested: { v1: { nested: EXPRESSION } } } } },
};

/** A message from protobufjs or JSON.parse whose fields are known to have their types. */
type Message = Readonly<Record<string, unknown>>;

export type Term =
  | { readonly kind: 'attr'; readonly key: string; readonly level: string }
  | { readonly kind: 'field'; readonly name: string; readonly level: string }
  | { readonly kind: 'nested'; readonly level: string }
  | { readonly kind: 'any'; readonly text: string }
  | { readonly kind: 'string'; readonly text: string }
  | { readonly kind: 'int'; readonly value: bigint }
  | { readonly kind: 'double'; readonly value: number }
  | { readonly kind: 'bool'; readonly value: boolean }
  | { readonly kind: 'list'; readonly values: readonly string[]; readonly type: string }
  | CallTerm;

/** A constant with a declared type. */
export type TypedTerm = Extract<Term, { kind: 'string' | 'int' | 'double' | 'bool' }>;

export interface CallTerm {
  readonly kind: 'call';
  readonly op: string;
  readonly args: readonly Term[];
}

/**
 * The terms of a Call message. Throws INVALID_REQUEST for any other input: an unknown field, a value of another type, an
 * argument that is empty or sets two alternatives, a constant that does not fit its declared type, too many terms.
 */
export function decodeCall(message: unknown): CallTerm {
  return new Decoder().call(message, 1);
}

const callType = protobuf.Root.fromJSON({ nested: expressionNamespace }).lookupType('jaeger.expression.v1.Call');

/** A Call that decodeCall has accepted, in protobuf. */
export function encodeCall(message: object): Uint8Array {
  return callType.encode(callType.fromObject(message)).finish();
}

export function invalid(why: string): never {
  throw new StoreError('INVALID_REQUEST', why);
}

class Decoder {
  #terms = 0;
  #patterns = 0;

  call(message: unknown, depth: number): CallTerm {
    if (depth > limits.filterDepthMax) invalid(`filter nests calls more than ${limits.filterDepthMax} deep`);
    const { op, args } = checked(message, 'Call');
    this.#count(1);
    if (op === 'regex' && ++this.#patterns > limits.patternsMax) {
      invalid(`filter has more than ${limits.patternsMax} regular expressions`);
    }
    return {
      kind: 'call',
      op: textOf(op),
      args: ((args ?? []) as readonly unknown[]).map((arg) => this.#expression(arg, depth)),
    };
  }

  #expression(message: unknown, depth: number): Term {
    const entries = Object.entries(checked(message, 'Expression'));
    const [[name, value] = []] = entries;
    if (entries.length !== 1) {
      invalid(
        `filter argument ${entries.length === 0 ? 'is empty' : 'is two things'}: exactly one of attr, field, nested, scalar, list or call must be set`,
      );
    }
    if (name === 'call') return this.call(value, depth + 1);
    this.#count(1);
    switch (name) {
      case 'attr': {
        const { key, level } = checked(value, 'AttributeReference');
        return { kind: 'attr', key: textOf(key), level: textOf(level) };
      }
      case 'field': {
        const { name: fieldName, level } = checked(value, 'FieldReference');
        return { kind: 'field', name: textOf(fieldName), level: textOf(level) };
      }
      case 'nested':
        return { kind: 'nested', level: textOf(checked(value, 'NestedReference')['level']) };
      case 'list': {
        const { values, type } = checked(value, 'List');
        const texts = (values ?? []) as readonly string[];
        this.#count(texts.length);
        return { kind: 'list', values: texts, type: textOf(type) };
      }
      default: {
        const { value: text, type } = checked(value, 'Scalar');
        return constantOf(textOf(text), textOf(type));
      }
    }
  }

  #count(terms: number): void {
    this.#terms += terms;
    if (this.#terms > limits.filterTermsMax) invalid(`filter has more than ${limits.filterTermsMax} terms`);
  }
}

/** The fields that are set (null is not), each of its described type. */
function checked(message: unknown, type: string): Message {
  if (typeof message !== 'object' || message === null || Array.isArray(message)) unfit(message, `expression.${type}`);
  const { fields } = MESSAGES[type]!;
  const set: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(message)) {
    const description = Object.hasOwn(fields, name) ? fields[name]! : undefined;
    if (description === undefined) invalid(`unknown field ${goQuote(name)} in expression.${type}`);
    if (value === null || value === undefined) continue;
    if (description.rule !== 'repeated') checkText(value, description);
    else if (!Array.isArray(value)) unfit(value, `[]${description.type}`);
    else for (const item of value) checkText(item, description);
    set[name] = value;
  }
  return set;
}

/** Nested messages are checked later, when they are decoded. */
function checkText(value: unknown, { type }: FieldDescription): void {
  if (type === 'string' && typeof value !== 'string') unfit(value, 'string');
}

function unfit(value: unknown, type: string): never {
  invalid(`json: cannot unmarshal ${value === null ? 'null' : goKind(value)} into Go value of type ${type}`);
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function constantOf(text: string, type: string): Term {
  if (type === '') return { kind: 'any', text };
  return readTyped(text, type, () =>
    VALUE_TYPES.includes(type)
      ? invalid(`filter constant ${goQuote(text)} is not the ${goQuote(type)} it declares`)
      : invalid(`filter constant ${goQuote(text)} declares the unknown type ${goQuote(type)}`),
  );
}

/** The types that a constant or a list may declare. */
export const VALUE_TYPES: readonly string[] = ['string', 'int', 'double', 'bool'];

/** `text` as a value of the declared `type`; calls `refuse` if it is none. */
export function readTyped(text: string, type: string, refuse: () => never): TypedTerm {
  switch (type) {
    case 'string':
      return { kind: 'string', text };
    case 'int': {
      const value = parseInteger(text, 64);
      return typeof value === 'bigint' ? { kind: 'int', value } : refuse();
    }
    case 'double': {
      const value = parseGoFloat(text);
      return value === undefined ? refuse() : { kind: 'double', value };
    }
    case 'bool': {
      const value = parseGoBool(text);
      return typeof value === 'boolean' ? { kind: 'bool', value } : refuse();
    }
    default:
      return refuse();
  }
}
