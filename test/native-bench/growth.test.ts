// What the soak calls growth: a leak is found below noise and spikes, and neither noise nor spikes are called one.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { growthOf, median, type Sample } from '../../native-bench/harness/growth.ts';
import { readOpenFiles } from '../../native-bench/harness/process-usage.ts';
import { closeSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { TemporaryFolder } from '../storage/open-store.ts';

const limit = { shareMax: 0.15, sizeMin: 40 };
const samplesOf = (value: (second: number) => number, seconds = 600): Sample[] =>
  Array.from({ length: seconds }, (_, second) => ({ second, value: value(second) }));

test('a leak below noise and spikes is found, with its slope', () => {
  const leak = samplesOf((second) => 350 + second / 2 + (second % 7) * 5 + (second % 50 === 0 ? 300 : 0));
  const { isGrowing, perMinute, overRun } = growthOf(leak, limit);
  expect(isGrowing).toBe(true);
  expect(perMinute).toBeCloseTo(30, 0);
  expect(overRun).toBeCloseTo(300, -1);
});

test('noise round a level is no growth, nor is what falls, is too small to matter, or was not measured', () => {
  const noise = fc.array(fc.double({ min: 0, max: 60, noNaN: true }), { minLength: 100, maxLength: 100 });
  fc.assert(
    fc.property(noise, (values) => {
      // The same up and down: whatever the noise, its mirror takes the slope away.
      const level = [...values, ...values.toReversed()].map((value, second) => ({ second, value: 400 + value }));
      expect(growthOf(level, limit).isGrowing).toBe(false);
    }),
  );
  expect(
    growthOf(
      samplesOf((second) => 900 - second),
      limit,
    ).isGrowing,
  ).toBe(false);
  expect(
    growthOf(
      samplesOf((second) => 10 + second / 20),
      limit,
    ).isGrowing,
  ).toBe(false);
  expect(growthOf([], limit).isGrowing).toBe(false);
});

test('a growth that is large but a small share of the whole is none', () => {
  expect(
    growthOf(
      samplesOf((second) => 10_000 + second),
      limit,
    ).isGrowing,
  ).toBe(false);
});

test('the median of an even number lies between the middle two', () => {
  expect([median([3, 1, 2]), median([4, 1, 3, 2]), median([])]).toEqual([2, 2.5, NaN]);
});

test.runIf(process.platform === 'linux')('a file that is deleted and held open is counted', () => {
  using folder = new TemporaryFolder();
  const path = join(folder.path, 'file');
  writeFileSync(path, 'x');
  const before = readOpenFiles(process.pid)!;
  const fd = openSync(path, 'r');
  rmSync(path);
  const held = readOpenFiles(process.pid)!;
  closeSync(fd);
  expect([held.open - before.open, held.deleted - before.deleted]).toEqual([1, 1]);
  expect(readOpenFiles(2 ** 30)).toBeUndefined();
});
