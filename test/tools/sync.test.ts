// Which traces are compared between two nodes. test/system/sync.test.ts and log-sync.test.ts copy between running ones.
import { expect, test } from 'vitest';
import { partitionOfTrace } from '../../src/cluster/placement.ts';
import { isMeant } from '../../src/tools/sync.ts';

const place = { zone: 'a', ordinal: 1, nodes: 2, partitions: 4, stored: {}, gaps: [] };

/** One of each partition. */
const traces = [0, 1, 2, 3].map((partition) => {
  for (let n = 0; ; n++) {
    const id = new Uint8Array(16).fill(n);
    if (partitionOfTrace(id, 0, place.partitions) === partition) return id;
  }
});

test('twins are compared whole: another program may have put any trace into their partitions', () => {
  const twins = { from: place, to: { ...place, zone: 'b' }, shared: [1, 3] };
  expect(traces.map(isMeant(twins))).toEqual([true, true, true, true]);
});

test('of nodes of zones of other sizes, only traces of the partitions that both read are compared', () => {
  const others = { from: place, to: { ...place, zone: 'c', nodes: 3, ordinal: 0 }, shared: [3] };
  expect(traces.map(isMeant(others))).toEqual([false, false, false, true]);
});

test('nodes without a log are compared whole', () => {
  expect(traces.map(isMeant({ from: undefined, to: undefined }))).toEqual([true, true, true, true]);
});
