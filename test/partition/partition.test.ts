// One partition by itself: what a flush or merge that goes wrong leaves.
import { isFlush } from '../../src/part/merge-parts.ts';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { StoreError } from '../../src/base/errors.ts';
import type { Disk } from '../../src/disk/disk.ts';
import { diskError, nodeDisk } from '../../src/disk/node-disk.ts';
import { inlineMergeRunner, type MergeRunner } from '../../src/partition/merge-runner.ts';
import { openRollups } from '../../src/part/rollup-reader.ts';
import type { Forget } from '../../src/partition/partition-place.ts';
import { Partition } from '../../src/partition/partition.ts';
import { MERGE_PARTS_MAX, MERGE_PARTS_MIN } from '../../src/partition/plan-merge.ts';
import { DEFAULT_TENANT } from '../../src/trace/tenant.ts';
import { blockOf, DAY } from '../part/made-blocks.ts';
import { memoryLog, TemporaryFolder } from '../storage/open-store.ts';

function openIn(
  folder: string,
  disk: Disk = nodeDisk,
  mergeRunner: MergeRunner = inlineMergeRunner(disk),
  { forget, lines = [] }: { readonly forget?: Forget; readonly lines?: string[] } = {},
): Partition {
  const quarantinePath = join(folder, 'quarantine');
  mkdirSync(quarantinePath, { recursive: true });
  return Partition.open({
    path: join(folder, '20261120'),
    day: DAY,
    disk,
    quarantinePath,
    logger: memoryLog(lines),
    mergeRunner,
    forget,
  });
}

async function store(partition: Partition, first: number): Promise<void> {
  const append = partition.append([blockOf({ first, count: 4 })]);
  await append.synced;
  append.publish();
}

async function mergeWorthwhile(partition: Partition): Promise<void> {
  while (await partition.mergeNext());
}

const rows = (partition: Partition): { log: number; parts: number[] } => ({
  log: partition.log.rowCount,
  parts: partition.parts.map(({ entry }) => entry.rows),
});
const partNames = (folder: string): string[] => nodeDisk.list(join(folder, '20261120', 'parts'));

