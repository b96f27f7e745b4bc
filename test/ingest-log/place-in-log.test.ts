// Which partitions two nodes both read, and which gaps one may fill of the other.
import { expect, test } from 'vitest';
import type { PartitionState } from '../../src/ingest-log/log-consumer.ts';
import { fillableGaps, placeInLog, sharedPartitions } from '../../src/ingest-log/place-in-log.ts';

const part = { zone: 'a', ordinal: 1, nodes: 2, partitions: 4, isOursAlone: true };
const state = (partition: number, consumed: bigint, gap?: PartitionState['gap']): PartitionState => ({
  partition,
  identity: 'log',
  consumed,
  last: undefined,
  storedTimeMs: 0,
  messages: 0,
  replayedUntil: 0n,
  replayed: 0,
  setAside: 0,
  interrupted: 0,
  holeReads: 0,
  gap,
});
const gap = { from: 3n, to: 9n, fromMs: 0, toMs: Date.UTC(2026, 10, 30) };

test('a place tells offsets as text, and what is missing with its times', () => {
  expect(placeInLog(part, [state(1, 20n, gap), state(3, 7n)])).toEqual({
    ...part,
    stored: { 1: '20', 3: '7' },
    gaps: [
      {
        partition: 1,
        from: '3',
        to: '9',
        what: 'partition 1: messages 3 to 9, which the log took before 2026-11-30T00:00:00.000Z',
      },
    ],
  });
});

test('twins share all partitions, nodes of zones of other sizes some, of one zone none', () => {
  const place = placeInLog(part, []);
  expect(sharedPartitions(place, { ...place, zone: 'b' })).toEqual([1, 3]);
  expect(sharedPartitions(place, { ...place, zone: 'c', nodes: 3, ordinal: 0 })).toEqual([3]);
  expect(sharedPartitions(place, { ...place, zone: 'c', nodes: 4, ordinal: 1 })).toEqual([1]);
  for (const other of [{ ordinal: 0 }, { nodes: 3, ordinal: 2 }, { partitions: 8 }])
    expect(sharedPartitions(place, { ...place, ...other })).toEqual([]);
});

test('a node fills gaps of partitions that it reads, has stored up to there, and has no gap in', () => {
  const lacking = placeInLog(part, [state(1, 20n, gap)]);
  const fills = (...states: PartitionState[]): number[] =>
    fillableGaps(placeInLog({ ...part, zone: 'b' }, states), lacking).map(({ partition }) => partition);
  expect(fills(state(1, 9n), state(3, 1n))).toEqual([1]);
  expect(fills(state(1, 8n))).toEqual([]);
  expect(fills()).toEqual([]);
  expect(fills(state(1, 30n), state(3, 30n, gap))).toEqual([1]);
  expect(fills(state(1, 30n, gap), state(3, 30n))).toEqual([]);
  const larger = placeInLog({ ...part, zone: 'c', nodes: 3, ordinal: 0 }, [state(3, 90n)]);
  expect(fillableGaps(larger, placeInLog(part, [state(1, 20n, gap), state(3, 20n, gap)]))).toEqual([
    expect.objectContaining({ partition: 3 }),
  ]);
});

test('in a log that other programs may write, only a twin fills gaps', () => {
  const known = { ...part, isOursAlone: false };
  const states = [state(1, 90n), state(3, 90n)];
  const lacking = placeInLog(known, [state(1, 20n, gap), state(3, 20n, gap)]);
  expect(fillableGaps(placeInLog({ ...known, zone: 'b' }, states), lacking)).toHaveLength(2);
  expect(fillableGaps(placeInLog({ ...known, zone: 'c', nodes: 3, ordinal: 0 }, states), lacking)).toEqual([]);
  // A node of an older release does not tell.
  const { isOursAlone, ...older } = placeInLog({ ...part, zone: 'c', nodes: 3, ordinal: 0 }, states);
  expect(isOursAlone).toBe(true);
  expect(fillableGaps(older, placeInLog(part, [state(3, 20n, gap)]))).toEqual([]);
});
