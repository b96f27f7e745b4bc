// Values are read where they lie, and their text is what a search compares with.
import { expect, test } from 'vitest';
import { ByteWriter } from '../../src/bytes/byte-writer.ts';
import { BYTES, LIST, STRING } from '../../src/trace/any-value.ts';
import {
  byKeyBytes,
  bytesAttribute,
  compareUtf8,
  infiniteText,
  listItems,
  readAttributes,
  textOf,
  textOfAnyValue,
} from '../../src/trace/attributes.ts';
import type { Attribute } from '../../src/trace/attributes.ts';
import { encodeTraces, type OtlpAnyValue } from '../support/otlp-proto.ts';

/** The attributes of a resource with `values`, read back, and the bytes they are ranges of. */
function read(...values: OtlpAnyValue[]): { bytes: Uint8Array; attributes: Attribute[] } {
  const attributes = values.map((value, i) => ({ key: `k${i}`, value }));
  const bytes = encodeTraces({ resourceSpans: [{ resource: { attributes } }] });
  // Two messages deep: TracesData.resource_spans, ResourceSpans.resource; small enough for one-byte lengths.
  return { bytes, attributes: readAttributes(bytes, 4, bytes.length, 1) };
}

test.each<[OtlpAnyValue, string]>([
  [{}, ''],
  [{ stringValue: 'x' }, 'x'],
  [{ boolValue: true }, 'true'],
  [{ intValue: -5n }, '-5'],
  [{ intValue: 2n ** 63n - 1n }, '9223372036854775807'],
  [{ doubleValue: 72.5 }, '72.5'],
  [{ doubleValue: 3 }, '3'],
  [{ doubleValue: NaN }, 'NaN'],
  [{ doubleValue: -Infinity }, '-Infinity'],
  [{ bytesValue: Uint8Array.of(0, 0, 48, 57) }, 'AAAwOQ=='],
  [{ arrayValue: { values: [{ stringValue: '<' }, { intValue: 1n }] } }, '["<",1]'],
  [
    {
      kvlistValue: {
        values: [
          { key: 'b', value: {} },
          { key: 'a', value: { doubleValue: 0.5 } },
        ],
      },
    },
    '{"a":0.5,"b":null}',
  ],
])('%# reads as text', (value, text) => {
  const { bytes, attributes } = read(value);
  expect(attributes.map((attribute) => textOf(bytes, attribute))).toEqual([text]);
});

test('the items of a list are read as values without keys', () => {
  const { bytes, attributes } = read({ arrayValue: { values: [{ stringValue: 'a' }, {}, { boolValue: false }] } });
  expect(attributes[0]!.type).toBe(LIST);
  expect(listItems(bytes, attributes[0]!).map((item) => [item.key, item.type, textOf(bytes, item)])).toEqual([
    ['', 1, 'a'],
    ['', 0, ''],
    ['', 2, 'false'],
  ]);
});

test('keys are ordered by their UTF-8 bytes, which UTF-16 units are not', () => {
  const keys = ['', 'B', 'a', 'a\u0000', 'é', '\ud7ff', '\uffe0', '\u{10000}', '\u{1F40E}'];
  expect(keys.toReversed().toSorted(compareUtf8)).toEqual(keys);
  const byBytes = keys.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  expect(byBytes).toEqual(keys);
});

test("infinities and NaN are Go's words inside JSON, where they are no numbers", () => {
  expect([NaN, Infinity, -Infinity].map(infiniteText)).toEqual(['NaN', '+Inf', '-Inf']);
  const { bytes, attributes } = read({ arrayValue: { values: [{ doubleValue: -Infinity }, { doubleValue: NaN }] } });
  expect(textOf(bytes, attributes[0]!)).toBe('["-Inf","NaN"]');
});

test('of equal keys in a map the last counts, and keys are sorted', () => {
  const one = (key: string, value: OtlpAnyValue): { key: string; value: OtlpAnyValue } => ({ key, value });
  const { bytes, attributes } = read({
    kvlistValue: { values: [one('b', { intValue: 1n }), one('a', { kvlistValue: {} }), one('b', { boolValue: true })] },
  });
  expect(textOf(bytes, attributes[0]!)).toBe('{"a":{},"b":true}');
});

/** KeyValues by hand: keys and values that protobufjs would not write. */
function keyValues(...pairs: readonly (readonly [number[], number[]])[]): Uint8Array {
  const out = new ByteWriter();
  for (const [key, value] of pairs) {
    out.message(1, () => {
      out.bytesField(1, Uint8Array.from(key));
      out.message(2, () => out.bytesField(1, Uint8Array.from(value)));
    });
  }
  return out.take();
}

test('text that is not UTF-8 becomes bytes; a key that is not moves behind the others, its bytes into the value', () => {
  const bytes = keyValues([[0xff], [0x78]], [[0x6b], [0x61, 0xff]], [[0xc3, 0x28], [0x79]]);
  const attributes = readAttributes(bytes, 0, bytes.length, 1);
  expect(attributes.map(({ key, type }) => [key, type])).toEqual([
    ['k', BYTES],
    ['invalid-tag-key-1', BYTES],
    ['invalid-tag-key-2', BYTES],
  ]);
  const text = attributes.map((attribute) => Buffer.from(textOf(bytes, attribute), 'base64').toString('latin1'));
  expect(text).toEqual(['a\xff', '\xff:x', '\xc3(:y']);
});

test('a key holding U+FFFD itself is a valid one', () => {
  const bytes = keyValues([[0xef, 0xbf, 0xbd], [0x78]]);
  expect(readAttributes(bytes, 0, bytes.length, 1)).toMatchObject([{ key: '\ufffd', type: STRING }]);
});

test('the text of an AnyValue message alone, and of one with nothing in it', () => {
  const out = new ByteWriter();
  out.tag(3, 0);
  out.varint64(0xffffffff, 0xffffffff);
  expect([textOfAnyValue(out.take()), textOfAnyValue(new Uint8Array(0))]).toEqual(['-1', '']);
});

test('of a value given twice the last counts, and fields of a newer OTLP are stepped over', () => {
  const out = new ByteWriter();
  out.stringField(1, 'first');
  out.tag(3, 0);
  out.varint(7);
  out.stringField(50, 'new');
  expect(textOfAnyValue(out.take())).toBe('7');
});

test('attributes of the view itself sort among the others by key', () => {
  const own = ['b', 'a', 'c'].map((key) => bytesAttribute(key, Uint8Array.of(255)));
  expect(own.toSorted(byKeyBytes).map(({ key }) => key)).toEqual(['a', 'b', 'c']);
  expect(textOf(new Uint8Array(0), own[0]!)).toBe('/w==');
});