describe('a flush', () => {
  test('reads as much of the traces of a day as its own traces ask for, however many there are', async () => {
    using folder = new TemporaryFolder();
    let bytesRead = 0;
    const openRead: Disk['openRead'] = (path) => {
      const file = nodeDisk.openRead(path);
      const read: typeof file.read = (offset, sizeBytes) => {
        if (path.endsWith('/traces')) bytesRead += sizeBytes;
        return file.read(offset, sizeBytes);
      };
      return { path, sizeBytes: file.sizeBytes, read, close: () => file.close() };
    };
    const partition = openIn(folder.path, { ...nodeDisk, openRead });
    const flushOf = async (first: number, count: number): Promise<number> => {
      const append = partition.append([blockOf({ first, count, traceOf: (n) => n })]);
      await append.synced;
      append.publish();
      bytesRead = 0;
      await partition.flush();
      return bytesRead;
    };
    await flushOf(0, 40_000);
    const { tracesBytes } = partition.parts[0]!.metadata;
    // The first that looks into a part learns which traces it has.
    expect(await flushOf(40_000, 50)).toBeGreaterThan(tracesBytes / 2);
    for (let first = 40_050; first < 40_250; first += 50)
      expect(await flushOf(first, 50)).toBeLessThan(tracesBytes / 4);
    // Spans of a trace that is there are found all the same: what is sent twice counts once.
    const calls = (): number =>
      partition.parts.reduce((sum, { path }) => {
        const rollups = openRollups(nodeDisk, path);
        rollups.close();
        return sum + rollups.frames.length;
      }, 0);
    const before = calls();
    await flushOf(10, 100);
    expect(calls()).toBe(before);
    await partition.close();
  });

  test('takes what was published before it, and leaves what comes meanwhile in the log', async () => {
    using folder = new TemporaryFolder();
    const started = Promise.withResolvers<void>();
    const gate = Promise.withResolvers<void>();
    const inline = inlineMergeRunner(nodeDisk);
    const run: MergeRunner['run'] = (job) => {
      started.resolve();
      return gate.promise.then(() => inline.run(job));
    };
    const partition = openIn(folder.path, nodeDisk, { ...inline, run });
    await store(partition, 0);
    const flushed = partition.flush();
    await started.promise;
    await store(partition, 4);
    expect(rows(partition)).toEqual({ log: 8, parts: [] });
    gate.resolve();
    await flushed;
    expect(rows(partition)).toEqual({ log: 4, parts: [4] });
    await partition.close();
    const again = openIn(folder.path);
    expect(rows(again)).toEqual({ log: 4, parts: [4] });
    await again.close();
  });

  test('that fails keeps the log and leaves no folder behind; the next one succeeds', async () => {
    using folder = new TemporaryFolder();
    let isRefusing = true;
    const disk: Disk = {
      ...nodeDisk,
      foreign: (name, action) => {
        if (isRefusing && name.includes('commit parts')) throw new StoreError('DISK', 'refused');
        return action();
      },
    };
    const partition = openIn(folder.path, disk);
    await store(partition, 0);
    await expect(partition.flush()).rejects.toMatchObject({ code: 'DISK' });
    expect(rows(partition)).toEqual({ log: 4, parts: [] });
    expect(partNames(folder.path)).toEqual([]);
    isRefusing = false;
    await partition.flush();
    expect(rows(partition)).toEqual({ log: 0, parts: [4] });
    expect(partNames(folder.path)).toEqual([expect.stringMatching(/^[0-9a-f]{32}$/)]);
    await partition.close();
  });

  test('whose commit reached the disk but was reported as failed counts as done', async () => {
    using folder = new TemporaryFolder();
    const disk: Disk = {
      ...nodeDisk,
      foreign: (name, action) => {
        const result = action();
        if (name.includes('commit parts')) throw new StoreError('DISK', 'reported as failed');
        return result;
      },
    };
    const partition = openIn(folder.path, disk);
    await store(partition, 0);
    await partition.flush();
    expect(rows(partition)).toEqual({ log: 0, parts: [4] });
    await partition.close();
    const again = openIn(folder.path);
    expect(rows(again)).toEqual({ log: 0, parts: [4] });
    await again.close();
  });

  test('that kills its thread twice is parked with its file alone; it is read, and later flushes go past it', async () => {
    using folder = new TemporaryFolder();
    const inline = inlineMergeRunner(nodeDisk);
    let runs = 0;
    // What kills a flush is in the second file.
    const run: MergeRunner['run'] = async (job, options) => {
      runs++;
      if (job.inputs.some(({ path }) => path.includes('/0000000000000002-')))
        throw new StoreError('WORKER_FAILED', 'the thread died');
      return inline.run(job, options);
    };
    const logNames = (): string[] =>
      nodeDisk.list(join(folder.path, '20261120', 'log')).filter((name) => name.endsWith('.log'));
    const lines: string[] = [];
    let partition = openIn(folder.path, nodeDisk, { ...inline, run }, { lines });
    for (const first of [0, 4, 8]) {
      await store(partition, first);
      await partition.log.rotate();
    }
    const view = partition.takeView(DEFAULT_TENANT, {})!;
    await partition.flush();
    expect(rows(partition)).toEqual({ log: 4, parts: [4, 4] });
    expect(partition.log.waiting.rowCount).toBe(0);
    expect(lines.filter((line) => line.includes(' ERROR '))).toEqual([
      expect.stringMatching(
        / its log file is parked, served as it is partition=20261120 rows=4 reason=worker_failed .*the thread died/,
      ),
    ]);
    // The view still reads it under its old name.
    expect(logNames()).toHaveLength(4);
    for (const pin of view.pins) pin.unpin();
    expect(logNames()).toEqual([expect.stringMatching(/^0010000000000002-[0-9a-f]{32}\.log$/)]);
    runs = 0;
    await store(partition, 12);
    await partition.flush();
    expect(runs).toBe(1);
    expect(rows(partition)).toEqual({ log: 4, parts: [4, 4, 4] });
    await partition.close();
    partition = openIn(folder.path);
    expect(rows(partition)).toEqual({ log: 4, parts: [4, 4, 4] });
    const { items, warnings } = partition.listServices(DEFAULT_TENANT);
    expect([new Set(items), warnings, partition.losses.count]).toEqual([new Set(['shop']), [], 0]);
    await store(partition, 16);
    await partition.flush();
    expect(rows(partition)).toEqual({ log: 4, parts: [4, 4, 4, 4] });
    await partition.close();
  });

  test('parked just before a crash is there once', async () => {
    using folder = new TemporaryFolder();
    const partition = openIn(folder.path);
    await store(partition, 0);
    await partition.log.rotate();
    const [file] = partition.log.files;
    file!.park();
    partition.abandon();
    const again = openIn(folder.path);
    expect(rows(again)).toEqual({ log: 4, parts: [] });
    expect([again.log.waiting.rowCount, again.losses.count]).toEqual([0, 0]);
    await again.close();
  });

  test('parked leaves its number taken: what is written after a restart is another file, also after the next one', async () => {
    using folder = new TemporaryFolder();
    const run: MergeRunner['run'] = async () => {
      throw new StoreError('WORKER_FAILED', 'the thread died');
    };
    let partition = openIn(folder.path, nodeDisk, { ...inlineMergeRunner(nodeDisk), run });
    await store(partition, 0);
    await partition.flush();
    await partition.close();
    partition = openIn(folder.path);
    await store(partition, 4);
    partition.abandon();
    partition = openIn(folder.path);
    expect(rows(partition)).toEqual({ log: 8, parts: [] });
    await partition.flush();
    expect(rows(partition)).toEqual({ log: 4, parts: [4] });
    await partition.close();
  });

  test('of an empty log does nothing', async () => {
    using folder = new TemporaryFolder();
    const partition = openIn(folder.path);
    await partition.flush();
    expect(partition.counters.flushes).toBe(0);
    await partition.close();
    await partition.flush();
  });
});

