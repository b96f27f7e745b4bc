// A question about several tenants has the answer of one tenant that has the spans of all.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { archiveOfOneTenant, TenantsReader } from '../../src/cluster/tenants-reader.ts';
import { ofTenants, type CallContext } from '../../src/trace/call-context.ts';
import type { Tenant } from '../../src/trace/tenant.ts';
import { ANY_TRACE } from '../query/made-store.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { encodeRequest, type OtlpRequest, type OtlpSpan } from '../support/otlp-proto.ts';
import { attribute, spanId, traceOf } from '../support/rich-trace.ts';
import { LocalPorts } from '../support/store-ports.ts';

const [A, B, NONE, ALL] = ['1:0', '2:7', '3:0', '9:0'] as [Tenant, Tenant, Tenant, Tenant];
const together: CallContext = ofTenants([A, B, NONE]);
const alone: CallContext = ofTenants([ALL]);
const startNs = BigInt(new FakeClock().nowMs()) * 1_000_000n;
const nowNs = startNs + 3_600_000_000_000n;

const idOf = (n: number): Uint8Array => new Uint8Array(Buffer.alloc(16, n + 1));

/** A call from one service to another; the later, the higher `n`. */
function requestOf(n: number, id = n): OtlpRequest {
  const span = (number: number, more: OtlpSpan): OtlpSpan => ({
    traceId: idOf(id),
    spanId: spanId(10 * n + number),
    name: `op ${n % 3}`,
    kind: 2 + (n % 2),
    startTimeUnixNano: startNs + BigInt(n) * 1_000_000_000n,
    endTimeUnixNano: startNs + BigInt(n) * 1_000_000_000n + BigInt(n + 1) * 1_000_000n,
    attributes: [attribute('even', String(n % 2 === 0))],
    ...more,
  });
  const of = (service: string, one: OtlpSpan) =>
    traceOf([one], [attribute('service.name', service)]).resourceSpans![0]!;
  const child = span(2, { parentSpanId: spanId(10 * n + 1), status: { code: n % 4 === 0 ? 2 : 0 } });
  return { resourceSpans: [of(`service ${n % 4}`, span(1, {})), of(`service ${n % 5}`, child)] };
}

const COUNT = 40;
let ports: LocalPorts;
let reader: TenantsReader;
beforeAll(async () => {
  ports = new LocalPorts();
  reader = new TenantsReader(ports.reader);
  const write = async (tenant: Tenant, request: OtlpRequest): Promise<void> =>
    expect(await ports.writer.write({ tenant }, encodeRequest(request))).toMatchObject({ stored: 2 });
  for (let n = 0; n < COUNT; n++) {
    for (const tenant of [n % 3 === 0 ? A : B, ALL]) await write(tenant, requestOf(n));
  }
  // A trace of both, and a span that both have.
  for (const tenant of [A, ALL]) await write(tenant, requestOf(50, 0));
  for (const tenant of [B, ALL]) await write(tenant, requestOf(51, 0));
  for (const tenant of [A, B, ALL]) await write(tenant, requestOf(52, 1));
});
afterAll(() => ports[Symbol.asyncDispose]());

