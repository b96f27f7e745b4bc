// Tenants see their own data and nobody else's, in every answer, over every protocol, wherever the data lies.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TemporaryFolder } from '../storage/open-store.ts';
import {
  ask,
  askJson,
  exportTrace,
  force,
  PROTOCOLS,
  readMetrics,
  search,
  sendTo,
  type Headers,
  type JaegerTrace,
} from '../support/node-client.ts';
import { startNode, type TestNode } from '../support/node-process.ts';
import { spansByTrace, spansByTraceOf } from '../support/otlp-json-set.ts';
import type { OtlpRequest } from '../support/otlp-proto.ts';
import { attribute, spanId, traceOf } from '../support/rich-trace.ts';
import { StorageClient, tracesOf } from '../support/storage-client.ts';

const nowNs = BigInt(Date.now()) * 1_000_000n;
const traceId = Buffer.from('00112233445566778899aabbccddeeff', 'hex');

/** The headers of each tenant; the first sends none. The others are equal but for order or one number. */
const TENANTS: readonly [name: string, headers: Headers][] = [
  ['0-0', {}],
  ['0-1', { ProjectID: '1' }],
  ['1-0', { AccountID: '1' }],
  ['1-1', { AccountID: '1', ProjectID: '1' }],
  ['max', { AccountID: '4294967295', ProjectID: '4294967295' }],
];

/** A call from one service of the tenant to another, under ids that all tenants share. */
function requestOf(tenant: string): OtlpRequest {
  const span = (service: string, id: number, parent: number): NonNullable<OtlpRequest['resourceSpans']>[0] => ({
    resource: { attributes: [attribute('service.name', service)] },
    scopeSpans: [
      {
        spans: [
          {
            traceId,
            spanId: spanId(id),
            ...(parent === 0 ? {} : { parentSpanId: spanId(parent) }),
            name: `op of ${tenant}`,
            startTimeUnixNano: nowNs - 2_000_000n,
            endTimeUnixNano: nowNs - 1_000_000n,
            attributes: [attribute('tenant', tenant)],
          },
        ],
      },
    ],
  });
  return { resourceSpans: [span('shared', 1, 0), span(`only ${tenant}`, 2, 1)] };
}

let node: TestNode;
beforeAll(async () => {
  node = await startNode();
  for (const [tenant, headers] of TENANTS) {
    for (const protocol of PROTOCOLS)
      await sendTo(node, requestOf(tenant), { protocol, headers: protocol === 'grpc' ? lower(headers) : headers });
  }
});
afterAll(() => node[Symbol.asyncDispose]());

