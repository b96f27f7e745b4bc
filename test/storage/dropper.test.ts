// Retention on a real store: what is dropped is counted, told, gone from queries and from disk, and stays gone.
import { isFlush } from '../../src/part/merge-parts.ts';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { inlineMergeRunner, type MergeRunner } from '../../src/partition/merge-runner.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { DEFAULT_TENANT } from '../../src/trace/tenant.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { DAY_MS, memoryLog, openStore, TemporaryFolder } from './open-store.ts';
import { DAY_NS, NOON_NS, partitionPath, requestOf, spansIn, storedSpans } from './stored-spans.ts';

const COUNT = 400;
const daysIn = (path: string): string[] => nodeDisk.list(join(path, 'partitions'));
const rowsIn = (storage: Storage): number => storedSpans(storage, nodeDisk, DEFAULT_TENANT).length;

/** The number of a span of requestOf, from its line. */
const numberOf = (line: string): number => Number(/"intValue":"(\d+)n"/.exec(line)?.[1]);

/** One part of COUNT spans that start `daysAgo` days before FakeClock's start, with numbers from `first` on. */
async function writePart(storage: Storage, first: number, daysAgo: number): Promise<void> {
  const startNs = (n: number): bigint => NOON_NS - BigInt(daysAgo) * DAY_NS + BigInt(n) * 1_000_000n;
  await storage.write(DEFAULT_TENANT, requestOf({ first, count: COUNT, startNs, service: `service-${daysAgo}` }));
  await storage.forceFlush();
}

/** Bytes of one day with one part of writePart. */
async function measureDay(parts = 1): Promise<number> {
  using folder = new TemporaryFolder();
  const storage = openStore(folder.path);
  for (let i = 0; i < parts; i++) await writePart(storage, i * COUNT, 0);
  const { diskBytes } = await storage.stats();
  await storage.close();
  return diskBytes;
}

