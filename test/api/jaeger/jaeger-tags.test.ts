// The JSON of one tag, by type; the whole trace is compared with Jaeger's own output in jaeger-json.test.ts.
import { expect, test } from 'vitest';
import { isSameValue, textAttribute, writeTag } from '../../../src/api/jaeger/jaeger-tags.ts';
import { JsonWriter } from '../../../src/bytes/json-writer.ts';
import { bytesAttribute, readAttributes, type Attribute } from '../../../src/trace/attributes.ts';
import { encodeTraces, type OtlpAnyValue } from '../../support/otlp-proto.ts';

/** The attributes of a resource with `values`, read back, and the bytes they are ranges of. */
function read(...values: OtlpAnyValue[]): { bytes: Uint8Array; attributes: Attribute[] } {
  const attributes = values.map((value, i) => ({ key: `k${i}`, value }));
  const bytes = encodeTraces({ resourceSpans: [{ resource: { attributes } }] });
  // Two messages deep: TracesData.resource_spans, ResourceSpans.resource; small enough for one-byte lengths.
  return { bytes, attributes: readAttributes(bytes, 4, bytes.length, 1) };
}

function tagOf(bytes: Uint8Array, attribute: Attribute): unknown {
  const out = new JsonWriter({ isHtmlEscaped: true });
  writeTag(out, bytes, attribute);
  return out.take().toString();
}

test.each<[OtlpAnyValue, string]>([
  [{ stringValue: 'a"<' }, '"string","value":"a\\"\\u003c"'],
  [{}, '"string","value":""'],
  [{ boolValue: false }, '"bool","value":false'],
  [{ boolValue: true }, '"bool","value":true'],
  [{ intValue: 7n }, '"int64","value":7'],
  [{ intValue: 2n ** 53n - 1n }, '"int64","value":9007199254740991'],
  [{ intValue: 2n ** 53n }, '"int64","value":"9007199254740992"'],
  [{ intValue: -(2n ** 63n) }, '"int64","value":"-9223372036854775808"'],
  [{ doubleValue: 1.5 }, '"float64","value":1.5'],
  [{ doubleValue: NaN }, '"float64","value":"NaN"'],
  [{ doubleValue: Infinity }, '"float64","value":"+Inf"'],
  [{ bytesValue: Uint8Array.of(255) }, '"binary","value":"/w=="'],
  [{ arrayValue: { values: [{ intValue: 1n }] } }, '"string","value":"[1]"'],
])('%# is written with its Jaeger type', (value, expected) => {
  const { bytes, attributes } = read(value);
  expect(tagOf(bytes, attributes[0]!)).toBe(`{"key":"k0","type":${expected}}`);
});

test('attributes the view makes itself are written as those of the trace', () => {
  const nothing = new Uint8Array(0);
  expect(tagOf(nothing, textAttribute('span.kind', 'server'))).toBe(
    '{"key":"span.kind","type":"string","value":"server"}',
  );
  expect(tagOf(nothing, bytesAttribute('b', Uint8Array.of(1, 2)))).toBe('{"key":"b","type":"binary","value":"AQI="}');
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