describe('a merge', () => {
  test('and a flush can run at once, and no part is in two merges', async () => {
    using folder = new TemporaryFolder();
    const inline = inlineMergeRunner(nodeDisk);
    const gate = Promise.withResolvers<void>();
    const isMerge = (inputs: readonly { path: string }[]): boolean => inputs.every(({ path }) => path.endsWith('data'));
    const run: MergeRunner['run'] = (job) =>
      isMerge(job.inputs) ? gate.promise.then(() => inline.run(job)) : inline.run(job);
    const partition = openIn(folder.path, nodeDisk, { ...inline, run });
    for (let i = 0; i < 3; i++) {
      await store(partition, 4 * i);
      await partition.flush();
    }
    const merged = partition.mergeAll();
    const mergedAgain = partition.mergeAll();
    await store(partition, 100);
    await partition.flush();
    expect(rows(partition)).toEqual({ log: 0, parts: [4, 4, 4, 4] });
    gate.resolve();
    await merged;
    await mergedAgain;
    expect(rows(partition).parts).toEqual([16]);
    expect(partition.counters.merges).toBe(2);
    expect(partition.listServices(DEFAULT_TENANT)).toEqual({ items: ['shop'], warnings: [] });
    await partition.close();
  });

  test('of everything that waits ends those in the background after the one under way', async () => {
    using folder = new TemporaryFolder();
    const inline = inlineMergeRunner(nodeDisk);
    const started = Promise.withResolvers<void>();
    const gate = Promise.withResolvers<void>();
    const run: MergeRunner['run'] = async (job) => {
      if (!isFlush(job)) {
        started.resolve();
        await gate.promise;
      }
      return inline.run(job);
    };
    const partition = openIn(folder.path, nodeDisk, { ...inline, run });
    const parts = 2 * MERGE_PARTS_MAX + 1;
    for (let i = 0; i < parts; i++) {
      await store(partition, 4 * i);
      await partition.flush();
    }
    const background = mergeWorthwhile(partition);
    await started.promise;
    const full = partition.mergeAll();
    gate.resolve();
    await background;
    await full;
    expect(rows(partition).parts).toEqual([4 * parts]);
    expect(partition.counters.merges).toBe(2);
    await partition.close();
  });

  test('that kills its thread twice is parked: also after a restart it is not begun again, unless it is forced', async () => {
    using folder = new TemporaryFolder();
    const inline = inlineMergeRunner(nodeDisk);
    const attempts: (boolean | undefined)[] = [];
    let isDeadly = true;
    const run: MergeRunner['run'] = async (job, options) => {
      if (!isFlush(job)) attempts.push(options?.isAlone);
      if (!isFlush(job) && isDeadly) {
        const cause = Object.assign(new Error('heap'), { code: 'ERR_WORKER_OUT_OF_MEMORY' });
        throw new StoreError('WORKER_FAILED', 'the thread died', { cause });
      }
      return inline.run(job, options);
    };
    const lines: string[] = [];
    let partition = openIn(folder.path, nodeDisk, { ...inline, run }, { lines });
    const flushParts = async (first: number): Promise<void> => {
      for (let i = 0; i < MERGE_PARTS_MIN; i++) {
        await store(partition, first + 4 * i);
        await partition.flush();
      }
    };
    await flushParts(0);
    expect(await partition.mergeNext()).toBe(true);
    expect(attempts).toEqual([false, true]);
    expect(await partition.mergeNext()).toBe(false);
    expect(partition.parts.map(({ entry }) => entry.parked)).toEqual(
      Array.from({ length: MERGE_PARTS_MIN }, () => 'out_of_memory'),
    );
    expect(rows(partition).parts).toHaveLength(MERGE_PARTS_MIN);
    expect(lines.filter((line) => line.includes(' ERROR '))).toEqual([
      expect.stringContaining(
        `a merge failed twice: its parts are parked, served as they are partition=20261120 parts=${MERGE_PARTS_MIN} reason=out_of_memory `,
      ),
    ]);
    // New parts are merged beside them.
    isDeadly = false;
    await flushParts(100);
    expect(await partition.mergeNext()).toBe(true);
    expect(rows(partition).parts).toHaveLength(MERGE_PARTS_MIN + 1);
    await partition.close();
    partition = openIn(folder.path, nodeDisk, { ...inline, run });
    expect(await partition.mergeNext()).toBe(false);
    isDeadly = true;
    await expect(partition.mergeAll()).rejects.toMatchObject({ code: 'WORKER_FAILED' });
    isDeadly = false;
    await partition.mergeAll();
    expect(rows(partition).parts).toEqual([8 * MERGE_PARTS_MIN]);
    expect(partition.parts[0]?.entry.parked).toBeUndefined();
    await partition.close();
  });

  test('that is parked while the disk refuses the commit is parked until the next start, and the log says so', async () => {
    using folder = new TemporaryFolder();
    let isRefusing = false;
    const foreign: Disk['foreign'] = (name, action) => {
      if (isRefusing)
        throw diskError(name, folder.path, Object.assign(new Error('EIO: made to fail'), { code: 'EIO' }));
      return action();
    };
    const disk = { ...nodeDisk, foreign };
    const inline = inlineMergeRunner(disk);
    const run: MergeRunner['run'] = async (job, options) => {
      if (isFlush(job)) return inline.run(job, options);
      isRefusing = true;
      throw new StoreError('WORKER_FAILED', 'the thread died');
    };
    const lines: string[] = [];
    let partition = openIn(folder.path, disk, { ...inline, run }, { lines });
    for (let i = 0; i < MERGE_PARTS_MIN; i++) {
      await store(partition, 4 * i);
      await partition.flush();
    }
    expect(await partition.mergeNext()).toBe(true);
    isRefusing = false;
    expect(lines.filter((line) => line.includes(' ERROR '))).toEqual([
      expect.stringMatching(/ parts are parked until the next start only error=.*EIO: made to fail/),
      expect.stringContaining('a merge failed twice: its parts are parked, served as they are '),
    ]);
    expect(await partition.mergeNext()).toBe(false);
    expect(rows(partition).parts).toHaveLength(MERGE_PARTS_MIN);
    await partition.close();
    partition = openIn(folder.path);
    expect(await partition.mergeNext()).toBe(true);
    expect(rows(partition).parts).toEqual([4 * MERGE_PARTS_MIN]);
    await partition.close();
  });

  test('under way is cancelled by closing, and leaves no folder behind', async () => {
    using folder = new TemporaryFolder();
    const inline = inlineMergeRunner(nodeDisk);
    const started = Promise.withResolvers<void>();
    const run: MergeRunner['run'] = async (job, options = {}) => {
      if (isFlush(job)) return inline.run(job, options);
      mkdirSync(job.partPath);
      started.resolve();
      return await new Promise((_resolve, reject) =>
        options.signal?.addEventListener('abort', () => reject(new StoreError('CANCELLED', 'given up'))),
      );
    };
    const partition = openIn(folder.path, nodeDisk, { ...inline, run });
    for (let i = 0; i < 2; i++) {
      await store(partition, 4 * i);
      await partition.flush();
    }
    const merged = partition.mergeAll();
    await started.promise;
    await partition.close();
    await merged;
    expect(partNames(folder.path)).toHaveLength(2);
    const again = openIn(folder.path);
    expect(rows(again)).toEqual({ log: 0, parts: [4, 4] });
    await again.close();
  });

  test('that fails keeps its parts, and they are free for the next one', async () => {
    using folder = new TemporaryFolder();
    const inline = inlineMergeRunner(nodeDisk);
    let failures = 1;
    const run: MergeRunner['run'] = async (job) => {
      if (!isFlush(job) && failures-- > 0) throw new StoreError('DISK', 'no space');
      return inline.run(job);
    };
    const partition = openIn(folder.path, nodeDisk, { ...inline, run });
    for (let i = 0; i < MERGE_PARTS_MIN; i++) {
      await store(partition, 4 * i);
      await partition.flush();
    }
    await expect(partition.mergeNext()).rejects.toMatchObject({ code: 'DISK' });
    expect(rows(partition).parts).toEqual(Array.from({ length: MERGE_PARTS_MIN }, () => 4));
    expect(await partition.mergeNext()).toBe(true);
    expect(rows(partition).parts).toEqual([4 * MERGE_PARTS_MIN]);
    await partition.close();
  });
});

