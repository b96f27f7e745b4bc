import { expect, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { FakeClock } from '../support/fake-clock.ts';

test('the system clock tells the same instant in both units', () => {
  const before = Date.now();
  const ms = systemClock.nowMs();
  const ns = systemClock.nowNs();
  const after = Date.now();
  expect(ms).toBeGreaterThanOrEqual(before);
  expect(ms).toBeLessThanOrEqual(after);
  expect(ns).toBeGreaterThanOrEqual(BigInt(before) * 1_000_000n);
  expect(ns).toBeLessThanOrEqual(BigInt(after) * 1_000_000n);
});

test('the fake clock moves only when told', () => {
  const clock = new FakeClock(1_000);
  expect([clock.nowMs(), clock.nowNs()]).toEqual([1_000, 1_000_000_000n]);
  clock.advance(250);
  expect([clock.nowMs(), clock.nowNs()]).toEqual([1_250, 1_250_000_000n]);
  clock.set(7);
  expect(clock.nowMs()).toBe(7);
});
