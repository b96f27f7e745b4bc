// A service whose operations are too many to list is listed with others as one, in the log, in parts and after a rebuild of
// the index; each of its spans is found by its own operation all the same. On the real engine in this process.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { NAME_BOUNDS } from '../../src/index/names.ts';
import { PartCache } from '../../src/query/part-cache.ts';
import { runQuery } from '../../src/query/run-query.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { OTHER_NAMES } from '../../src/trace/service-name.ts';
import { DEFAULT_TENANT } from '../../src/trace/tenant.ts';
import { NOON_NS, requestOf, span } from '../block/scanned.ts';
import { ANY_TRACE } from '../query/made-store.ts';
import { openStore, TemporaryFolder } from '../storage/open-store.ts';
import { encodeRequest } from '../support/otlp-proto.ts';

const nameBounds = { ...NAME_BOUNDS, operationsPerServiceMax: 5, servicesPerTenantMax: 3 };
const COUNT = 40;

function write(storage: Storage, first: number): Promise<unknown> {
  const spans = Array.from({ length: COUNT }, (_, i) =>
    span(first + i, {
      trace: first + i,
      name: `GET /user/${first + i}`,
      startTimeUnixNano: NOON_NS + BigInt(first + i),
    }),
  );
  return storage.write(DEFAULT_TENANT, encodeRequest(requestOf(spans, 'shop')));
}

/** Numbers of the traces with a span of this operation of the service. */
function search(storage: Storage, operation: string): number[] {
  const cache = new PartCache(nodeDisk);
  const view = storage.takeView(DEFAULT_TENANT, {});
  const cancelled = new Int32Array(new SharedArrayBuffer(4));
  const query = { ...ANY_TRACE, service: 'shop', operation };
  const task = { kind: 'search', query } as const;
  const result = runQuery(cache, { task, tenant: DEFAULT_TENANT, view, durationMaxMs: 60_000, cancelled });
  storage.releaseView(view.id);
  cache.close();
  return result.kind === 'hits' ? result.hits.map(({ traceId }) => traceId[15]!) : [];
}

function check(storage: Storage, count: number): void {
  const listed = storage.listOperations(DEFAULT_TENANT, 'shop').items.map(({ name }) => name);
  expect(listed).toContain(OTHER_NAMES);
  // What the index lists and what each log file does.
  expect(listed.length).toBeLessThanOrEqual(3 * 6);
  for (let n = 1; n <= count; n++) expect(search(storage, `GET /user/${n}`)).toEqual([n]);
  expect(search(storage, OTHER_NAMES)).toEqual([]);
}

test('operations beyond the bound are listed as other ones, counted, and found by their own names', async () => {
  using folder = new TemporaryFolder();
  let storage = openStore(folder.path, { nameBounds });
  await write(storage, 1);
  check(storage, COUNT);
  await storage.forceFlush();
  await write(storage, 1 + COUNT);
  check(storage, 2 * COUNT);
  await storage.forceFlush();
  expect((await storage.stats()).namesFolded).toBeGreaterThan(COUNT);
  await storage.forceMerge('');
  check(storage, 2 * COUNT);
  await storage.close();
  rmSync(join(folder.path, 'partitions', '20261120', 'index'), { recursive: true });
  storage = openStore(folder.path, { nameBounds });
  check(storage, 2 * COUNT);
  await storage.close();
});

test('services beyond the bound are listed as other ones', async () => {
  using folder = new TemporaryFolder();
  const storage = openStore(folder.path, { nameBounds });
  const services = ['a', 'b', 'c', 'd', 'e'];
  for (const [i, service] of services.entries()) {
    await storage.write(DEFAULT_TENANT, encodeRequest(requestOf([span(1 + i, { trace: 1 + i })], service)));
    if (i === 3) await storage.forceFlush();
  }
  await storage.forceFlush();
  const listed = storage.listServices(DEFAULT_TENANT).items;
  expect(listed).toHaveLength(4);
  expect(listed).toContain(OTHER_NAMES);
  expect(storage.listOperations(DEFAULT_TENANT, OTHER_NAMES).items).toEqual([{ name: 'op', kind: 0 }]);
  await storage.close();
});
