// OTLP JSON ExportTraceServiceRequest → the same request as canonical protobuf, so that both encodings take the same
// path. Canonical: fields in number order, minimal varints, default-valued scalars left out; a sub-message that is
// present but empty stays present. Accepted (contract/jaeger.md §4.1): camelCase and snake_case names, unknown fields,
// null for absent, integers as numbers or decimal text (64 bits exact), enums as numbers or names, ids in hex of any
// case. It does not check the length of ids: the store rejects such spans and keeps the others.
import { assert } from '../base/assert.ts';
import { limits } from '../base/limits.ts';
import { StoreError } from '../base/errors.ts';
import { ByteWriter } from '../bytes/byte-writer.ts';
import { WIRE_BYTES, WIRE_FIXED32, WIRE_FIXED64, WIRE_VARINT } from '../bytes/wire-reader.ts';
import { BOOL, BYTES, DOUBLE, INT, STRING } from '../trace/any-value.ts';
import { STATUS_WORDS } from '../trace/filter.ts';
import { SPAN_KINDS } from '../trace/span-kinds.ts';
import { ANY_VALUE, KEY_VALUE, messageOf, TRACES, UNKNOWN_NAME_FIELD, type Field, type Schema } from './json-schema.ts';
import {
  describeJson,
  isObject,
  parseJson,
  readBase64,
  readDouble,
  readHex,
  readInt,
  readInt64,
  readUint64,
  Uint64,
  type JsonObject,
} from './json-value.ts';

/**
 * Converts one request; the caller owns the result, which has the exact size. On an error nothing is converted: throws
 * INVALID_REQUEST with the JSON path, what was expected and what was found.
 */
export function jsonToRequest(text: Uint8Array): Uint8Array<ArrayBuffer> {
  // Protobuf takes about half of the JSON's size.
  return new RequestWriter(text.length >> 1).write(parseJson(text));
}

/** The words of enums, by the name of the field. */
const ENUMS: Readonly<Record<string, ReadonlyMap<string, number>>> = {
  kind: new Map(SPAN_KINDS.map((word, number) => [`SPAN_KIND_${word.toUpperCase()}`, number])),
  code: new Map(STATUS_WORDS.map((word, number) => [`STATUS_CODE_${word.toUpperCase()}`, number])),
};
const UINT32_MAX = 0xffff_ffff;
const INT32_MAX = 0x7fff_ffff;
const utf8 = new TextEncoder();

/** Characters of an unknown name in a message. */
const UNKNOWN_CHARS_MAX = 60;

/** One conversion. The path to the current object is kept as two stacks; only an error formats it as text. */
class RequestWriter {
  readonly #out: ByteWriter;
  readonly #bits = new Uint64();
  readonly #pathNames: string[] = [];
  /** The index in an array, -1 for a field outside an array. */
  readonly #pathIndexes: number[] = [];
  /** Number of AnyValues around the current field. */
  #depth = 0;
  /** The first unknown name and its place. */
  #unknown: string | undefined;

  constructor(capacityBytes: number) {
    this.#out = new ByteWriter(Math.max(capacityBytes, 64));
  }

  write(request: unknown): Uint8Array<ArrayBuffer> {
    if (!isObject(request)) this.#malformed('', 'a JSON object', request);
    this.#fields(request, TRACES);
    assert(this.#depth === 0 && this.#pathNames.length === 0, 'the way into the JSON was not gone back');
    if (this.#unknown !== undefined) this.#text(UNKNOWN_NAME_FIELD, this.#unknown);
    return this.#out.take();
  }

  /** The body of a message, fields in number order. Names inside attributes are not checked: there are too many. */
  #fields(message: JsonObject, schema: Schema): void {
    if (schema !== KEY_VALUE) this.#checkNames(message, schema.names);
    const { ordered } = schema;
    for (let i = 0; i < ordered.length; i++) {
      const field = ordered[i]!;
      const value = find(message, field);
      if (value !== undefined) this.#field(value, field);
    }
  }

  /** A present field; it is left out if it has the default value. */
  #field(value: unknown, field: Field): void {
    switch (field.kind) {
      case 'id':
        return this.#id(value, field);
      case 'string':
        return this.#string(value, field);
      case 'strings':
        return this.#strings(value, field);
      case 'uint32':
      case 'fixed32':
        return this.#uint32(value, field);
      case 'enum':
        return this.#enum(value, field);
      case 'nanos':
        return this.#nanos(value, field);
      case 'message':
      case 'value':
        return this.#message(value, field);
      default:
        this.#messages(value, field);
    }
  }

