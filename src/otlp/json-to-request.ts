// OTLP JSON ExportTraceServiceRequest → the same request as canonical protobuf, so that JSON takes the one way in that
// protobuf takes. Canonical: fields in number order, minimal varints, default-valued scalars left out; a sub-message that
// is present but empty stays present. Accepted (contract/jaeger.md §4.1): camelCase and snake_case names, unknown fields,
// null for absent, integers as numbers or decimal text (64 bits exact), enums as numbers or names, ids in hex of any case.
// The wrong length of an id is not this file's business: the store rejects that span by name and keeps the others.
import { limits } from '../base/limits.ts';
import { StoreError } from '../base/errors.ts';
import { ByteWriter } from '../bytes/byte-writer.ts';
import { WIRE_BYTES, WIRE_FIXED32, WIRE_FIXED64, WIRE_VARINT } from '../bytes/wire-reader.ts';
import { BOOL, BYTES, DOUBLE, INT, LIST, MAP, MEMBER_NAMES, STRING } from '../trace/any-value.ts';
import { STATUS_WORDS } from '../trace/filter.ts';
import { SPAN_KINDS } from '../trace/span-kinds.ts';
import {
  EVENT,
  LINK,
  RESOURCE,
  RESOURCE_SPANS,
  SCOPE,
  SCOPE_SPANS,
  SPAN,
  STATUS,
  TRACES,
  UNKNOWN_NAME_FIELD,
  type Schema,
} from './json-schema.ts';
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
 * Converts one request; the result is exact-sized and owned by the caller. Throws INVALID_REQUEST with the JSON path of
 * what is wrong, what was expected and what was found; nothing is converted then.
 */
export function jsonToRequest(text: Uint8Array): Uint8Array<ArrayBuffer> {
  // Protobuf takes about half of the JSON's size.
  return new RequestWriter(text.length >> 1).write(parseJson(text));
}

const KIND_NUMBERS: ReadonlyMap<string, number> = new Map(
  SPAN_KINDS.map((name, i) => [`SPAN_KIND_${name.toUpperCase()}`, i]),
);
const STATUS_CODES: ReadonlyMap<string, number> = new Map(
  STATUS_WORDS.map((name, i) => [`STATUS_CODE_${name.toUpperCase()}`, i]),
);
const UINT32_MAX = 0xffff_ffff;
const INT32_MAX = 0x7fff_ffff;
const utf8 = new TextEncoder();

/** Where a field is: its two JSON spellings. */
interface Name {
  readonly camel: string;
  readonly snake: string;
}

