// Expected values and texts were printed by Go 1.26 (time.ParseDuration, Duration.String).
import { expect, test } from 'vitest';
import { formatGoDuration, parseGoDuration } from '../../../src/api/go/go-duration.ts';

test.each([
  ['0', 0n],
  ['+0', 0n],
  ['1ns', 1n],
  ['4.5us', 4_500n],
  ['5µs', 5_000n], // U+00B5
  ['5μs', 5_000n], // U+03BC
  ['1.5s', 1_500_000_000n],
  ['.5s', 500_000_000n],
  ['1.s', 1_000_000_000n],
  ['1h2m3.004s', 3_723_004_000_000n],
  ['-2m', -120_000_000_000n],
  ['0.9ns', 0n],
  ['9223372036854775807ns', 2n ** 63n - 1n],
  ['-9223372036854775808ns', -(2n ** 63n)],
])('%s is %s ns', (text, ns) => {
  expect(parseGoDuration(text)).toEqual({ ns });
});

test.each([
  ['5', 'time: missing unit in duration "5"'],
  ['1h5', 'time: missing unit in duration "1h5"'],
  ['x', 'time: invalid duration "x"'],
  ['', 'time: invalid duration ""'],
  ['-', 'time: invalid duration "-"'],
  ['.s', 'time: invalid duration ".s"'],
  ['5q', 'time: unknown unit "q" in duration "5q"'],
  ['5 s', 'time: unknown unit " s" in duration "5 s"'],
  ['5é', 'time: unknown unit "\\xc3\\xa9" in duration "5\\xc3\\xa9"'],
  ['5"', 'time: unknown unit "\\"" in duration "5\\""'],
  ['9223372036854775808ns', 'time: invalid duration "9223372036854775808ns"'],
  ['99999999999999999999q', 'time: invalid duration "99999999999999999999q"'],
  ['3000000h', 'time: invalid duration "3000000h"'],
])('%j is refused in Go’s words', (text, error) => {
  expect(parseGoDuration(text)).toEqual({ error });
});

test.each([
  [0n, '0s'],
  [999n, '999ns'],
  [1_275n, '1.275µs'],
  [100_000_000n, '100ms'],
  [-2_000n, '-2µs'],
  [60_000_000_000n, '1m0s'],
  [3_600_500_000_000n, '1h0m0.5s'],
  [90_061_000_000_001n, '25h1m1.000000001s'],
])('%s ns prints as %s', (ns, text) => {
  expect(formatGoDuration(ns)).toBe(text);
});
