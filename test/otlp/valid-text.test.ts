// Traces with text that is no UTF-8, anywhere a text can be: what goes out is UTF-8, loses nothing where bytes are allowed, and
// is the very same bytes where all was well.
import { isUtf8 } from 'node:buffer';
import { expect, test } from 'vitest';
import { limits } from '../../src/base/limits.ts';
import { withValidText } from '../../src/otlp/valid-text.ts';
import { createRandom, printedSeed, randomRequest } from '../support/random-request.ts';
import { decodeTraces, encodeTraces, type OtlpAnyValue, type OtlpRequest } from '../support/otlp-proto.ts';
import { RICH_TRACE, span } from '../support/rich-trace.ts';

/** What is put in place of a text, and the four bytes that are put in place of its four. */
const MARK = '§§';
const BAD = Buffer.from([0x6f, 0xff, 0xfe, 0x80]);
const SHOWN = 'o\ufffd\ufffd\ufffd';

/** Every text of the request for which `pick` says so becomes BAD; the same request with what should come out of it. */
function spoil(request: OtlpRequest, pick: () => boolean): { bytes: Uint8Array; expected: OtlpRequest; count: number } {
  const walk = (value: unknown, bad: (key: string) => unknown, key = ''): unknown => {
    if (typeof value === 'string') return bad(key) ?? value;
    if (value instanceof Uint8Array || typeof value !== 'object' || value === null) return value;
    if (Array.isArray(value)) return value.map((item) => walk(item, bad, key));
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, walk(inner, bad, name)]));
  };
  const picked: boolean[] = [];
  const sent = walk(request, () => {
    picked.push(pick());
    return picked.at(-1) === true ? MARK : undefined;
  });
  let at = 0;
  const expected = walk(request, (key) => (picked[at++] === true ? (key === 'stringValue' ? BAD : SHOWN) : undefined));
  const bytes = Buffer.from(encodeTraces(sent as OtlpRequest));
  for (let from = bytes.indexOf(MARK); from >= 0; from = bytes.indexOf(MARK)) BAD.copy(bytes, from);
  return { bytes, expected: renameBytes(expected) as OtlpRequest, count: picked.filter(Boolean).length };
}

/** `stringValue: BAD` is `bytesValue: BAD`. */
function renameBytes(value: unknown): unknown {
  if (value instanceof Uint8Array || typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(renameBytes);
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [
      name === 'stringValue' && inner instanceof Uint8Array ? 'bytesValue' : name,
      renameBytes(inner),
    ]),
  );
}

test('random texts of random traces: bytes where they may be, U+FFFD elsewhere, the rest untouched', () => {
  const random = createRandom(printedSeed('valid-text'));
  expect(isUtf8(BAD)).toBe(false);
  let spoilt = 0;
  for (let round = 0; round < 300; round++) {
    const request = round % 10 === 0 ? RICH_TRACE : randomRequest(random, 1_763_600_000_000_000_000n);
    const share = [0, 0.02, 0.3, 1][round % 4]!;
    const { bytes, expected, count } = spoil(request, () => random() < share);
    spoilt += count;
    const valid = withValidText(bytes);
    expect(decodeTraces(valid)).toEqual(decodeTraces(encodeTraces(expected)));
    if (count === 0) expect(valid).toBe(bytes);
    expect(withValidText(valid)).toBe(valid);
  }
  expect(spoilt).toBeGreaterThan(1_000);
});

test('a text in the deepest value is found, and in none that is not ASCII before it', () => {
  let value: OtlpAnyValue = { stringValue: MARK };
  for (let depth = 1; depth < limits.anyValueDepthMax; depth++) {
    value = depth % 2 === 0 ? { arrayValue: { values: [value] } } : { kvlistValue: { values: [{ key: 'ž', value }] } };
  }
  const events = [{ name: 'žluť', attributes: [{ key: '🐎', value }] }];
  const bytes = Buffer.from(encodeTraces({ resourceSpans: [{ scopeSpans: [{ spans: [span(1, { events })] }] }] }));
  expect(withValidText(bytes)).toBe(bytes);
  const at = bytes.indexOf(MARK);
  BAD.copy(bytes, at);
  const valid = Buffer.from(withValidText(bytes));
  expect(valid).toHaveLength(bytes.length);
  // string_value has become bytes_value: nothing else of it.
  expect([bytes[at - 2], valid[at - 2], valid.equals(bytes)]).toEqual([0x0a, 0x3a, false]);
  valid[at - 2] = 0x0a;
  expect(valid.equals(bytes)).toBe(true);
});
