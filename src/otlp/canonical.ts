// Canonical protobuf of OTLP's nested values: fields in number order, minimal varints, unknown fields verbatim at the
// end. Equal resources, scopes, lists or maps then have equal bytes from every client; interning, duplicate detection
// and deterministic answers compare these bytes. A value nested deeper than the limit is not malformed: the writers
// return false, their output is unusable, and the caller rejects the spans with that value.
import { limits } from '../base/limits.ts';
import type { ByteWriter } from '../bytes/byte-writer.ts';
import { BOOL, BYTES, DOUBLE, EMPTY, INT, LIST, MAP, STRING, wireOfMember } from '../trace/any-value.ts';
import { WireReader, WIRE_BYTES, WIRE_FIXED64, WIRE_VARINT } from '../bytes/wire-reader.ts';

/** Writes the body of the AnyValue in the reader's range; false when nested too deep. Throws INVALID_REQUEST. */
export function writeCanonicalAnyValue(out: ByteWriter, reader: WireReader, depth: number): boolean {
  if (depth > limits.anyValueDepthMax) return false;
  const { bytes } = reader;
  const unknown: [number, number][] = [];
  let last = EMPTY;
  let lo = 0;
  let hi = 0;
  let valueStart = 0;
  let valueEnd = 0;
  while (reader.next()) {
    const { field } = reader;
    if (field > BYTES) {
      unknown.push([reader.fieldStart, reader.pos]);
      continue;
    }
    reader.expect(wireOfMember(field), 'AnyValue');
    last = field;
    ({ lo, hi, valueStart, valueEnd } = reader);
  }
  switch (last) {
    case STRING:
    case BYTES:
      out.bytesField(last, bytes.subarray(valueStart, valueEnd));
      break;
    case BOOL:
      out.tag(BOOL, WIRE_VARINT);
      out.u8(lo === 0 && hi === 0 ? 0 : 1);
      break;
    case INT:
      out.tag(INT, WIRE_VARINT);
      out.varint64(lo, hi);
      break;
    case DOUBLE:
      out.tag(DOUBLE, WIRE_FIXED64);
      out.u64(lo, hi);
      break;
    case LIST:
    case MAP: {
      out.tag(last, WIRE_BYTES);
      const at = out.beginMessage();
      if (!writeCanonicalList(out, new WireReader(bytes, valueStart, valueEnd), last === MAP, depth)) return false;
      out.endMessage(at);
      break;
    }
    default:
  }
  for (const [from, to] of unknown) out.rawRange(bytes, from, to);
  return true;
}

function writeCanonicalList(out: ByteWriter, reader: WireReader, isMap: boolean, depth: number): boolean {
  const { bytes } = reader;
  while (reader.next()) {
    if (reader.field !== 1) {
      out.rawRange(bytes, reader.fieldStart, reader.pos);
      continue;
    }
    reader.expect(WIRE_BYTES, isMap ? 'KeyValueList.values' : 'ArrayValue.values');
    out.tag(1, WIRE_BYTES);
    const at = out.beginMessage();
    const item = new WireReader(bytes, reader.valueStart, reader.valueEnd);
    const write = isMap ? writeCanonicalKeyValue : writeCanonicalAnyValue;
    if (!write(out, item, depth + 1)) return false;
    out.endMessage(at);
  }
  return true;
}

/** Writes the body of the KeyValue in the reader's range; `depth` is that of its value. False as for an AnyValue. */
export function writeCanonicalKeyValue(out: ByteWriter, reader: WireReader, depth: number): boolean {
  const { bytes } = reader;
  const unknown: [number, number][] = [];
  let keyStart = 0;
  let keyEnd = 0;
  let valueStart = -1;
  let valueEnd = 0;
  while (reader.next()) {
    if (reader.field > 2) {
      unknown.push([reader.fieldStart, reader.pos]);
      continue;
    }
    reader.expect(WIRE_BYTES, 'KeyValue');
    if (reader.field === 1) [keyStart, keyEnd] = [reader.valueStart, reader.valueEnd];
    else [valueStart, valueEnd] = [reader.valueStart, reader.valueEnd];
  }
  if (keyEnd > keyStart) out.bytesField(1, bytes.subarray(keyStart, keyEnd));
  if (valueStart >= 0) {
    out.tag(2, WIRE_BYTES);
    const at = out.beginMessage();
    if (!writeCanonicalAnyValue(out, new WireReader(bytes, valueStart, valueEnd), depth)) return false;
    out.endMessage(at);
  }
  for (const [from, to] of unknown) out.rawRange(bytes, from, to);
  return true;
}

/** Field numbers of attributes and dropped count: Resource 1 and 2; Scope 3 and 4, after name 1 and version 2. */
export interface DescriptorLayout {
  readonly attributes: number;
  readonly dropped: number;
  readonly texts: readonly number[];
  /** Field of the EntityRefs, which are copied unchanged; 0: none. */
  readonly entities: number;
}

export const RESOURCE_LAYOUT: DescriptorLayout = { attributes: 1, dropped: 2, texts: [], entities: 3 };
export const SCOPE_LAYOUT: DescriptorLayout = { attributes: 3, dropped: 4, texts: [1, 2], entities: 0 };

/** Writes the body of the Resource or InstrumentationScope in the reader's range; false when nested too deep. */
export function writeCanonicalDescriptor(out: ByteWriter, reader: WireReader, layout: DescriptorLayout): boolean {
  const { bytes } = reader;
  const texts = new Map<number, Uint8Array>();
  const attributes: [number, number][] = [];
  const unknown: [number, number][] = [];
  let dropped = 0;
  while (reader.next()) {
    if (reader.field === layout.attributes) {
      reader.expect(WIRE_BYTES, 'attributes');
      attributes.push([reader.valueStart, reader.valueEnd]);
    } else if (reader.field === layout.dropped) {
      reader.expect(WIRE_VARINT, 'dropped_attributes_count');
      dropped = reader.lo;
    } else if (layout.texts.includes(reader.field)) {
      reader.expect(WIRE_BYTES, 'name or version');
      texts.set(reader.field, reader.value());
    } else {
      if (reader.field === layout.entities) checkEntityRef(reader);
      unknown.push([reader.fieldStart, reader.pos]);
    }
  }
  for (const field of layout.texts) {
    const text = texts.get(field);
    if (text !== undefined && text.length > 0) out.bytesField(field, text);
  }
  for (const [from, to] of attributes) {
    out.tag(layout.attributes, WIRE_BYTES);
    const at = out.beginMessage();
    if (!writeCanonicalKeyValue(out, new WireReader(bytes, from, to), 1)) return false;
    out.endMessage(at);
  }
  if (dropped !== 0) {
    out.tag(layout.dropped, WIRE_VARINT);
    out.varint(dropped);
  }
  for (const [from, to] of unknown) out.rawRange(bytes, from, to);
  return true;
}

/** Throws INVALID_REQUEST unless the current field is an EntityRef: all its fields, 1 to 4, are texts. */
function checkEntityRef(reader: WireReader): void {
  reader.expect(WIRE_BYTES, 'Resource.entity_refs');
  const inner = new WireReader(reader.bytes, reader.valueStart, reader.valueEnd);
  while (inner.next()) if (inner.field <= 4) inner.expect(WIRE_BYTES, 'EntityRef');
}
