// What is no damage, what a full disk keeps, and quarantine as a place that may be cleared: transient errors of the disk are
// waited out and said, damaged bytes stay until they have a copy.
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Disk } from '../../src/disk/disk.ts';
import { diskError, nodeDisk } from '../../src/disk/node-disk.ts';
import { inlineMergeRunner } from '../../src/partition/merge-runner.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { DEFAULT_TENANT, parseTenant } from '../../src/trace/tenant.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { openStore, TemporaryFolder } from '../storage/open-store.ts';
import { DAY_NS, NOON_NS, partitionPath, requestOf, storedRows } from '../storage/stored-spans.ts';

const rows = (storage: Storage): number => storedRows(storage, nodeDisk, DEFAULT_TENANT);
const lossesOf = (storage: Storage): readonly string[] => {
  const view = storage.takeView(DEFAULT_TENANT, {});
  storage.releaseView(view.id);
  return view.partitions.flatMap(({ losses = [] }) => losses);
};

/** A part of 8 spans and a log of 4. */
async function fill(path: string): Promise<void> {
  const storage = openStore(path);
  await storage.write(DEFAULT_TENANT, requestOf({ first: 0, count: 8 }));
  await storage.forceFlush();
  await storage.write(DEFAULT_TENANT, requestOf({ first: 8, count: 4 }));
  storage.abandon();
}

/** Fails calls on paths that match, the first `times`. */
function failing(
  call: 'openRead' | 'createFile',
  code: string,
  where: RegExp,
  times = Infinity,
): { disk: Disk; heal: () => void } {
  let left = times;
  const check = (path: string): void => {
    if (where.test(path) && left-- > 0) throw diskError(call, path, Object.assign(new Error(code), { code }));
  };
  const disk: Disk = {
    ...nodeDisk,
    [call]: (path: string) => {
      check(path);
      return nodeDisk[call](path);
    },
  };
  return { disk, heal: () => (left = 0) };
}

test.each(['metadata', '\\.log', 'data\\.mdb'])('one EIO while %s is read at the start is no damage', async (name) => {
  using folder = new TemporaryFolder();
  await fill(folder.path);
  const { disk } = failing('openRead', 'EIO', new RegExp(`${name}$`), 1);
  const storage = openStore(folder.path, { disk });
  expect([rows(storage), storage.report.damaged, lossesOf(storage)]).toEqual([12, [], []]);
  await storage.close();
});

test.each(['metadata', '\\.log', 'data\\.mdb'])(
  'no file descriptor for %s at the start is no damage: the day is tried again, and answers say so until then',
  async (name) => {
    using folder = new TemporaryFolder();
    await fill(folder.path);
    const { disk, heal } = failing('openRead', 'EMFILE', new RegExp(`${name}$`));
    const clock = new FakeClock();
    const storage = openStore(folder.path, { disk, clock });
    expect(rows(storage)).toBe(0);
    expect(lossesOf(storage)).toEqual([expect.stringMatching(/20261120 could not be opened.*EMFILE/)]);
    expect(storage.listServices(DEFAULT_TENANT).warnings).toHaveLength(1);
    heal();
    clock.advance(3_600_000);
    await storage.runMaintenance();
    expect([rows(storage), lossesOf(storage)]).toEqual([12, []]);
    expect(storage.listServices(DEFAULT_TENANT)).toEqual({ items: ['shop'], warnings: [] });
    await storage.close();
  },
);

test('a damaged log file whose bytes could not be copied is kept whole when the rest of it is flushed', async () => {
  using folder = new TemporaryFolder();
  const written = openStore(folder.path);
  for (const first of [0, 4, 8]) await written.write(DEFAULT_TENANT, requestOf({ first, count: 4 }));
  const block = written.takeView(DEFAULT_TENANT, {}).partitions[0]!.logBlocks[1]!;
  written.abandon();
  const bytes = readFileSync(block.path);
  bytes[block.offset + 200]! ^= 1;
  writeFileSync(block.path, bytes);
  const { disk, heal } = failing('createFile', 'ENOSPC', /quarantine/);
  const storage = openStore(folder.path, { disk, mergeRunner: inlineMergeRunner(disk) });
  expect([rows(storage), lossesOf(storage).length]).toEqual([8, 1]);
  heal();
  await storage.forceFlush();
  expect(rows(storage)).toBe(8);
  const kept = readdirSync(join(folder.path, 'quarantine')).filter((name) => /\.log-[0-9a-f]{16}$/.test(name));
  expect(kept.map((name) => readFileSync(join(folder.path, 'quarantine', name)))).toEqual([bytes]);
  await storage.close();
});