describe('the limit in bytes', () => {
  test('drops the oldest days, and they stay away after a restart', async () => {
    const dayBytes = await measureDay();
    using folder = new TemporaryFolder();
    const clock = new FakeClock();
    const lines: string[] = [];
    const options = { clock, logger: memoryLog(lines), diskBytesMax: Math.floor(2.5 * dayBytes) };
    const storage = openStore(folder.path, options);
    for (const daysAgo of [1, 4, 2, 3]) await writePart(storage, daysAgo * COUNT, daysAgo);
    clock.advance(9_999);
    await storage.runMaintenance();
    expect(daysIn(folder.path)).toHaveLength(4);
    clock.advance(1);
    await storage.runMaintenance();
    expect(daysIn(folder.path)).toEqual(['20261118', '20261119']);
    expect(rowsIn(storage)).toBe(2 * COUNT);
    expect(storage.listServices(DEFAULT_TENANT).items).toEqual(['service-1', 'service-2']);
    const { retentionDropped, diskBytes } = await storage.stats();
    expect(diskBytes).toBeLessThanOrEqual(options.diskBytesMax);
    expect(retentionDropped.bytes).toMatchObject({ partitions: 2, parts: 2, rows: 2 * COUNT });
    expect(retentionDropped.age.partitions + retentionDropped.percent.partitions).toBe(0);
    expect(lines.filter((line) => line.includes('partition dropped') && line.includes('reason=bytes'))).toHaveLength(2);
    await storage.close();
    const again = openStore(folder.path, options);
    expect(rowsIn(again)).toBe(2 * COUNT);
    await again.close();
  });

  test('holds when one day exceeds it: the oldest parts of that day go, while a query goes on reading them', async () => {
    const dayBytes = await measureDay(3);
    using folder = new TemporaryFolder();
    const clock = new FakeClock();
    const lines: string[] = [];
    const storage = openStore(folder.path, { clock, logger: memoryLog(lines), diskBytesMax: dayBytes });
    // Some clocks are ahead: the order in which spans came counts, not their time.
    const order = [8, 2, 6, 0, 4];
    for (const first of order) await writePart(storage, first * COUNT, 0);
    const view = storage.takeView(DEFAULT_TENANT, {});
    clock.advance(10_000);
    await storage.runMaintenance();
    const left = storedSpans(storage, nodeDisk, DEFAULT_TENANT);
    const { parts, diskBytes, retentionDropped } = await storage.stats();
    expect(diskBytes).toBeLessThanOrEqual(dayBytes);
    expect(left).toHaveLength(parts * COUNT);
    expect(retentionDropped.bytes).toMatchObject({ partitions: 0, parts: 5 - parts, rows: (5 - parts) * COUNT });
    expect(lines.some((line) => line.includes('oldest parts of a partition dropped'))).toBe(true);
    const all = spansIn(nodeDisk, view);
    expect(all).toHaveLength(5 * COUNT);
    expect(nodeDisk.list(join(partitionPath(folder.path), 'parts'))).toHaveLength(5);
    storage.releaseView(view.id);
    expect(nodeDisk.list(join(partitionPath(folder.path), 'parts'))).toHaveLength(parts);
    const last = order.slice(-parts);
    expect(left).toEqual(all.filter((line) => last.includes(Math.floor(numberOf(line) / COUNT))));
    storage.abandon();
    const again = openStore(folder.path, { clock });
    expect(storedSpans(again, nodeDisk, DEFAULT_TENANT)).toEqual(left);
    await again.close();
  });

  test('leaves a day whole in place that a query reads, but drops its parts, and takes new spans of it', async () => {
    const dayBytes = await measureDay();
    using folder = new TemporaryFolder();
    const clock = new FakeClock();
    const storage = openStore(folder.path, { clock, diskBytesMax: Math.floor(2.2 * dayBytes) });
    for (const daysAgo of [0, 1, 2]) await writePart(storage, daysAgo * COUNT, daysAgo);
    const view = storage.takeView(DEFAULT_TENANT, {});
    clock.advance(10_000);
    await storage.runMaintenance();
    expect(rowsIn(storage)).toBe(2 * COUNT);
    await writePart(storage, 9 * COUNT, 2);
    expect(rowsIn(storage)).toBe(3 * COUNT);
    expect(spansIn(nodeDisk, view)).toHaveLength(3 * COUNT);
    storage.releaseView(view.id);
    clock.advance(10_000);
    await storage.runMaintenance();
    expect(daysIn(folder.path)).toEqual(['20261119', '20261120']);
    await storage.close();
  });

  test('is not stopped by a merge of the parts it drops, and the merge does not bring them back', async () => {
    using folder = new TemporaryFolder();
    const clock = new FakeClock();
    const { runner, started, go } = gatedRunner();
    const storage = openStore(folder.path, { clock, mergeRunner: runner, diskBytesMax: 1 });
    for (let i = 0; i < 4; i++) await writePart(storage, i * COUNT, 0);
    const merged = storage.forceMerge('');
    await started;
    clock.advance(10_000);
    // It waits for the merge under way, to begin another one; the drop comes before.
    const ran = storage.runMaintenance();
    await expect.poll(() => rowsIn(storage)).toBe(0);
    go();
    await Promise.all([merged, ran]);
    expect(rowsIn(storage)).toBe(0);
    expect(await storage.stats()).toMatchObject({ parts: 0, retentionDropped: { bytes: { parts: 4 } } });
    await storage.close();
    const again = openStore(folder.path, { clock });
    expect(again.report).toMatchObject({ partRows: 0, damaged: [] });
    await again.close();
  });
});

/** Merges wait for go(); flushes do not. */
function gatedRunner(): { runner: MergeRunner; started: Promise<void>; go: () => void } {
  const inline = inlineMergeRunner(nodeDisk);
  const begun = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  const runner: MergeRunner = {
    run: async (job) => {
      if (!isFlush(job)) {
        begun.resolve();
        await gate.promise;
      }
      return await inline.run(job);
    },
    readLog: (job) => inline.readLog(job),
    close: () => inline.close(),
  };
  return { runner, started: begun.promise, go: () => gate.resolve() };
}

