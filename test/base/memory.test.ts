import { describe, expect, test } from 'vitest';
import { limits } from '../../src/base/limits.ts';
import { allowedMemory, shareMemory } from '../../src/base/memory.ts';

const GIB = 2 ** 30;
const MIB = 2 ** 20;
/** What systems without a limit say. */
const UNLIMITED = 2 ** 64;

test.each([
  ['the machine, when nothing bounds the process', { percent: 60, bytes: 0 }, 0, 6],
  ['the same, as other systems say it', { percent: 60, bytes: 0 }, UNLIMITED, 6],
  ['the container', { percent: 50, bytes: 0 }, 2 * GIB, 1],
  ['what is given in bytes', { percent: 60, bytes: 3 * GIB }, 2 * GIB, 3],
])('memory is a share of %s', (_, given, constrainedBytes, gib) => {
  expect(allowedMemory(given, { totalBytes: 10 * GIB, constrainedBytes }) / GIB).toBeCloseTo(gib, 6);
});

describe('the shares', () => {
  const users = { requestBytesMax: 64 * MIB, queryWorkers: 1, mergeWorkers: 1 };
  /** MiB, rounded down, of a process that may use so many MiB. */
  const sharesOf = (allowed: number): number[] =>
    Object.values(shareMemory(allowed * MIB, users)).map((bytes) => Math.floor(bytes / MIB));

  test.each([
    // allowed; intake, one request, one in JSON, all answers, one answer, cache, merge
    [16, [10, 7, 2, 10, 5, 4, 4]],
    [307, [16, 12, 4, 16, 8, 6, 6]],
    [614, [67, 50, 16, 67, 33, 25, 25]],
    [1228, [170, 64, 42, 170, 85, 32, 63]],
    [2457, [256, 64, 64, 374, 187, 32, 140]],
    [14_745, [256, 64, 64, 512, 256, 32, 256]],
  ])('of %s MiB', (allowed, expected) => {
    expect(sharesOf(allowed)).toEqual(expected);
  });

  test('grow with the memory, leave a request alone room, and stay within what is allowed', () => {
    let before = sharesOf(0);
    for (let allowed = 300; allowed < 20_000; allowed += 100) {
      const now = sharesOf(allowed);
      for (let i = 0; i < now.length; i++) expect(now[i]).toBeGreaterThanOrEqual(before[i]!);
      before = now;
      const shares = shareMemory(allowed * MIB, users);
      expect(shares.requestBytesMax + limits.requestOverheadBytes).toBeLessThanOrEqual((shares.intakeBytesMax * 3) / 4);
      const caches = 2 * shares.queryCacheBytes + 2 * shares.mergeBytes;
      expect(shares.intakeBytesMax + shares.answersBytesMax + caches).toBeLessThan(allowed * MIB);
    }
  });

  test('of threads are divided by their number', () => {
    const one = shareMemory(GIB / 2, users);
    const four = shareMemory(GIB / 2, { ...users, queryWorkers: 4, mergeWorkers: 3 });
    expect(four.queryCacheBytes).toBeLessThan(one.queryCacheBytes / 3);
    expect(four.mergeBytes).toBeLessThan(one.mergeBytes / 1.9);
  });
});
