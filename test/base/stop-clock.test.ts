import { expect, test } from 'vitest';
import { StopClock } from '../../src/base/stop-clock.ts';

test('nothing runs out before the stop begins, and never less than nothing is left', () => {
  const stop = new StopClock(60_000);
  expect(stop.leftMs()).toBe(Infinity);
  stop.start();
  expect(stop.leftMs()).toBeGreaterThan(0);
  const over = new StopClock(-1);
  over.start();
  expect(over.leftMs()).toBe(0);
});