describe('the limit in percent', () => {
  test('counts what others have on the disk, and what a query still reads as gone; it never drops the newest two', async () => {
    const dayBytes = await measureDay();
    using folder = new TemporaryFolder();
    const clock = new FakeClock();
    let freeBytes = 100 * dayBytes;
    const disk = { ...nodeDisk, freeBytes: () => freeBytes, totalBytes: () => 100 * dayBytes };
    const storage = openStore(folder.path, { clock, disk, diskPercentMax: 90 });
    for (const daysAgo of [0, 1, 2, 3]) await writePart(storage, daysAgo * COUNT, daysAgo);
    const run = async (free: number): Promise<string[]> => {
      freeBytes = free * dayBytes;
      clock.advance(10_000);
      await storage.runMaintenance();
      return daysIn(folder.path);
    };
    expect(await run(10)).toHaveLength(4);
    expect(await run(9.5)).toEqual(['20261118', '20261119', '20261120']);
    const view = storage.takeView(DEFAULT_TENANT, {});
    expect(await run(9.5)).toHaveLength(3);
    expect(rowsIn(storage)).toBe(2 * COUNT);
    // The disk is as full as before, because the query still reads: that is no reason to drop more.
    await run(9.5);
    expect(rowsIn(storage)).toBe(2 * COUNT);
    storage.releaseView(view.id);
    expect(await run(0)).toEqual(['20261119', '20261120']);
    expect(rowsIn(storage)).toBe(2 * COUNT);
    expect(await storage.stats()).toMatchObject({
      diskBytesMax: 90 * dayBytes,
      freeDiskBytes: 0,
      totalDiskBytes: 100 * dayBytes,
      retentionDropped: { percent: { rows: 2 * COUNT } },
    });
    await storage.close();
  });
});

test.each(['bytes', 'percent'] as const)(
  'the limit in %s drops nothing that a snapshot keeps on disk, says so once, and goes on when the snapshot is gone',
  async (reason) => {
    const dayBytes = await measureDay();
    using folder = new TemporaryFolder();
    const clock = new FakeClock();
    const lines: string[] = [];
    let freeBytes = 0;
    const disk = { ...nodeDisk, freeBytes: () => freeBytes, totalBytes: () => 100 * dayBytes };
    const limit = reason === 'bytes' ? { diskBytesMax: Math.floor(2.5 * dayBytes) } : { diskPercentMax: 50, disk };
    const storage = openStore(folder.path, { clock, logger: memoryLog(lines), snapshotsMaxAgeMs: 0, ...limit });
    for (const daysAgo of [0, 1, 2, 3]) await writePart(storage, daysAgo * COUNT, daysAgo);
    const snapshots = await storage.createSnapshots('');
    for (let look = 0; look < 5; look++) {
      clock.advance(10_000);
      await storage.runMaintenance();
      expect(rowsIn(storage)).toBe(4 * COUNT);
    }
    expect((await storage.stats()).retentionExcessBytes).toBeGreaterThan(0);
    expect(lines.filter((line) => line.includes('the limit on the disk does not hold'))).toHaveLength(1);
    for (const path of snapshots) await storage.deleteSnapshot(path);
    for (let look = 0; look < 5; look++) {
      clock.advance(10_000);
      await storage.runMaintenance();
    }
    expect(daysIn(folder.path)).toEqual(['20261119', '20261120']);
    freeBytes = 60 * dayBytes;
    clock.advance(10_000);
    await storage.runMaintenance();
    expect((await storage.stats()).retentionExcessBytes).toBe(0);
    await storage.close();
  },
);

test('age drops days with what is in their log, and counts those dropped at the start', async () => {
  using folder = new TemporaryFolder();
  const clock = new FakeClock();
  const storage = openStore(folder.path, { clock });
  await writePart(storage, 0, 6);
  await storage.write(DEFAULT_TENANT, requestOf({ first: COUNT, count: 8, startNs: () => NOON_NS - 6n * DAY_NS }));
  await writePart(storage, 2 * COUNT, 5);
  await writePart(storage, 3 * COUNT, 0);
  clock.set(Date.UTC(2026, 10, 22) - 1);
  await storage.runMaintenance();
  expect(daysIn(folder.path)).toHaveLength(3);
  clock.advance(10_000);
  await storage.runMaintenance();
  expect(daysIn(folder.path)).toEqual(['20261115', '20261120']);
  expect((await storage.stats()).retentionDropped.age).toMatchObject({ partitions: 1, rows: COUNT + 8 });
  await storage.close();
  clock.advance(DAY_MS);
  const again = openStore(folder.path, { clock });
  expect((await again.stats()).retentionDropped.age).toMatchObject({ partitions: 1, rows: 0 });
  await again.close();
});
