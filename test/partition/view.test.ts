import { describe, expect, test } from 'vitest';
import { dayFilter } from '../../src/partition/view.ts';
import { DEFAULT_TENANT } from '../../src/trace/tenant.ts';

describe('the filter of a day', () => {
  const dayNs = 86_400_000_000_000n;
  test.each([
    { what: 'a day before', min: 19n * dayNs, max: 20n * dayNs - 1n, expected: undefined },
    { what: 'its first nanosecond', min: 0n, max: 20n * dayNs, expected: [-20 * 86_400e9, 0] },
    {
      what: 'its last nanosecond',
      min: 21n * dayNs - 1n,
      max: 2n ** 64n,
      expected: [86_400e9 - 1, Number(2n ** 64n - 20n * dayNs)],
    },
    { what: 'a day after', min: 21n * dayNs, max: 22n * dayNs, expected: undefined },
  ])('of $what', ({ min, max, expected }) => {
    const filter = dayFilter(DEFAULT_TENANT, 20, { startMinNs: min, startMaxNs: max });
    expect(filter && [filter.startMin, filter.startMax]).toEqual(expected);
  });

  test('ignores times when trace ids are asked', () => {
    const filter = dayFilter(DEFAULT_TENANT, 20, { startMinNs: 0n, startMaxNs: 1n, traceIds: [new Uint8Array(16)] });
    expect(filter).toMatchObject({ startMin: -Infinity, startMax: Infinity });
    expect(filter?.traceKeys).toHaveLength(1);
  });
});
