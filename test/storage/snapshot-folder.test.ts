// Snapshots on disk, detach and attach, from outside: what is in a snapshot, what a detached day does to requests and
// queries, and which names are refused.
import {
  cpSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { isStoreError, StoreError } from '../../src/base/errors.ts';
import type { Disk } from '../../src/disk/disk.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { walkFiles } from '../../src/disk/walk-files.ts';
import { compareWithManifest, parseManifest } from '../../src/partition/manifest.ts';
import { inlineMergeRunner } from '../../src/partition/merge-runner.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { DEFAULT_TENANT } from '../../src/trace/tenant.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { FaultyDisk } from '../support/faulty-disk.ts';
import { DAY_MS, memoryLog, openStore, TemporaryFolder } from './open-store.ts';
import { DAY_NS, NOON_NS, requestOf, spansIn, storedSpans } from './stored-spans.ts';

const stored = (storage: Storage): string[] => storedSpans(storage, nodeDisk, DEFAULT_TENANT);
const write = (storage: Storage, first: number, count = 4, startNs = NOON_NS): Promise<unknown> =>
  storage.write(DEFAULT_TENANT, requestOf({ first, count, startNs: (n) => startNs + BigInt(n) * 1_000_000n }));
const failure = async (action: () => unknown): Promise<string> => {
  try {
    await action();
    return 'no error';
  } catch (error) {
    return isStoreError(error) ? error.code : String(error);
  }
};
const manifestOf = (path: string): ReturnType<typeof parseManifest> =>
  parseManifest(readFileSync(join(path, 'manifest')), path);

/** A new store whose only day is a copy of `snapshot`. */
async function restored(snapshot: string): Promise<string[]> {
  using folder = new TemporaryFolder();
  const day = manifestOf(snapshot).day;
  const name = new Date(day * DAY_MS).toISOString().slice(0, 10).replaceAll('-', '');
  cpSync(snapshot, join(folder.path, 'partitions', name), { recursive: true });
  const storage = openStore(folder.path);
  const spans = stored(storage);
  expect(storage.report.damaged).toEqual([]);
  await storage.close();
  return spans;
}

describe('a snapshot', () => {
  test('of several days that fails at one is no snapshot of the others, also where they cannot be removed at once', async () => {
    using folder = new TemporaryFolder();
    let isFailing = true;
    const refuse = (): never => {
      throw new StoreError('DISK', 'refused');
    };
    const disk: Disk = {
      ...nodeDisk,
      link: (from, to) => (isFailing && from.includes('/20261121/') ? refuse() : nodeDisk.link(from, to)),
      remove: (path) => (isFailing && path.includes('/snapshots/') ? refuse() : nodeDisk.remove(path)),
    };
    let storage = openStore(folder.path, { disk });
    await write(storage, 0);
    await write(storage, 4, 4, NOON_NS + DAY_NS);
    expect(await failure(() => storage.createSnapshots(''))).toBe('DISK');
    isFailing = false;
    await storage.close();
    storage = openStore(folder.path);
    expect(storage.listSnapshots()).toEqual([]);
    await storage.close();
  });

  test('holds what was acknowledged before, in parts and in the log, and nothing that came later', async () => {
    using folder = new TemporaryFolder();
    const storage = openStore(folder.path);
    await write(storage, 0);
    await storage.forceFlush();
    await write(storage, 4);
    const before = stored(storage);
    const [path = '', ...more] = await storage.createSnapshots('');
    expect([more, storage.listSnapshots()]).toEqual([[], [path]]);
    await write(storage, 8);
    await storage.forceMerge('');
    expect(manifestOf(path)).toMatchObject({ rows: 8, takenMs: new FakeClock().nowMs() });
    expect(compareWithManifest(manifestOf(path), walkFiles(path))).toEqual([]);
    expect(await restored(path)).toEqual(before);
    expect(stored(storage)).toHaveLength(12);
    await storage.close();
  });

  test('is of one moment, taken while requests, flushes and merges go on', async () => {
    using folder = new TemporaryFolder();
    const storage = openStore(folder.path);
    await write(storage, 0);
    let acknowledged = 4;
    let isOver = false;
    const load = (async (): Promise<void> => {
      for (let first = 4; !isOver; first += 4) {
        await write(storage, first);
        acknowledged = first + 4;
        if (first % 32 === 0) void storage.forceFlush();
        if (first % 128 === 0) void storage.forceMerge('');
      }
    })();
    for (let i = 0; i < 12; i++) {
      const least = acknowledged;
      const [path = ''] = await storage.createSnapshots('2026');
      const most = acknowledged + 4;
      const spans = new Set(await restored(path));
      expect(spans.size).toBeGreaterThanOrEqual(least);
      expect(spans.size).toBeLessThanOrEqual(most);
      await storage.deleteSnapshot(path);
    }
    isOver = true;
    await load;
    expect(storage.listSnapshots()).toEqual([]);
    await storage.close();
  });

  test('shares the bytes of parts and of the log with the partition, and only those', async () => {
    using folder = new TemporaryFolder();
    const storage = openStore(folder.path);
    await write(storage, 0);
    await storage.forceFlush();
    await write(storage, 4);
    const [path = ''] = await storage.createSnapshots('20261120');
    const inode = (file: string): number => statSync(file).ino;
    for (const { name } of walkFiles(path)) {
      const original = join(folder.path, 'partitions/20261120', name);
      if (name === 'manifest') expect(existsSync(original)).toBe(false);
      else expect(inode(join(path, name)) === inode(original), name).toBe(name !== 'index/data.mdb');
    }
    await storage.close();
  });

  test('outlives the drop of its day, and goes when it is too old', async () => {
    using folder = new TemporaryFolder();
    const clock = new FakeClock();
    const lines: string[] = [];
    const options = { clock, snapshotsMaxAgeMs: 3 * DAY_MS, retentionMs: 2 * DAY_MS, logger: memoryLog(lines) };
    const storage = openStore(folder.path, options);
    await write(storage, 0);
    const spans = stored(storage);
    const [path = ''] = await storage.createSnapshots('');
    clock.advance(3 * DAY_MS);
    await storage.runMaintenance();
    expect(storage.listPartitions()).toEqual([]);
    expect(await restored(path)).toEqual(spans);
    clock.advance(120_000);
    await storage.runMaintenance();
    expect([storage.listSnapshots(), existsSync(path)]).toEqual([[], false]);
    expect(lines.join('')).toContain('-snapshotsMaxAge');
    await storage.close();
  });

  test('that the disk refuses leaves none, and one cut by a crash anywhere is whole or gone after the next start', async () => {
    for (let k = 1; ; k++) {
      using folder = new TemporaryFolder();
      const disk = new FaultyDisk(folder.path);
      const storage = openStore(folder.path, { disk });
      await write(storage, 0);
      await storage.forceFlush();
      await write(storage, 4);
      const { callCount } = disk;
      disk.failAt(callCount + k, 'ENOSPC');
      const refused = await failure(() => storage.createSnapshots(''));
      if (refused === 'no error') {
        expect(k).toBeGreaterThan(15);
        await storage.close();
        await disk.close();
        break;
      }
      expect([k, refused, disk.calls[callCount + k - 1]]).toEqual([k, 'DISK', expect.any(String)]);
      const left = storage.listSnapshots();
      // The name may be there when only its sync failed.
      for (const path of left) expect(compareWithManifest(manifestOf(path), walkFiles(path))).toEqual([]);

      disk.crashAfter(disk.callCount + k, { before: k % 2 === 0 });
      const crashed = await failure(() => storage.createSnapshots(''));
      // The second one makes no folder, so it is done some calls earlier.
      expect([k, crashed]).toEqual([k, k > 15 && crashed === 'no error' ? crashed : expect.stringContaining('crash')]);
      storage.abandon();
      await disk.powerLoss({ keepUnsynced: k % 3 === 0 ? 0 : 1, seed: k });
      const again = openStore(folder.path);
      expect(stored(again)).toHaveLength(8);
      for (const path of again.listSnapshots()) expect(await restored(path)).toEqual(stored(again));
      const names = existsSync(join(folder.path, 'snapshots')) ? readdirSync(join(folder.path, 'snapshots')) : [];
      expect(names).toHaveLength(again.listSnapshots().length);
      await again.close();
    }
  });

  test('half made by a crash is gone after the next start; other names are left alone', async () => {
    using folder = new TemporaryFolder();
    const unfinished = join(folder.path, 'snapshots/20261120-20261120120000-0011223344556677.tmp');
    mkdirSync(join(unfinished, 'parts'), { recursive: true });
    writeFileSync(join(folder.path, 'snapshots/notes.tmp'), 'mine');
    const storage = openStore(folder.path);
    expect(readdirSync(join(folder.path, 'snapshots'))).toEqual(['notes.tmp']);
    expect(storage.listSnapshots()).toEqual([]);
    await storage.close();
  });

  test('is deleted by its listed path or its name; every other path is refused and nothing is touched', async () => {
    using folder = new TemporaryFolder();
    const storage = openStore(folder.path);
    await write(storage, 0);
    const [first = ''] = await storage.createSnapshots('');
    const [second = ''] = await storage.createSnapshots('');
    const name = second.slice(second.lastIndexOf('/') + 1);
    const bad = [
      '',
      '.',
      '..',
      '/',
      '../partitions/20261120',
      `${first}/`,
      `${first}/../../partitions`,
      `${folder.path}/partitions/20261120`,
      `${folder.path}/snapshots`,
      `x/${name}`,
      `${name}/parts`,
      `${name}\0`,
      `${name}\n`,
      name.toUpperCase().replace('-', '_'),
    ];
    for (const path of bad)
      expect([path, await failure(() => storage.deleteSnapshot(path))]).toEqual([path, 'INVALID_REQUEST']);
    const link = join(folder.path, 'snapshots', `20261120-20261120120000-${'0'.repeat(16)}`);
    symlinkSync(join(folder.path, 'partitions'), link);
    expect(await failure(() => storage.deleteSnapshot(link))).toBe('INVALID_REQUEST');
    rmSync(link);
    expect(storage.listSnapshots().sort()).toEqual([first, second].sort());
    await storage.deleteSnapshot(first);
    await storage.deleteSnapshot(name);
    expect([storage.listSnapshots(), await failure(() => storage.deleteSnapshot(first))]).toEqual([[], 'NOT_FOUND']);
    expect(stored(storage)).toHaveLength(4);
    await storage.close();
  });
});

describe('a detached day', () => {
  test('is neither written nor read until it is attached; the other days are', async () => {
    using folder = new TemporaryFolder();
    const storage = openStore(folder.path);
    await write(storage, 0);
    await write(storage, 100, 4, NOON_NS - DAY_NS);
    const all = stored(storage);
    await storage.detachPartition('20261120');
    expect(storage.listPartitions()).toEqual(['20261119']);
    expect(stored(storage)).toHaveLength(4);
    expect(storage.listServices(DEFAULT_TENANT).items).toEqual(['shop']);
    expect(await failure(() => write(storage, 4))).toBe('UNAVAILABLE');
    // A request with one span of that day fails whole: its sender has one answer for all of it.
    const mixed = requestOf({ first: 200, count: 2, startNs: (n) => (n === 200 ? NOON_NS - DAY_NS : NOON_NS) });
    expect(await failure(() => storage.write(DEFAULT_TENANT, mixed))).toBe('UNAVAILABLE');
    await write(storage, 300, 1, NOON_NS - DAY_NS);
    expect(stored(storage)).toHaveLength(5);
    await storage.attachPartition('20261120');
    expect(storage.listPartitions()).toEqual(['20261119', '20261120']);
    expect(stored(storage)).toHaveLength(all.length + 1);
    await write(storage, 4);
    expect(stored(storage)).toHaveLength(all.length + 5);
    await storage.close();
  });

  test('waits for queries, and takes no acknowledged span with it when requests are under way', async () => {
    using folder = new TemporaryFolder();
    const storage = openStore(folder.path);
    await write(storage, 0);
    const view = storage.takeView(DEFAULT_TENANT, {});
    const results = Array.from({ length: 20 }, (_, i) => failure(() => write(storage, 10 * i + 10)));
    let isDetached = false;
    const detached = storage.detachPartition('20261120').then(() => (isDetached = true));
    const later = await failure(() => write(storage, 1000));
    const answers = await Promise.all(results);
    const acknowledged = answers.filter((answer) => answer === 'no error').length;
    // On a busy machine the turn of the last ones may not have come.
    expect(acknowledged).toBeGreaterThan(0);
    expect([later, new Set([...answers, 'UNAVAILABLE'])]).toEqual([
      'UNAVAILABLE',
      new Set(['no error', 'UNAVAILABLE']),
    ]);
    expect(spansIn(nodeDisk, view)).toHaveLength(4);
    expect([isDetached, await failure(() => storage.attachPartition('20261120'))]).toEqual([false, 'UNAVAILABLE']);
    storage.releaseView(view.id);
    await detached;
    await storage.attachPartition('20261120');
    expect(stored(storage)).toHaveLength(4 + 4 * acknowledged);
    await storage.close();
  });

  test('is only what is attached; names that are no day are refused', async () => {
    using folder = new TemporaryFolder();
    const storage = openStore(folder.path);
    await write(storage, 0);
    for (const name of ['', '2026112', '20261131', '../20261120', '20261120/', '*', '20261120\0']) {
      expect(await failure(() => storage.detachPartition(name))).toBe('INVALID_REQUEST');
      expect(await failure(() => storage.attachPartition(name))).toBe('INVALID_REQUEST');
    }
    expect(await failure(() => storage.detachPartition('20261118'))).toBe('NOT_FOUND');
    expect(await failure(() => storage.attachPartition('20261118'))).toBe('NOT_FOUND');
    expect(await failure(() => storage.attachPartition('20261120'))).toBe('INVALID_REQUEST');
    await storage.detachPartition('20261120');
    expect(await failure(() => storage.detachPartition('20261120'))).toBe('INVALID_REQUEST');
    await storage.close();
  });

  test('may be moved away for good: an empty folder in its place takes new spans', async () => {
    using folder = new TemporaryFolder();
    const storage = openStore(folder.path);
    await write(storage, 0);
    await storage.detachPartition('20261120');
    const path = join(folder.path, 'partitions', '20261120');
    renameSync(path, join(folder.path, 'elsewhere'));
    await expect(storage.attachPartition('20261120')).rejects.toThrow('an empty folder');
    expect(await failure(() => storage.attachPartition('20261120'))).toBe('NOT_FOUND');
    mkdirSync(path);
    await storage.attachPartition('20261120');
    expect(stored(storage)).toEqual([]);
    await write(storage, 1);
    expect(stored(storage).length).toBeGreaterThan(0);
    await storage.close();
  });

  test('may be replaced by a snapshot of it, which is whole or refused', async () => {
    using folder = new TemporaryFolder();
    const path = join(folder.path, 'partitions/20261120');
    const storage = openStore(folder.path, { mergeRunner: inlineMergeRunner(nodeDisk) });
    await write(storage, 0);
    await storage.forceFlush();
    const before = stored(storage);
    const [snapshot = ''] = await storage.createSnapshots('');
    await write(storage, 4);
    await storage.detachPartition('20261120');
    rmSync(path, { recursive: true });
    cpSync(snapshot, path, { recursive: true });
    const part = join(path, 'parts', readdirSync(join(path, 'parts'))[0]!);
    const refused = async (): Promise<string> => failure(() => storage.attachPartition('20261120'));

    rmSync(join(part, 'traces'));
    expect(await refused()).toBe('INVALID_REQUEST');
    symlinkSync(join(snapshot, 'manifest'), join(part, 'traces'));
    expect(await refused()).toBe('INVALID_REQUEST');
    rmSync(join(part, 'traces'));
    linkSync(join(snapshot, 'parts', readdirSync(join(snapshot, 'parts'))[0]!, 'traces'), join(part, 'traces'));
    writeFileSync(join(path, 'manifest'), 'tracelith snapshot 1\n');
    expect(await refused()).toBe('CORRUPTION');
    cpSync(join(snapshot, 'manifest'), join(path, 'manifest'));
    expect([storage.listPartitions(), stored(storage)]).toEqual([[], []]);

    await storage.attachPartition('20261120');
    expect(existsSync(join(path, 'manifest'))).toBe(false);
    expect(stored(storage)).toEqual(before);
    await storage.close();
  });

  test('of another date, or older than the retention, is not attached', async () => {
    using folder = new TemporaryFolder();
    const storage = openStore(folder.path);
    await write(storage, 0);
    const [snapshot = ''] = await storage.createSnapshots('');
    cpSync(snapshot, join(folder.path, 'partitions/20261118'), { recursive: true });
    expect(await failure(() => storage.attachPartition('20261118'))).toBe('INVALID_REQUEST');
    mkdirSync(join(folder.path, 'partitions/20261001'));
    expect(await failure(() => storage.attachPartition('20261001'))).toBe('INVALID_REQUEST');
    symlinkSync(snapshot, join(folder.path, 'partitions/20261117'));
    expect(await failure(() => storage.attachPartition('20261117'))).toBe('INVALID_REQUEST');
    await storage.close();
  });
});
