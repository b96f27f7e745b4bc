// A span of Jaeger's model (jaeger.api_v2.Span, as Jaeger's and the Collector's encoding jaeger_proto writes it into Kafka, one a message) →
// a request of OTLP with this span. The way back of api/jaeger/jaeger-span.ts: tags in which Jaeger keeps fields of OTLP become
// these fields again, and every other tag stays an attribute, in its place and with its type. Flags and warnings of Jaeger's own
// have no field in OTLP and are left out.
import { ByteWriter } from '../bytes/byte-writer.ts';
import { malformed, WireReader, WIRE_BYTES, WIRE_FIXED64, WIRE_VARINT } from '../bytes/wire-reader.ts';
import { kindNumber } from '../trace/span-kinds.ts';
import { TRACE_ID_BYTES } from '../trace/ids.ts';

/** The field of a text; those of the other values follow by their types. */
const V_STR_FIELD = 3;
/** Numbers of ValueType; text is 0. */
export const V_BOOL = 1;
export const V_INT64 = 2;
export const V_FLOAT64 = 3;
export const V_BINARY = 4;
const CHILD_OF = 0;
const STATUS_OK = 1;
const STATUS_ERROR = 2;
const NS_PER_SECOND = 1_000_000_000n;
/** What Jaeger calls the service of a resource that has none. */
const NO_SERVICE = 'OTLPResourceNoServiceName';

interface Tag {
  readonly key: string;
  /** Of a text; otherwise empty. */
  readonly text: string;
  readonly isTrue: boolean;
  /** An AnyValue. */
  readonly value: Uint8Array;
}

interface Reference {
  traceId: Uint8Array;
  spanId: Uint8Array;
  type: number;
}

interface Log {
  timeNs: bigint;
  readonly fields: Tag[];
}

interface JaegerSpan {
  traceId: Uint8Array;
  spanId: Uint8Array;
  name: Uint8Array;
  startNs: bigint;
  durationNs: bigint;
  service: string;
  readonly references: Reference[];
  readonly tags: Tag[];
  readonly logs: Log[];
  readonly processTags: Tag[];
}

const EMPTY = new Uint8Array(0);

/** Throws INVALID_REQUEST for bytes that are no such span. */
export function jaegerToRequest(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const span = readSpan(bytes);
  const scopeName = takeText(span.tags, 'otel.scope.name');
  const scopeVersion = takeText(span.tags, 'otel.scope.version');
  const out = new ByteWriter(bytes.length + 64);
  out.message(1, () => {
    out.message(1, () => {
      if (span.service !== '' && span.service !== NO_SERVICE)
        attribute(out, 1, { key: 'service.name', value: textValue(Buffer.from(span.service)) });
      for (const tag of span.processTags) attribute(out, 1, tag);
    });
    out.message(2, () => {
      out.message(1, () => {
        if (scopeName !== undefined) out.stringField(1, scopeName);
        if (scopeVersion !== undefined) out.stringField(2, scopeVersion);
      });
      out.message(2, () => writeSpan(out, span));
    });
  });
  return out.take();
}

function writeSpan(out: ByteWriter, span: JaegerSpan): void {
  const { tags, references, traceId } = span;
  const parent = references.find((one) => one.type === CHILD_OF && Buffer.compare(one.traceId, traceId) === 0);
  const kind = kindNumber(takeText(tags, 'span.kind', (word) => kindNumber(word) > 0) ?? '');
  const status = takeStatus(tags);
  const traceState = takeText(tags, 'w3c.tracestate');
  out.bytesField(1, traceId);
  out.bytesField(2, span.spanId);
  if (traceState !== undefined) out.stringField(3, traceState);
  if (parent !== undefined) out.bytesField(4, parent.spanId);
  if (span.name.length > 0) out.bytesField(5, span.name);
  if (kind > 0) number(out, 6, kind);
  fixed64(out, 7, span.startNs);
  fixed64(out, 8, span.startNs + span.durationNs);
  for (const tag of tags) attribute(out, 9, tag);
  for (const log of span.logs) out.message(11, () => writeEvent(out, log));
  for (const reference of references) if (reference !== parent) out.message(13, () => writeLink(out, reference));
  if (status === undefined) return;
  out.message(15, () => {
    if (status.text !== '') out.stringField(2, status.text);
    number(out, 3, status.code);
  });
}

