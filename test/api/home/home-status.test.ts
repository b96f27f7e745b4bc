// What the first page is told, and how often it is counted.
import { expect, test } from 'vitest';
import { HomeStatusReader } from '../../../src/api/home/home-status.ts';
import { StoreError } from '../../../src/base/errors.ts';
import { parseConfig } from '../../../src/config.ts';
import type { StoreInventory } from '../../../src/trace/inventory.ts';
import { ANYONE } from '../../../src/trace/principal.ts';
import { DEFAULT_TENANT, parseTenant } from '../../../src/trace/tenant.ts';
import { RecordingStore } from '../../support/recording-store.ts';

const shop = { service: 'shop', days: [{ day: '20261120', spans: 3, errors: 1, newestMs: 60_000 }] };
/** Why the node refuses spans. */
let refusal: string | undefined;
const day = { name: '20261120', state: 'open', spans: 3, bytes: 100, newestMs: 65_000 } as const;

/** Counts how often it was asked, by tenant. */
class CountedInventory implements StoreInventory {
  readonly asked: string[] = [];
  failure: Error | undefined;
  gate: Promise<void> | undefined;

  async listDays() {
    return [day];
  }

  async countServices({ tenant }: { tenant: string }) {
    this.asked.push(tenant);
    await this.gate;
    if (this.failure !== undefined) throw this.failure;
    return { services: [shop], warnings: ['a block is lost'] };
  }
}

function readerOf(inventory: StoreInventory | undefined, ...flags: string[]): HomeStatusReader {
  const store = new RecordingStore();
  return new HomeStatusReader({
    admin: store,
    reader: store,
    inventory,
    readiness: { refusalOf: async (duties) => (duties.includes('insert') ? refusal : undefined) },
    version: '1.2.3',
    addresses: () => ({ http: '127.0.0.1:1', admin: '10.0.0.1:2', storage: '10.0.0.1:3' }),
    config: parseConfig(flags, {}),
  });
}

test('days, services, addresses and the flags that are set', async () => {
  const status = await readerOf(new CountedInventory(), '-retentionPeriod=30d').read(DEFAULT_TENANT, ANYONE);
  expect(status).toMatchObject({
    version: '1.2.3',
    days: [day],
    services: [shop],
    warnings: ['a block is lost'],
    addresses: { http: '127.0.0.1:1', admin: '10.0.0.1:2', storage: '10.0.0.1:3' },
    flags: [{ name: 'retentionPeriod', value: '30d' }],
    hasJaegerUi: false,
  });
});

test('what is of the whole node is for the scope admin alone', async () => {
  const scopes = new Set(['query'] as const);
  const reader = readerOf(new CountedInventory(), '-retentionPeriod=30d');
  const status = await reader.read(DEFAULT_TENANT, { scopes, tenants: new Set([DEFAULT_TENANT]) });
  expect([status.days, status.store, status.flags, status.hasTenants]).toEqual([
    undefined,
    undefined,
    undefined,
    false,
  ]);
  expect(status.addresses).toEqual({ http: '127.0.0.1:1' });
  expect(status.services).toEqual([shop]);
});

test('why spans are refused', async () => {
  refusal = 'the disk is full';
  expect((await readerOf(new CountedInventory()).read(DEFAULT_TENANT, ANYONE)).refusal).toBe('the disk is full');
  refusal = undefined;
  expect((await readerOf(new CountedInventory()).read(DEFAULT_TENANT, ANYONE)).refusal).toBeUndefined();
});

test('flags behind a key are not shown, and no secret ever is', async () => {
  const keyed = await readerOf(new CountedInventory(), '-flagsAuthKey=s3cret').read(DEFAULT_TENANT, ANYONE);
  expect(keyed.flags).toBeUndefined();
  const other = await readerOf(new CountedInventory(), '-metricsAuthKey=s3cret').read(DEFAULT_TENANT, ANYONE);
  expect(JSON.stringify([keyed, other])).not.toContain('s3cret');
});

test('where traces are stored elsewhere, only names are known', async () => {
  const status = await readerOf(undefined).read(DEFAULT_TENANT, ANYONE);
  expect([status.days, status.services]).toEqual([undefined, []]);
});

test('pages that ask at the same time share one count; a tenant has its own; a failure is not remembered', async () => {
  const inventory = new CountedInventory();
  const gate = Promise.withResolvers<void>();
  inventory.gate = gate.promise;
  const reader = readerOf(inventory);
  const other = parseTenant('1', '2');
  const answers = [
    reader.read(DEFAULT_TENANT, ANYONE),
    reader.read(DEFAULT_TENANT, ANYONE),
    reader.read(other, ANYONE),
  ];
  await expect.poll(() => inventory.asked.length).toBe(2);
  gate.resolve();
  await Promise.all(answers);
  expect(inventory.asked.toSorted()).toEqual([DEFAULT_TENANT, other]);
  const failing = new CountedInventory();
  failing.failure = new StoreError('OVERLOADED', 'later');
  const again = readerOf(failing);
  await expect(again.read(DEFAULT_TENANT, ANYONE)).rejects.toThrow('later');
  failing.failure = undefined;
  expect((await again.read(DEFAULT_TENANT, ANYONE)).services).toEqual([shop]);
});
