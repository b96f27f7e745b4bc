import { expect, test } from 'vitest';
import { isStoreError } from '../../src/base/errors.ts';
import { Tenants } from '../../src/storage/tenants.ts';
import type { Tenant } from '../../src/trace/tenant.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { openStore, TemporaryFolder } from './open-store.ts';
import { DAY_NS, NOON_NS, requestOf } from './stored-spans.ts';

const tenant = (account: number): Tenant => `${account}:0` as Tenant;
const good = (): Uint8Array => requestOf({ first: 0, count: 1 });

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return 'stored';
  } catch (error) {
    if (!isStoreError(error)) throw error;
    return error.code;
  }
}

test('a tenant too many is refused until one is gone, known ones never', () => {
  const clock = new FakeClock();
  const stored = new Set([tenant(1), tenant(2)]);
  const tenants = new Tenants({ clock, tenantsMax: 3, listStored: () => stored });
  tenants.assertWelcome(tenant(3));
  // Nothing of it was stored: it is not counted.
  tenants.assertWelcome(tenant(4));
  tenants.add(tenant(4));
  expect(tenants.count).toBe(3);
  expect(() => tenants.assertWelcome(tenant(5))).toThrow(
    /^tenant 5:0 has nothing stored yet, and 3 have \(-maxTenants=3\)/,
  );
  for (const known of [1, 2, 4]) tenants.assertWelcome(tenant(known));
  stored.delete(tenant(1));
  expect(() => tenants.assertWelcome(tenant(5))).toThrow('-maxTenants=3');
  clock.advance(60_000);
  tenants.assertWelcome(tenant(5));
});

test('those of a store are counted when it opens, and requests without a stored span make none', async () => {
  using folder = new TemporaryFolder();
  const first = openStore(folder.path, { tenantsMax: 2 });
  const old = requestOf({ first: 0, count: 1, startNs: () => NOON_NS - 30n * DAY_NS });
  expect((await first.write(tenant(9), old)).stored).toBe(0);
  expect(await codeOf(first.write(tenant(1), good()))).toBe('stored');
  await first.forceFlush();
  expect(await codeOf(first.write(tenant(2), good()))).toBe('stored');
  expect(await codeOf(first.write(tenant(3), good()))).toBe('OVERLOADED');
  expect((await first.stats()).tenants).toBe(2);
  first.abandon();
  const second = openStore(folder.path, { tenantsMax: 2 });
  expect(await codeOf(second.write(tenant(3), good()))).toBe('OVERLOADED');
  expect(await codeOf(second.write(tenant(2), good()))).toBe('stored');
  await second.close();
});
