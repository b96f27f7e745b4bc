// Whatever order and spelling a sender chose, equal meaning gives equal bytes, and nothing unknown is lost.
import { describe, expect, test } from 'vitest';
import { limits } from '../../src/base/limits.ts';
import { ByteWriter } from '../../src/bytes/byte-writer.ts';
import { WireReader } from '../../src/bytes/wire-reader.ts';
import {
  RESOURCE_LAYOUT,
  SCOPE_LAYOUT,
  writeCanonicalAnyValue,
  writeCanonicalDescriptor,
  writeCanonicalKeyValue,
} from '../../src/otlp/canonical.ts';
import { encodeRequest } from '../support/otlp-proto.ts';
import { createRandom, printedSeed, randomRequest } from '../support/random-request.ts';

type Write = (out: ByteWriter) => void;

function bytesOf(...writes: readonly Write[]): Uint8Array {
  const out = new ByteWriter();
  for (const write of writes) write(out);
  return out.take();
}

const canonical = {
  value: (bytes: Uint8Array, depth = 1): Uint8Array | undefined => {
    const out = new ByteWriter();
    return writeCanonicalAnyValue(out, new WireReader(bytes), depth) ? out.take() : undefined;
  },
  keyValue: (bytes: Uint8Array): Uint8Array => bytesOf((out) => writeCanonicalKeyValue(out, new WireReader(bytes), 1)),
  resource: (bytes: Uint8Array): Uint8Array =>
    bytesOf((out) => writeCanonicalDescriptor(out, new WireReader(bytes), RESOURCE_LAYOUT)),
  scope: (bytes: Uint8Array): Uint8Array =>
    bytesOf((out) => writeCanonicalDescriptor(out, new WireReader(bytes), SCOPE_LAYOUT)),
};

const text =
  (field: number, value: string): Write =>
  (out) =>
    out.stringField(field, value);
const varint =
  (field: number, value: number): Write =>
  (out) => (out.tag(field, 0), out.varint(value));
const message =
  (field: number, ...body: readonly Write[]): Write =>
  (out) =>
    out.message(field, () => body.forEach((write) => write(out)));
/** A varint in more bytes than it needs. */
const longVarint =
  (field: number, value: number): Write =>
  (out) => (out.tag(field, 0), out.raw(Uint8Array.of(value | 0x80, 0x80, 0)));

describe('a value', () => {
  test.each<[string, Write[], Write[]]>([
    ['nothing', [], []],
    ['an empty string', [text(1, '')], [text(1, '')]],
    ['false', [varint(2, 0)], [varint(2, 0)]],
    ['true by another number', [varint(2, 77)], [varint(2, 1)]],
    ['an int in a long varint', [longVarint(3, 5)], [varint(3, 5)]],
    ['the last of several members', [text(1, 'a'), varint(3, 7), text(1, 'b')], [text(1, 'b')]],
    [
      'unknown fields, at the end and in their order',
      [varint(9, 2), text(1, 'a'), text(8, 'x')],
      [text(1, 'a'), varint(9, 2), text(8, 'x')],
    ],
    [
      'a list with its items canonical',
      [message(5, message(1, longVarint(3, 1)), message(1))],
      [message(5, message(1, varint(3, 1)), message(1))],
    ],
    [
      'a map, key before value',
      [message(6, message(1, message(2, text(1, 'v')), text(1, 'k')))],
      [message(6, message(1, text(1, 'k'), message(2, text(1, 'v'))))],
    ],
    ['unknown fields of a list', [message(5, varint(2, 5), message(1))], [message(5, varint(2, 5), message(1))]],
  ])('%s', (_, given, expected) => {
    expect(canonical.value(bytesOf(...given))).toEqual(bytesOf(...expected));
  });

  test('a double, a negative int and bytes are as they were', () => {
    for (const write of [
      (out: ByteWriter): void => (out.tag(4, 1), out.u64(1, 0xfff80000)),
      (out: ByteWriter): void => (out.tag(3, 0), out.varint64(0xffffffff, 0xffffffff)),
      (out: ByteWriter): void => out.bytesField(7, Uint8Array.of(0, 255)),
    ]) {
      expect(canonical.value(bytesOf(write))).toEqual(bytesOf(write));
    }
  });

  test('nested as deep as allowed is kept, one level more is refused', () => {
    const nested = (depth: number): Write => (depth === 0 ? varint(3, 1) : message(5, message(1, nested(depth - 1))));
    const deepest = bytesOf(nested(limits.anyValueDepthMax - 1));
    expect(canonical.value(deepest)).toEqual(deepest);
    expect(canonical.value(bytesOf(nested(limits.anyValueDepthMax)))).toBeUndefined();
    expect(canonical.value(deepest, 2)).toBeUndefined();
  });

  test.each<[string, Write]>([
    ['a string as a varint', varint(1, 5)],
    ['a bool as bytes', text(2, 'true')],
    ['a double as a varint', varint(4, 1)],
    ['a list of varints', message(5, varint(1, 1))],
    ['a map of varints', message(6, varint(1, 1))],
  ])('%s is malformed', (_, write) => {
    expect(() => canonical.value(bytesOf(write))).toThrow(expect.objectContaining({ code: 'INVALID_REQUEST' }));
  });
});

