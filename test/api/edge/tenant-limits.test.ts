// Rates of tenants, and the file that has them.
import { status, type ServiceError } from '@grpc/grpc-js';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openTenantLimits, parseTenantsConfig, TenantLimits } from '../../../src/api/edge/tenant-limits.ts';
import { systemClock } from '../../../src/base/clock.ts';
import { createLogger } from '../../../src/base/logger.ts';
import type { Tenant } from '../../../src/trace/tenant.ts';
import { openEdgeServers } from '../../support/edge-servers.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { oneSpan } from '../../support/one-span.ts';
import { callExport } from '../../support/node-client.ts';
import { decodeResponse, decodeRetrySeconds, decodeRpcStatus, encodeRequest } from '../../support/otlp-proto.ts';
import { TemporaryFolder } from '../../storage/open-store.ts';

const [A, B] = ['1:0', '2:0'] as [Tenant, Tenant];
const none = {
  spansPerSecond: Infinity,
  bytesPerSecond: Infinity,
  storedBytes: Infinity,
  queriesAtOnce: Infinity,
  queryBytes: Infinity,
  retentionDays: Infinity,
};

function limitsOf(config: object, clock: FakeClock): TenantLimits {
  const limits = new TenantLimits(clock);
  limits.configure(parseTenantsConfig(JSON.stringify(config)));
  return limits;
}

const isAdmitted = (limits: TenantLimits, tenant: Tenant): boolean => {
  try {
    limits.admit(tenant);
    return true;
  } catch (error) {
    expect(error).toMatchObject({ code: 'TENANT_LIMIT' });
    return false;
  }
};

describe('a rate', () => {
  test.each(['spans', 'bytes'] as const)('of %s holds over time, after a burst of five seconds', (what) => {
    const clock = new FakeClock();
    const limits = limitsOf({ defaults: { [`${what}PerSecond`]: 100 } }, clock);
    const send = (): boolean => {
      if (!isAdmitted(limits, A)) return false;
      limits.charge(A, { spans: 0, bytes: 0, [what]: 50 });
      return true;
    };
    let sent = 0;
    while (send()) sent++;
    expect(sent).toBe(10);
    clock.advance(1_000);
    for (sent = 0; send();) sent++;
    expect(sent).toBe(2);
    // An hour without sending does not allow more than the burst.
    clock.advance(3_600_000);
    for (sent = 0; send();) sent++;
    expect(sent).toBe(10);
  });

  test('is paid for by requests that were larger than what was left', () => {
    const clock = new FakeClock();
    const limits = limitsOf({ defaults: { spansPerSecond: 10 } }, clock);
    limits.admit(A);
    limits.charge(A, { spans: 250, bytes: 1 });
    clock.advance(19_900);
    expect(isAdmitted(limits, A)).toBe(false);
    clock.advance(200);
    expect(isAdmitted(limits, A)).toBe(true);
  });

  test('of one tenant does not touch another, nor those without one', () => {
    const limits = limitsOf({ tenants: { '1:0': { spansPerSecond: 1 } } }, new FakeClock());
    limits.charge(A, { spans: 1e9, bytes: 1e9 });
    limits.charge(B, { spans: 1e9, bytes: 1e9 });
    expect([isAdmitted(limits, A), isAdmitted(limits, B)]).toEqual([false, true]);
    expect(limits.of(B)).toEqual(none);
  });
});

test('what a tenant stores is refused from its limit on, named with usage and limit, and counted', () => {
  const limits = limitsOf(
    { defaults: { storedBytes: 100 }, tenants: { '2:0': { storedBytes: 300 } } },
    new FakeClock(),
  );
  const refused: string[] = [];
  limits.onRefuse = (tenant, limit) => void refused.push(`${tenant} ${limit}`);
  expect(limits.hasStoredLimits).toBe(true);
  limits.assertRoom(A);
  expect(
    limits.countStored(
      new Map([
        [A, 99],
        [B, 299],
      ]),
    ),
  ).toEqual([]);
  limits.assertRoom(A);
  expect(
    limits.countStored(
      new Map([
        [A, 100],
        [B, 299],
      ]),
    ),
  ).toEqual([A]);
  expect(() => limits.assertRoom(A)).toThrow(
    'tenant 1:0 stores 100 bytes, which storedBytes=100 does not allow (-tenants.config); delete spans, wait until days go, or raise it',
  );
  limits.assertRoom(B);
  expect(refused).toEqual(['1:0 storedBytes']);
  limits.configure(parseTenantsConfig('{}'));
  limits.assertRoom(A);
  expect(limits.hasStoredLimits).toBe(false);
});

