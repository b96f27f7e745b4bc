// The states of a day: which may follow which, and what each lets through.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { BugError } from '../../src/base/assert.ts';
import { StoreError } from '../../src/base/errors.ts';
import type { Disk } from '../../src/disk/disk.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { ENDLESS_ROOM, inlineMergeRunner } from '../../src/partition/merge-runner.ts';
import { Day } from '../../src/storage/day.ts';
import { Trash } from '../../src/storage/trash.ts';
import { DEFAULT_TENANT } from '../../src/trace/tenant.ts';
import { blockOf, DAY } from '../part/made-blocks.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { memoryLog, TemporaryFolder } from './open-store.ts';

interface Made {
  readonly day: Day;
  readonly clock: FakeClock;
  readonly gone: Day[];
  /** Of the log. */
  readonly lines: string[];
  /** Calls of the disk that fail from now on. */
  readonly refused: Set<keyof Disk>;
}

function makeDay(folder: string, committed: () => Promise<void> = async () => undefined): Made {
  const refused = new Set<keyof Disk>();
  const disk = new Proxy(nodeDisk, {
    get: (target, call: keyof Disk) => {
      if (!refused.has(call)) return target[call];
      return () => {
        throw new StoreError('DISK', `${call} refused`);
      };
    },
  });
  for (const name of ['partitions', 'quarantine']) mkdirSync(join(folder, name));
  const clock = new FakeClock();
  const gone: Day[] = [];
  const lines: string[] = [];
  const partitions = join(folder, 'partitions');
  const day = new Day(DAY, {
    folder: partitions,
    disk,
    clock,
    logger: memoryLog(lines),
    quarantinePath: join(folder, 'quarantine'),
    mergeRunner: inlineMergeRunner(disk),
    mergeRoom: ENDLESS_ROOM,
    trash: new Trash(disk, partitions),
    committed,
    onGone: (one) => gone.push(one),
  });
  return { day, clock, gone, lines, refused };
}

async function write(day: Day, first: number): Promise<void> {
  const append = day.append([blockOf({ first, count: 4 })]);
  await append.synced;
  append.publish();
}

test('a day is written and read while it is open, and says why when it is not', async () => {
  using folder = new TemporaryFolder();
  const { day } = makeDay(folder.path);
  expect([day.state, day.partition, day.closedError?.message]).toEqual([
    'opening',
    undefined,
    'partition 20261120 is being opened; retry later',
  ]);
  day.open();
  expect(day.closedError).toBeUndefined();
  await write(day, 0);
  expect(day.partition?.log.rowCount).toBe(4);
  await day.detach();
  expect([day.state, day.partition, day.closedError?.code]).toEqual(['detached', undefined, 'UNAVAILABLE']);
  await day.attach();
  expect(day.partition?.log.rowCount).toBe(4);
  await day.drop();
  expect(nodeDisk.list(join(folder.path, 'partitions'))).toEqual([]);
});

test('a state that may not follow is a bug', async () => {
  using folder = new TemporaryFolder();
  const { day } = makeDay(folder.path);
  expect(() => day.drop()).toThrow(BugError);
  day.open();
  expect(() => day.open()).toThrow(BugError);
  await expect(day.attach()).rejects.toThrow(BugError);
  expect(() => day.tryRemove()).toThrow(BugError);
  await day.detach();
  expect(() => day.drop()).toThrow('20261120 goes from detached to dropping');
});

test('a day that leaves waits for the commit that has it, which still writes to it', async () => {
  using folder = new TemporaryFolder();
  const gate = Promise.withResolvers<void>();
  const { day } = makeDay(folder.path, () => gate.promise);
  day.open();
  const detached = day.detach();
  expect(day.closedError?.message).toContain('is being detached');
  await write(day, 0);
  gate.resolve();
  await detached;
  await expect(write(day, 4)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  await day.attach();
  expect(day.partition?.log.rowCount).toBe(4);
  await day.close();
});

test('a day that the disk does not let open is failed, and opens when the disk is well again', async () => {
  using folder = new TemporaryFolder();
  const { day, clock, refused } = makeDay(folder.path);
  refused.add('makeDir');
  day.open();
  expect(day.state).toBe('failed');
  expect(day.closedError?.message).toContain('could not be opened (makeDir refused)');
  clock.advance(1_000);
  await day.reopen();
  expect([day.state, day.openings.isReady]).toEqual(['failed', false]);
  refused.clear();
  await day.reopen();
  expect([day.state, day.openings.lastError]).toEqual(['open', undefined]);
  await day.close();
});

test('a log file that cannot be read is lost, counted and logged, also when it is read beside other work', async () => {
  using folder = new TemporaryFolder();
  const { day, lines } = makeDay(folder.path);
  day.open();
  await write(day, 0);
  await day.detach();
  // Of an older program, which listed no log files.
  mkdirSync(join(day.path, 'log', '0000000000000009.log'));
  await day.attach();
  const lost = expect.stringContaining('log/0000000000000009.log: an unknown number of spans lost');
  expect(day.partition?.losses.lines()).toEqual([lost]);
  expect(day.partition?.log.rowCount).toBe(4);
  expect(day.counters.corruptBlocks).toBe(1);
  expect(lines).toContainEqual(expect.stringContaining('damaged data was set aside in quarantine'));
  await day.close();
});

test('a store that closes while a day opens does not wait to see it open', async () => {
  using folder = new TemporaryFolder();
  const { day } = makeDay(folder.path);
  day.open();
  await day.detach();
  const attached = day.attach();
  expect(day.state).toBe('opening');
  await day.close();
  await expect(attached).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  expect(day.state).toBe('detached');
});

test('a day whose folder cannot be renamed stays on its way out, and goes at the next attempt', async () => {
  using folder = new TemporaryFolder();
  const { day, gone, refused } = makeDay(folder.path);
  day.open();
  await write(day, 0);
  refused.add('rename');
  await day.drop();
  expect([day.state, gone, day.removals.lastError?.code]).toEqual(['dropping', [], 'DISK']);
  refused.clear();
  await day.tryRemove();
  expect(gone).toEqual([day]);
  await day.gone;
  expect(nodeDisk.list(join(folder.path, 'partitions'))).toEqual([]);
});

test('a day that a query reads is removed when the query has ended, without being asked again', async () => {
  using folder = new TemporaryFolder();
  const { day, gone } = makeDay(folder.path);
  day.open();
  await write(day, 0);
  const view = day.partition!.takeView(DEFAULT_TENANT, {})!;
  await day.drop();
  expect([day.state, gone]).toEqual(['dropping', []]);
  for (const pin of view.pins) pin.unpin();
  await day.gone;
  expect(gone).toEqual([day]);
});
