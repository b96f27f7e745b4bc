// What a thread tells of itself through shared memory: pauses by kind, and delays of the current window and the one before.
import { expect, test } from 'vitest';
import { addPause, DelayWindow, newMeter, PAUSE_BOUNDS, readMeter, startMeter } from '../../src/base/thread-meter.ts';

test('pauses are counted by kind and length; kinds that V8 adds later are not lost', () => {
  const meter = newMeter();
  for (const [kind, seconds] of [
    [1, 0.0005],
    [2, 0.001],
    [4, 0.3],
    [4, 7],
    [8, 0.02],
    [16, 0.002],
    [512, 0.002],
  ] as const) {
    addPause(meter, kind, seconds);
  }
  const { pauses } = readMeter(meter);
  const bucket = (bound: number): number => PAUSE_BOUNDS.indexOf(bound);
  expect(pauses.minor.counts[bucket(0.001)]).toBe(2);
  expect(pauses.major.counts[bucket(0.5)]).toBe(1);
  expect(pauses.major.counts[PAUSE_BOUNDS.length]).toBe(1);
  expect(pauses.major.sumSeconds).toBeCloseTo(7.3);
  expect(pauses.incremental.counts[bucket(0.025)]).toBe(1);
  expect(pauses.other.counts[bucket(0.005)]).toBe(2);
});

/** The time of process.hrtime, from the beginning of a tick on. */
function fakeClock() {
  return {
    nowNs: 1_000_000_000_000n,
    pass(seconds: number): bigint {
      return (this.nowNs += BigInt(seconds) * 1_000_000_000n);
    },
  };
}

/** A histogram of Node whose only interval is `intervalMs`. */
function delaysOf(intervalMs: number) {
  const resets: number[] = [];
  return {
    count: 1,
    max: intervalMs * 1e6,
    percentile: () => intervalMs * 1e6,
    reset: () => void resets.push(1),
    resets,
  };
}

test('a peak is shown for one to two windows, whenever the scrape comes', () => {
  const meter = newMeter();
  const window = new DelayWindow(meter);
  const clock = fakeClock();
  const [peak, calm] = [delaysOf(520), delaysOf(20)];
  window.publish(peak, clock.nowNs);
  expect(readMeter(meter, { nowNs: clock.nowNs }).delayMaxSeconds).toBeCloseTo(0.5);
  for (let i = 1; i < 6; i++) window.publish(peak, clock.pass(5));
  expect(peak.resets).toHaveLength(1);
  for (let i = 0; i < 6; i++) {
    window.publish(calm, clock.pass(5));
    expect(readMeter(meter, { nowNs: clock.nowNs }).delayP99Seconds).toBeCloseTo(0.5);
  }
  for (let i = 0; i < 4; i++) window.publish(calm, clock.pass(5));
  expect(readMeter(meter, { nowNs: clock.nowNs })).toMatchObject({ delayP99Seconds: 0, delayMaxSeconds: 0 });
});

test('of threads with one meter the latest shows, in whatever order they publish, and one that has ended is forgotten', () => {
  const meter = newMeter();
  const [busy, idle] = [new DelayWindow(meter), new DelayWindow(meter)];
  const clock = fakeClock();
  expect(readMeter(meter, { nowNs: clock.nowNs }).delayMaxSeconds).toBeUndefined();
  for (let i = 0; i < 4; i++) {
    for (const [window, delay] of i % 2 === 0
      ? ([
          [busy, 320],
          [idle, 20],
        ] as const)
      : ([
          [idle, 20],
          [busy, 320],
        ] as const))
      window.publish(delaysOf(delay), clock.nowNs);
    expect(readMeter(meter, { nowNs: clock.pass(5) }).delayMaxSeconds).toBeCloseTo(0.3);
  }
  for (let i = 0; i < 5; i++) idle.publish(delaysOf(20), clock.pass(5));
  expect(readMeter(meter, { nowNs: clock.nowNs }).delayMaxSeconds).toBe(0);
  // The other one ends, too.
  expect(readMeter(meter, { nowNs: clock.pass(50) }).delayMaxSeconds).toBe(0);
  expect(readMeter(meter, { nowNs: clock.pass(40) }).delayMaxSeconds).toBeUndefined();
});

test('a real collection of this thread is counted', async () => {
  const meter = newMeter();
  startMeter(meter);
  const kept: string[][] = [];
  await expect
    .poll(() => {
      // Young objects until a collection has happened.
      for (let i = 0; i < 50; i++) kept[i] = Array.from({ length: 20_000 }, (_, n) => `text ${n}`);
      return readMeter(meter).pauses.minor.counts.reduce((sum, count) => sum + count, 0);
    })
    .toBeGreaterThan(0);
});
