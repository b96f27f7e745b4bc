// The archive on a real disk, and on one that dies after any call.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { isStoreError } from '../../src/base/errors.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { walkFiles } from '../../src/disk/walk-files.ts';
import { decodeArchivedTrace } from '../../src/archive/archived-trace.ts';
import { ArchiveFolder, type ArchiveFolderOptions } from '../../src/archive/archive-folder.ts';
import type { FoundTrace } from '../../src/trace/store.ts';
import { DEFAULT_TENANT, parseTenant } from '../../src/trace/tenant.ts';
import { crashPoints, FaultyDisk } from '../support/faulty-disk.ts';
import { TemporaryFolder } from '../storage/open-store.ts';

const other = parseTenant('1', '2');
const idOf = (n: number): Uint8Array => Uint8Array.from({ length: 16 }, (_, i) => (i === 15 ? n : 0xab));
const traceOf = (n: number, text = `trace ${n}`): FoundTrace => ({ traceId: idOf(n), otlp: Buffer.from(text) });
const open = (path: string, more: Partial<ArchiveFolderOptions> = {}): ArchiveFolder =>
  new ArchiveFolder({ path, disk: nodeDisk, bytesMax: 1_000_000, freeDiskBytesMin: 0, ...more });

function read(folder: ArchiveFolder, n: number, tenant = DEFAULT_TENANT): string | undefined {
  const path = folder.find(tenant, idOf(n));
  return path === undefined
    ? undefined
    : Buffer.from(decodeArchivedTrace(readFileSync(path), path).trace.otlp).toString();
}

async function refusal(action: Promise<unknown>): Promise<string> {
  return await action.then(
    () => 'none',
    (error: unknown) => (isStoreError(error) ? `${error.code}: ${error.message}` : String(error)),
  );
}

test('what was put is found after a restart, by its tenant only; replaced and deleted', async () => {
  using folder = new TemporaryFolder();
  const first = open(folder.path);
  await first.put(DEFAULT_TENANT, traceOf(1));
  await first.put(other, traceOf(2));
  await first.put(other, traceOf(2, 'more of it'));
  const path = join(folder.path, 'archive/1-2/02', `${Buffer.from(idOf(2)).toString('hex')}.trace`);
  expect(first.find(other, idOf(2))).toBe(path);

  const second = open(folder.path);
  expect([second.traces, second.bytes]).toEqual([first.traces, first.bytes]);
  expect([read(second, 1), read(second, 2), read(second, 2, other)]).toEqual(['trace 1', undefined, 'more of it']);
  expect([second.delete(other, idOf(2)), second.delete(other, idOf(2))]).toEqual([true, false]);
  expect([second.traces, existsSync(path)]).toEqual([1, false]);
  second.deleteAll();
  expect([second.traces, second.bytes, read(second, 1), read(open(folder.path), 1)]).toEqual([
    0,
    0,
    undefined,
    undefined,
  ]);
  await second.put(DEFAULT_TENANT, traceOf(1, 'again'));
  expect(read(second, 1)).toBe('again');
});

test('a file that a restore puts there is found at once', async () => {
  using folder = new TemporaryFolder();
  using source = new TemporaryFolder();
  await open(source.path).put(DEFAULT_TENANT, traceOf(1));
  const archive = open(folder.path);
  expect(read(archive, 1)).toBeUndefined();
  const place = `archive/0-0/01/${Buffer.from(idOf(1)).toString('hex')}.trace`;
  mkdirSync(join(folder.path, 'archive/0-0/01'), { recursive: true });
  writeFileSync(join(folder.path, place), readFileSync(join(source.path, place)));
  expect(read(archive, 1)).toBe('trace 1');
  expect(open(folder.path).traces).toBe(1);
});

describe('is bounded', () => {
  test('by bytes, a replacement counted as one', async () => {
    using folder = new TemporaryFolder();
    const archive = open(folder.path, { bytesMax: 140 });
    await archive.put(DEFAULT_TENANT, traceOf(1));
    await archive.put(DEFAULT_TENANT, traceOf(1, 'once more'));
    await archive.put(DEFAULT_TENANT, traceOf(2));
    expect(await refusal(archive.put(DEFAULT_TENANT, traceOf(3)))).toMatch(
      /^LIMIT_EXCEEDED: the archive is full: \d+ bytes would be more than -archive.maxDiskSpaceUsageBytes=140\. Delete /,
    );
    archive.delete(DEFAULT_TENANT, idOf(2));
    await archive.put(DEFAULT_TENANT, traceOf(3));
    expect([read(archive, 1), read(archive, 2), read(archive, 3)]).toEqual(['once more', undefined, 'trace 3']);
  });

  test('by the free space of the disk', async () => {
    using folder = new TemporaryFolder();
    const archive = open(folder.path, { freeDiskBytesMin: Number.MAX_SAFE_INTEGER });
    expect(await refusal(archive.put(DEFAULT_TENANT, traceOf(1)))).toMatch(/^READ_ONLY: /);
    expect(archive.traces).toBe(0);
  });
});

test('what is not of an archive is left alone', async () => {
  using folder = new TemporaryFolder();
  await open(folder.path).put(DEFAULT_TENANT, traceOf(1));
  mkdirSync(join(folder.path, 'archive/notes'));
  writeFileSync(join(folder.path, 'archive/0-0/01/readme.tmp'), 'mine');
  expect(open(folder.path).traces).toBe(1);
  expect(readFileSync(join(folder.path, 'archive/0-0/01/readme.tmp'), 'utf8')).toBe('mine');
});

describe('a crash', () => {
  /** Replaces trace 1 and adds trace 2; the numbers of those acknowledged. */
  async function script(disk: FaultyDisk): Promise<number[]> {
    const archive = open(disk.root, { disk });
    const acknowledged: number[] = [];
    for (const trace of [traceOf(1, 'new'), traceOf(2)]) {
      const isDone = await archive.put(DEFAULT_TENANT, trace).then(
        () => true,
        () => false,
      );
      if (isDone) acknowledged.push(trace.traceId[15]!);
    }
    return acknowledged;
  }

  test('at any disk call leaves the old trace or the new one, and every acknowledged one', async () => {
    using counted = new TemporaryFolder();
    await open(counted.path).put(DEFAULT_TENANT, traceOf(1, 'old'));
    const dry = new FaultyDisk(counted.path);
    expect(await script(dry)).toEqual([1, 2]);
    await dry.close();
    for (const { label, k, before, ...survival } of crashPoints(dry.callCount)) {
      using folder = new TemporaryFolder();
      await open(folder.path).put(DEFAULT_TENANT, traceOf(1, 'old'));
      const disk = new FaultyDisk(folder.path);
      disk.crashAfter(k, { before });
      const acknowledged = await script(disk);
      await disk.powerLoss(survival);
      const after = open(folder.path);
      expect(acknowledged.includes(1) ? ['new'] : ['old', 'new'], label).toContain(read(after, 1));
      expect(acknowledged.includes(2) ? ['trace 2'] : ['trace 2', undefined], label).toContain(read(after, 2));
      expect(
        walkFiles(folder.path).filter(({ name }) => name.endsWith('.tmp')),
        label,
      ).toEqual([]);
    }
  });
});
