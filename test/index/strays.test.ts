import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { openEnvironment } from '../../src/index/environment.ts';
import { hoursOf, hoursOfWindow, readStrayHours, writeStrayHours } from '../../src/index/strays.ts';
import { DAY_NS } from '../../src/trace/day-clock.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tracelith-strays-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const HOUR_NS = 3_600_000_000_000n;
const DAY = 20_000;
const MIDNIGHT_NS = BigInt(DAY) * BigInt(DAY_NS);

test.each([
  { name: 'one hour', from: 0n, to: HOUR_NS - 1n, hours: [0] },
  { name: 'into the next hour', from: 0n, to: HOUR_NS, hours: [0, 1] },
  { name: 'the last instant of the day', from: 24n * HOUR_NS - 1n, to: 24n * HOUR_NS - 1n, hours: [23] },
  { name: 'over midnight', from: -HOUR_NS, to: 1n, hours: [0] },
  { name: 'days around it', from: -100n * HOUR_NS, to: 100n * HOUR_NS, hours: Array.from({ length: 24 }, (_, i) => i) },
  { name: 'the day before', from: -2n, to: -1n, hours: [] },
  { name: 'the day after', from: 24n * HOUR_NS, to: 25n * HOUR_NS, hours: [] },
])('the hours of a day that a window touches: $name', ({ from, to, hours }) => {
  const window = { startMinNs: MIDNIGHT_NS + from, startMaxNs: MIDNIGHT_NS + to };
  expect(hoursOf(hoursOfWindow(window, DAY))).toEqual(hours);
});

test('stray hours are there after the index was closed; none were noted at first', () => {
  const path = join(folder, 'index');
  const all = 2 ** 24 - 1;
  for (const [before, after] of [
    [0, 1],
    [1, all],
    [all, all],
  ] as const) {
    using env = openEnvironment({ path, disk: nodeDisk });
    expect(readStrayHours(env)).toBe(before);
    writeStrayHours(env, after);
  }
});
