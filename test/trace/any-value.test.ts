import { expect, test } from 'vitest';
import { ByteWriter } from '../../src/bytes/byte-writer.ts';
import { WireReader } from '../../src/bytes/wire-reader.ts';
import * as V from '../../src/trace/any-value.ts';
import { decodeTraces, encodeTraces, type OtlpAnyValue } from '../support/otlp-proto.ts';

const members: readonly [number, OtlpAnyValue][] = [
  [V.STRING, { stringValue: 'a' }],
  [V.BOOL, { boolValue: true }],
  [V.INT, { intValue: 1n }],
  [V.DOUBLE, { doubleValue: 1 }],
  [V.LIST, { arrayValue: { values: [] } }],
  [V.MAP, { kvlistValue: { values: [] } }],
  [V.BYTES, { bytesValue: new Uint8Array(1) }],
];

test.each(members)('member %i has its number, name and wire type as protobuf has it', (field, value) => {
  expect(Object.keys(value)).toEqual([V.MEMBER_NAMES[field]]);
  const bytes = encodeTraces({ resourceSpans: [{ resource: { attributes: [{ key: '', value }] } }] });
  const reader = new WireReader(bytes);
  // resource spans, resource, attribute, value, member
  for (const outer of [1, 1, 1, 2]) {
    while (reader.next() && reader.field !== outer);
    reader.reset(reader.valueStart, reader.valueEnd);
  }
  expect([reader.next(), reader.field, reader.wire]).toEqual([true, field, V.wireOfMember(field)]);
});

test('there are no others', () => {
  const out = new ByteWriter();
  out.tag(V.BYTES + 1, 0);
  out.varint(1);
  expect(V.MEMBER_NAMES).toHaveLength(V.BYTES + 1);
  expect(decodeTraces(out.take())).toEqual({});
});
