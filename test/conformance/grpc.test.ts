// §9.G: Jaeger on top of us: its remote storage API, and its own query APIs, over gRPC.
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { status, type ServiceError } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect } from 'vitest';
import type { Fixture } from '../support/jaeger-suite.ts';
import { normalProtoSpan, translate } from '../support/jaeger-translation.ts';
import { ask, askJson, callExport, force, readMetrics, sendTo } from '../support/node-client.ts';
import { startNode, type TestNode } from '../support/node-process.ts';
import { spansByTraceOf } from '../support/otlp-json-set.ts';
import {
  decodeTraces,
  encodeRequest,
  spansOf,
  toOtlpJson,
  type OtlpRequest,
  type OtlpSpan,
} from '../support/otlp-proto.ts';
import { attribute, RICH_TRACE_ID, spanId } from '../support/rich-trace.ts';
import { nsOf, protoTime, StorageClient, tracesOf } from '../support/storage-client.ts';
import { check } from './check.ts';
import {
  dayNs,
  hasS0,
  makeSpan,
  midnightNs,
  requestOf,
  S0,
  S1,
  S1_ID,
  S2,
  S2_ID,
  sendS0,
  traceIdOf,
} from './data-sets.ts';
import { FILTER_LEVELS, FILTER_OPERATORS, pathOf } from './questions.ts';

type FoundId = Awaited<ReturnType<StorageClient['findTraceIds']>>[number];

let node: TestNode;
let client: StorageClient;
beforeAll(async () => {
  node = await startNode();
  client = new StorageClient(node.jaegerAddress);
  await sendS0(node);
  for (const request of [S1, S2]) await sendTo(node, request);
});
afterAll(async () => {
  client[Symbol.dispose]();
  await node[Symbol.asyncDispose]();
});

const yesterday = { startNs: midnightNs, endNs: midnightNs + dayNs, limit: 1_000 };
const hex = (id: Uint8Array): string => Buffer.from(id).toString('hex');

/** A trace of 10,008 spans and more than 6 MiB: no client's default receive limit takes it as one message. */
function wideTrace(): OtlpRequest {
  const spans = Array.from({ length: 10_008 }, (_, i): OtlpSpan => {
    return makeSpan(0x6100, i + 1, { attributes: [attribute('text', `${i} ${'x'.repeat(600)}`)] });
  });
  return requestOf('wide', spans);
}

check('G1', async () => {
  const wide = wideTrace();
  // To the same port, as Jaeger writes when its configuration names no other.
  await callExport(node.jaegerAddress, encodeRequest(wide));
  const missing = Buffer.alloc(16, 0xff);
  // grpc-js' default receive limit is 4 MiB, as Go's is: a larger message fails the call.
  const streamed = await client.getTraces([traceIdOf(0x6100), missing, traceIdOf(Number.parseInt(S2_ID, 16))]);
  expect(streamed.messages.length).toBeGreaterThan(2);
  for (const message of streamed.messages) {
    const ids = new Set(spansOf(decodeTraces(message)).map(({ traceId }) => hex(traceId!)));
    expect([ids.size, message.length < 4 << 20]).toEqual([1, true]);
  }
  // tracesOf refuses a message of two traces; a trace that came in turns with another would be out of order here.
  const found = tracesOf(streamed);
  expect(spansByTraceOf(found.values())).toEqual(spansByTraceOf([wide, S2]));
  expect((await client.getTraces([missing])).messages).toEqual([]);
});

check(
  'G2',
  async () => {
    for (const { caption, terms, typedTags, expected } of S0.queries) {
      const wanted = expected.map(({ traceId }) => traceId).sort();
      for (const tags of [typedTags, terms.tags]) {
        expect([...tracesOf(await client.findTraces({ ...terms, tags })).keys()].sort(), caption).toEqual(wanted);
        const ids = await client.findTraceIds({ ...terms, tags });
        expect(ids.map(({ traceId }) => hex(traceId)).sort(), caption).toEqual(wanted);
        for (const id of ids) expectHintsCover(id, expected);
      }
    }
  },
  { canRun: hasS0 },
);

/** Jaeger asks for the trace within them. */
function expectHintsCover({ traceId, start, end }: FoundId, fixtures: readonly Fixture[]): void {
  const { spans } = fixtures.find((fixture) => fixture.traceId === hex(traceId))!;
  for (const { span } of spans) {
    expect(nsOf(start) <= BigInt(span['startTimeUnixNano'] as string)).toBe(true);
    expect(nsOf(end) >= BigInt(span['endTimeUnixNano'] as string)).toBe(true);
  }
}

