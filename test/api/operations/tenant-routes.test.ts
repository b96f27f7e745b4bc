// GET /internal/tenants on a real node: which tenants have something, on which days, with how many spans, and their limits.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { TenantLimits, parseTenantsConfig } from '../../../src/api/edge/tenant-limits.ts';
import { registerTenantRoutes } from '../../../src/api/operations/tenant-routes.ts';
import { fastify } from 'fastify';
import { parseTenant } from '../../../src/trace/tenant.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { startNode } from '../../support/node-process.ts';
import { sendTo } from '../../support/node-client.ts';
import { oneSpan } from '../../support/one-span.ts';
import { TemporaryFolder } from '../../storage/open-store.ts';

test('tenants, days and limits; with usage the spans of each day', async () => {
  const limits = new TenantLimits(new FakeClock());
  limits.configure(parseTenantsConfig('{"defaults":{"queriesAtOnce":3},"tenants":{"7":{"spansPerSecond":5}}}'));
  const app = fastify();
  const day = (name: string, spans: number) => ({ day: name, spans, errors: 0, newestMs: 0 });
  registerTenantRoutes(app, {
    admin: {
      listPartitions: () => ['20261119', '20261120'],
      tenantBytes: () =>
        new Map([
          [parseTenant('0', '0'), 50],
          [parseTenant('7', '0'), 9],
        ]),
      listTenants: (name) => Promise.resolve(name === '20261119' ? ['0:0'] : ['0:0', '7:0']),
    },
    inventory: {
      countServices: ({ tenant }) =>
        Promise.resolve({
          services: [
            { service: 'a', days: [day('20261120', 2)] },
            { service: 'b', days: [day('20261119', 3), day('20261120', 4)] },
          ],
          warnings: tenant === '7:0' ? ['part 1 is lost'] : [],
        }),
    },
    intake: { limitsOf: (tenant) => limits.of(tenant) },
  });
  const ask = async (query: string): Promise<unknown> => (await app.inject(`/internal/tenants${query}`)).json();
  const own = { tenant: '0:0', days: ['20261119', '20261120'], bytes: 50, limits: { queriesAtOnce: 3 } };
  const other = { tenant: '7:0', days: ['20261120'], bytes: 9, limits: { queriesAtOnce: 3, spansPerSecond: 5 } };
  const spans = { 20261119: 3, 20261120: 6 };
  expect(await ask('')).toEqual([own, other]);
  expect(await ask('?usage=1')).toEqual([
    { ...own, spans },
    { ...other, spans, warnings: ['part 1 is lost'] },
  ]);
});

test('on the real program', async () => {
  using folder = new TemporaryFolder();
  const file = join(folder.path, 'tenants.json');
  writeFileSync(file, '{"tenants":{"7:0":{"spansPerSecond":1000}}}');
  await using node = await startNode({ flags: [`-tenants.config=${file}`] });
  await sendTo(node, oneSpan(1));
  await sendTo(node, oneSpan(2), { headers: { AccountID: '7' } });
  await sendTo(node, oneSpan(3), { headers: { AccountID: '7' } });
  const answer = await fetch(`${node.url}/internal/tenants?usage=1`);
  const shown = (await answer.json()) as { tenant: string; spans: Record<string, number>; limits: object }[];
  expect(shown.map(({ tenant, spans, limits }) => [tenant, Object.values(spans), limits])).toEqual([
    ['0:0', [1], {}],
    ['7:0', [2], { spansPerSecond: 1_000 }],
  ]);
});
