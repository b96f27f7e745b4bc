import { expect, test } from 'vitest';
import { formatDouble, formatInt64, formatUint64, JsonWriter, quoteJson } from '../../src/bytes/json-writer.ts';

const TEXTS = [
  '',
  'plain',
  'a"b\\c',
  '\u0000\u001f\n\r\t\b\f',
  '<a href="x">&</a>',
  'žluť 🐎',
  '\u2028\u2029',
  'x'.repeat(100),
  '\u007f',
];

test.each(TEXTS)('%j is written the same from bytes and from a string, and reads back', (text) => {
  for (const isHtmlEscaped of [true, false]) {
    const out = new JsonWriter({ isHtmlEscaped, capacityBytes: 1 });
    const bytes = Buffer.from(`..${text}..`);
    out.utf8(bytes, 2, bytes.length - 2);
    const fromBytes = out.take().toString();
    out.string(text);
    const expected = isHtmlEscaped ? quoteJson(text) : JSON.stringify(text);
    expect([fromBytes, out.take().toString()]).toEqual([expected, expected]);
    expect(JSON.parse(fromBytes)).toBe(text);
  }
});

test('HTML characters and line separators are escaped as Go does', () => {
  expect(quoteJson('<&>\u2028')).toBe('"\\u003c\\u0026\\u003e\\u2028"');
  expect(quoteJson('<&>\u2029', false)).toBe('"<&>\\u2029"');
});

test('bytes that are not UTF-8 become U+FFFD, so the JSON stays valid', () => {
  const out = new JsonWriter({ isHtmlEscaped: true });
  out.utf8(Uint8Array.of(0x61, 0xff, 0x62), 0, 3);
  expect(JSON.parse(out.take().toString())).toBe('a\ufffdb');
});

test('hex and base64 are literals of their range', () => {
  const out = new JsonWriter({ isHtmlEscaped: true });
  const bytes = new Uint8Array([9, 0xab, 0x01, 9]).subarray(1);
  out.hex(bytes, 0, 2);
  out.text(',');
  out.base64(bytes, 0, 2);
  expect(out.take().toString()).toBe('"ab01","qwE="');
});

test.each([
  0n,
  1n,
  2n ** 32n,
  2n ** 53n - 1n,
  2n ** 53n,
  2n ** 53n + 1n,
  2n ** 63n - 1n,
  2n ** 63n,
  2n ** 64n - 2n ** 53n,
  2n ** 64n - 1n,
])('%s prints in decimal, unsigned and signed', (value) => {
  const lo = Number(value & 0xffff_ffffn);
  const hi = Number(value >> 32n);
  expect(formatUint64(lo, hi)).toBe(value.toString());
  expect(formatInt64(lo, hi)).toBe(BigInt.asIntN(64, value).toString());
});

test('a negative zero keeps its sign', () => {
  expect([formatDouble(-0), formatDouble(0), formatDouble(1e21), formatDouble(1e-7)]).toEqual([
    '-0',
    '0',
    '1e+21',
    '1e-7',
  ]);
});