function nameOf(camel: string): Name {
  return { camel, snake: camel.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`) };
}

const N = {
  resourceSpans: nameOf('resourceSpans'),
  resource: nameOf('resource'),
  scopeSpans: nameOf('scopeSpans'),
  schemaUrl: nameOf('schemaUrl'),
  scope: nameOf('scope'),
  spans: nameOf('spans'),
  attributes: nameOf('attributes'),
  droppedAttributesCount: nameOf('droppedAttributesCount'),
  droppedEventsCount: nameOf('droppedEventsCount'),
  droppedLinksCount: nameOf('droppedLinksCount'),
  entityRefs: nameOf('entityRefs'),
  idKeys: nameOf('idKeys'),
  descriptionKeys: nameOf('descriptionKeys'),
  type: nameOf('type'),
  name: nameOf('name'),
  version: nameOf('version'),
  traceId: nameOf('traceId'),
  spanId: nameOf('spanId'),
  parentSpanId: nameOf('parentSpanId'),
  traceState: nameOf('traceState'),
  kind: nameOf('kind'),
  startTimeUnixNano: nameOf('startTimeUnixNano'),
  endTimeUnixNano: nameOf('endTimeUnixNano'),
  timeUnixNano: nameOf('timeUnixNano'),
  events: nameOf('events'),
  links: nameOf('links'),
  status: nameOf('status'),
  flags: nameOf('flags'),
  message: nameOf('message'),
  code: nameOf('code'),
  key: nameOf('key'),
  value: nameOf('value'),
  values: nameOf('values'),
} as const;

/** The members of AnyValue's oneof; the field number of the first is 1. */
const ANY_VALUE = MEMBER_NAMES.slice(1).map(nameOf);

/** The names a message may have, in either spelling; those of an attribute's value are looked at only when none is known. */
const NAMES = {
  request: namesOf(TRACES),
  resourceSpans: namesOf(RESOURCE_SPANS),
  resource: namesOf(RESOURCE),
  scopeSpans: namesOf(SCOPE_SPANS),
  scope: namesOf(SCOPE),
  span: namesOf(SPAN),
  event: namesOf(EVENT),
  link: namesOf(LINK),
  status: namesOf(STATUS),
  value: new Set(ANY_VALUE.flatMap(({ camel, snake }) => [camel, snake])),
} as const;
/** Of an unknown name, as it is told. */
const UNKNOWN_CHARS_MAX = 60;

function namesOf({ fields }: Schema): ReadonlySet<string> {
  return new Set(fields.flatMap(({ name }) => Object.values(nameOf(name))));
}

type WriteBody = (this: RequestWriter, message: JsonObject) => void;

/** One conversion. The path to the object being written is kept as two stacks and put into words only for an error. */
class RequestWriter {
  readonly #out: ByteWriter;
  readonly #bits = new Uint64();
  readonly #pathNames: string[] = [];
  /** The index in an array, -1 for a field that is none. */
  readonly #pathIndexes: number[] = [];
  /** Of AnyValues around the field being written. */
  #depth = 0;
  /** The first name that no message has where it stands, and where that is. */
  #unknown: string | undefined;

  constructor(capacityBytes: number) {
    this.#out = new ByteWriter(Math.max(capacityBytes, 64));
  }

  write(request: unknown): Uint8Array<ArrayBuffer> {
    if (!isObject(request)) this.#malformed('', 'a JSON object', request);
    this.#checkNames(request, NAMES.request);
    this.#messages(request, 1, N.resourceSpans, this.#resourceSpans);
    if (this.#unknown !== undefined) this.#text(UNKNOWN_NAME_FIELD, this.#unknown);
    return this.#out.take();
  }

  #resourceSpans(message: JsonObject): void {
    this.#checkNames(message, NAMES.resourceSpans);
    this.#message(message, 1, N.resource, this.#resource);
    this.#messages(message, 2, N.scopeSpans, this.#scopeSpans);
    this.#string(message, 3, N.schemaUrl);
  }

  #resource(message: JsonObject): void {
    this.#checkNames(message, NAMES.resource);
    this.#messages(message, 1, N.attributes, this.#keyValue);
    this.#uint32(message, 2, N.droppedAttributesCount);
    this.#messages(message, 3, N.entityRefs, this.#entityRef);
  }

  #entityRef(message: JsonObject): void {
    this.#string(message, 1, N.schemaUrl);
    this.#string(message, 2, N.type);
    this.#strings(message, 3, N.idKeys);
    this.#strings(message, 4, N.descriptionKeys);
  }

  #scopeSpans(message: JsonObject): void {
    this.#checkNames(message, NAMES.scopeSpans);
    this.#message(message, 1, N.scope, this.#scope);
    this.#messages(message, 2, N.spans, this.#span);
    this.#string(message, 3, N.schemaUrl);
  }

  #scope(message: JsonObject): void {
    this.#checkNames(message, NAMES.scope);
    this.#string(message, 1, N.name);
    this.#string(message, 2, N.version);
    this.#messages(message, 3, N.attributes, this.#keyValue);
    this.#uint32(message, 4, N.droppedAttributesCount);
  }

  #span(span: JsonObject): void {
    this.#checkNames(span, NAMES.span);
    this.#id(span, 1, N.traceId);
    this.#id(span, 2, N.spanId);
    this.#string(span, 3, N.traceState);
    this.#id(span, 4, N.parentSpanId);
    this.#string(span, 5, N.name);
    this.#enum(span, 6, N.kind, KIND_NUMBERS);
    this.#fixed64(span, 7, N.startTimeUnixNano);
    this.#fixed64(span, 8, N.endTimeUnixNano);
    this.#messages(span, 9, N.attributes, this.#keyValue);
    this.#uint32(span, 10, N.droppedAttributesCount);
    this.#messages(span, 11, N.events, this.#event);
    this.#uint32(span, 12, N.droppedEventsCount);
    this.#messages(span, 13, N.links, this.#link);
    this.#uint32(span, 14, N.droppedLinksCount);
    this.#message(span, 15, N.status, this.#status);
    this.#fixed32(span, 16, N.flags);
  }

  #event(event: JsonObject): void {
    this.#checkNames(event, NAMES.event);
    this.#fixed64(event, 1, N.timeUnixNano);
    this.#string(event, 2, N.name);
    this.#messages(event, 3, N.attributes, this.#keyValue);
    this.#uint32(event, 4, N.droppedAttributesCount);
  }

  #link(link: JsonObject): void {
    this.#checkNames(link, NAMES.link);
    this.#id(link, 1, N.traceId);
    this.#id(link, 2, N.spanId);
    this.#string(link, 3, N.traceState);
    this.#messages(link, 4, N.attributes, this.#keyValue);
    this.#uint32(link, 5, N.droppedAttributesCount);
    this.#fixed32(link, 6, N.flags);
  }

  #status(status: JsonObject): void {
    this.#checkNames(status, NAMES.status);
    this.#string(status, 2, N.message);
    this.#enum(status, 3, N.code, STATUS_CODES);
  }

  #keyValue(pair: JsonObject): void {
    this.#string(pair, 1, N.key);
    this.#message(pair, 2, N.value, this.#anyValue);
  }

  /** The value of an attribute itself is at depth 1, as in the wire scan. */
  #anyValue(message: JsonObject): void {
    this.#depth++;
    // One level more than may be: the scan rejects the span that has it. What is below is not looked at.
    const member = this.#depth > limits.anyValueDepthMax ? 0 : this.#memberOf(message);
    if (member === LIST) this.#message(message, LIST, ANY_VALUE[LIST - 1]!, this.#arrayValue);
    else if (member === MAP) this.#message(message, MAP, ANY_VALUE[MAP - 1]!, this.#kvlistValue);
    else if (member > 0) this.#scalarValue(find(message, ANY_VALUE[member - 1]!), member, ANY_VALUE[member - 1]!);
    else if (this.#depth <= limits.anyValueDepthMax) this.#checkNames(message, NAMES.value);
    this.#depth--;
  }

  /** The field number of the one member that is set, 0 for none. */
  #memberOf(message: JsonObject): number {
    let member = 0;
    for (let i = 0; i < ANY_VALUE.length; i++) {
      if (find(message, ANY_VALUE[i]!) === undefined) continue;
      if (member > 0) this.#malformed('', `one value, got ${ANY_VALUE[member - 1]!.camel} and ${ANY_VALUE[i]!.camel}`);
      member = i + 1;
    }
    return member;
  }

  #arrayValue(message: JsonObject): void {
    this.#messages(message, 1, N.values, this.#anyValue);
  }

  #kvlistValue(message: JsonObject): void {
    this.#messages(message, 1, N.values, this.#keyValue);
  }

  /** Members of the oneof are written even when they are 0 or empty: the member tells the type. */
  #scalarValue(value: unknown, member: number, name: Name): void {
    const out = this.#out;
    if (member === STRING) {
      if (typeof value !== 'string') this.#malformed(name.camel, 'a string', value);
      this.#text(STRING, value);
    } else if (member === BOOL) {
      if (typeof value !== 'boolean') this.#malformed(name.camel, 'true or false', value);
      out.tag(BOOL, WIRE_VARINT);
      out.u8(value ? 1 : 0);
    } else if (member === INT) {
      this.#intValue(value, name);
    } else if (member === DOUBLE) {
      const double = readDouble(value);
      if (double === undefined) this.#malformed(name.camel, 'a number, "NaN", "Infinity" or "-Infinity"', value);
      this.#double(double);
    } else {
      const bytes = typeof value === 'string' ? readBase64(value) : undefined;
      if (bytes === undefined) this.#malformed(name.camel, 'base64', value);
      out.bytesField(BYTES, bytes);
    }
  }

  /** JavaScript exporters write any whole number as an integer, 2^64 and 1e300 too: what 64 bits cannot hold is a double. */
  #intValue(value: unknown, name: Name): void {
    if (readInt64(value, this.#bits)) {
      this.#out.tag(INT, WIRE_VARINT);
      this.#out.varint64(this.#bits.lo, this.#bits.hi);
      return;
    }
    const double = readDouble(value);
    if (double === undefined || !Number.isInteger(double)) this.#malformed(name.camel, 'a 64-bit integer', value);
    this.#double(double);
  }

  #double(value: number): void {
    this.#out.tag(DOUBLE, WIRE_FIXED64);
    this.#out.f64(value);
  }

  #message(parent: JsonObject, field: number, name: Name, body: WriteBody): void {
    const value = find(parent, name);
    if (value === undefined) return;
    this.#pathNames.push(name.camel);
    this.#pathIndexes.push(-1);
    this.#writeMessage(value, field, body);
    this.#pathNames.pop();
    this.#pathIndexes.pop();
  }

  #messages(parent: JsonObject, field: number, name: Name, body: WriteBody): void {
    const values = this.#array(parent, name);
    if (values.length === 0) return;
    this.#pathNames.push(name.camel);
    this.#pathIndexes.push(0);
    for (let i = 0; i < values.length; i++) {
      this.#pathIndexes[this.#pathIndexes.length - 1] = i;
      this.#writeMessage(values[i], field, body);
    }
    this.#pathNames.pop();
    this.#pathIndexes.pop();
  }

  #writeMessage(value: unknown, field: number, body: WriteBody): void {
    if (!isObject(value)) this.#malformed('', 'an object', value);
    this.#out.tag(field, WIRE_BYTES);
    const start = this.#out.beginMessage();
    body.call(this, value);
    this.#out.endMessage(start);
  }

  #array(parent: JsonObject, name: Name): readonly unknown[] {
    const value = find(parent, name);
    if (value === undefined) return [];
    if (!Array.isArray(value)) this.#malformed(name.camel, 'an array', value);
    return value;
  }

  #string(parent: JsonObject, field: number, name: Name): void {
    const value = find(parent, name);
    if (value === undefined || value === '') return;
    if (typeof value !== 'string') this.#malformed(name.camel, 'a string', value);
    this.#text(field, value);
  }

  #strings(parent: JsonObject, field: number, name: Name): void {
    const values = this.#array(parent, name);
    for (let i = 0; i < values.length; i++) {
      const value = values[i];
      if (typeof value !== 'string') this.#malformed(`${name.camel}[${i}]`, 'a string', value);
      this.#text(field, value);
    }
  }

  /**
   * Unpaired surrogates become U+FFFD, as in every UTF-8 encoder: JavaScript exporters send them when they cut a text
   * in the middle of an emoji, and the protobuf exporter of the same SDK does the same.
   */
  #text(field: number, text: string): void {
    const out = this.#out;
    out.tag(field, WIRE_BYTES);
    const start = out.beginMessage();
    // Three bytes per UTF-16 unit are the worst case; a long text is measured first, to keep the body's memory bounded.
    out.reserve(text.length <= 1024 ? text.length * 3 : Buffer.byteLength(text));
    if (!writeShortAscii(out, text)) {
      out.length += utf8.encodeInto(text, out.bytes.subarray(out.length)).written;
    }
    out.endMessage(start);
  }

  #id(parent: JsonObject, field: number, name: Name): void {
    const value = find(parent, name);
    if (value === undefined || value === '') return;
    if (typeof value !== 'string') this.#malformed(name.camel, 'hex', value);
    const out = this.#out;
    out.tag(field, WIRE_BYTES);
    const start = out.beginMessage();
    out.reserve(value.length >> 1);
    const size = readHex(value, out.bytes, out.length);
    if (size === undefined) this.#malformed(name.camel, 'hex', value);
    out.length += size;
    out.endMessage(start);
  }

  #fixed64(parent: JsonObject, field: number, name: Name): void {
    const value = find(parent, name);
    if (value === undefined) return;
    const bits = this.#bits;
    if (!readUint64(value, bits)) this.#malformed(name.camel, 'nanoseconds as an unsigned 64-bit integer', value);
    if (bits.lo === 0 && bits.hi === 0) return;
    this.#out.tag(field, WIRE_FIXED64);
    this.#out.u64(bits.lo, bits.hi);
  }

  #uint32(parent: JsonObject, field: number, name: Name): void {
    const number = this.#readUint32(parent, name);
    if (number === 0) return;
    this.#out.tag(field, WIRE_VARINT);
    this.#out.varint(number);
  }

  #fixed32(parent: JsonObject, field: number, name: Name): void {
    const number = this.#readUint32(parent, name);
    if (number === 0) return;
    this.#out.tag(field, WIRE_FIXED32);
    this.#out.u32(number);
  }

  #readUint32(parent: JsonObject, name: Name): number {
    const value = find(parent, name);
    if (value === undefined) return 0;
    const number = readInt(value, 0, UINT32_MAX);
    if (number === undefined) this.#malformed(name.camel, 'an unsigned 32-bit integer', value);
    return number;
  }

  /** Numbers unknown to us pass (newer senders); negative ones are sign-extended to 64 bits, as protobuf wants it. */
  #enum(parent: JsonObject, field: number, name: Name, names: ReadonlyMap<string, number>): void {
    const value = find(parent, name);
    if (value === undefined) return;
    const named = typeof value === 'string' ? names.get(value) : undefined;
    const number = named ?? readInt(value, -INT32_MAX - 1, INT32_MAX);
    if (number === undefined) this.#malformed(name.camel, `a number or one of ${[...names.keys()].join(', ')}`, value);
    if (number === 0) return;
    this.#out.tag(field, WIRE_VARINT);
    this.#out.varint64(number >>> 0, number < 0 ? UINT32_MAX : 0);
  }

  /** OTLP has receivers ignore what they do not know; what is not stored is told all the same. */
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

  /** Throws INVALID_REQUEST: `path.field: expected X, got Y`. Called without `got`, `expected` tells the whole. */
  #malformed(field: string, expected: string, ...got: [value?: unknown]): never {
    const path = [this.#path(), field].filter((step) => step !== '').join('.');
    const found = got.length === 0 ? '' : `, got ${describeJson(got[0])}`;
    throw new StoreError('INVALID_REQUEST', `malformed OTLP JSON: ${path || 'body'}: expected ${expected}${found}`);
  }
}

/** The field under either spelling; null is absent. */
function find(message: JsonObject, name: Name): unknown {
  return message[name.camel] ?? message[name.snake] ?? undefined;
}

/** Keys and most values are short ASCII, where a loop beats the call into the encoder. The caller has reserved. */
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