function writeEvent(out: ByteWriter, { timeNs, fields }: Log): void {
  const name = takeText(fields, 'event');
  fixed64(out, 1, timeNs);
  if (name !== undefined) out.stringField(2, name);
  for (const field of fields) attribute(out, 3, field);
}

function writeLink(out: ByteWriter, { traceId, spanId, type }: Reference): void {
  out.bytesField(1, traceId);
  out.bytesField(2, spanId);
  const value = textValue(Buffer.from(type === CHILD_OF ? 'child_of' : 'follows_from'));
  attribute(out, 4, { key: 'opentracing.ref_type', value });
}

/** undefined: no tag says one. */
function takeStatus(tags: Tag[]): { readonly code: number; readonly text: string } | undefined {
  const said = takeText(tags, 'otel.status_code', (word) => /^(OK|ERROR)$/i.test(word))?.toUpperCase();
  const error = tags.findIndex(({ key, isTrue }) => key === 'error' && isTrue);
  const code = error >= 0 || said === 'ERROR' ? STATUS_ERROR : said === 'OK' ? STATUS_OK : undefined;
  if (code === undefined) return undefined;
  if (error >= 0) tags.splice(error, 1);
  return { code, text: takeText(tags, 'otel.status_description') ?? '' };
}

/** The text of the first tag of this name that fits, which is taken out. */
function takeText(
  tags: Tag[],
  name: string,
  fits: (text: string) => boolean = (text) => text !== '',
): string | undefined {
  const at = tags.findIndex(({ key, text }) => key === name && fits(text));
  return at < 0 ? undefined : tags.splice(at, 1)[0]!.text;
}

function attribute(out: ByteWriter, field: number, { key, value }: Pick<Tag, 'key' | 'value'>): void {
  out.message(field, () => {
    out.stringField(1, key);
    out.bytesField(2, value);
  });
}

function number(out: ByteWriter, field: number, value: number): void {
  out.tag(field, 0);
  out.varint(value);
}

function fixed64(out: ByteWriter, field: number, value: bigint): void {
  if (value === 0n) return;
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigInt64(0, value, true);
  out.tag(field, 1);
  out.raw(bytes);
}

function textValue(text: Uint8Array): Uint8Array {
  const out = new ByteWriter(text.length + 8);
  out.bytesField(1, text);
  return out.take();
}

/** By field number. */
const SPAN_FIELDS: Readonly<Record<number, (span: JaegerSpan, bytes: Uint8Array<ArrayBuffer>) => void>> = {
  1: (span, bytes) => (span.traceId = traceId(bytes)),
  2: (span, bytes) => (span.spanId = bytes),
  3: (span, bytes) => (span.name = bytes),
  4: (span, bytes) => span.references.push(readReference(bytes)),
  6: (span, bytes) => (span.startNs = readNs(bytes)),
  7: (span, bytes) => (span.durationNs = readNs(bytes)),
  8: (span, bytes) => span.tags.push(readTag(bytes)),
  9: (span, bytes) => span.logs.push(readLog(bytes)),
  10: (span, bytes) => readProcess(bytes, span),
};

function readSpan(bytes: Uint8Array): JaegerSpan {
  const span: JaegerSpan = {
    traceId: EMPTY,
    spanId: EMPTY,
    name: EMPTY,
    startNs: 0n,
    durationNs: 0n,
    service: '',
    references: [],
    tags: [],
    logs: [],
    processTags: [],
  };
  for (const reader of fields(bytes)) SPAN_FIELDS[reader.field]?.(span, part(reader));
  return span;
}

function readProcess(bytes: Uint8Array, span: JaegerSpan): void {
  for (const reader of fields(bytes)) {
    if (reader.field === 1) span.service = textOf(part(reader));
    else if (reader.field === 2) span.processTags.push(readTag(part(reader)));
  }
}

