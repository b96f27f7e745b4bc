// Retention by tenant on a real store and real query threads: what is due for one tenant goes, and nothing of the others.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { TenantRetention } from '../../src/deletion/tenant-retention.ts';
import { walkFiles } from '../../src/disk/walk-files.ts';
import { LocalReader } from '../../src/query/local-reader.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { parseTenant, type Tenant } from '../../src/trace/tenant.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { encodeRequest } from '../support/otlp-proto.ts';
import { attribute, spanId, traceOf } from '../support/rich-trace.ts';
import { DAY_MS, memoryLog, openStore, TemporaryFolder } from '../storage/open-store.ts';

const [SHORT, OTHER, LONG] = [parseTenant('1', '0'), parseTenant('2', '0'), parseTenant('3', '0')];
const TENANTS = [SHORT, OTHER, LONG];
const DAYS = 6;

class KeptStore implements AsyncDisposable {
  readonly folder = new TemporaryFolder();
  readonly clock = new FakeClock();
  readonly lines: string[] = [];
  readonly storage: Storage;
  readonly reader: LocalReader;
  readonly days = new Map<Tenant, number>([[SHORT, 2]]);
  readonly retention: TenantRetention;

  constructor() {
    const { clock } = this;
    this.storage = openStore(this.folder.path, { clock, retentionMs: 20 * DAY_MS });
    const { storage } = this;
    const logger = memoryLog(this.lines);
    const source = {
      listServices: async (tenant: Tenant) => storage.listServices(tenant),
      listOperations: async (tenant: Tenant, service: string) => storage.listOperations(tenant, service),
      takeView: async (...args: Parameters<Storage['takeView']>) => storage.takeView(...args),
      releaseView: (id: number) => storage.releaseView(id),
      reportDamage: async (...args: Parameters<Storage['reportDamage']>) => storage.reportDamage(...args),
    };
    this.reader = new LocalReader({ source, logger, workers: 1, concurrentMax: 4, durationMaxMs: 60_000 });
    const retentionMsOf = (tenant: Tenant): number => (this.days.get(tenant) ?? Infinity) * DAY_MS;
    const options = { admin: storage, selector: this.reader, clock, logger, clockJumpGraceMs: 3_600_000 };
    this.retention = new TenantRetention({ ...options, retentionMsOf });
  }

  /** A trace of a service of that day's name, `daysAgo`. */
  async write(tenant: Tenant, daysAgo: number): Promise<void> {
    const startTimeUnixNano = BigInt(this.clock.nowMs() - daysAgo * DAY_MS) * 1_000_000n;
    const endTimeUnixNano = startTimeUnixNano + 1_000n;
    const [id, name] = [idOf(daysAgo), `op ${daysAgo}`];
    const span = { traceId: id, spanId: spanId(1), name, startTimeUnixNano, endTimeUnixNano };
    const service = attribute('service.name', `${tenant} ${daysAgo} days ago`);
    await this.storage.write(tenant, encodeRequest(traceOf([span], [service])));
  }

  /** How many days ago the spans were that a tenant has still, by id and by the names that are listed. */
  async kept(tenant: Tenant): Promise<number[]> {
    const ids = Array.from({ length: DAYS }, (_, n) => idOf(n));
    const { traces, warnings } = await this.reader.findTraces({ tenant }, ids);
    expect(warnings).toEqual([]);
    const found = ids.flatMap((id, n) => (traces.some(({ traceId }) => Buffer.compare(traceId, id) === 0) ? [n] : []));
    const { items } = await this.reader.listServices({ tenant });
    expect(items).toEqual(found.map((n) => `${tenant} ${n} days ago`));
    return found;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.retention.close();
    await this.reader.close();
    await this.storage.close();
    this.folder[Symbol.dispose]();
  }
}

const idOf = (n: number): Uint8Array => new Uint8Array(Buffer.alloc(16, n + 1));
const ALL = [0, 1, 2, 3, 4, 5];

/** Every tenant has a span on each day, some in parts, some in the log. */
async function filled(): Promise<KeptStore> {
  const store = new KeptStore();
  for (const daysAgo of ALL) {
    for (const tenant of TENANTS) await store.write(tenant, daysAgo);
    if (daysAgo === 3) await store.storage.forceFlush();
  }
  return store;
}

test('whole days beyond a tenant’s retention go, with their names, and those of the others stay', async () => {
  await using store = await filled();
  await store.retention.look();
  // The clock stands at noon: the day two days ago is not wholly older than two days.
  expect(await store.kept(SHORT)).toEqual([0, 1, 2]);
  expect([await store.kept(OTHER), await store.kept(LONG)]).toEqual([ALL, ALL]);
  expect(store.lines.filter((line) => line.includes('a day has gone for tenants'))).toHaveLength(3);
  // Nothing is left to do.
  await store.retention.look();
  expect(store.lines.filter((line) => line.includes('a day has gone for tenants'))).toHaveLength(3);
  store.clock.advance(DAY_MS);
  await store.retention.look();
  expect(await store.kept(SHORT)).toEqual([0, 1]);
});

test('tenants whose retention is over together cost one rewrite of the day, and a day may become empty', async () => {
  await using store = await filled();
  store.days.set(OTHER, 2).set(LONG, 3);
  const { merges: before } = await store.storage.stats();
  await store.retention.look();
  expect([await store.kept(SHORT), await store.kept(OTHER), await store.kept(LONG)]).toEqual([
    [0, 1, 2],
    [0, 1, 2],
    [0, 1, 2, 3],
  ]);
  const days = store.lines.filter((line) => line.includes('a day has gone for tenants'));
  expect(days.map((line) => /spans=(\d+) tenants=(\d+)/.exec(line)?.slice(1).join())).toEqual(['3,3', '3,3', '2,2']);
  // Each of the three days is merged without the spans, and then counted anew.
  expect((await store.storage.stats()).merges - before).toBeLessThanOrEqual(6);
  await store.write(SHORT, 5);
  expect(await store.kept(SHORT)).toEqual([0, 1, 2, 5]);
  await store.retention.look();
  expect(await store.kept(SHORT)).toEqual([0, 1, 2]);
});

test('a clock that jumps ahead takes nothing until it has been so for an hour', async () => {
  await using store = await filled();
  await store.retention.look();
  store.clock.jump(2 * DAY_MS);
  await store.retention.look();
  expect(await store.kept(SHORT)).toEqual([0, 1, 2]);
  expect(store.lines.join('')).toContain('the clock jumped ahead or is wrong');
  store.clock.advance(3_600_000);
  await store.retention.look();
  expect(await store.kept(SHORT)).toEqual([0]);
});

test('a day that cannot be read stays and is told, and holds up no other day', async () => {
  await using store = await filled();
  await store.storage.forceFlush();
  const day = join(store.folder.path, 'partitions', '20261115');
  const files = walkFiles(day).filter(({ name }) => name.endsWith('/data'));
  expect(files).not.toEqual([]);
  for (const { name, sizeBytes } of files) writeFileSync(join(day, name), Buffer.alloc(sizeBytes, 0xff));
  await store.retention.look();
  expect(store.lines.join('')).toMatch(/spans beyond the retention of their tenants stay for now.*it may hold/);
  expect(store.storage.listTenants('20261115')).toEqual(TENANTS);
  const gone = store.storage.listPartitions().filter((name) => !store.storage.listTenants(name).includes(SHORT));
  expect(gone).toEqual(['20261116', '20261117']);
});
