import { describe, expect, test } from 'vitest';
import type { Identity } from '../../src/part/identity.ts';
import { dayFilter, narrowView, type ViewLogBlock, type ViewPart } from '../../src/partition/view.ts';
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

test('a view of all days, narrowed, is the view of a window', () => {
  const dayNs = 86_400_000_000_000n;
  const part = (path: string, startMinNs: bigint, startMaxNs: bigint): ViewPart => {
    return { identity: path as Identity, path, blocks: 1, rowCount: 1, startMinNs, startMaxNs };
  };
  const log = (path: string, startMin: number, startMax: number): ViewLogBlock => {
    return { identity: path as Identity, path, offset: 0, sizeBytes: 1, rowCount: 1, startMin, startMax };
  };
  const parts = [part('early', 20n * dayNs, 20n * dayNs + 9n), part('late', 20n * dayNs + 10n, 20n * dayNs + 20n)];
  const views = [
    { day: 20, path: '20', parts, logBlocks: [log('log early', 0, 9), log('log late', 10, 20)] },
    { day: 19, path: '19', parts: [part('other', 19n * dayNs, 19n * dayNs)], logBlocks: [] },
  ];
  const namesOf = (startMinNs: bigint, startMaxNs: bigint): string[] =>
    narrowView(views, DEFAULT_TENANT, { startMinNs, startMaxNs }).flatMap((view) =>
      [...view.parts, ...view.logBlocks].map(({ path }) => path),
    );
  expect(namesOf(20n * dayNs + 10n, 20n * dayNs + 30n)).toEqual(['late', 'log late']);
  expect(namesOf(20n * dayNs, 20n * dayNs + 9n)).toEqual(['early', 'log early']);
  expect(namesOf(0n, 2n ** 63n)).toEqual(['early', 'late', 'log early', 'log late', 'other']);
  expect(narrowView(views, DEFAULT_TENANT, {})).toEqual(views);
});