function readReference(bytes: Uint8Array): Reference {
  const reference = { traceId: EMPTY, spanId: EMPTY, type: CHILD_OF };
  for (const reader of fields(bytes)) {
    if (reader.field === 1) reference.traceId = traceId(part(reader));
    else if (reader.field === 2) reference.spanId = part(reader);
    else if (reader.field === 3) reference.type = reader.lo;
  }
  return reference;
}

function readLog(bytes: Uint8Array): Log {
  const log: Log = { timeNs: 0n, fields: [] };
  for (const reader of fields(bytes)) {
    if (reader.field === 1) log.timeNs = readNs(part(reader));
    else if (reader.field === 2) log.fields.push(readTag(part(reader)));
  }
  return log;
}

/** The value that its type names; the others are empty. */
function readTag(bytes: Uint8Array): Tag {
  let [key, type] = ['', 0];
  const values = new Map<number, Omit<Tag, 'key'>>();
  for (const reader of fields(bytes)) {
    if (reader.field === 1) key = textOf(part(reader));
    else if (reader.field === 2) type = reader.lo;
    else if (reader.field <= V_STR_FIELD + V_BINARY) values.set(reader.field - V_STR_FIELD, readValue(reader));
  }
  return { key, ...(values.get(type) ?? DEFAULTS[type] ?? DEFAULTS[0]!) };
}

/** As an AnyValue. */
function readValue(reader: WireReader): Omit<Tag, 'key'> {
  const type = reader.field - V_STR_FIELD;
  const out = new ByteWriter(16);
  if (type === V_BOOL) number(out, 2, Number(reader.lo !== 0));
  else if (type === V_INT64) {
    out.tag(3, WIRE_VARINT);
    out.varint64(reader.lo, reader.hi);
  } else if (type === V_FLOAT64) {
    reader.expect(WIRE_FIXED64, 'a number');
    out.tag(4, WIRE_FIXED64);
    out.raw(reader.bytes.subarray(reader.pos - 8, reader.pos));
  } else out.bytesField(type === V_BINARY ? 7 : 1, part(reader));
  const text = type === 0 ? textOf(part(reader)) : '';
  return { text, isTrue: type === V_BOOL && reader.lo !== 0, value: out.take() };
}

/** By type; protobuf leaves them out. */
const DEFAULTS: readonly Omit<Tag, 'key'>[] = [
  [1, WIRE_BYTES, 0],
  [2, WIRE_VARINT, 0],
  [3, WIRE_VARINT, 0],
  [4, WIRE_FIXED64, 0, 0, 0, 0, 0, 0, 0, 0],
  [7, WIRE_BYTES, 0],
].map(([field = 0, wire = 0, ...rest]) => ({
  text: '',
  isTrue: false,
  value: new Uint8Array([field * 8 + wire, ...rest]),
}));

/** A Timestamp or Duration. */
function readNs(bytes: Uint8Array): bigint {
  let ns = 0n;
  for (const reader of fields(bytes)) {
    const value = BigInt.asIntN(64, (BigInt(reader.hi) << 32n) | BigInt(reader.lo));
    if (reader.field === 1) ns += value * NS_PER_SECOND;
    else if (reader.field === 2) ns += value;
  }
  return ns;
}

/** The reader at each field in turn. */
function* fields(bytes: Uint8Array): Generator<WireReader, void, undefined> {
  const reader = new WireReader(bytes);
  while (reader.next()) yield reader;
}

function part(reader: WireReader): Uint8Array<ArrayBuffer> {
  if (reader.wire !== WIRE_BYTES) malformed(`field ${reader.field} has wire type ${reader.wire}`, reader.fieldStart);
  return reader.bytes.slice(reader.valueStart, reader.valueEnd);
}

/** Old clients have ids of 64 bits. */
function traceId(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  if (bytes.length !== TRACE_ID_BYTES / 2) return bytes;
  const long = new Uint8Array(TRACE_ID_BYTES);
  long.set(bytes, TRACE_ID_BYTES / 2);
  return long;
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString();
}
