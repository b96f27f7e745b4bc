// One run of a store through everything that writes: opening, commits of several tenants and days, flushes, merges, a day
// detached and attached, work that is parked, a dropped day, closing; on a disk that crashes or fails at a chosen call. Afterwards the store is opened again, and
// what it holds is compared with what was acknowledged. The result is a list of what is wrong.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { isStoreError, StoreError } from '../../src/base/errors.ts';
import type { Disk } from '../../src/disk/disk.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { PartCache } from '../../src/query/part-cache.ts';
import { runQuery } from '../../src/query/run-query.ts';
import { inlineMergeRunner, type MergeRunner } from '../../src/partition/merge-runner.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { DEFAULT_TENANT, parseTenant, type Tenant } from '../../src/trace/tenant.ts';
import type { Survival } from '../support/durable-tree.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { FaultyDisk, type FailErrno } from '../support/faulty-disk.ts';
import { spanSet } from '../support/span-set.ts';
import { DAY_MS, openStore, TemporaryFolder } from './open-store.ts';
import { DAY_NS, NOON_NS, requestOf, storedSpans } from './stored-spans.ts';

const OTHER = parseTenant('7', '1');
/** The oldest day of the run; the run drops it. */
const OLD_DAY_START = NOON_NS - 6n * DAY_NS;

/** What the client knows: spans that were acknowledged, and spans it has sent. Lines as spanSet prints them. */
class Client {
  readonly acknowledged = new Map<Tenant, Set<string>>(
    [DEFAULT_TENANT, OTHER].map((tenant) => [tenant, new Set<string>()]),
  );
  readonly sent = new Set<string>();
  /** Spans of the dropped day: there or not, both is right once the drop has begun. */
  readonly dropped = new Set<string>();
  readonly problems: string[] = [];
  readonly #old = new Set<string>();
  #next = 0;

  /** Sends spans of which every fourth started a day earlier; on an error of the disk sends them again, once. */
  async write(storage: Storage, disk: FaultyDisk, options: { tenant?: Tenant; isOld?: boolean } = {}): Promise<void> {
    const { tenant = DEFAULT_TENANT, isOld = false } = options;
    const first = this.#next;
    this.#next += 6;
    const startNs = (n: number): bigint =>
      isOld ? OLD_DAY_START + BigInt(n) : NOON_NS + BigInt(n) - (n % 4 === 0 ? DAY_NS : 0n);
    const body = requestOf({ first, count: 6, startNs, service: `service-${tenant}` });
    const spans = spanSet([body]);
    for (const span of spans) this.sent.add(span);
    if (isOld) for (const span of spans) this.#old.add(span);
    for (let attempt = 0; attempt < 2; attempt++) {
      if (await this.attempt(disk, async () => void (await storage.write(tenant, body.slice())))) {
        for (const span of spans) this.acknowledged.get(tenant)!.add(span);
        return;
      }
    }
  }

  /**
   * Runs a step: true when it succeeded, false on an error of the disk. What else goes wrong is a problem, or the
   * crash.
   */
  async attempt(disk: FaultyDisk, step: () => Promise<void> | void): Promise<boolean> {
    try {
      await step();
      return true;
    } catch (error) {
      if (disk.isCrashed) throw error;
      if (!isStoreError(error, 'DISK') && !isStoreError(error, 'UNAVAILABLE'))
        this.problems.push(`threw ${String(error)}`);
      return false;
    }
  }

  beginDrop(): void {
    for (const span of this.#old) {
      this.dropped.add(span);
      this.acknowledged.get(DEFAULT_TENANT)!.delete(span);
    }
  }

  /**
   * Compares what `storage` holds with what was acknowledged. `isOnce`: also as rows, before any query drops repeats.
   */
  verify(storage: Storage, disk: Disk, when: string, isOnce: boolean): void {
    for (const [tenant, acknowledged] of this.acknowledged) {
      const rows = storedSpans(storage, disk, tenant);
      const found = new Set(rows);
      for (const span of acknowledged) if (!found.has(span)) this.problems.push(`${when}: lost ${span}`);
      for (const span of found) if (!this.sent.has(span)) this.problems.push(`${when}: never sent ${span}`);
      if (isOnce && rows.length !== found.size) this.problems.push(`${when}: ${rows.length - found.size} rows twice`);
      // Every span is a call, in whatever part or log it was counted.
      const calls = callsIn(storage, disk, tenant);
      if (calls !== found.size) this.problems.push(`${when}: ${calls} calls counted of ${found.size} spans`);
      const hasService = storage.listServices(tenant).items.includes(`service-${tenant}`);
      if (acknowledged.size > 0 && !hasService) this.problems.push(`${when}: the service of ${tenant} is missing`);
    }
  }
}

/** Calls of all services and minutes, as the Monitor is told. */
function callsIn(storage: Storage, disk: Disk, tenant: Tenant): number {
  const cache = new PartCache(disk);
  const view = storage.takeView(tenant, {});
  try {
    const services = storage.listServices(tenant).items;
    const query = { services, kinds: [], startNs: 0n, endNs: 2n ** 62n, isByOperation: false };
    const cancelled = new Int32Array(new SharedArrayBuffer(4));
    const task = { kind: 'metrics', query } as const;
    const result = runQuery(cache, { task, tenant, view, durationMaxMs: 60_000, cancelled });
    if (result.kind !== 'metrics') throw new Error(result.kind);
    return result.series.flatMap(({ calls }) => [...calls]).reduce((sum, calls) => sum + calls, 0);
  } finally {
    storage.releaseView(view.id);
    cache.close();
  }
}