check('G3', async () => {
  const failed: OtlpSpan = { status: { code: 2 } };
  await sendTo(
    node,
    requestOf('summed', [makeSpan(0x6300, 1, failed), makeSpan(0x6300, 2, { parentSpanId: spanId(9) })]),
  );
  const iso = (ns: bigint): string => new Date(Number(ns / 1_000_000n)).toISOString();
  for (const service of ['summed', 'large', 'frontend', 'example-service-1'].slice(0, hasS0 ? 4 : 3)) {
    const path = pathOf('/api/v3/trace-summaries', {
      'query.serviceName': service,
      'query.startTimeMin': iso(yesterday.startNs),
      'query.startTimeMax': iso(yesterday.endNs),
    });
    const { summaries: overHttp } = await askJson<{ summaries: Record<string, unknown>[] }>(node, path);
    const overGrpc = await client.findSummaries({ ...yesterday, service });
    expect(overGrpc.length).toBeGreaterThan(0);
    for (const { traceId } of overGrpc) expect(traceId).toHaveLength(16);
    const shown = overGrpc.map(({ traceId, minStartTimeUnixNano, maxEndTimeUnixNano, services, ...counts }) => ({
      ...withoutDefaults(counts),
      traceId: hex(traceId as Uint8Array),
      minStartTimeUnixNano: String(minStartTimeUnixNano),
      maxEndTimeUnixNano: String(maxEndTimeUnixNano),
      services: services.map(withoutDefaults),
    }));
    expect(shown).toEqual(overHttp);
  }
});

/** As the JSON leaves zero and empty fields out. */
function withoutDefaults(message: object): object {
  return Object.fromEntries(Object.entries(message).filter(([, value]) => value !== 0 && value !== ''));
}

check(
  'G4',
  async () => {
    const service = 'example-service-1';
    const all = [
      { name: 'example-operation-1', spanKind: '' },
      { name: 'example-operation-3', spanKind: 'server' },
      { name: 'example-operation-4', spanKind: 'client' },
    ];
    expect(await client.getOperations({ service })).toEqual(all);
    expect(await client.getOperations({ service, spanKind: 'server' })).toEqual(all.slice(1, 2));
    expect(await client.getOperations({ service: 'nobody' })).toEqual([]);
  },
  { canRun: hasS0 },
);

check('G5', async () => {
  const { search } = (await client.getCapabilities()) as { search: Record<string, unknown> };
  expect(search).toEqual({
    withoutServiceName: true,
    sameSpanConjunction: true,
    filter: { levels: FILTER_LEVELS, operators: FILTER_OPERATORS },
  });
  // Without a service name, and both conditions on one span: as advertised.
  const two = [attribute('one', '1'), attribute('two', '2')];
  await sendTo(node, requestOf('together', [makeSpan(0x6500, 1, { attributes: two })]));
  await sendTo(
    node,
    requestOf(
      'apart',
      two.map((one, i) => makeSpan(0x6501, i + 1, { attributes: [one] })),
    ),
  );
  const found = await client.findTraceIds({ ...yesterday, tags: { one: '1', two: '2' } });
  expect(found.map(({ traceId }) => hex(traceId).slice(-4))).toEqual(['6500']);
});

check('G6', async () => {
  const services = ['TraceReader', 'DependencyReader', 'Capabilities', 'TraceWriter'];
  for (const service of ['', ...services.map((name) => `jaeger.storage.v2.${name}`)]) {
    expect([service, await client.getHealth(service)]).toEqual([service, 1]);
  }
});

check('G11', async () => {
  await using purging = await startNode({ flags: ['-purge.enable'] });
  using ours = new StorageClient(purging.jaegerAddress);
  const purge = async (of: TestNode): Promise<number> =>
    (await fetch(`${of.url}/internal/purge`, { method: 'POST' })).status;
  for (let round = 0; round < 3; round++) {
    for (const headers of [{}, { AccountID: '5' }]) await sendTo(purging, S1, { headers });
    if (round > 0) await force(purging, 'flush');
    await fetch(`${purging.url}/api/archive/${S1_ID}`, { method: 'POST' });
    expect(await ours.getServices()).toEqual(['backend', 'frontend']);
    expect(await purge(purging)).toBe(200);
    expect([await ours.getServices(), (await ours.getTraces([RICH_TRACE_ID])).messages]).toEqual([[], []]);
    expect(await ours.findTraceIds(yesterday)).toEqual([]);
    expect((await ask(purging, `/api/traces/${S1_ID}`))[0]).toBe(404);
    expect(await askJson(purging, '/api/v3/services', { AccountID: '5' })).toEqual({ services: [] });
    expect(await askJson(purging, '/api/dependencies?lookback=604800000')).toMatchObject({ data: [] });
  }
  expect(await purge(node)).toBe(404);
  expect(await client.getServices()).toContain('large');
});

check('G7', async () => {
  const codeOf = async (call: Promise<unknown>): Promise<status> =>
    await call.then(
      () => status.OK,
      (error: ServiceError) => error.code,
    );
  expect(await codeOf(client.getTraceV3(S2_ID))).toBe(status.OK);
  expect(await codeOf(client.getTraceV3('abcdef0123'))).toBe(status.NOT_FOUND);
  for (const id of ['zz', '', '1'.repeat(33)]) {
    expect([id, await codeOf(client.getTraceV3(id))]).toEqual([id, status.INVALID_ARGUMENT]);
  }
  const { startNs, endNs } = yesterday;
  for (const terms of [{}, { startNs }, { endNs }]) {
    expect(await codeOf(client.findTracesV3({ service: 'large', ...terms }))).toBe(status.INVALID_ARGUMENT);
  }
});

