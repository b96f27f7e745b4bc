// Tests of stored values, compiled once per search. A value comes as blocks hold it: a type of templates.ts and two words;
// text is a range of bytes. The rules are those of Jaeger's memory store. Numbers compare exactly, also an integer with a
// double. A constant with a declared type matches only that type; one without is read as the type of the value. NaN,
// bytes, lists, maps and absent values never compare, though all but absent values are present.
import { isUtf8 } from 'node:buffer';
import { doubleOf } from '../bytes/double-of.ts';
import type { Comparison, FilterConstant } from '../trace/filter.ts';
import { compilePattern } from '../trace/pattern.ts';
import * as T from '../trace/templates.ts';

/** A test of one stored value. For text, the words are a range of `bytes`. */
export type ValueTest = (type: number, a: number, b: number, bytes: Uint8Array) => boolean;

type Sign = -1 | 0 | 1;
type SignTest = (sign: Sign) => boolean;

const HOLDS: Readonly<Record<Comparison, SignTest>> = {
  eq: (sign) => sign === 0,
  // `ne` tests equality here; its caller negates the result, because only the caller knows whether a value exists.
  ne: (sign) => sign === 0,
  lt: (sign) => sign < 0,
  lte: (sign) => sign <= 0,
  gt: (sign) => sign > 0,
  gte: (sign) => sign >= 0,
};

/** Value `op` constant; for `ne`, whether they are equal. */
export function comparisonTest(op: Comparison, constant: FilterConstant): ValueTest {
  const holds = HOLDS[op];
  const isEquality = op === 'eq' || op === 'ne';
  const text = textOf(constant);
  const texts = text === undefined ? never : isEquality ? equalText(text) : orderedText(text, holds);
  const [integers, doubles] = numbersOf(constant);
  const ints = integers === undefined ? never : intTest(integers, holds);
  const floats = doubles === undefined ? never : doubleTest(doubles, holds);
  // Booleans have no order.
  const bool = isEquality ? boolOf(constant) : undefined;
  return (type, a, b, bytes) => {
    switch (type) {
      case T.TYPE_STRING:
        return texts(type, a, b, bytes);
      case T.TYPE_INT:
        return ints(type, a, b, bytes);
      case T.TYPE_DOUBLE:
        return floats(type, a, b, bytes);
      case T.TYPE_BOOL:
        return bool !== undefined && (a !== 0) === bool;
      default:
        return false;
    }
  };
}

/** The value equals one of `constants`. Texts are looked up, so that a long list costs no more than a short one. */
export function membershipTest(constants: readonly FilterConstant[]): ValueTest {
  const texts = new Set(constants.map(textOf).filter((text) => text !== undefined));
  const tests = constants.filter((constant) => constant.kind !== 'string').map((one) => comparisonTest('eq', one));
  return (type, a, b, bytes) =>
    type === T.TYPE_STRING
      ? texts.has(Buffer.from(bytes.buffer, bytes.byteOffset + a, b).toString('utf8')) &&
        isUtf8(bytes.subarray(a, a + b))
      : tests.some((test) => test(type, a, b, bytes));
}

/** The pattern matches anywhere in a text value. `check`: see compilePattern. */
export function patternTest(text: string, check?: () => void): ValueTest {
  const pattern = compilePattern(text, check);
  return (type, a, b, bytes) =>
    type === T.TYPE_STRING && isUtf8(bytes.subarray(a, a + b)) && pattern.test(bytes, a, a + b);
}

const never: ValueTest = () => false;

function textOf(constant: FilterConstant): string | undefined {
  return constant.kind === 'any' || constant.kind === 'string' ? constant.text : undefined;
}

function boolOf(constant: FilterConstant): boolean | undefined {
  return constant.kind === 'any' ? constant.bool : constant.kind === 'bool' ? constant.value : undefined;
}

/** The constants to compare stored integers and stored doubles with. */
function numbersOf(
  constant: FilterConstant,
): [ints: bigint | number | undefined, doubles: bigint | number | undefined] {
  switch (constant.kind) {
    case 'any':
      return [constant.number, constant.number];
    case 'int':
    case 'ns':
      return [constant.value, undefined];
    case 'double':
      return [undefined, constant.value];
    default:
      return [undefined, undefined];
  }
}

