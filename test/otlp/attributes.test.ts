import { expect, test } from 'vitest';
import {
  compareUtf8,
  isSameValue,
  listItems,
  LIST,
  readAttributes,
  textOf,
  writeTag,
} from '../../src/otlp/attributes.ts';
import type { Attribute } from '../../src/otlp/attributes.ts';
import { JsonWriter } from '../../src/bytes/json-writer.ts';

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

test('values are the same when type and value are', () => {
  const { bytes, attributes } = read(
    { stringValue: '1' },
    { intValue: 1n },
    { stringValue: '1' },
    { stringValue: '2' },
  );
  const [text, int, sameText, otherText] = attributes as [Attribute, Attribute, Attribute, Attribute];
  expect([int, sameText, otherText].map((other) => isSameValue(bytes, text, other))).toEqual([false, true, false]);
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

test('a tag is written with its Jaeger type', () => {
  const { bytes, attributes } = read({ intValue: 7n }, { bytesValue: Uint8Array.of(255) });
  const out = new JsonWriter({ isHtmlEscaped: true });
  for (const attribute of attributes) writeTag(out, bytes, attribute);
  expect(out.take().toString()).toBe(
    '{"key":"k0","type":"int64","value":7}{"key":"k1","type":"binary","value":"/w=="}',
  );
});
