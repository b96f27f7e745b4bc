// What is stored by day: spans and bytes of log and parts, the newest start, and the days that are not open.
import { expect, test } from 'vitest';
import { DEFAULT_TENANT, parseTenant } from '../../src/trace/tenant.ts';
import { openStore, TemporaryFolder } from './open-store.ts';
import { DAY_NS, NOON_NS, requestOf } from './stored-spans.ts';

const noonMs = Number(NOON_NS / 1_000_000n);

test('days are listed with what is in their log and in their parts', async () => {
  using folder = new TemporaryFolder();
  const storage = openStore(folder.path);
  expect(storage.listDays()).toEqual([]);
  await storage.write(DEFAULT_TENANT, requestOf({ first: 0, count: 3, startNs: () => NOON_NS - DAY_NS }));
  await storage.write(DEFAULT_TENANT, requestOf({ first: 3, count: 5 }));
  const inLog = storage.listDays();
  expect(inLog).toEqual([
    { name: '20261119', state: 'open', spans: 3, bytes: expect.any(Number) as number, newestMs: noonMs - 86_400_000 },
    { name: '20261120', state: 'open', spans: 5, bytes: expect.any(Number) as number, newestMs: noonMs + 7 },
  ]);
  await storage.forceFlush();
  await storage.write(DEFAULT_TENANT, requestOf({ first: 8, count: 2 }));
  const flushed = storage.listDays();
  expect(flushed.map(({ spans, newestMs }) => [spans, newestMs])).toEqual([
    [3, noonMs - 86_400_000],
    [7, noonMs + 9],
  ]);
  const { diskBytes } = await storage.stats();
  expect(flushed.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(diskBytes);
  await storage.close();
});

test('bytes of logs and parts are shared out to tenants', async () => {
  using folder = new TemporaryFolder();
  const storage = openStore(folder.path);
  const other = parseTenant('7', '0');
  expect(storage.tenantBytes()).toEqual(new Map());
  for (const first of [0, 400]) {
    await storage.write(DEFAULT_TENANT, requestOf({ first, count: 300 }));
    await storage.write(other, requestOf({ first, count: 100 }));
    const { logBytes, partBytes } = await storage.stats();
    const bytes = storage.tenantBytes();
    const [own, others] = [bytes.get(DEFAULT_TENANT)!, bytes.get(other)!];
    // Each share of a part is rounded.
    expect(Math.abs(own + others - logBytes - partBytes)).toBeLessThanOrEqual(2);
    expect(own).toBeGreaterThan(others);
    expect(bytes.size).toBe(2);
    await storage.forceFlush();
  }
  await storage.purge();
  expect(storage.tenantBytes()).toEqual(new Map());
  await storage.close();
});

test('a day that is detached is listed, with nothing in it', async () => {
  using folder = new TemporaryFolder();
  const storage = openStore(folder.path);
  await storage.write(DEFAULT_TENANT, requestOf({ first: 0, count: 3 }));
  await storage.detachPartition('20261120');
  expect(storage.listDays()).toEqual([
    { name: '20261120', state: 'detached', spans: 0, bytes: 0, newestMs: undefined },
  ]);
  await storage.close();
});