test('losses are accepted once, also when the disk refused to put aside what is left of a part', async () => {
  using folder = new TemporaryFolder();
  let isRefusing = true;
  const createFile: Disk['createFile'] = (path) => {
    if (isRefusing && path.includes('/quarantine/') && path.includes('-parts-') && !path.includes('-data-'))
      throw new StoreError('DISK', 'refused');
    return nodeDisk.createFile(path);
  };
  const partition = openIn(folder.path, { ...nodeDisk, createFile });
  await store(partition, 0);
  await partition.flush();
  nodeDisk.remove(join(partition.parts[0]!.path, 'data'));
  await partition.mergeAll();
  expect(partition.losses.parts).toHaveLength(1);
  await expect(partition.acceptLosses()).rejects.toMatchObject({ code: 'DISK' });
  isRefusing = false;
  expect(await partition.acceptLosses()).toHaveLength(1);
  expect([await partition.acceptLosses(), partNames(folder.path)]).toEqual([[], []]);
  await partition.close();
});

test('readers forget a part that is lost: restored to its day, it is read anew', async () => {
  using folder = new TemporaryFolder();
  const forgotten: string[] = [];
  const forget: Forget = (identities) => forgotten.push(...identities);
  const partition = openIn(folder.path, nodeDisk, inlineMergeRunner(nodeDisk), { forget });
  await store(partition, 0);
  await partition.flush();
  const [part] = partition.parts;
  nodeDisk.remove(join(part!.path, 'data'));
  const view = partition.takeView(DEFAULT_TENANT, {})!;
  forgotten.length = 0;
  await partition.mergeAll();
  expect([partition.losses.parts.length, forgotten]).toEqual([1, []]);
  for (const pin of view.pins) pin.unpin();
  await partition.close();
  expect(forgotten).toContain(part!.identity);
});

test('a log file whose only commit was given up is missed by nobody after a crash', async () => {
  using folder = new TemporaryFolder();
  const partition = openIn(folder.path);
  const append = partition.append([blockOf({ first: 0, count: 4 })]);
  await append.synced;
  // Another day of the same commit was refused.
  append.cancel();
  await append.ended;
  await setImmediate();
  partition.abandon();
  const again = openIn(folder.path);
  expect([rows(again).log, again.report.damaged, again.losses.count]).toEqual([0, [], 0]);
  await again.close();
});