describe('the file', () => {
  test('has defaults, and tenants that differ from them', () => {
    const text = '{"defaults":{"spansPerSecond":5,"queriesAtOnce":2},"tenants":{"1":{"queriesAtOnce":9},"2:3":{}}}';
    const { defaults, byTenant } = parseTenantsConfig(text);
    expect(defaults).toEqual({ ...none, spansPerSecond: 5, queriesAtOnce: 2 });
    expect([...byTenant]).toEqual([
      ['1:0', { ...none, spansPerSecond: 5, queriesAtOnce: 9 }],
      ['2:3', defaults],
    ]);
    expect(parseTenantsConfig('{}')).toEqual({ defaults: none, byTenant: new Map() });
  });

  test.each([
    ['', 'expected JSON'],
    ['[]', 'the file: expected an object'],
    ['{"default":{}}', 'the file: default is not one of defaults, tenants'],
    [
      '{"defaults":{"spans":1}}',
      'defaults: spans is not one of spansPerSecond, bytesPerSecond, storedBytes, queriesAtOnce',
    ],
    ['{"defaults":{"spansPerSecond":0}}', 'defaults.spansPerSecond: expected a number above 0'],
    ['{"defaults":{"retentionDays":-1}}', 'defaults.retentionDays: expected a number above 0'],
    ['{"defaults":{"spansPerSecond":"5"}}', 'defaults.spansPerSecond: expected a number above 0'],
    ['{"tenants":{"x":{}}}', 'tenants.x: expected ACCOUNT:PROJECT'],
    ['{"tenants":{"1":5}}', 'tenants.1: expected an object'],
  ])('%j is refused with its place', (text, message) => {
    expect(() => parseTenantsConfig(text)).toThrow(message);
  });

  test('is taken up when it changes; one with a mistake leaves the limits before in force', async () => {
    using folder = new TemporaryFolder();
    const path = join(folder.path, 'tenants.json');
    const lines: string[] = [];
    const logger = createLogger({ write: (line) => void lines.push(line) });
    expect(() => openTenantLimits(path, systemClock, logger)).toThrow(/^-tenants\.config=.*ENOENT/);
    writeFileSync(path, '{"defaults":{"queriesAtOnce":1}}');
    using opened = openTenantLimits(path, systemClock, logger);
    writeFileSync(path, '{"defaults":{"queriesAtOnce":-1}}');
    await expect.poll(() => lines.join(''), { timeout: 10_000 }).toContain('those before stay in force');
    expect(opened.limits.of(A).queriesAtOnce).toBe(1);
    writeFileSync(path, '{"defaults":{"queriesAtOnce":2}}');
    await expect.poll(() => opened.limits.of(A).queriesAtOnce, { timeout: 10_000 }).toBe(2);
  });
});

test('over HTTP and gRPC a tenant above its rate is told when to come back, and another one is served', async () => {
  const clock = new FakeClock();
  const tenants = limitsOf({ tenants: { '1:0': { spansPerSecond: 0.2 } } }, clock);
  await using edge = await openEdgeServers({ tenants });
  const body = encodeRequest(oneSpan(1));
  const send = (account: string): Promise<{ status: number; headers: object; text: string }> =>
    edge.post(body, { 'content-type': 'application/x-protobuf', AccountID: account });
  const call = (account: string): Promise<Uint8Array> =>
    callExport(`127.0.0.1:${edge.grpc.port}`, body, { accountid: account });
  const why = 'tenant 1:0 sends more than spansPerSecond=0.2 (-tenants.config)';
  expect((await send('1')).status).toBe(200);
  const refused = await send('1');
  expect([refused.status, refused.headers]).toEqual([429, expect.objectContaining({ 'retry-after': '2' })]);
  expect(refused.text).toContain(why);
  const error = await call('1').then(
    () => Promise.reject(new Error('the call was served')),
    (fault: ServiceError) => fault,
  );
  expect([error.code, error.details]).toEqual([status.RESOURCE_EXHAUSTED, expect.stringContaining(why)]);
  const [details] = error.metadata.get('grpc-status-details-bin');
  const [retry] = decodeRpcStatus(details as Buffer).details ?? [];
  expect(decodeRetrySeconds(retry!.value!)).toBe(2n);
  expect((await send('2')).status).toBe(200);
  expect(decodeResponse(await call('2')).partialSuccess).toBeUndefined();
  clock.advance(5_100);
  expect((await send('1')).status).toBe(200);
  await expect(call('1')).rejects.toMatchObject({ code: status.RESOURCE_EXHAUSTED });
  clock.advance(5_100);
  expect(decodeResponse(await call('1')).partialSuccess).toBeUndefined();
});
