// What a merge thread may come to: each way to end is an error of that one merge, and the pool goes on.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import type { MergeJob } from '../../src/part/merge-parts.ts';
import { DEFAULT_TENANT } from '../../src/trace/tenant.ts';
import { parkReasonOf } from '../../src/partition/merge-runner.ts';
import { LogFile } from '../../src/partition/log-file.ts';
import { readLog } from '../../src/partition/recover-log.ts';
import { newIdentity } from '../../src/part/identity.ts';
import { createMergePool } from '../../src/storage/merge-pool.ts';
import { blockOf, DAY } from '../part/made-blocks.ts';
import { TemporaryFolder } from './open-store.ts';

const workerUrl = new URL('./dying-merge-worker.ts', import.meta.url);
const pool = createMergePool(2, { workerUrl, heapMbMax: 24 });
afterAll(() => pool.close());

/** A merge of so many bytes that it does not run beside flushes. */
function jobOf(partPath: string): MergeJob {
  const large = { offset: 0, sizeBytes: 1 << 30, tenant: DEFAULT_TENANT, startMin: 0 };
  const origin = { logSeqMax: 0, partIds: ['0000000000000001'] };
  const rollups = { kind: 'count', counted: [] } as const;
  return { inputs: [{ path: '', blocks: [large] }], partPath, day: DAY, origin, rollups, quarantinePath: '' };
}
const codeOf = (run: Promise<unknown>): Promise<unknown> =>
  run.then(
    () => 'done',
    (error: unknown) => error,
  );

describe('a merge whose thread', () => {
  test('runs out of heap fails alone, and the reason is kept', async () => {
    const [died, other] = await Promise.all([codeOf(pool.run(jobOf('/x/heap'))), codeOf(pool.run(jobOf('/x/fine')))]);
    expect(died).toMatchObject({ code: 'WORKER_FAILED' });
    expect(parkReasonOf(died)).toBe('out_of_memory');
    expect(other).toBe('done');
    expect(await codeOf(pool.run(jobOf('/x/fine')))).toBe('done');
  });

  test('meets a bug fails alone; a disk that refuses is another matter', async () => {
    const bug = await codeOf(pool.run(jobOf('/x/bug')));
    expect(bug).toMatchObject({ code: 'WORKER_FAILED', message: expect.stringContaining('BUG: made for a test') });
    expect(parkReasonOf(bug)).toBe('worker_failed');
    const disk = await codeOf(pool.run(jobOf('/x/disk')));
    expect(disk).toMatchObject({ code: 'DISK' });
    expect(parkReasonOf(disk)).toBeUndefined();
  });

  test('is cancelled has written its last byte when that is known', async () => {
    using folder = new TemporaryFolder();
    const partPath = join(folder.path, 'endless');
    const stop = new AbortController();
    const run = codeOf(pool.run(jobOf(partPath), { signal: stop.signal }));
    await expect.poll(() => nodeDisk.stat(join(partPath, '9'))).toBeDefined();
    stop.abort();
    expect(await run).toMatchObject({ code: 'CANCELLED' });
    rmSync(partPath, { recursive: true });
    expect(await codeOf(pool.run(jobOf('/x/fine')))).toBe('done');
    expect(nodeDisk.stat(partPath)).toBeUndefined();
  });
});

test('a flush and a small merge wait for no large one', async () => {
  using folder = new TemporaryFolder();
  const stop = new AbortController();
  const partPath = join(folder.path, 'endless');
  const long = codeOf(pool.run(jobOf(partPath), { signal: stop.signal }));
  await expect.poll(() => nodeDisk.stat(partPath)).toBeDefined();
  const small = { ...jobOf('/x/fine'), inputs: [] };
  const flush = { ...small, origin: { logSeqMax: 1, partIds: [] } };
  expect(await Promise.all([small, flush].map((job) => codeOf(pool.run(job))))).toEqual(['done', 'done']);
  stop.abort();
  expect(await long).toMatchObject({ code: 'CANCELLED' });
});

test('a merge that has to be alone waits for those under way, and those that come later wait for it', async () => {
  using folder = new TemporaryFolder();
  const partPath = join(folder.path, 'endless');
  const stop = new AbortController();
  const order: string[] = [];
  const note = (name: string, run: Promise<unknown>): Promise<unknown> => codeOf(run).then(() => order.push(name));
  const all = [note('long', pool.run(jobOf(partPath), { signal: stop.signal }))];
  await expect.poll(() => nodeDisk.stat(partPath)).toBeDefined();
  all.push(note('alone', pool.run(jobOf('/x/fine'), { isAlone: true })));
  all.push(note('later', pool.run(jobOf('/x/fine'))));
  const given = new AbortController();
  all.push(note('given up', pool.run(jobOf('/x/fine'), { signal: given.signal })));
  given.abort();
  await expect.poll(() => order).toEqual(['given up']);
  stop.abort();
  await Promise.all(all);
  expect(order).toEqual(['given up', 'long', 'alone', 'later']);
});

test('a log is read back on a thread that no merge holds up, as it is on this one', async () => {
  using folder = new TemporaryFolder();
  const name = { seq: 1, identity: newIdentity() };
  const writer = new LogFile({ disk: nodeDisk, folder: folder.path }, name).openWriter(async () => undefined);
  const append = writer.append([blockOf({ first: 0, count: 4 })]);
  await append.synced;
  append.publish();
  await writer.seal();
  const threads = createMergePool(1);
  const job = { folder: folder.path, name, quarantinePath: folder.path, nameBounds: undefined };
  expect(await threads.readLog(job)).toEqual(readLog(nodeDisk, job));
  const missing = await codeOf(threads.readLog({ ...job, name: { ...name, seq: 2 } }));
  expect(missing).toMatchObject({ code: 'DISK' });
  await threads.close();
  expect(await codeOf(threads.readLog(job))).toMatchObject({ code: 'UNAVAILABLE' });
});

test('a pool that no thread can be started for says so, to everyone who waits', async () => {
  const broken = createMergePool(1, { workerUrl: new URL('./no-such-worker.ts', import.meta.url) });
  const runs = [broken.run(jobOf('/x/fine')), broken.run(jobOf('/x/fine'))].map(codeOf);
  for (const error of await Promise.all(runs)) expect(error).toMatchObject({ name: 'StoreError' });
  await broken.close();
});
