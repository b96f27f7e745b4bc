// The file `consumed`: what was committed is there after a restart, whatever a crash left behind it.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Disk } from '../../src/disk/disk.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { CONSUMED_FILE, ConsumedOffsets } from '../../src/storage/consumed-offsets.ts';
import { FaultyDisk } from '../support/faulty-disk.ts';
import { TemporaryFolder } from './open-store.ts';

const TIME_MS = 1_800_000_000_000;
const place = (partition: number, offset: bigint, identity = 'log') => ({
  partition,
  offset,
  identity,
  timeMs: TIME_MS + Number(offset % 100n),
});
const gap = (from: bigint, to: bigint) => ({ from, to, fromMs: TIME_MS + Number(from), toMs: TIME_MS + Number(to) });

test('commits are there after a restart, the last of each partition', async () => {
  using folder = new TemporaryFolder();
  const offsets = new ConsumedOffsets(nodeDisk, folder.path);
  expect(offsets.consumed).toEqual(new Map());
  await offsets.commit([place(0, 5n), place(3, 2n ** 52n)]);
  await offsets.commit([place(0, 6n), place(0, 9n)]);
  await offsets.close();
  expect(new ConsumedOffsets(nodeDisk, folder.path).consumed).toEqual(
    new Map([
      [0, { identity: 'log', offset: 9n, timeMs: TIME_MS + 9, gap: undefined }],
      [3, { identity: 'log', offset: 2n ** 52n, timeMs: TIME_MS + 96, gap: undefined }],
    ]),
  );
});

test('what the log had dropped is one range until it was copied, also in another log', async () => {
  using folder = new TemporaryFolder();
  const offsets = new ConsumedOffsets(nodeDisk, folder.path);
  await offsets.commit([{ ...place(1, 20n), gap: gap(1n, 19n) }]);
  await offsets.commit([place(1, 21n)]);
  await offsets.commit([{ ...place(1, 90n), gap: gap(22n, 80n) }]);
  await offsets.close();
  const again = new ConsumedOffsets(nodeDisk, folder.path);
  expect(again.consumed.get(1)).toEqual({ identity: 'log', offset: 90n, timeMs: TIME_MS + 90, gap: gap(1n, 80n) });
  await again.fillGaps([2]);
  expect(again.consumed.get(1)!.gap).toBeDefined();
  await again.fillGaps([1, 2]);
  await again.commit([{ ...place(2, 5n), gap: gap(1n, 4n) }]);
  await again.commit([place(2, 6n, 'another log')]);
  await again.close();
  expect(new ConsumedOffsets(nodeDisk, folder.path).consumed).toEqual(
    new Map([
      [1, { identity: 'log', offset: 90n, timeMs: TIME_MS + 90, gap: undefined }],
      [2, { identity: 'another log', offset: 6n, timeMs: TIME_MS + 6, gap: gap(1n, 4n) }],
    ]),
  );
});

test('however the file is cut, what it says was committed; and a later version is refused', async () => {
  using folder = new TemporaryFolder();
  const path = join(folder.path, CONSUMED_FILE);
  const offsets = new ConsumedOffsets(nodeDisk, folder.path);
  for (let offset = 1n; offset <= 4n; offset++) await offsets.commit([place(0, offset)]);
  await offsets.close();
  const bytes = readFileSync(path);
  const seen = new Set<bigint>();
  for (let length = bytes.length; length >= 0; length--) {
    writeFileSync(path, bytes.subarray(0, length));
    seen.add(new ConsumedOffsets(nodeDisk, folder.path).consumed.get(0)?.offset ?? 0n);
  }
  expect([...seen]).toEqual([4n, 3n, 2n, 1n, 0n]);
  for (let at = 16; at < bytes.length; at++) {
    const damaged = Buffer.from(bytes);
    damaged[at]! ^= 0x40;
    writeFileSync(path, damaged);
    expect(new ConsumedOffsets(nodeDisk, folder.path).consumed.get(0)?.offset ?? 0n).toBeLessThanOrEqual(4n);
  }
});

/** Places in a file that was opened again after the first one, so the second one begins it anew. */
async function committed(disk: Disk, folder: string, count: number): Promise<ConsumedOffsets> {
  let offsets = new ConsumedOffsets(disk, folder);
  for (let offset = 1; offset <= count; offset++) {
    await offsets.commit([place(0, BigInt(offset))]);
    if (offset > 1) continue;
    await offsets.close();
    offsets = new ConsumedOffsets(disk, folder);
  }
  return offsets;
}

test.each([
  ['the first', 0, 8],
  ['one that begins the file anew', 1, 8],
  ['a usual one', 2, 2],
])('a commit that fails at any call is not there after a restart: %s', async (_name, count, calls) => {
  const read = (folder: TemporaryFolder) => new ConsumedOffsets(nodeDisk, folder.path).consumed.get(0)?.offset ?? 0n;
  for (const errno of ['EIO', 'ENOSPC'] as const) {
    for (let call = 1; call <= calls; call++) {
      using folder = new TemporaryFolder();
      const disk = new FaultyDisk(folder.path);
      const offsets = await committed(disk, folder.path, count);
      disk.failAt(disk.callCount + call, errno);
      await expect(offsets.commit([place(0, 8n)]), disk.calls.at(-1)).rejects.toMatchObject({ code: 'DISK' });
      expect(offsets.consumed.get(0)?.offset ?? 0n).toBe(BigInt(count));
      expect(read(folder), disk.calls.at(-1)).toBe(BigInt(count));
      await offsets.commit([place(0, 9n)]);
      await disk.powerLoss({ keepUnsynced: 0, seed: 1 });
      expect(read(folder)).toBe(9n);
    }
  }
});

test('gaps that are filled beside commits are filled, and no commit is lost or goes into a file that was replaced', async () => {
  using folder = new TemporaryFolder();
  const identity = 'x'.repeat(2_000);
  const offsets = new ConsumedOffsets(nodeDisk, folder.path);
  await offsets.commit([{ ...place(1, 9n, identity), gap: gap(1n, 8n) }]);
  for (let offset = 1n; offset <= 300n; offset++) {
    const filling = offset === 7n || offset % 50n === 0n ? offsets.fillGaps([1]) : undefined;
    await Promise.all([filling, offsets.commit([place(0, offset, identity)])]);
    if (filling !== undefined) {
      expect(offsets.consumed.get(1)!.gap).toBeUndefined();
      expect(new ConsumedOffsets(nodeDisk, folder.path).consumed).toEqual(offsets.consumed);
    }
  }
  const last = offsets.commit([place(0, 999n, identity)]);
  await offsets.close();
  await last;
  expect(new ConsumedOffsets(nodeDisk, folder.path).consumed).toEqual(offsets.consumed);
});

test('many commits do not make the file grow without end', async () => {
  using folder = new TemporaryFolder();
  const offsets = new ConsumedOffsets(nodeDisk, folder.path);
  const identity = 'x'.repeat(20_000);
  for (let offset = 1n; offset <= 40n; offset++) await offsets.commit([place(0, offset, identity)]);
  await offsets.close();
  expect(readFileSync(join(folder.path, CONSUMED_FILE)).length).toBeLessThan(400_000);
  expect(new ConsumedOffsets(nodeDisk, folder.path).consumed.get(0)?.offset).toBe(40n);
});
