// Jaeger's gRPC APIs on the real process: traces of 100,000 spans stream in bounded time and memory, a client that reads
// slowly or leaves costs nothing, and what is asked over gRPC is what is asked over HTTP.
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { status } from '@grpc/grpc-js';
import { askJson, force, readMetrics, sendTo } from '../support/node-client.ts';
import { startNode, type TestNode } from '../support/node-process.ts';
import { decodeTraces, encodeRequest, spansOf, type OtlpSpan } from '../support/otlp-proto.ts';
import { attribute, spanId, traceOf } from '../support/rich-trace.ts';
import { nsOf, StorageClient } from '../support/storage-client.ts';

const SPANS = 100_000;
const SPANS_PER_REQUEST = 10_000;
const BIG_ID = Buffer.alloc(16, 0xb1);
const startNs = BigInt(Date.now() - 3_600_000) * 1_000_000n;
const GET_TRACES = '/jaeger.storage.v2.TraceReader/GetTraces';

let node: TestNode;
let client: StorageClient;
beforeAll(async () => {
  node = await startNode();
  client = new StorageClient(node.jaegerAddress);
  for (let from = 0; from < SPANS; from += SPANS_PER_REQUEST) {
    const spans = Array.from({ length: SPANS_PER_REQUEST }, (_, i) => makeSpan(from + i + 1));
    await sendTo(node, encodeRequest(traceOf(spans, [attribute('service.name', 'big')])));
  }
  await force(node, 'flush');
}, 120_000);
afterAll(async () => {
  client[Symbol.dispose]();
  await node[Symbol.asyncDispose]();
});

/** Some 500 bytes. */
function makeSpan(number: number): OtlpSpan {
  const startTimeUnixNano = startNs + BigInt(number) * 1_000n;
  return {
    traceId: BIG_ID,
    spanId: spanId(number),
    ...(number === 1 ? {} : { parentSpanId: spanId(1) }),
    name: `operation-${number % 50}`,
    kind: 2,
    startTimeUnixNano,
    endTimeUnixNano: startTimeUnixNano + 500_000n,
    attributes: [
      attribute('http.url', `http://example.org/${number}/${'x'.repeat(300)}`),
      attribute('number', { intValue: BigInt(number) }),
    ],
  };
}

