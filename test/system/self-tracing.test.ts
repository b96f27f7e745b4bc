// The node traces itself: requests with their queries, flushes and merges, into its own store or to a receiver; and never what only
// its own traces cause.
import { createServer as createTcpServer, type AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { ask, askJson, sendTo, type JaegerTrace } from '../support/node-client.ts';
import { startNode, type TestNode } from '../support/node-process.ts';
import { oneSpan } from '../support/one-span.ts';

const FAST = ['-selfTracing.ratio=1', '-inmemoryDataFlushInterval=1s'];

async function figure(node: TestNode, name: string): Promise<number> {
  const line = (await ask(node, '/metrics'))[2].split('\n').find((each) => each.startsWith(name));
  return Number(line?.split(' ').at(-1));
}

/** All spans that came in over HTTP, by others and by the node. Asking for it is not traced. */
const rows = (node: TestNode): Promise<number> =>
  figure(node, 'vt_rows_ingested_total{type="opentelemetry_traces_otlphttp_protobuf"}');

/** Resolves with the count when it has not changed for several intervals of exports and flushes; throws if it never rests. */
async function atRest(node: TestNode): Promise<number> {
  let [before, same] = [-1, 0];
  for (let looks = 0; looks < 120; looks++) {
    const now = await rows(node);
    same = now === before ? same + 1 : 0;
    before = now;
    if (same === 16) return now;
    await delay(500);
  }
  throw new Error(`the node goes on tracing itself: ${before} spans\n${node.log()}`);
}

const tracesOf = async (node: TestNode): Promise<JaegerTrace[]> =>
  (await askJson<{ data: JaegerTrace[] }>(node, '/api/traces?service=tracelith&limit=100')).data;

test('requests, queries by phase, flushes and merges are in its own store, and it comes to rest', async () => {
  await using node = await startNode({ flags: ['-selfTracing.url=self', ...FAST] });
  await sendTo(node, oneSpan(1));
  await sendTo(node, oneSpan(2), { protocol: 'grpc' });
  await ask(node, '/api/traces?service=s');
  await expect
    .poll(() => figure(node, 'tracelith_self_spans_total{outcome="ok"}'), { timeout: 20_000 })
    .toBeGreaterThan(7);
  // Parts for a merge.
  for (let trace = 3; trace < 16; trace++) {
    await sendTo(node, oneSpan(trace));
    await expect.poll(() => figure(node, 'vt_storage_rows{type="storage/log"}'), { timeout: 20_000 }).toBe(0);
  }
  await expect.poll(() => figure(node, 'vt_merges_total'), { timeout: 20_000 }).toBeGreaterThan(0);
  const resting = await atRest(node);
  const traces = await tracesOf(node);
  const names = (trace: JaegerTrace): string[] => trace.spans.map(({ operationName }) => operationName).toSorted();
  const seen = traces.map(names);
  expect(seen).toContainEqual(['POST /insert/opentelemetry/v1/traces']);
  expect(seen).toContainEqual(['opentelemetry.proto.collector.trace.v1.TraceService/Export']);
  expect(seen).toContainEqual(['GET /api/traces', 'answer', 'plan', 'query search', 'read blocks', 'wait']);
  expect(seen).toContainEqual(['flush']);
  expect(seen).toContainEqual(['merge']);
  expect(seen.flat().filter((name) => name.includes('metrics') || name.includes('health'))).toEqual([]);
  const asked = traces.find((trace) => names(trace)[0] === 'GET /api/traces')!;
  const request = asked.spans.find(({ operationName }) => operationName === 'GET /api/traces')!;
  const query = asked.spans.find(({ operationName }) => operationName === 'query search')!;
  const parentOf = (span: object): unknown => (span as { references: { spanID: string }[] }).references[0]?.spanID;
  expect([parentOf(request), parentOf(query)]).toEqual([undefined, request.spanID]);
  expect(asked.spans.filter((span) => parentOf(span) === query.spanID)).toHaveLength(4);
  // The questions above are requests, too: their traces come, and then there is rest again.
  expect(await atRest(node)).toBeGreaterThan(resting);
}, 180_000);

test('exports over HTTP to its own port are not traced, and the node comes to rest', async () => {
  const taken = createTcpServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => taken.once('listening', resolve));
  const { port } = taken.address() as AddressInfo;
  await new Promise((resolve) => taken.close(resolve));
  const flags = [`-selfTracing.url=http://127.0.0.1:${port}/v1/traces`, ...FAST];
  await using node = await startNode({ flags, ports: [port] });
  await sendTo(node, oneSpan(1));
  await expect
    .poll(() => figure(node, 'tracelith_self_spans_total{outcome="ok"}'), { timeout: 20_000 })
    .toBeGreaterThan(0);
  // One of the client, its request, and at most its flush.
  const resting = await atRest(node);
  expect(resting).toBeGreaterThanOrEqual(2);
  expect(resting).toBeLessThanOrEqual(3);
  const paths = (await tracesOf(node)).flatMap(({ spans }) => spans.map(({ operationName }) => operationName));
  expect(paths.filter((path) => path === 'POST /v1/traces')).toEqual([]);
}, 120_000);

test('a receiver that is gone costs spans and a line of the log, nothing else; off, nothing is traced', async () => {
  await using node = await startNode({ flags: ['-selfTracing.url=http://127.0.0.1:9/v1/traces', ...FAST] });
  await sendTo(node, oneSpan(1));
  await expect
    .poll(() => figure(node, 'tracelith_self_spans_total{outcome="failed"}'), { timeout: 60_000 })
    .toBeGreaterThan(0);
  expect(node.log()).toContain('traces of the node itself cannot be exported');
  await sendTo(node, oneSpan(2));
  expect(await node.stop()).toBe(0);
  await using off = await startNode();
  await sendTo(off, oneSpan(1));
  expect(await tracesOf(off)).toEqual([]);
  expect(await figure(off, 'tracelith_self_spans_total{outcome="ok"}')).toBe(0);
}, 120_000);
