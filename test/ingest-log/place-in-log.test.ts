// Which nodes are twins, and when one may fill the other's gaps.
import { expect, test } from 'vitest';
import type { PartitionState } from '../../src/ingest-log/log-consumer.ts';
import { areTwins, canFill, placeInLog } from '../../src/ingest-log/place-in-log.ts';

const part = { zone: 'a', ordinal: 1, nodes: 2, partitions: 4 };
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

test('twins read the same partitions, in whatever zone', () => {
  const place = placeInLog(part, []);
  expect(areTwins(place, { ...place, zone: 'b' })).toBe(true);
  for (const other of [{ ordinal: 0 }, { nodes: 3 }, { partitions: 8 }])
    expect(areTwins(place, { ...place, ...other })).toBe(false);
});

test('a twin fills gaps that it has stored, and none while it has gaps itself', () => {
  const lacking = placeInLog(part, [state(1, 20n, gap)]);
  const twin = (...states: PartitionState[]) => placeInLog({ ...part, zone: 'b' }, states);
  expect(canFill(twin(state(1, 9n), state(3, 1n)), lacking)).toBe(true);
  expect(canFill(twin(state(1, 8n)), lacking)).toBe(false);
  expect(canFill(twin(), lacking)).toBe(false);
  expect(canFill(twin(state(1, 30n), state(3, 30n, gap)), lacking)).toBe(false);
});
