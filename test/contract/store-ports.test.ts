// What holds for the ports of a store, wherever it is: in this process, behind the listener of another node, or spread over the
// nodes of a cluster. The same requests and questions as to a local store, and answers that equal its own, byte for byte.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeCall } from '../../src/api/jaeger/expression-messages.ts';
import { parseFilter } from '../../src/api/jaeger/parse-filter.ts';
import { deadlineAfter } from '../../src/trace/call-context.ts';
import { DEFAULT_TENANT, parseTenant } from '../../src/trace/tenant.ts';
import type { TraceQuery } from '../../src/trace/trace-query.ts';
import { attribute } from '../support/rich-trace.ts';
import { encodeRequest, type OtlpRequest, type OtlpSpan } from '../support/otlp-proto.ts';
import { randomFilter } from '../support/random-filter.ts';
import { createRandom, printedSeed } from '../support/random-request.ts';
import { randomQuery, randomSpans } from '../support/random-search.ts';
import { knownSpans, type KnownSpan } from '../support/search-oracle.ts';
import { LogPorts } from '../support/log-ports.ts';
import { ClusterPorts, LocalPorts, openRemotePorts, type Ports } from '../support/store-ports.ts';
import { idOf, NOON_NS, requestOf, span } from '../block/scanned.ts';
import { ANY_TRACE } from '../query/made-store.ts';

const call = { tenant: DEFAULT_TENANT };
const other = { tenant: parseTenant('7', '3') };
const DAY_NS = 86_400_000_000_000n;

const KINDS: readonly (readonly [string, () => Promise<Ports>])[] = [
  ['the store of this process', async () => new LocalPorts()],
  ['the store of another node', openRemotePorts],
  ['three nodes as one', () => ClusterPorts.open(['a', 'b', 'c'])],
  ['two zones of two nodes behind a log', () => LogPorts.open()],
];

/** Services whose spans call each other, a minute apart, so that there are links and series. */
function callsOf(traces: number): OtlpRequest {
  const spans = (service: string, make: (n: number) => OtlpSpan): OtlpRequest =>
    requestOf(
      Array.from({ length: traces }, (_, n) => make(n)),
      service,
    );
  const startOf = (n: number): bigint => NOON_NS + BigInt(n) * 20_000_000_000n;
  const times = (n: number): object => ({
    startTimeUnixNano: startOf(n),
    endTimeUnixNano: startOf(n) + BigInt(n * 1_000),
  });
  const traceId = (n: number): Uint8Array => Uint8Array.from([9, n, ...idOf(n, 14)]);
  const parents = spans('front', (n) => ({
    ...span(1),
    ...times(n),
    traceId: traceId(n),
    kind: n % 5 === 4 ? 6 : 3,
    name: 'GET',
  }));
  const children = spans('back', (n) => {
    const status = n % 3 === 0 ? { status: { code: 2 } } : {};
    return { ...span(2), ...times(n), ...status, traceId: traceId(n), parentSpanId: span(1).spanId!, kind: 2 };
  });
  return { resourceSpans: [...parents.resourceSpans!, ...children.resourceSpans!] };
}

/** Bytes as hex, so that a difference can be read. */
function shown(answer: unknown): string {
  const plain = (value: unknown): unknown => {
    if (typeof value === 'bigint') return `${value}n`;
    if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
    if (ArrayBuffer.isView(value)) return [...(value as Float64Array)];
    if (value instanceof Map) return [...value].map(plain);
    if (Array.isArray(value)) return value.map(plain);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, plain(member)]));
  };
  return JSON.stringify(plain(answer), undefined, 1);
}