function equalText(text: string): ValueTest {
  const mine = Buffer.from(text, 'utf8');
  return (_type, a, b, bytes) => {
    if (b !== mine.length) return false;
    for (let i = 0; i < b; i++) if (bytes[a + i] !== mine[i]) return false;
    return true;
  };
}

/** By bytes, as Go orders strings. Jaeger treats text that is not UTF-8 as bytes, which have no order. */
function orderedText(text: string, holds: SignTest): ValueTest {
  const mine = Buffer.from(text, 'utf8');
  return (_type, a, b, bytes) => {
    const value = bytes.subarray(a, a + b);
    return isUtf8(value) && holds(Math.sign(Buffer.compare(value, mine)) as Sign);
  };
}

const TWO_32 = 4_294_967_296;

function intTest(constant: bigint | number, holds: SignTest): ValueTest {
  if (Number.isNaN(constant)) return never;
  // Rounded only if no value below 2^53 is near.
  const rounded = Number(constant);
  return (_type, lo, hi) => {
    const high = hi | 0;
    if (high > -0x20_0000 && high < 0x20_0000) return holds(compareNumbers(high * TWO_32 + lo, rounded));
    return holds(compareNumbers(int64(lo, hi), constant));
  };
}

function doubleTest(constant: bigint | number, holds: SignTest): ValueTest {
  if (Number.isNaN(constant)) return never;
  return (_type, lo, hi) => {
    const value = doubleOf(lo, hi);
    return !Number.isNaN(value) && holds(compareNumbers(value, constant));
  };
}

function int64(lo: number, hi: number): bigint {
  return BigInt.asIntN(64, (BigInt(hi) << 32n) | BigInt(lo));
}

/** Exact also between a bigint and a number: JavaScript compares their mathematical values. */
function compareNumbers(x: bigint | number, y: bigint | number): Sign {
  return x < y ? -1 : x > y ? 1 : 0;
}

/** A value decoded from its words, to compare two stored values; undefined: it never compares. */
export type Scalar = Buffer | bigint | number | boolean | undefined;

export function scalarOf(type: number, a: number, b: number, bytes: Uint8Array): Scalar {
  switch (type) {
    case T.TYPE_STRING:
      return isUtf8(bytes.subarray(a, a + b)) ? Buffer.from(bytes.buffer, bytes.byteOffset + a, b) : undefined;
    case T.TYPE_INT:
      return int64(a, b);
    case T.TYPE_DOUBLE:
      return Number.isNaN(doubleOf(a, b)) ? undefined : doubleOf(a, b);
    case T.TYPE_BOOL:
      return a !== 0;
    default:
      return undefined;
  }
}

/** x `op` y; for `ne`, whether they are equal. */
export function compareScalars(op: Comparison, x: Scalar, y: Scalar): boolean {
  const holds = HOLDS[op];
  if (x === undefined || y === undefined) return false;
  if (typeof x === 'boolean' || typeof y === 'boolean') return (op === 'eq' || op === 'ne') && x === y;
  if (typeof x === 'object') return typeof y === 'object' && holds(Math.sign(Buffer.compare(x, y)) as Sign);
  return typeof y !== 'object' && holds(compareNumbers(x, y));
}

/** Left `op` right, both constants; for `ne`, whether they are equal. */
export function compareConstants(op: Comparison, left: FilterConstant, right: FilterConstant): boolean {
  // One constant is treated as a stored value, so it needs a type.
  if (left.kind === 'any' && right.kind !== 'any') return compareConstants(TURNED[op], right, left);
  const test = comparisonTest(op, right);
  switch (left.kind) {
    case 'any':
    case 'string': {
      const text = Buffer.from(left.text, 'utf8');
      return test(T.TYPE_STRING, 0, text.length, text);
    }
    case 'bool':
      return test(T.TYPE_BOOL, left.value ? 1 : 0, 0, NO_BYTES);
    default: {
      const words = new Uint32Array(
        left.kind === 'double' ? Float64Array.of(left.value).buffer : BigInt64Array.of(left.value).buffer,
      );
      return test(left.kind === 'double' ? T.TYPE_DOUBLE : T.TYPE_INT, words[0]!, words[1]!, NO_BYTES);
    }
  }
}

const NO_BYTES = new Uint8Array(0);
const TURNED: Readonly<Record<Comparison, Comparison>> = {
  eq: 'eq',
  ne: 'ne',
  gt: 'lt',
  lt: 'gt',
  gte: 'lte',
  lte: 'gte',
};