/** The run. Throws when the disk crashes; on errors of the disk it goes on. */
async function run(client: Client, disk: FaultyDisk, path: string, opened: (storage: Storage) => void): Promise<void> {
  const clock = new FakeClock();
  const { mergeRunner, kill } = mortalRunner(disk);
  let storage: Storage | undefined;
  for (let attempt = 0; storage === undefined && attempt < 2; attempt++) {
    await client.attempt(disk, () => void (storage = openStore(path, { disk, clock, mergeRunner })));
  }
  if (storage === undefined) throw new Error('the store did not open');
  const store: Storage = storage;
  opened(store);
  await client.write(store, disk, { isOld: true });
  await client.write(store, disk);
  await Promise.all([client.write(store, disk), client.write(store, disk, { tenant: OTHER })]);
  await client.attempt(disk, () => store.forceFlush());
  await client.write(store, disk);
  client.verify(store, disk, 'while running', false);
  await client.attempt(disk, () => store.forceFlush());
  await client.write(store, disk, { tenant: OTHER });
  await client.attempt(disk, () => store.forceMerge('2026'));
  await client.write(store, disk);
  await reattach(client, store, disk);
  // A flush and a merge whose threads die twice: the log file and the parts are parked, and what follows goes past them.
  kill(true);
  await client.attempt(disk, () => store.forceFlush());
  await client.attempt(disk, () => store.forceMerge('20261120').catch(passDeadThread));
  kill(false);
  await client.write(store, disk);
  await client.attempt(disk, () => store.forceFlush());
  client.verify(store, disk, 'with parked work', false);
  client.beginDrop();
  clock.advance(2 * DAY_MS);
  await client.attempt(disk, () => store.runMaintenance());
  await client.write(store, disk);
  client.verify(store, disk, 'before closing', false);
  await client.attempt(disk, () => store.close());
}

/** Takes yesterday out and in again, at the second attempt when the disk refuses the first. */
async function reattach(client: Client, store: Storage, disk: FaultyDisk): Promise<void> {
  const name = '20261119';
  // Where the disk let no span of that day in there is no such day.
  if (!store.listPartitions().includes(name)) return;
  if (!(await client.attempt(disk, () => store.detachPartition(name)))) return;
  for (let attempt = 0; attempt < 2; attempt++)
    if (await client.attempt(disk, () => store.attachPartition(name))) return;
  client.problems.push(`${name} was not attached again`);
}

/** Merges on this thread, which dies of each while it is told to. */
function mortalRunner(disk: Disk): { mergeRunner: MergeRunner; kill: (isDeadly: boolean) => void } {
  const inline = inlineMergeRunner(disk);
  let isDeadly = false;
  const run: MergeRunner['run'] = async (job, options) => {
    if (isDeadly) throw new StoreError('WORKER_FAILED', 'the thread died');
    return inline.run(job, options);
  };
  return { mergeRunner: { ...inline, run }, kill: (isNow) => (isDeadly = isNow) };
}

function passDeadThread(error: unknown): void {
  if (!isStoreError(error, 'WORKER_FAILED')) throw error;
}

/** Opens what is left on a sound disk, verifies, lets everything run once more, and verifies again. */
async function reopen(client: Client, path: string, isOnce: boolean): Promise<void> {
  const clock = new FakeClock();
  if (client.dropped.size > 0) clock.advance(2 * DAY_MS);
  let storage = openStore(path, { clock });
  if (storage.report.damaged.length > 0)
    client.problems.push(...storage.report.damaged.map((line) => `damaged: ${line}`));
  client.verify(storage, nodeDisk, 'after reopening', isOnce);
  await storage.write(DEFAULT_TENANT, requestOf({ first: 1_000, count: 2 }));
  for (const span of spanSet([requestOf({ first: 1_000, count: 2 })])) client.sent.add(span);
  await storage.forceMerge('');
  client.verify(storage, nodeDisk, 'after merging', isOnce);
  await storage.close();
  storage = openStore(path, { clock });
  client.verify(storage, nodeDisk, 'after reopening again', isOnce);
  await storage.close();
}

/** How many calls of the disk the run makes. */
export async function countCalls(): Promise<number> {
  return (await callNames()).length;
}

/** The calls of the disk that the run makes, as FaultyDisk prints them. */
export async function callNames(): Promise<readonly string[]> {
  using folder = new TemporaryFolder();
  const disk = makeDisk(folder.path);
  await run(new Client(), disk, disk.root, () => undefined);
  await disk.close();
  return disk.calls;
}

/** Dies at a call and loses power; gives what is wrong afterwards. */
export async function crashAt(crash: { call: number; before: boolean; survival: Survival }): Promise<string[]> {
  using folder = new TemporaryFolder();
  const disk = makeDisk(folder.path);
  disk.crashAfter(crash.call, { before: crash.before });
  const client = new Client();
  let storage: Storage | undefined;
  try {
    await run(client, disk, disk.root, (opened) => (storage = opened));
  } catch (error) {
    if (!disk.isCrashed) throw error;
  }
  storage?.abandon();
  await disk.powerLoss(crash.survival);
  await reopen(client, disk.root, true);
  return client.problems;
}

/** Fails one call; the store must go on, and lose nothing when the power goes at the end. */
export async function failAt(call: number, errno: FailErrno): Promise<string[]> {
  using folder = new TemporaryFolder();
  const disk = makeDisk(folder.path);
  disk.failAt(call, errno);
  const client = new Client();
  let storage: Storage | undefined;
  await run(client, disk, disk.root, (opened) => (storage = opened));
  storage?.abandon();
  await disk.powerLoss({ keepUnsynced: 0, seed: call });
  await reopen(client, disk.root, false);
  return client.problems;
}

/** The disk's root is a folder inside, because the disk keeps a shadow beside it. */
function makeDisk(folder: string): FaultyDisk {
  const root = join(folder, 'store');
  mkdirSync(root);
  return new FaultyDisk(root);
}