/** Metadata keys are lower-case. */
function lower(headers: Headers): Headers {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

describe.each([
  ['just acknowledged', () => Promise.resolve()],
  ['after a flush', () => force(node, 'flush')],
  ['after a merge', () => force(node, 'merge')],
  ['after kill -9 and a new start', () => node.restart('SIGKILL')],
] as const)('%s', (_name, move) => {
  beforeAll(move);

  test.each(TENANTS)('tenant %s sees its own and nothing else', async (tenant, headers) => {
    const data = async <T>(path: string): Promise<T> => (await askJson<{ data: T }>(node, path, headers)).data;
    expect(await data('/api/services')).toEqual([`only ${tenant}`, 'shared']);
    expect(await data('/api/operations?service=shared')).toEqual([{ name: `op of ${tenant}`, spanKind: '' }]);
    expect(await data('/api/services/shared/operations')).toEqual([`op of ${tenant}`]);
    expect(await data('/api/dependencies')).toEqual([{ parent: 'shared', child: `only ${tenant}`, callCount: 1 }]);
    const id = traceId.toString('hex');
    for (const path of [`/api/traces/${id}`, `/api/traces?traceID=${id}`, '/api/traces?service=shared']) {
      const [trace, ...others] = await data<JaegerTrace[]>(path);
      expect([trace!.spans.map((span) => span.operationName), others]).toEqual([
        [`op of ${tenant}`, `op of ${tenant}`],
        [],
      ]);
    }
    expect(spansByTrace([await exportTrace(node, id, headers)])).toEqual(spansByTraceOf([requestOf(tenant)]));
    for (const [other] of TENANTS) {
      const found = await search(node, { service: 'shared', tags: { tenant: other } }, headers);
      expect(found.length, other).toBe(other === tenant ? 1 : 0);
    }
  });

  test('a tenant without data sees nothing', async () => {
    const headers = { AccountID: '2' };
    expect((await askJson<{ data: unknown }>(node, '/api/services', headers)).data).toEqual([]);
    expect((await askJson<{ data: unknown }>(node, '/api/dependencies', headers)).data).toEqual([]);
    expect(await search(node, { service: 'shared' }, headers)).toEqual([]);
    expect((await ask(node, `/api/traces/${traceId.toString('hex')}`, headers))[0]).toBe(404);
    expect(await exportTrace(node, traceId.toString('hex'), headers)).toBeUndefined();
  });
});

describe('several tenants', () => {
  const both = { AccountID: '0|1', ProjectID: '1' };
  const traceHex = traceId.toString('hex');

  test('are asked together, over HTTP and gRPC', async () => {
    const { data } = await askJson<{ data: string[] }>(node, '/api/services', both);
    expect(data).toEqual(['only 0-1', 'only 1-1', 'shared']);
    expect(spansByTrace([await exportTrace(node, traceHex, both)])).toEqual(
      spansByTraceOf([requestOf('0-1'), requestOf('1-1')]),
    );
    const found = await search(node, { service: 'shared', tags: { tenant: '1-1' } }, { 'x-tenant': '0:1|1:1' });
    expect(found.map(({ spans }) => spans.length)).toEqual([4]);
    using client = new StorageClient(node.jaegerAddress);
    const metadata = { 'x-tenant': '0:1|1:1' };
    expect(await client.getServices(undefined, { metadata })).toEqual(['only 0-1', 'only 1-1', 'shared']);
    const streamed = tracesOf(await client.getTraces([traceId], { metadata }));
    expect(spansByTraceOf([...streamed.values()])).toEqual(spansByTraceOf([requestOf('0-1'), requestOf('1-1')]));
  });

  test.each(PROTOCOLS)('are not written to, over %s', async (protocol) => {
    const sent = sendTo(node, requestOf('x'), { protocol, headers: { 'x-tenant': '0:1|1:1' } });
    await expect(sent).rejects.toThrow('0:1|1:1: several tenants can be asked, but this is about one; name one');
    const services = await askJson<{ data: string[] }>(node, '/api/services', both);
    expect(services.data).not.toContain('only x');
  });

  test('are not what a page, an archive or a deletion is about', async () => {
    for (const path of ['/ui/status.json', `/api/archive/${traceHex}`]) {
      expect((await ask(node, path, both)).slice(0, 1), path).toEqual([400]);
    }
    const response = await fetch(`${node.url}/api/archive/${traceHex}`, { method: 'POST', headers: both });
    expect([response.status, await response.text()]).toEqual([400, expect.stringContaining('several tenants')]);
  });
});

test('a tenant keeps its spans for as long as the file of -tenants.config says, from the moment when it says so', async () => {
  using folder = new TemporaryFolder();
  const path = join(folder.path, 'tenants.json');
  writeFileSync(path, '{}');
  await using kept = await startNode({ flags: [`-tenants.config=${path}`, '-retentionPeriod=30d'] });
  const agoOf = (days: number): OtlpRequest =>
    traceOf([
      {
        traceId: Buffer.alloc(16, days + 1),
        spanId: spanId(1),
        name: 'op',
        startTimeUnixNano: nowNs - BigInt(days) * 86_400_000_000_000n,
        endTimeUnixNano: nowNs - BigInt(days) * 86_400_000_000_000n,
      },
    ]);
  for (const AccountID of ['1', '2']) {
    for (const days of [0, 4]) await sendTo(kept, agoOf(days), { headers: { AccountID } });
  }
  const statusOf = async (AccountID: string, days: number): Promise<number> =>
    (await ask(kept, `/api/traces/${Buffer.alloc(16, days + 1).toString('hex')}`, { AccountID }))[0];
  writeFileSync(path, '{"tenants":{"1":{"retentionDays":2}}}');
  await expect.poll(() => statusOf('1', 4), { timeout: 30_000 }).toBe(404);
  expect([await statusOf('1', 0), await statusOf('2', 0), await statusOf('2', 4)]).toEqual([200, 200, 200]);
  for (const protocol of PROTOCOLS) {
    const late = await sendTo(kept, agoOf(4), { protocol, headers: lower({ AccountID: '1' }) });
    expect(late).toMatchObject({ count: 1, text: expect.stringContaining('or than retentionDays of the tenant') });
    expect(await sendTo(kept, agoOf(4), { protocol, headers: lower({ AccountID: '2' }) })).toBeUndefined();
  }
  expect(await statusOf('1', 4)).toBe(404);
  const dropped = 'tracelith_tenant_rows_dropped_total{tenant="1:0",reason="too_small_timestamp"} 3';
  expect((await ask(kept, '/metrics'))[2]).toContain(dropped);
}, 60_000);

test('a tenant stores as much as it may and no more, is told why, and has room again when it may store more', async () => {
  using folder = new TemporaryFolder();
  const path = join(folder.path, 'tenants.json');
  writeFileSync(path, '{"tenants":{"1":{"storedBytes":1}}}');
  await using full = await startNode({ flags: [`-tenants.config=${path}`] });
  const send = async (AccountID: string, protocol: (typeof PROTOCOLS)[number] = 'http/protobuf'): Promise<string> =>
    await sendTo(full, requestOf('x'), { protocol, headers: lower({ AccountID }) }).then(
      () => 'stored',
      (error: unknown) => String(error),
    );
  expect(await send('1')).toBe('stored');
  await expect
    .poll(() => send('1'), { timeout: 30_000 })
    .toMatch(/429.*tenant 1:0 stores \d+ bytes, which storedBytes=1 does/);
  for (const protocol of PROTOCOLS) {
    expect(await send('1', protocol)).toMatch(/storedBytes=1 does not allow \(-tenants\.config\)/);
    expect(await send('2', protocol)).toBe('stored');
  }
  const { 2: scrape } = await ask(full, '/metrics');
  expect(scrape).toMatch(/^tracelith_tenant_stored_bytes\{tenant="1:0"\} [1-9]\d*$/m);
  expect(scrape).toMatch(/^tracelith_tenant_requests_refused_total\{tenant="1:0",limit="storedBytes"\} [4-9]/m);
  expect(full.log()).toContain('a tenant stores as much as it may, its spans are refused');
  const listed = await askJson<{ tenant: string; bytes: number; limits: object }[]>(full, '/internal/tenants');
  const own = listed.find(({ tenant }) => tenant === '1:0');
  expect(own).toMatchObject({ bytes: expect.any(Number), limits: { storedBytes: 1 } });
  expect(scrape).toContain(`tracelith_tenant_stored_bytes{tenant="1:0"} ${own!.bytes}`);
  // What is full is still read.
  expect((await askJson<{ data: string[] }>(full, '/api/services', { AccountID: '1' })).data).toEqual([
    'only x',
    'shared',
  ]);
  writeFileSync(path, '{"tenants":{"1":{"storedBytes":1000000}}}');
  await expect.poll(() => send('1'), { timeout: 30_000 }).toBe('stored');
}, 90_000);

test('the queries of a tenant run and read as the file of -tenants.config says, from the moment when it says so', async () => {
  using folder = new TemporaryFolder();
  const path = join(folder.path, 'tenants.json');
  writeFileSync(path, '{}');
  await using asked = await startNode({ flags: [`-tenants.config=${path}`, '-search.maxConcurrentRequests=4'] });
  for (const AccountID of ['1', '2']) {
    const spans = Array.from({ length: 200 }, (_, n) => ({
      traceId: Buffer.alloc(16, 1 + n),
      spanId: spanId(1),
      name: 'op',
      startTimeUnixNano: nowNs,
      endTimeUnixNano: nowNs,
    }));
    await sendTo(asked, traceOf(spans), { headers: { AccountID } });
  }
  const query = async (AccountID: string): Promise<[number, string]> => {
    const [status, , text] = await ask(asked, '/api/traces?service=shop&limit=200', { AccountID });
    return [status, text.slice(0, 300)];
  };
  const limit = async (limits: object): Promise<void> => {
    writeFileSync(path, JSON.stringify({ tenants: { '1': limits } }));
    const listed = async (): Promise<object | undefined> =>
      (await askJson<{ tenant: string; limits: object }[]>(asked, '/internal/tenants')).find(
        ({ tenant }) => tenant === '1:0',
      )?.limits;
    await expect.poll(listed, { timeout: 30_000 }).toEqual(limits);
  };
  const counts = async (): Promise<{ running: number; waiting: number }> => {
    const samples = await readMetrics(asked);
    return {
      running: samples.get('vt_concurrent_select_current')!,
      waiting: samples.get('tracelith_select_waiting')!,
    };
  };

  let isOver = false;
  const statuses = new Set<number>();
  const loops = Array.from({ length: 12 }, async () => {
    while (!isOver) statuses.add((await query('1'))[0]);
  });
  const running = async (): Promise<number> => (await counts()).running;
  await expect.poll(running, { timeout: 30_000, interval: 1 }).toBeGreaterThan(1);
  await limit({ queriesAtOnce: 1 });
  // Those that had begun before.
  await expect.poll(running, { timeout: 30_000, interval: 1 }).toBeLessThanOrEqual(1);
  const seen: { running: number; waiting: number }[] = [];
  for (let i = 0; i < 50; i++) seen.push(await counts());
  expect(seen.filter((one) => one.running > 1)).toEqual([]);
  expect(seen.filter((one) => one.waiting > 0).length).toBeGreaterThan(0);
  isOver = true;
  await Promise.all(loops);
  expect([...statuses]).toEqual([200]);

  await limit({ queryBytes: 1 });
  expect(await query('1')).toEqual([503, expect.stringContaining('queryBytes in -tenants.config')]);
  expect((await query('2'))[0]).toBe(200);
  await limit({});
  expect((await query('1'))[0]).toBe(200);
}, 120_000);
