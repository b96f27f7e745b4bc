// A text is its pattern with its variables printed into it, byte for byte; whatever would not come back is not taken apart.
import { describe, expect, test } from 'vitest';
import { ByteReader } from '../../src/bytes/byte-reader.ts';
import { ByteWriter } from '../../src/bytes/byte-writer.ts';
import type { Texts } from '../../src/codec/text-forms.ts';
import { readPatterns, TextPatterns } from '../../src/codec/text-patterns.ts';
import { createRandom, printedSeed } from '../support/random-request.ts';

const UUID = '123e4567-e89b-12d3-a456-426614174000';

function textsOf(values: readonly string[]): Texts {
  let at = 0;
  return {
    bytes: Buffer.from(values.join(''), 'latin1'),
    a: Uint32Array.from(values, (value) => (at += value.length) - value.length),
    b: Uint32Array.from(values, (value) => value.length),
  };
}

function patternsOf(values: readonly string[]): TextPatterns | undefined {
  return TextPatterns.of(textsOf(values), values.length, values.length);
}

/** Pattern `id` with its variables named: # number, #n number of n digits, U UUID, Xn n digits of hex. */
function shown(patterns: TextPatterns, id: number): string {
  const bytes = patterns.patterns.bytes(id);
  let text = '';
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]!;
    if (byte === 0) text += '<#>';
    else if (byte < 16) text += `<#${byte}>`;
    else if (byte === 16) text += '<U>';
    else if (byte === 17) text += `<X${2 * bytes[++at]!}>`;
    else text += String.fromCharCode(byte);
  }
  return text;
}

function textsAfter(values: readonly string[]): string[] {
  const out = new ByteWriter();
  patternsOf(values)!.write(out);
  const reader = new ByteReader(out.view());
  const { text, a, b } = readPatterns(reader, values.length);
  expect(reader.left).toBe(0);
  return Array.from(a, (at, i) => Buffer.from(text).toString('latin1', at, at + b[i]!));
}

test.each([
  ['', ''],
  ['GET /cart', 'GET /cart'],
  ['10.0.31.7', '<#>.<#>.<#>.<#>'],
  ['2026-11-20T08:00:05.120Z', '<#>-<#>-<#>T<#2>:<#2>:<#2>.<#>Z'],
  ['u-0', 'u-<#>'],
  ['u-00', 'u-<#2>'],
  ['x000000000000007', 'x<#15>'],
  ['x0000000000000007', 'x0000000000000007'], // 16 digits are no exact number …
  ['x999999999999999', 'x<#>'],
  ['0000000000000007', '<X16>'], // … but they are hex
  [`?id=${UUID}&x=1`, '?id=<U>&x=<#>'],
  [`${UUID.toUpperCase()}`, '<#>E<#>-E<#>B-<#>D<#>-A<#>-<#>'],
  [UUID.replaceAll('-', '_'), '<X8>_e<#>b_<#>d<#>_a<#>_<#>'],
  ['orders/deadbeef', 'orders/deadbeef'],
  ['orders/deadbee5', 'orders/<X8>'],
  ['orders/deadbee55', 'orders/deadbee<#>'],
  ['12345678', '<#>'],
  ['svc12', 'svc<#>'],
  ['\xff1\x80', '\xff<#>\x80'],
  ['ab'.repeat(255) + '1', `${'ab'.repeat(255)}<#>`],
  [`${'a'.repeat(509)}1`, '<X510>'],
  [`${'a'.repeat(511)}1`, `${'a'.repeat(511)}<#>`],
])('%j is %j', (text, pattern) => {
  expect(shown(patternsOf([text])!, 0)).toBe(pattern);
  expect(textsAfter([text])).toEqual([text]);
});

test('numbers beyond what has a slot stay text', () => {
  const text = Array.from({ length: 30 }, (_, i) => i).join('.');
  expect(shown(patternsOf([text])!, 0)).toBe(`${Array.from({ length: 24 }, () => '<#>').join('.')}.24.25.26.27.28.29`);
  expect(textsAfter([text, text])).toEqual([text, text]);
});

test('texts with bytes that mark variables have no pattern, nor have lists with more patterns than allowed', () => {
  for (const byte of ['\0', '\x02', '\x10', '\x11', '\x1f']) expect(patternsOf(['a', `b${byte}`])).toBeUndefined();
  const values = ['a', 'b1', 'b2', 'c'];
  expect(TextPatterns.of(textsOf(values), 4, 2)).toBeUndefined();
  expect(TextPatterns.of(textsOf(values), 4, 3)?.patterns.count).toBe(3);
});

test('texts of every make come back, whatever stands beside them', () => {
  const random = createRandom(printedSeed('text patterns'));
  const int = (end: number): number => Math.floor(random() * end);
  const hex = (length: number): string => Array.from({ length }, () => int(16).toString(16)).join('');
  const pieces: readonly (() => string)[] = [
    () => 'GET /',
    () => String(int(10 ** int(16))),
    () => '0'.repeat(int(17)),
    () => hex(int(40)),
    () => [8, 4, 4, 4, 12].map(hex).join('-'),
    () => '-',
    () => String.fromCharCode(32 + int(224)),
  ];
  for (let round = 0; round < 500; round++) {
    const values = Array.from({ length: 1 + int(30) }, () =>
      Array.from({ length: int(8) }, () => pieces[int(pieces.length)]!()).join(''),
    );
    expect(textsAfter(values)).toEqual(values);
  }
});

test('a phrase of numbers takes little more than its numbers', () => {
  const out = new ByteWriter();
  const values = Array.from({ length: 1000 }, (_, i) => `10.0.${i % 8}.${(i * 37) % 256}`);
  const patterns = patternsOf(values)!;
  patterns.write(out);
  expect(out.length).toBeLessThan(2 * 1000 + 60);
  expect(patterns.estimatedBytes).toBeGreaterThan((1000 * 11) / 8);
  expect(patterns.estimatedBytes).toBeLessThan((1000 * 11) / 8 + 20);
});

describe('a list no writer wrote is CORRUPTION:', () => {
  const zeros = (count: number): number[] => Array.from({ length: count }, () => 0);
  test.each<[string, number[]]>([
    ['nothing', []],
    ['patterns cut', [1, 5, 65]],
    ['no pattern', [0, 0, 0]],
    ['a code beyond the patterns', [1, 1, 65, 0, 1]],
    ['a byte that is no variable', [1, 1, 18, 0, 0]],
    ['hex without its length', [1, 1, 17, 0, 0]],
    ['a UUID cut', [1, 1, 16, 0, 0, ...zeros(31)]],
    ['numbers cut', [1, 1, 0, 0, 0]],
    ['a negative number', [1, 1, 0, 0, 0, 3, 7]],
    ['a number of too many digits', [1, 1, 0, 0, 0, 0, 128, 128, 128, 128, 128, 128, 128, 2]],
    ['a number wider than its place', [1, 1, 2, 0, 0, 0, 10]],
  ])('%s', (_, bytes) => {
    expect(() => readPatterns(new ByteReader(Uint8Array.from(bytes)), 2)).toThrow(
      expect.objectContaining({ code: 'CORRUPTION' }),
    );
  });

  test('more text than a block can hold', () => {
    const bytes = Uint8Array.of(1, 2, 17, 255, 0, 0, ...zeros(16));
    expect(() => readPatterns(new ByteReader(bytes), 1 << 20)).toThrow(/more text than a block/);
  });
});
