// Stored values against constants and against each other; the table of what compares with what is match-filter.test.ts'.
import { describe, expect, test } from 'vitest';
import { compareScalars, comparisonTest, membershipTest, patternTest, scalarOf } from '../../src/query/filter-value.ts';
import * as T from '../../src/trace/templates.ts';

const NO_BYTES = new Uint8Array(0);
const wordsOf = (value: bigint): [number, number] => {
  const words = new Uint32Array(BigInt64Array.of(value).buffer);
  return [words[0]!, words[1]!];
};

describe('integers compare exactly at every size', () => {
  const edges = [0n, 1n, -1n, 2n ** 32n, -(2n ** 32n), 2n ** 53n, -(2n ** 53n), 2n ** 63n - 1n, -(2n ** 63n)];
  const near = edges
    .flatMap((edge) => [edge - 1n, edge, edge + 1n])
    .filter((value) => BigInt.asIntN(64, value) === value);
  test.each(near)('%s', (constant) => {
    for (const value of near) {
      const [lo, hi] = wordsOf(value);
      const ask = (op: 'eq' | 'lt' | 'gte'): boolean =>
        comparisonTest(op, { kind: 'int', value: constant })(T.TYPE_INT, lo, hi, NO_BYTES);
      expect([value, ask('eq'), ask('lt'), ask('gte')]).toEqual([
        value,
        value === constant,
        value < constant,
        value >= constant,
      ]);
    }
  });
});

test('bytes that are no UTF-8 equal no text and have no order, and no pattern matches them', () => {
  const bytes = Uint8Array.of(0x61, 0xff, 0x62);
  expect(comparisonTest('gt', { kind: 'string', text: '' })(T.TYPE_STRING, 0, 3, bytes)).toBe(false);
  expect(comparisonTest('eq', { kind: 'string', text: 'a\ufffdb' })(T.TYPE_STRING, 0, 3, bytes)).toBe(false);
  expect(membershipTest([{ kind: 'string', text: 'a\ufffdb' }])(T.TYPE_STRING, 0, 3, bytes)).toBe(false);
  expect(patternTest('a')(T.TYPE_STRING, 0, 3, bytes)).toBe(false);
  expect(scalarOf(T.TYPE_STRING, 0, 3, bytes)).toBeUndefined();
});

test('text has the order of its bytes', () => {
  const value = Buffer.from('\u{ffff}');
  const ask = (text: string): boolean =>
    comparisonTest('lt', { kind: 'string', text })(T.TYPE_STRING, 0, value.length, value);
  // In UTF-16 it would be the other way round.
  expect([ask('\u{10000}'), ask('\ue000')]).toEqual([true, false]);
});

test('two stored values', () => {
  const a = Buffer.from('a');
  const b = Buffer.from('b');
  expect([compareScalars('lt', a, b), compareScalars('eq', a, Buffer.from('a'))]).toEqual([true, true]);
  expect([compareScalars('eq', 2n ** 53n + 1n, 2 ** 53), compareScalars('gt', 2n ** 53n + 1n, 2 ** 53)]).toEqual([
    false,
    true,
  ]);
  expect([compareScalars('eq', true, true), compareScalars('gte', true, false)]).toEqual([true, false]);
  expect([
    compareScalars('eq', a, 1n),
    compareScalars('eq', true, 1),
    compareScalars('eq', undefined, undefined),
  ]).toEqual([false, false, false]);
});
