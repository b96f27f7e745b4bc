import { describe, expect, test } from 'vitest';
import { BugError } from '../../src/base/assert.ts';
import { StoreError } from '../../src/base/errors.ts';
import { Lane } from '../../src/storage/lane.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { memoryLog } from './open-store.ts';

const makeLane = (lines: string[] = []) => {
  const clock = new FakeClock();
  return { clock, lane: new Lane({ what: 'flush', partition: '20261120', clock, logger: memoryLog(lines) }) };
};
const failing = async (): Promise<void> => {
  throw new StoreError('DISK', 'no space');
};

describe('a lane', () => {
  test('pauses after a failure, twice as long each time up to a minute, and not at all after a success', async () => {
    const lines: string[] = [];
    const { clock, lane } = makeLane(lines);
    for (const seconds of [1, 2, 4, 8, 16, 32, 60, 60]) {
      await lane.run(failing);
      expect(lane.lastError?.message).toBe('no space');
      clock.advance(seconds * 1_000 - 1);
      expect(lane.isReady).toBe(false);
      // The pause is of time that passes: a clock that is set does not end it.
      clock.jump(3_600_000);
      expect(lane.isReady).toBe(false);
      clock.advance(1);
      expect(lane.isReady).toBe(true);
    }
    expect(lines.filter((line) => line.includes('partition=20261120')).length).toBeGreaterThan(0);
    await lane.run(async () => undefined);
    expect([lane.isReady, lane.lastError]).toEqual([true, undefined]);
    await lane.run(failing);
    clock.advance(1_000);
    expect(lane.isReady).toBe(true);
  });

  test('has one piece of work under way, and hands on a bug', async () => {
    const { lane } = makeLane();
    const gate = Promise.withResolvers<void>();
    const first = lane.run(() => gate.promise);
    expect(lane.isReady).toBe(false);
    expect(() => lane.run(failing)).toThrow(BugError);
    gate.resolve();
    await first;
    await expect(
      lane.run(async () => {
        throw new BugError('broken');
      }),
    ).rejects.toThrow('broken');
    expect(lane.isReady).toBe(true);
  });
});