describe('a key-value', () => {
  test.each<[string, Write[], Write[]]>([
    ['without a value', [text(1, 'k')], [text(1, 'k')]],
    ['with an empty value', [message(2), text(1, 'k')], [text(1, 'k'), message(2)]],
    ['without a key', [text(1, ''), message(2, varint(3, 1))], [message(2, varint(3, 1))]],
    ['with fields of a newer OTLP', [varint(3, 9), text(1, 'k')], [text(1, 'k'), varint(3, 9)]],
    [
      'given twice: the last counts',
      [text(1, 'a'), text(1, 'b'), message(2, varint(3, 1)), message(2)],
      [text(1, 'b'), message(2)],
    ],
  ])('%s', (_, given, expected) => {
    expect(canonical.keyValue(bytesOf(...given))).toEqual(bytesOf(...expected));
  });
});

describe('a resource and a scope', () => {
  const attribute = (field: number, key: string): Write => message(field, text(1, key), message(2, text(1, 'v')));

  test('have their fields in number order, attributes in the order sent, unknown fields behind', () => {
    expect(canonical.resource(bytesOf(text(7, 'new'), varint(2, 3), attribute(1, 'b'), attribute(1, 'a')))).toEqual(
      bytesOf(attribute(1, 'b'), attribute(1, 'a'), varint(2, 3), text(7, 'new')),
    );
    expect(canonical.scope(bytesOf(varint(4, 1), attribute(3, 'k'), text(2, '1.0'), text(1, 'name')))).toEqual(
      bytesOf(text(1, 'name'), text(2, '1.0'), attribute(3, 'k'), varint(4, 1)),
    );
  });

  test('drop what proto3 does not tell from absent', () => {
    expect(canonical.scope(bytesOf(text(1, ''), text(2, ''), varint(4, 0)))).toEqual(new Uint8Array(0));
    expect(canonical.resource(bytesOf(varint(2, 0)))).toEqual(new Uint8Array(0));
  });

  test('refuse fields of another wire type', () => {
    expect(() => canonical.resource(bytesOf(varint(1, 1)))).toThrow('attributes has wire type 0');
    expect(() => canonical.resource(bytesOf(text(2, 'x')))).toThrow('dropped_attributes_count has wire type 2');
    expect(() => canonical.scope(bytesOf(varint(1, 1)))).toThrow('name or version has wire type 0');
  });
});

/** The values of the length-delimited fields `field` of a message. */
function valuesOf(message: Uint8Array, field: number): Uint8Array[] {
  const reader = new WireReader(message);
  const found: Uint8Array[] = [];
  while (reader.next()) if (reader.field === field) found.push(new Uint8Array(reader.value()));
  return found;
}

test('canonical bytes are their own canonical form, and protobufjs writes them', () => {
  const random = createRandom(printedSeed('canonical'));
  for (let round = 0; round < 300; round++) {
    const resourceSpans = valuesOf(encodeRequest(randomRequest(random, 0n)), 1);
    for (const resource of resourceSpans.flatMap((message) => valuesOf(message, 1))) {
      expect(canonical.resource(resource)).toEqual(resource);
    }
  }
});