/** Resident memory of the node, MiB. */
function residentMib(): number {
  const text = readFileSync(`/proc/${node.pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+) kB/.exec(text)?.[1]) / 1_024;
}

function openBig(): ReturnType<StorageClient['open']> {
  return client.open({ path: GET_TRACES, request: 'TraceHints', message: { query: [{ traceId: BIG_ID }] } });
}

describe('a trace of 100,000 spans', () => {
  test('streams whole, in messages that any client takes, again and again in the same memory', async () => {
    await client.getTraces([BIG_ID]);
    const beforeMib = residentMib();
    const { messages } = await client.getTraces([BIG_ID]);
    const sizes = messages.map(({ length }) => length);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(3 << 20);
    expect(spansOf(decodeTraces(Buffer.concat(messages)))).toHaveLength(SPANS);
    for (let i = 0; i < 8; i++) await client.getTraces([BIG_ID]);
    const afterMib = residentMib();
    const totalMib = sizes.reduce((a, b) => a + b, 0) / 2 ** 20;
    // One answer is assembled in memory, and the one before may wait for the collector; nine must not add up.
    expect(afterMib - beforeMib).toBeLessThan(4 * totalMib);
  }, 60_000);

  test('comes over api_v2 too, in chunks of ten', async () => {
    const chunks = await client.getTraceV2(BIG_ID);
    expect(chunks.length).toBe(SPANS / 10);
    expect(chunks.every(({ length }) => length === 10)).toBe(true);
  }, 60_000);

  test('does not keep others from being answered while it is sent', async () => {
    const streaming = client.getTraceV2(BIG_ID);
    let answered = 0;
    let isDone = false;
    void streaming.finally(() => (isDone = true));
    while (!isDone) {
      await askJson(node, '/api/services');
      answered++;
      await delay(5);
    }
    await streaming;
    // Reading the blocks is the query thread's; the main one answers in between. In one piece it would answer once, before or after.
    expect(answered).toBeGreaterThan(3);
  }, 60_000);

  test('costs a client that does not read one message, not the trace', async () => {
    await client.getTraces([BIG_ID]);
    const streams = Array.from({ length: 3 }, openBig);
    for (const stream of streams) {
      stream.on('error', () => undefined);
      await new Promise((resolve) => stream.once('data', () => resolve(stream.pause())));
    }
    const beforeMib = residentMib();
    await delay(500);
    // Each holds its answer, and only a window of it twice: three whole copies would be 120 MiB.
    expect(residentMib() - beforeMib).toBeLessThan(70);
    for (const stream of streams) stream.cancel();
  }, 60_000);

  test('is no longer read when its client leaves or its deadline passes', async () => {
    const cancelled = async (): Promise<number> =>
      (await readMetrics(node)).get('tracelith_queries_total{kind="find",outcome="CANCELLED"}') ?? 0;
    const before = await cancelled();
    const streams = Array.from({ length: 10 }, openBig);
    for (const stream of streams) stream.on('error', () => undefined);
    await delay(20);
    for (const stream of streams) stream.cancel();
    await client.getServices();
    await client.getTraces([BIG_ID]);
    // Some may have been read before they were cancelled.
    expect((await cancelled()) - before).toBeGreaterThan(0);
    await expect(client.getTraces([BIG_ID], { timeoutMs: 1 })).rejects.toMatchObject({
      code: status.DEADLINE_EXCEEDED,
    });
  }, 60_000);
});

describe('the same over HTTP', () => {
  test('dependencies, without calls within a service, whichever API is asked', async () => {
    const at = { traceId: Buffer.alloc(16, 0xde) };
    const [client_, server, inner] = [1, 2, 3].map((number) => ({
      ...makeSpan(number),
      ...at,
      parentSpanId: spanId(number - 1),
    }));
    const of = (service: string, spans: OtlpSpan[]): Uint8Array =>
      encodeRequest(traceOf(spans, [attribute('service.name', service)]));
    await sendTo(node, of('caller', [client_!]));
    await sendTo(node, of('callee', [server!, inner!]));
    const link = { parent: 'caller', child: 'callee', callCount: 1 };
    const day = 86_400_000_000_000n;
    const window = { startNs: startNs - day, endNs: startNs + day };
    const [start, end] = [window.startNs, window.endNs].map((ns) => new Date(Number(ns / 1_000_000n)).toISOString());
    const legacy = `/api/dependencies?endTs=${window.endNs / 1_000_000n}&lookback=${2 * 86_400_000}`;
    expect((await askJson<{ data: unknown }>(node, legacy)).data).toEqual([link]);
    const v3 = `/api/v3/dependencies?startTime=${start}&endTime=${end}`;
    expect(await askJson(node, v3)).toEqual({ dependencies: [link] });
    for (const service of [
      'jaeger.storage.v2.DependencyReader',
      'jaeger.api_v2.QueryService',
      'jaeger.api_v3.QueryService',
    ]) {
      expect(await client.getDependencies(window, service)).toMatchObject([{ ...link, callCount: 1n }]);
    }
  });

  test('the figures of the Monitor', async () => {
    const endMs = Math.floor(Date.now() / 60_000) * 60_000;
    const window = { endNs: BigInt(endMs) * 1_000_000n, lookbackNs: 7_200_000_000_000n, stepNs: 60_000_000_000n };
    const query = `service=big&groupByOperation=true&quantile=0.9&endTs=${endMs}&lookback=7200000&step=60000`;
    for (const [method, path] of [
      ['GetLatencies', 'latencies'],
      ['GetCallRates', 'calls'],
      ['GetErrorRates', 'errors'],
    ] as const) {
      const family = await client.getMetrics(method, {
        services: ['big'],
        isByOperation: true,
        quantile: 0.9,
        ...window,
      });
      const shown = {
        ...family,
        type: 'GAUGE',
        metrics: family.metrics.map(({ labels, metricPoints }) => ({
          labels,
          metricPoints: metricPoints.map(({ gaugeValue, timestamp }) => ({
            gaugeValue: { doubleValue: Number.isNaN(gaugeValue.doubleValue) ? 'NaN' : gaugeValue.doubleValue },
            timestamp: new Date(Number(nsOf(timestamp) / 1_000_000n)).toISOString().replace('.000Z', 'Z'),
          })),
        })),
      };
      expect(family.metrics).toHaveLength(50);
      expect(shown).toEqual({ unit: '', ...(await askJson<object>(node, `/api/metrics/${path}?${query}`)) });
    }
  });

  test('a trace archived over gRPC is archived over HTTP', async () => {
    const id = Buffer.alloc(16, 0xa7);
    const span = { ...makeSpan(1), traceId: id };
    await sendTo(node, encodeRequest(traceOf([span], [attribute('service.name', 'kept')])));
    const call = { path: '/jaeger.api_v2.QueryService/ArchiveTrace', request: 'BytesTrace' };
    expect(await client.unary({ ...call, message: { traceId: id } })).toHaveLength(0);
    const { data } = await askJson<{ data: unknown[] }>(node, `/api/archive/${id.toString('hex')}`);
    expect(data).toHaveLength(1);
    await expect(client.unary({ ...call, message: { traceId: Buffer.alloc(16, 0xa8) } })).rejects.toMatchObject({
      code: status.NOT_FOUND,
    });
  });
});
