// Every kind of call to the disk fails once, in turn, while a partition is opened, written to, flushed, merged and closed: whatever
// that breaks off, no descriptor stays open, and no folder or file that nobody lists stays on disk.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { isStoreError } from '../../src/base/errors.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { inlineMergeRunner } from '../../src/partition/merge-runner.ts';
import { Partition } from '../../src/partition/partition.ts';
import { blockOf, DAY } from '../part/made-blocks.ts';
import { FailOnceDisk } from '../support/fail-once-disk.ts';
import { memoryLog, TemporaryFolder } from '../storage/open-store.ts';

/** What failed, or undefined. Errors of the disk, and what is taken for damage because of them, are the test's own. */
async function attempt<T>(work: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (!isStoreError(error)) throw error;
    return undefined;
  }
}

async function store(partition: Partition, first: number): Promise<void> {
  const append = partition.append([blockOf({ first, count: 4 })]);
  try {
    await append.synced;
    append.publish();
  } catch (error) {
    append.cancel();
    throw error;
  }
}

async function live(folder: string, failing: FailOnceDisk): Promise<void> {
  const { disk } = failing;
  const quarantinePath = join(folder, 'quarantine');
  const path = join(folder, '20261120');
  mkdirSync(quarantinePath);
  const place = { path, day: DAY, disk, quarantinePath, logger: memoryLog(), mergeRunner: inlineMergeRunner(disk) };
  for (let round = 0; round < 2; round++) {
    const opened = await attempt(() => Partition.open(place));
    if (opened === undefined) {
      expect([failing.calls.at(-1), [...failing.open]]).toEqual([failing.calls.at(-1), []]);
      continue;
    }
    const steps = [
      () => store(opened, 8 * round),
      () => opened.flush(),
      () => store(opened, 8 * round + 4),
      () => opened.flush(),
      () => opened.mergeAll(),
      () => store(opened, 8 * round),
    ];
    for (const step of steps) {
      await attempt(step);
      // The log that is written to with its marks, and none else.
      await vi.waitFor(() => {
        expect([...failing.open].filter((file) => !file.path.includes('/log/'))).toEqual([]);
        expect(new Set([...failing.open].map((file) => file.path.replace('.acked', ''))).size).toBeLessThanOrEqual(1);
      });
      const isGarbageAllowed = failing.hasFailed && failing.calls.some((call) => call.startsWith('remove'));
      const listed = opened.parts.map(({ entry }) => entry.id).sort();
      const lying = nodeDisk.list(join(path, 'parts'));
      if (isGarbageAllowed) expect(lying).toEqual(expect.arrayContaining(listed));
      else expect(lying).toEqual(listed);
    }
    await attempt(() => opened.close());
    await vi.waitFor(() => expect([...failing.open]).toEqual([]));
  }
}

test('whatever call fails, nothing stays open and nothing stays behind', async () => {
  using whole = new TemporaryFolder();
  const none = new FailOnceDisk();
  await live(whole.path, none);
  expect(none.calls.length).toBeGreaterThan(100);
  // The first and the last of each kind of call: on the same thing, in whatever part or log.
  const kinds = none.calls.map((call) => call.replace(whole.path, '').replace(/[0-9a-f]{16,}/g, '*'));
  const calls = kinds.flatMap((kind, i) => (kinds.indexOf(kind) === i || kinds.lastIndexOf(kind) === i ? [i + 1] : []));
  for (const call of calls) {
    using folder = new TemporaryFolder();
    const failing = new FailOnceDisk(call);
    try {
      await live(folder.path, failing);
    } catch (error) {
      throw new Error(`call ${call}, ${failing.calls[call - 1]} fails`, { cause: error });
    }
  }
}, 120_000);