  /** An attribute's own value has depth 1, as in the wire scan. */
  #anyValue(message: JsonObject): void {
    this.#depth++;
    // Converts one level more than allowed, so that the scan rejects the span; deeper levels are ignored.
    const member = this.#depth > limits.anyValueDepthMax ? undefined : this.#memberOf(message);
    if (member?.kind === 'message') this.#message(find(message, member), member);
    else if (member !== undefined) this.#scalarValue(find(message, member), member);
    else if (this.#depth <= limits.anyValueDepthMax) this.#checkNames(message, ANY_VALUE.names);
    this.#depth--;
  }

  /** The one member that is set. */
  #memberOf(message: JsonObject): Field | undefined {
    let member: Field | undefined;
    const { ordered } = ANY_VALUE;
    for (let i = 0; i < ordered.length; i++) {
      if (find(message, ordered[i]!) === undefined) continue;
      if (member !== undefined) this.#malformed('', `one value, got ${member.name} and ${ordered[i]!.name}`);
      member = ordered[i]!;
    }
    return member;
  }

  /** Members of the oneof are written even if 0 or empty: the member defines the type. */
  #scalarValue(value: unknown, { kind, name }: Field): void {
    const out = this.#out;
    if (kind === 'string') {
      if (typeof value !== 'string') this.#malformed(name, 'a string', value);
      this.#text(STRING, value);
    } else if (kind === 'bool') {
      if (typeof value !== 'boolean') this.#malformed(name, 'true or false', value);
      out.tag(BOOL, WIRE_VARINT);
      out.u8(value ? 1 : 0);
    } else if (kind === 'int') {
      this.#intValue(value, name);
    } else if (kind === 'double') {
      const double = readDouble(value);
      if (double === undefined) this.#malformed(name, 'a number, "NaN", "Infinity" or "-Infinity"', value);
      this.#double(double);
    } else {
      const bytes = typeof value === 'string' ? readBase64(value) : undefined;
      if (bytes === undefined) this.#malformed(name, 'base64', value);
      out.bytesField(BYTES, bytes);
    }
  }

  /** JavaScript exporters write every whole number as an integer, even 2^64: beyond 64 bits it becomes a double. */
  #intValue(value: unknown, name: string): void {
    if (readInt64(value, this.#bits)) {
      this.#out.tag(INT, WIRE_VARINT);
      this.#out.varint64(this.#bits.lo, this.#bits.hi);
      return;
    }
    const double = readDouble(value);
    if (double === undefined || !Number.isInteger(double)) this.#malformed(name, 'a 64-bit integer', value);
    this.#double(double);
  }

  #double(value: number): void {
    this.#out.tag(DOUBLE, WIRE_FIXED64);
    this.#out.f64(value);
  }

  #message(value: unknown, field: Field): void {
    this.#pathNames.push(field.name);
    this.#pathIndexes.push(-1);
    this.#writeMessage(value, field);
    this.#pathNames.pop();
    this.#pathIndexes.pop();
  }

  #messages(value: unknown, field: Field): void {
    const values = this.#array(value, field);
    this.#pathNames.push(field.name);
    this.#pathIndexes.push(0);
    for (let i = 0; i < values.length; i++) {
      this.#pathIndexes[this.#pathIndexes.length - 1] = i;
      this.#writeMessage(values[i], field);
    }
    this.#pathNames.pop();
    this.#pathIndexes.pop();
  }

  #writeMessage(value: unknown, field: Field): void {
    if (!isObject(value)) this.#malformed('', 'an object', value);
    this.#out.tag(field.number, WIRE_BYTES);
    const start = this.#out.beginMessage();
    const schema = messageOf(field);
    if (schema === ANY_VALUE) this.#anyValue(value);
    else this.#fields(value, schema);
    this.#out.endMessage(start);
  }

  #array(value: unknown, { name }: Field): readonly unknown[] {
    if (!Array.isArray(value)) this.#malformed(name, 'an array', value);
    return value;
  }

  #string(value: unknown, { name, number }: Field): void {
    if (value === '') return;
    if (typeof value !== 'string') this.#malformed(name, 'a string', value);
    this.#text(number, value);
  }

  #strings(value: unknown, field: Field): void {
    const values = this.#array(value, field);
    for (let i = 0; i < values.length; i++) {
      const text = values[i];
      if (typeof text !== 'string') this.#malformed(`${field.name}[${i}]`, 'a string', text);
      this.#text(field.number, text);
    }
  }

  /**
   * Unpaired surrogates become U+FFFD, as in every UTF-8 encoder: JavaScript exporters send them when they cut a text
   * inside an emoji, and the protobuf exporter of the same SDK does the same.
   */
  #text(field: number, text: string): void {
    const out = this.#out;
    out.tag(field, WIRE_BYTES);
    const start = out.beginMessage();
    // The worst case is three bytes per UTF-16 unit; a long text is measured first, to bound the body's memory.
    out.reserve(text.length <= 1024 ? text.length * 3 : Buffer.byteLength(text));
    if (!writeShortAscii(out, text)) {
      out.length += utf8.encodeInto(text, out.bytes.subarray(out.length)).written;
    }
    out.endMessage(start);
  }

  #id(value: unknown, { name, number }: Field): void {
    if (value === '') return;
    if (typeof value !== 'string') this.#malformed(name, 'hex', value);
    const out = this.#out;
    out.tag(number, WIRE_BYTES);
    const start = out.beginMessage();
    out.reserve(value.length >> 1);
    const size = readHex(value, out.bytes, out.length);
    if (size === undefined) this.#malformed(name, 'hex', value);
    out.length += size;
    out.endMessage(start);
  }

  #nanos(value: unknown, { name, number }: Field): void {
    const bits = this.#bits;
    if (!readUint64(value, bits)) this.#malformed(name, 'nanoseconds as an unsigned 64-bit integer', value);
    if (bits.lo === 0 && bits.hi === 0) return;
    this.#out.tag(number, WIRE_FIXED64);
    this.#out.u64(bits.lo, bits.hi);
  }

  #uint32(value: unknown, { name, number, kind }: Field): void {
    const read = readInt(value, 0, UINT32_MAX);
    if (read === undefined) this.#malformed(name, 'an unsigned 32-bit integer', value);
    if (read === 0) return;
    this.#out.tag(number, kind === 'fixed32' ? WIRE_FIXED32 : WIRE_VARINT);
    if (kind === 'fixed32') this.#out.u32(read);
    else this.#out.varint(read);
  }

  /** Unknown numbers (of newer clients) are kept; negative ones are sign-extended to 64 bits, as protobuf requires. */
  #enum(value: unknown, { name, number }: Field): void {
    const words = ENUMS[name]!;
    const named = typeof value === 'string' ? words.get(value) : undefined;
    const read = named ?? readInt(value, -INT32_MAX - 1, INT32_MAX);
    if (read === undefined) this.#malformed(name, `a number or one of ${[...words.keys()].join(', ')}`, value);
    if (read === 0) return;
    this.#out.tag(number, WIRE_VARINT);
    this.#out.varint64(read >>> 0, read < 0 ? UINT32_MAX : 0);
  }

  /** OTLP requires receivers to ignore unknown names; the reply reports them, because they are not stored. */
  #checkNames(message: JsonObject, known: ReadonlySet<string>): void {
    if (this.#unknown !== undefined) return;
    for (const name in message) {
      if (known.has(name)) continue;
      this.#unknown = `${JSON.stringify(name.slice(0, UNKNOWN_CHARS_MAX))} in ${this.#path() || 'the request'}`;
      return;
    }
  }

  #path(): string {
    return this.#pathNames
      .map((name, i) => (this.#pathIndexes[i]! < 0 ? name : `${name}[${this.#pathIndexes[i]!}]`))
      .join('.');
  }

  /** Throws INVALID_REQUEST: `path.field: expected X, got Y`. Without `got`, `expected` is the whole explanation. */
  #malformed(field: string, expected: string, ...got: [value?: unknown]): never {
    const path = [this.#path(), field].filter((step) => step !== '').join('.');
    const found = got.length === 0 ? '' : `, got ${describeJson(got[0])}`;
    throw new StoreError('INVALID_REQUEST', `malformed OTLP JSON: ${path || 'body'}: expected ${expected}${found}`);
  }
}

/** The field under either name; null counts as absent. */
function find(message: JsonObject, { name, snake }: Field): unknown {
  return message[name] ?? message[snake] ?? undefined;
}

/** Keys and most values are short ASCII, where a loop is faster than the encoder. The caller has reserved the space. */
function writeShortAscii(out: ByteWriter, text: string): boolean {
  const { length } = text;
  if (length > 40) return false;
  const { bytes, length: at } = out;
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i);
    if (code > 127) return false;
    bytes[at + i] = code;
  }
  out.length = at + length;
  return true;
}