check('G8', async () => {
  for (const [request, id] of [
    [S1, RICH_TRACE_ID],
    [S2, traceIdOf(Number.parseInt(S2_ID, 16))],
  ] as const) {
    const chunks = await client.getTraceV2(id, true);
    for (const spans of chunks) expect([spans.length > 0, spans.length <= 10]).toEqual([true, true]);
    const [expected] = translate(toOtlpJson(request)).values();
    expect(chunks.flat().map(normalProtoSpan).sort()).toEqual(expected);
  }
  const found = await client.findTracesV2({ ...yesterday, service: 'backend', isRaw: true });
  expect(found.flat().map(normalProtoSpan).sort()).toEqual([...translate(toOtlpJson(S1)).values()][0]);
  const link = [makeSpan(0x6800, 1), makeSpan(0x6800, 2, { parentSpanId: spanId(1) })] as const;
  await sendTo(node, requestOf('v2 caller', [link[0]]));
  await sendTo(node, requestOf('v2 callee', [link[1]]));
  const calls = await client.getDependencies(yesterday, 'jaeger.api_v2.QueryService');
  expect(calls).toContainEqual(expect.objectContaining({ parent: 'v2 caller', child: 'v2 callee', callCount: 1n }));
});

// Needs Go, and a checkout of Jaeger with its binary: `go build -o cmd/jaeger/jaeger-e2e ./cmd/jaeger`. Takes ports 4317 and 16685.
const jaegerDir = process.env['JAEGER_DIR'];
check(
  'G9',
  async () => {
    await using purging = await startNode({ flags: ['-purge.enable'] });
    const test = ['test', '-count=1', '-v', '-run', 'TestGRPCStorage', './cmd/jaeger/internal/integration/'];
    const env = {
      ...process.env,
      STORAGE: 'grpc',
      CUSTOM_STORAGE: 'true',
      REMOTE_STORAGE_ENDPOINT: purging.jaegerAddress,
      REMOTE_STORAGE_WRITER_ENDPOINT: purging.jaegerAddress,
      PURGER_ENDPOINT: `${purging.url}/internal/purge`,
    };
    const { stdout } = await promisify(execFile)('go', test, { cwd: jaegerDir, env, maxBuffer: 64 << 20 });
    expect(stdout).toMatch(/^--- PASS: TestGRPCStorage/m);
    expect(stdout.match(/^ +--- PASS: TestGRPCStorage\/FindTraces\//gm)).toHaveLength(25);
    expect(stdout).not.toMatch(/--- (SKIP|FAIL)/);
  },
  { canRun: jaegerDir !== undefined, timeoutMs: 600_000 },
);

check(
  'G10',
  async () => {
    await using busy = await startNode({ flags: ['-search.maxConcurrentRequests=1', '-queryWorkers=1'] });
    for (let trace = 0; trace < 20; trace++) {
      const spans = Array.from({ length: 10_000 }, (_, i) => makeSpan(0x6a00 + trace, i + 1));
      await sendTo(busy, requestOf('heavy', spans));
    }
    using asking = new StorageClient(busy.jaegerAddress);
    const heavy = { ...yesterday, service: 'heavy' };
    const query = {
      serviceName: 'heavy',
      startTimeMin: protoTime(midnightNs),
      startTimeMax: protoTime(midnightNs + dayNs),
      searchDepth: 1_000,
    };
    const call = { path: '/jaeger.storage.v2.TraceReader/FindTraces', request: 'StorageSearch', message: { query } };
    const small = (): Promise<unknown> => asking.getTraces([Buffer.alloc(16, 0xee)]);
    // Of all kinds: which of its two queries a search has come to when it is cancelled is chance.
    const cancelled = async (): Promise<number> =>
      [...(await readMetrics(busy))].reduce(
        (sum, [name, count]) => sum + (/^tracelith_queries_total.*"CANCELLED"/.test(name) ? count : 0),
        0,
      );
    const residentBefore = residentBytes(busy);
    for (let round = 0; round < 3; round++) {
      // Five that wait for one another, cancelled when the first has begun to answer: what comes next must not wait for them.
      const streams = Array.from({ length: 5 }, () => asking.open(call));
      await Promise.race(streams.map((stream) => once(stream, 'data')));
      for (const stream of streams) stream.on('error', () => undefined).cancel();
      await small();
    }
    // Those that had begun were not read to their end for nobody.
    expect(await cancelled()).toBeGreaterThan(0);
    const late = asking.findTraces(heavy, { timeoutMs: 50 });
    await expect(late).rejects.toMatchObject({ code: status.DEADLINE_EXCEEDED });
    await small();
    // Fifteen answers left unread would be some hundred megabytes each round.
    expect(residentBytes(busy) - residentBefore).toBeLessThan(300 << 20);
  },
  { timeoutMs: 60_000 },
);

function residentBytes(of: TestNode): number {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${of.pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes) * 1_024;
}