describe.each(KINDS)('%s', (_, open) => {
  const random = createRandom(printedSeed('store ports'));
  const requests = [...Array.from({ length: 12 }, () => randomSpans(random, NOON_NS, 40)), callsOf(30)];
  const spans: KnownSpan[] = requests.flatMap(knownSpans);
  const ids = [...new Set(spans.map(({ traceId }) => traceId))].map((id) => new Uint8Array(Buffer.from(id, 'hex')));
  let reference: LocalPorts;
  let ports: Ports;
  /** Asks both, and expects the same. */
  const same = async (ask: (one: Ports) => Promise<unknown>): Promise<void> =>
    expect(shown(await ask(ports))).toBe(shown(await ask(reference)));

  beforeAll(async () => {
    reference = new LocalPorts();
    ports = await open();
    for (const [i, request] of requests.entries()) {
      const results = [];
      for (const one of [reference, ports])
        results.push(await one.writer.write(i % 4 === 3 ? other : call, encodeRequest(request)));
      expect(results[1]).toEqual(results[0]);
    }
  });
  afterAll(async () => {
    await ports[Symbol.asyncDispose]();
    await reference[Symbol.asyncDispose]();
  });

  test('names are listed, each once, in order, by tenant', async () => {
    for (const asked of [call, other, { tenant: parseTenant('9', '9') }]) {
      await same(({ reader }) => reader.listServices(asked));
      for (const service of (await reference.reader.listServices(asked)).items) {
        await same(({ reader }) => reader.listOperations(asked, service));
        await same(({ reader }) => reader.listOperations(asked, service, 3));
      }
    }
    await same(({ reader }) => reader.listOperations(call, 'nobody'));
  });

  test('traces come whole, in the order they are asked in, and existence is told alone', async () => {
    const asked = [idOf(99, 16), ...ids, ids[0]!];
    await same(({ reader }) => reader.findTraces(call, asked));
    await same(({ reader }) => reader.findTraces(other, asked.slice(0, 9)));
    await same(({ reader }) => reader.hasTraces(call, asked));
    await same(({ reader }) => reader.findTraces(call, []));
  });

  test('searches find the same traces, cut in the same place', async () => {
    for (let i = 0; i < 60; i++) {
      const query = randomQuery(random, spans);
      await same(({ reader }) => reader.searchTraces(call, query));
      if (i % 4 === 0) await same(({ reader }) => reader.findNewest(call, query));
    }
    const every: TraceQuery = { ...ANY_TRACE, startMaxNs: 2n ** 63n - 1n };
    for (const limit of [1, 2, 5]) {
      const lastUnit = { startNs: NOON_NS - 10n, tracesMax: 50 };
      await same(({ reader }) => reader.searchTraces(call, { ...every, limit, lastUnit }));
      await same(({ reader }) => reader.findNewest(call, { ...every, limit }));
    }
  });

  test('filters mean the same', async () => {
    for (let i = 0; i < 25; i++) {
      const message = randomFilter(random, spans) as object;
      const { startMinNs, startMaxNs, limit } = randomQuery(random, spans);
      const filter = { filter: parseFilter(message), filterMessage: encodeCall(message) };
      await same(({ reader }) => reader.searchTraces(call, { ...ANY_TRACE, startMinNs, startMaxNs, limit, ...filter }));
    }
  });

  test('links and series are summed', async () => {
    const services = ['front', 'back', 'cart'];
    for (const [startNs, endNs] of [
      [NOON_NS, NOON_NS + 60_000_000_000n],
      [0n, NOON_NS + DAY_NS],
    ] as const) {
      await same(({ reader }) => reader.listDependencies(call, startNs, endNs));
      for (const isByOperation of [true, false]) {
        await same(({ reader }) => reader.listCallSeries(call, { services, kinds: [], startNs, endNs, isByOperation }));
        await same(({ reader }) =>
          reader.listCallSeries(call, { services, kinds: [2], startNs, endNs, isByOperation }),
        );
      }
    }
    expect((await ports.reader.listDependencies(call, 0n, NOON_NS + DAY_NS)).links).toContainEqual({
      parent: 'front',
      child: 'back',
      callCount: 30,
      errorCount: 10,
    });
  });

  test('a search is explained', async () => {
    const { traces, fates, warnings } = await ports.reader.explainSearch(call, ANY_TRACE);
    expect(traces).toBeGreaterThan(5);
    expect(fates.matched).toBeGreaterThan(0);
    expect(warnings).toEqual([]);
  });

  test('what is rejected is named, and a malformed request stores nothing', async () => {
    const bad = requestOf([
      { ...span(1), traceId: Uint8Array.of(1) },
      span(2, { trace: 41 }),
      { ...span(3, { trace: 42 }), startTimeUnixNano: 1n },
    ]);
    await same(({ writer }) => writer.write(call, encodeRequest(bad)));
    const unknown = Buffer.concat([
      encodeRequest(requestOf([span(1, { trace: 43 }), span(2, { trace: 44 })])),
      Uint8Array.of(0xc0, 0x3e, 1),
    ]);
    await same(({ writer }) => writer.write(call, new Uint8Array(unknown)));
    const whole = encodeRequest(requestOf([1, 2, 3, 4, 5].map((n) => span(n, { trace: 50 + n }))));
    // A span that says it is one byte longer than what is left.
    const cut = whole.slice(0, whole.length - 1);
    for (const { writer } of [reference, ports])
      await expect(writer.write(call, cut.slice())).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
    const asked = [41, 42, 43, 44, 51, 52, 53, 54, 55].map((n) => idOf(n, 16));
    await same(({ reader }) => reader.hasTraces(call, asked));
    expect((await ports.reader.hasTraces(call, asked)).traceIds).toHaveLength(3);
  });

  test('a request under one key is one write, and spans that are sent twice are shown once', async () => {
    const body = encodeRequest(requestOf([60, 61, 62].map((n) => span(n, { trace: n }))));
    for (const key of ['k', 'k', undefined]) await same(({ writer }) => writer.write(call, body.slice(), key));
    await same(({ reader }) =>
      reader.findTraces(
        call,
        [60, 61, 62].map((n) => idOf(n, 16)),
      ),
    );
  });

  test('text that is not UTF-8 comes back as it was sent', async () => {
    const one = encodeRequest(requestOf([{ ...span(1, { trace: 70 }), attributes: [attribute('k', 'QQQQ')] }]));
    const at = Buffer.from(one).indexOf('QQQQ');
    one.fill(0xff, at, at + 4);
    await same(({ writer }) => writer.write(call, one.slice()));
    await same(({ reader }) => reader.findTraces(call, [idOf(70, 16)]));
    const [found] = (await ports.reader.findTraces(call, [idOf(70, 16)])).traces;
    expect(Buffer.from(found!.otlp).includes(Buffer.from([0xff, 0xff, 0xff, 0xff]))).toBe(true);
  });

  test('who leaves, or is late, is not answered', async () => {
    const gone = { ...call, signal: AbortSignal.abort() };
    await expect(ports.reader.findTraces(gone, ids)).rejects.toMatchObject({ code: 'CANCELLED' });
    await expect(ports.reader.listServices(gone)).rejects.toMatchObject({ code: 'CANCELLED' });
    const late = { ...call, deadlineNs: deadlineAfter(0) };
    await expect(ports.reader.searchTraces(late, ANY_TRACE)).rejects.toMatchObject({
      code: expect.stringMatching('TIMEOUT|UNAVAILABLE'),
    });
  });

  test('a trace is archived whole, told apart by tenant, and removed', async () => {
    const [id] = ids;
    for (const { archive } of [reference, ports]) {
      expect(await archive.isArchived(call, id!)).toBe(false);
      expect(await archive.archiveTrace(call, id!)).toEqual({ isFound: true, warnings: [] });
      expect(await archive.archiveTrace(call, idOf(98, 16))).toMatchObject({ isFound: false });
      expect([await archive.isArchived(call, id!), await archive.isArchived(other, id!)]).toEqual([true, false]);
    }
    await same(({ reader }) => reader.findTraces(call, [id!]));
    await same(({ reader }) => reader.findNewest(call, { ...ANY_TRACE, limit: 40 }));
    for (const { archive } of [reference, ports])
      expect([await archive.deleteArchived(call, id!), await archive.deleteArchived(call, id!)]).toEqual([true, false]);
  });
});
