// What came out of a log and the place in it are one durable commit: whatever call the process dies after, and whatever the power loss
// leaves, every span up to the place that is found again is found again, too.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { DEFAULT_TENANT, parseTenant, type Tenant } from '../../src/trace/tenant.ts';
import { crashPoints, FaultyDisk } from '../support/faulty-disk.ts';
import { printedSeed } from '../support/random-request.ts';
import { spanSet } from '../support/span-set.ts';
import { openStore, TemporaryFolder } from './open-store.ts';
import { DAY_NS, NOON_NS, requestOf, storedSpans } from './stored-spans.ts';

const other = parseTenant('7', '3');
const UNITS = 6;

/** Unit n: spans of two days and two tenants. */
function unit(n: number): { readonly tenant: Tenant; readonly body: Uint8Array }[] {
  const startNs = (span: number): bigint => NOON_NS - (span % 2 === 0 ? 0n : DAY_NS);
  return [DEFAULT_TENANT, other].map((tenant, i) => ({
    tenant,
    body: requestOf({ first: 100 * i + 4 * n, count: 4, startNs }),
  }));
}

const spansOfUnit = (n: number, tenant: Tenant): string[] =>
  spanSet(
    unit(n)
      .filter((one) => one.tenant === tenant)
      .map(({ body }) => body),
  );

/** Two partitions in turns; a flush in between. */
async function run(storage: Storage): Promise<void> {
  for (let n = 1; n <= UNITS; n++) {
    await storage.consume(unit(n), { identity: 'log', timeMs: 0, partition: n % 2, offset: BigInt(n) });
    if (n === 3) await storage.forceFlush();
  }
}

function makeDisk(folder: TemporaryFolder): FaultyDisk {
  const root = join(folder.path, 'store');
  mkdirSync(root);
  return new FaultyDisk(root);
}

/** Opened again after a crash: the offset of each partition, none of which may run ahead of the spans. */
async function check(path: string, label: string): Promise<bigint[]> {
  const storage = openStore(path);
  const offsets = [0, 1].map((partition) => storage.consumed().get(partition)?.offset ?? 0n);
  for (const tenant of [DEFAULT_TENANT, other]) {
    const stored = new Set(storedSpans(storage, nodeDisk, tenant));
    for (let n = 1; n <= UNITS; n++)
      if (BigInt(n) <= offsets[n % 2]!)
        expect(
          spansOfUnit(n, tenant).filter((span) => !stored.has(span)),
          `${label}, unit ${n}`,
        ).toEqual([]);
  }
  // A replay from there makes it whole, and shows nothing twice.
  for (let n = 1; n <= UNITS; n++)
    if (BigInt(n) > offsets[n % 2]!)
      await storage.consume(unit(n), { identity: 'log', timeMs: 0, partition: n % 2, offset: BigInt(n) });
  await storage.forceMerge('');
  for (const tenant of [DEFAULT_TENANT, other]) {
    const all = Array.from({ length: UNITS }, (_, n) => spansOfUnit(n + 1, tenant))
      .flat()
      .sort();
    expect(storedSpans(storage, nodeDisk, tenant), label).toEqual(all);
  }
  await storage.close();
  return offsets;
}

async function countCalls(): Promise<number> {
  using folder = new TemporaryFolder();
  const disk = makeDisk(folder);
  const storage = openStore(disk.root, { disk });
  await run(storage);
  storage.abandon();
  const { callCount } = disk;
  await disk.close();
  return callCount;
}

test('no place runs ahead of its spans, wherever the process dies', { timeout: 300_000 }, async () => {
  const seen = new Set<string>();
  const points = [...crashPoints(await countCalls())];
  // A sample, another one in each run: all of them take ten minutes.
  const step = Math.ceil(points.length / 24);
  const start = printedSeed('consume') % step;
  for (const [i, point] of points.entries()) {
    if (i % step !== start) continue;
    using folder = new TemporaryFolder();
    const disk = makeDisk(folder);
    disk.crashAfter(point.k, { before: point.before });
    let storage: Storage | undefined;
    try {
      storage = openStore(disk.root, { disk });
      await run(storage);
    } catch (error) {
      if (!disk.isCrashed) throw error;
    }
    storage?.abandon();
    await disk.powerLoss(point);
    seen.add((await check(disk.root, point.label)).join());
  }
  // The places were durable from the first to the last unit.
  expect(seen.size).toBeGreaterThan(3);
});

test('a disk that refuses the place refuses the commit: nothing of it is shown, and it can be made again', async () => {
  using folder = new TemporaryFolder();
  const disk = makeDisk(folder);
  const storage = openStore(disk.root, { disk });
  await storage.consume(unit(1), { identity: 'log', timeMs: 0, partition: 1, offset: 1n });
  const before = disk.calls.length;
  await storage.consume(unit(3), { identity: 'log', timeMs: 0, partition: 1, offset: 3n });
  const writes = disk.calls.slice(before).flatMap((name, i) => (/^(append|sync) .*consumed/.test(name) ? [i] : []));
  expect(writes).toHaveLength(2);
  for (const at of writes) {
    disk.failAt(disk.calls.length + 1 + at, 'EIO');
    await expect(
      storage.consume(unit(5), { identity: 'log', timeMs: 0, partition: 1, offset: 5n }),
    ).rejects.toMatchObject({
      code: 'DISK',
    });
    expect(storage.consumed().get(1)?.offset).toBe(3n);
    const stored = new Set(storedSpans(storage, disk, other));
    expect(spansOfUnit(5, other).filter((span) => stored.has(span))).toEqual([]);
    // The file is begun anew by the commit that follows, and then the calls are as before.
    await storage.consume(unit(3), { identity: 'log', timeMs: 0, partition: 1, offset: 3n });
    await storage.consume(unit(3), { identity: 'log', timeMs: 0, partition: 1, offset: 3n });
  }
  await storage.consume(unit(5), { identity: 'log', timeMs: 0, partition: 1, offset: 5n });
  const stored = new Set(storedSpans(storage, disk, other));
  expect(spansOfUnit(5, other).every((span) => stored.has(span))).toBe(true);
  await storage.close();
});

test('a unit without spans still moves the place on; one that is malformed moves nothing', async () => {
  using folder = new TemporaryFolder();
  const storage = openStore(folder.path);
  const place = { identity: 'log', timeMs: 0, partition: 0 };
  await storage.consume([{ tenant: DEFAULT_TENANT, body: new Uint8Array(0) }], { ...place, offset: 4n });
  expect(storage.consumed().get(0)?.offset).toBe(4n);
  const cut = requestOf({ first: 0, count: 2 }).slice(0, -1);
  const both = [...unit(1), { tenant: DEFAULT_TENANT, body: cut }];
  await expect(storage.consume(both, { ...place, offset: 5n })).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
  expect(storage.consumed().get(0)?.offset).toBe(4n);
  expect(storedSpans(storage, nodeDisk, DEFAULT_TENANT)).toEqual([]);
  await storage.close();
});