describe('the answer of one tenant with all spans', () => {
  test('to names', async () => {
    expect(await reader.listServices(together)).toEqual(await ports.reader.listServices(alone));
    for (const service of ['service 0', 'service 4', 'nothing']) {
      for (const kind of [undefined, 2]) {
        const expected = await ports.reader.listOperations(alone, service, kind);
        expect(await reader.listOperations(together, service, kind)).toEqual(expected);
      }
    }
  });

  test('to traces by id, also one that several have', async () => {
    const ids = [5, 0, 99, 1, 7].map(idOf);
    expect(await reader.findTraces(together, ids)).toEqual(await ports.reader.findTraces(alone, ids));
    expect(await reader.hasTraces(together, ids)).toEqual(await ports.reader.hasTraces(alone, ids));
  });

  test.each([
    ['all', {}],
    ['a few', { limit: 3 }],
    ['by service', { service: 'service 2' }],
    ['by tag', { tags: [{ key: 'even', value: 'true' }], limit: 5 }],
    ['by time', { startMaxNs: startNs + 20_000_000_000n, limit: 7 }],
    ['a page', { limit: 4, lastUnit: { startNs: startNs + 30_000_000_000n, tracesMax: 20 } }],
  ])('to a search for %s', async (_what, more) => {
    const query = { ...ANY_TRACE, startMaxNs: 2n ** 63n - 1n, limit: 100, ...more };
    expect(await reader.searchTraces(together, query)).toEqual(await ports.reader.searchTraces(alone, query));
    expect(await reader.findNewest(together, query)).toEqual(await ports.reader.findNewest(alone, query));
    const explained = await reader.explainSearch(together, query);
    expect(explained.traces).toBeGreaterThanOrEqual((await reader.searchTraces(together, query)).hits.length);
  });

  test('to sums, but for a span that two of them have', async () => {
    // Such a span is a call of each.
    const endNs = startNs + 45_000_000_000n;
    expect(await reader.listDependencies(together, startNs - 60_000_000_000n, endNs - 60_000_000_000n)).toEqual(
      await ports.reader.listDependencies(alone, startNs - 60_000_000_000n, endNs - 60_000_000_000n),
    );
    const sum = async (call: CallContext): Promise<number> => {
      const { links } = await reader.listDependencies(call, startNs - 60_000_000_000n, nowNs);
      return links.reduce((all, { callCount }) => all + callCount, 0);
    };
    const [both, one] = [await sum(together), await sum(alone)];
    expect(both).toBe(one + 1);
    const query = {
      services: ['service 1'],
      kinds: [],
      startNs: startNs - 60_000_000_000n,
      endNs: nowNs,
      isByOperation: true,
    };
    const calls = async (call: CallContext): Promise<number> => {
      const { series } = await reader.listCallSeries(call, query);
      return series.reduce((all, { calls: some }) => all + some.reduce((x, y) => x + y, 0), 0);
    };
    // The last trace, of both, calls service 2 from service 0.
    expect(await calls(together)).toBe(await calls(alone));
  });
});

test('a question about one passes as it is, and one that fails for a tenant fails', async () => {
  const one = ofTenants([A]);
  expect(await reader.listServices(one)).toEqual(await ports.reader.listServices(one));
  const signal = AbortSignal.abort();
  await expect(reader.searchTraces({ ...together, signal }, ANY_TRACE)).rejects.toMatchObject({ code: 'CANCELLED' });
});

test('the traces of all together are within the bound of one answer', async () => {
  const ids = [0, 1, 2, 3].map(idOf);
  const { traces } = await ports.reader.findTraces(ofTenants([ALL]), ids);
  const bytes = traces.reduce((sum, { otlp }) => sum + otlp.length, 0);
  await expect(new TenantsReader(ports.reader, bytes / 2).findTraces(together, ids)).rejects.toMatchObject({
    code: 'LIMIT_EXCEEDED',
  });
});

test('the archive is asked for one tenant only', async () => {
  const archive = archiveOfOneTenant(ports.archive);
  const id = idOf(3);
  const refused = { code: 'INVALID_REQUEST', message: expect.stringContaining('1:0|2:7|3:0: several tenants') };
  await expect(archive.archiveTrace(together, id)).rejects.toMatchObject(refused);
  await expect(archive.isArchived(together, id)).rejects.toMatchObject(refused);
  await expect(archive.deleteArchived(together, id)).rejects.toMatchObject(refused);
  expect((await archive.archiveTrace(ofTenants([A]), id)).isFound).toBe(true);
  // What is archived by one of them is found by id.
  expect((await reader.findTraces(together, [id])).traces).toHaveLength(1);
  expect(await archive.deleteArchived(ofTenants([A]), id)).toBe(true);
});