test('quarantine may be cleared, or removed, at any time', async () => {
  using folder = new TemporaryFolder();
  await fill(folder.path);
  const quarantine = join(folder.path, 'quarantine');
  const damageIndex = (): void => writeFileSync(join(partitionPath(folder.path), 'index/data.mdb'), 'noise');
  for (const clear of [
    () => undefined,
    () => undefined,
    // Names that are counted would meet here.
    () =>
      rmSync(
        join(
          quarantine,
          readdirSync(quarantine).find((name) => /index-[0-9a-f]+$/.test(name))!,
        ),
        { recursive: true },
      ),
    () => rmSync(quarantine, { recursive: true }),
  ]) {
    clear();
    damageIndex();
    const storage = openStore(folder.path);
    expect(rows(storage)).toBe(12);
    storage.abandon();
  }
  const storage = openStore(folder.path);
  rmSync(quarantine, { recursive: true });
  const part = storage.takeView(DEFAULT_TENANT, {}).partitions[0]!.parts[0]!;
  rmSync(join(part.path, 'data'));
  await storage.write(DEFAULT_TENANT, requestOf({ first: 12, count: 4 }));
  await storage.forceMerge('');
  expect([rows(storage), lossesOf(storage).some((line) => line.includes('missing'))]).toEqual([8, true]);
  expect((await storage.stats()).lostParts).toBe(1);
  await storage.close();
});

/** Refuses `call` on the folder of today, also under the name of a dropped one, until it is healed. */
function refusingToday(call: 'rename' | 'removeAsync'): { disk: Disk; heal: () => void } {
  let isRefused = true;
  const check = (name: string, path: string): void => {
    if (isRefused && name === call && /partitions\/20261120(\.\w+\.dropped)?$/.test(path))
      throw diskError(call, path, Object.assign(new Error('EACCES'), { code: 'EACCES' }));
  };
  const disk: Disk = {
    ...nodeDisk,
    rename: (from, to) => {
      check('rename', from);
      nodeDisk.rename(from, to);
    },
    removeAsync: async (path) => {
      check('removeAsync', path);
      await nodeDisk.removeAsync(path);
    },
  };
  return { disk, heal: () => (isRefused = false) };
}

const yesterday = { first: 100, count: 4, startNs: (n: number): bigint => NOON_NS - DAY_NS + BigInt(n) };
const other = parseTenant('7', '0');

test('today, purged but not to be renamed, refuses its own spans by name; every other day takes them, of every tenant', async () => {
  using folder = new TemporaryFolder();
  const { disk, heal } = refusingToday('rename');
  const clock = new FakeClock();
  const storage = openStore(folder.path, { disk, clock });
  for (const tenant of [DEFAULT_TENANT, other]) await storage.write(tenant, requestOf({ first: 0, count: 4 }));
  await expect(storage.purge()).rejects.toMatchObject({ code: 'DISK' });
  for (const tenant of [DEFAULT_TENANT, other]) {
    await storage.write(tenant, requestOf(yesterday));
    expect(storedRows(storage, nodeDisk, tenant)).toBe(4);
    await expect(storage.write(tenant, requestOf({ first: 4, count: 4 }))).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringMatching(/20261120 is being dropped/),
    });
  }
  heal();
  clock.advance(3_600_000);
  await storage.runMaintenance();
  await storage.write(other, requestOf({ first: 4, count: 4 }));
  expect([rows(storage), storedRows(storage, nodeDisk, other)]).toEqual([4, 8]);
  await storage.close();
});

test('today, purged but with files that the disk does not remove, leaves the set at once and takes spans again', async () => {
  using folder = new TemporaryFolder();
  const { disk, heal } = refusingToday('removeAsync');
  const clock = new FakeClock();
  const storage = openStore(folder.path, { disk, clock });
  await storage.write(DEFAULT_TENANT, requestOf({ first: 0, count: 8 }));
  await expect(storage.purge()).rejects.toMatchObject({ code: 'DISK' });
  expect(storage.listPartitions()).toEqual([]);
  for (const tenant of [DEFAULT_TENANT, other]) await storage.write(tenant, requestOf({ first: 0, count: 4 }));
  expect([rows(storage), storedRows(storage, nodeDisk, other)]).toEqual([4, 4]);
  const dropped = (): string[] =>
    readdirSync(join(folder.path, 'partitions')).filter((name) => name.endsWith('.dropped'));
  expect(dropped()).toHaveLength(1);
  heal();
  clock.advance(3_600_000);
  await storage.runMaintenance();
  await expect.poll(dropped).toEqual([]);
  expect([rows(storage), storedRows(storage, nodeDisk, other)]).toEqual([4, 4]);
  await storage.close();
});
