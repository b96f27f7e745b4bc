// Nodes that answer late, twice, too much or nonsense: the reader of a cluster counts what it holds, gives it back, and blames the
// node, never the question. Real sockets; the nodes' answers are the test's.
import { Metadata } from '@grpc/grpc-js';
import { afterEach, expect, test } from 'vitest';
import { openCluster, type Cluster } from '../../src/cluster/open-cluster.ts';
import { codecOf, encodeSliceResult, WRITE_RESULT_KEY } from '../../src/cluster/protocol.ts';
import { createLogger } from '../../src/base/logger.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { deadlineAfter } from '../../src/trace/call-context.ts';
import { LATENCY_BUCKETS } from '../../src/trace/latency-buckets.ts';
import { DEFAULT_TENANT } from '../../src/trace/tenant.ts';
import { encodeRequest } from '../support/otlp-proto.ts';
import { jaegerPath, OddNode, ownPath, say, type OddAnswer } from '../support/odd-node.ts';
import { ServedStore } from '../support/store-ports.ts';
import { idOf, NOON_NS, requestOf, span } from '../block/scanned.ts';
import { ANY_TRACE } from '../query/made-store.ts';

const call = { tenant: DEFAULT_TENANT };
const opened: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of opened.splice(0).toReversed()) await one[Symbol.asyncDispose]();
});

const EXPORT = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';
const GET_SERVICES = jaegerPath('GetServices');
const GET_TRACES = jaegerPath('GetTraces');
const GET_SERIES = ownPath('GetCallSeries');
const services = codecOf<object>('jaeger.storage.v2.GetServicesResponse');
const hits = codecOf<object>('tracelith.cluster.v1.SearchResponse');
const series = codecOf<object>('tracelith.cluster.v1.Series');
const ONE_MB = 1_000_000;

interface Limits {
  readonly answerBytesMax?: number;
  readonly answersBytesMax?: number;
  readonly durationMaxMs?: number;
  readonly concurrentMax?: number;
  readonly waitMaxMs?: number;
}

async function openOdd(
  answers: Readonly<Record<string, OddAnswer>>,
  limits: Limits = {},
  more: readonly OddNode[] = [],
): Promise<{ readonly node: OddNode; readonly cluster: Cluster }> {
  const node = await OddNode.open(answers);
  const cluster = await openCluster({
    sources: [node, ...more].map(({ source }) => source),
    disk: nodeDisk,
    logger: createLogger({ write: () => undefined }),
    forgetAfterMs: 60_000,
    writeTimeoutMs: 10_000,
    concurrentMax: 16,
    durationMaxMs: 60_000,
    allowsPartial: false,
    ...limits,
  });
  opened.push(node, { [Symbol.asyncDispose]: async () => cluster.close() });
  return { node, cluster };
}

/** A trace of one span with some bytes of text in it. */
const traceOf = (trace: number, bytes = 0, spanNumber = 1): Uint8Array =>
  encodeRequest(requestOf([span(spanNumber, { trace, startTimeUnixNano: NOON_NS, name: 'x'.repeat(bytes) })]));
const idsOf = (...traces: readonly number[]): Uint8Array[] => traces.map((trace) => idOf(trace, 16));

test('a node that is slow is asked again, and the first question still counts', async () => {
  const { node, cluster } = await openOdd(
    {
      [GET_SERVICES]: (asked, nth) => {
        if (nth === 1) first = asked;
        // The answer to the second question never comes.
        else say(first!, services.encode({ services: ['late'] }));
      },
    },
    { durationMaxMs: 2_000 },
  );
  let first: Parameters<OddAnswer>[0] | undefined;
  expect((await cluster.reader.listServices(call)).items).toEqual(['late']);
  expect(node.countOf(GET_SERVICES)).toBe(2);
});

test('a question waits for its turn as long as it may, and no longer', async () => {
  let first: Parameters<OddAnswer>[0] | undefined;
  const { cluster } = await openOdd(
    { [GET_SERVICES]: (asked) => (first = asked) },
    { concurrentMax: 1, waitMaxMs: 50 },
  );
  const asked = cluster.reader.listServices(call);
  await expect.poll(() => first, { timeout: 20_000 }).toBeDefined();
  await expect(cluster.reader.listServices(call)).rejects.toMatchObject({
    code: 'UNAVAILABLE',
    message: expect.stringContaining('try again later'),
  });
  say(first!, services.encode({ services: ['at last'] }));
  expect((await asked).items).toEqual(['at last']);
});

test('a node whose connection breaks is asked again at once, and what it sent before is not counted twice', async () => {
  const { cluster } = await openOdd(
    {
      [GET_TRACES]: (asked, nth) => {
        asked.write(traceOf(1, 600_000));
        if (nth === 1) setImmediate(() => asked.emit('error', { code: 14, details: 'gone' }));
        else asked.end();
      },
    },
    { answerBytesMax: ONE_MB },
  );
  const { traces } = await cluster.reader.findTraces(call, idsOf(1));
  expect(traces.map(({ otlp }) => otlp.length > 600_000)).toEqual([true]);
  expect(cluster.reader.readingBytes).toBe(0);
});

test('a node that sends more than one answer may have: the question fails, and nothing stays counted', async () => {
  const ids = Array.from({ length: 100 }, (_, n) => n + 1);
  const { cluster } = await openOdd(
    {
      [GET_TRACES]: (asked) => say(asked, ...ids.map((id) => traceOf(id, 100_000))),
    },
    { answerBytesMax: ONE_MB },
  );
  for (let time = 0; time < 3; time++) {
    await expect(cluster.reader.findTraces(call, idsOf(...ids))).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
    expect(cluster.reader.readingBytes).toBe(0);
  }
});

test('answers that are read at once share their memory: one that finds no room is refused, the others go on', async () => {
  let release: () => void = () => undefined;
  const held = new Promise<void>((resolve) => (release = resolve));
  const { node, cluster } = await openOdd(
    {
      [GET_TRACES]: (asked, nth) => {
        asked.write(traceOf(1, 800_000));
        if (nth === 1) void held.then(() => asked.end());
        else asked.end();
      },
    },
    { answerBytesMax: ONE_MB, answersBytesMax: ONE_MB },
  );
  const first = cluster.reader.findTraces(call, idsOf(1));
  await expect.poll(() => cluster.reader.readingBytes, { timeout: 20_000 }).toBeGreaterThan(800_000);
  await expect(cluster.reader.findTraces(call, idsOf(1))).rejects.toMatchObject({ code: 'OVERLOADED' });
  release();
  expect((await first).traces).toHaveLength(1);
  expect([node.countOf(GET_TRACES), cluster.reader.readingBytes]).toEqual([2, 0]);
});

test('series are counted, too', async () => {
  const minutes = Array.from({ length: 40_000 }, (_, n) => n);
  const one = series.encode({
    service: 's',
    minutes,
    calls: minutes,
    errors: minutes,
    bucketEnds: minutes.map(() => 0),
    buckets: [],
    counts: [],
  });
  const query = { services: ['s'], kinds: [], startNs: 0n, endNs: 1n, isByOperation: false };
  const { cluster } = await openOdd({ [GET_SERIES]: (asked) => say(asked, one, one) }, { answerBytesMax: ONE_MB });
  await expect(cluster.reader.listCallSeries(call, query)).rejects.toMatchObject({
    code: 'LIMIT_EXCEEDED',
    message: expect.stringContaining('fewer services'),
  });
  expect(cluster.reader.readingBytes).toBe(0);
});

test('a trace that comes in pieces is whole, each span once', async () => {
  const { cluster } = await openOdd({
    [GET_TRACES]: (asked) => say(asked, traceOf(1, 1, 1), traceOf(1, 1, 2), traceOf(1, 1, 2)),
  });
  await using reference = await new ServedStore('one').open();
  for (const number of [1, 2]) await reference.ports.writer.write(call, traceOf(1, 1, number));
  const expected = await reference.ports.reader.findTraces(call, idsOf(1));
  const found = await cluster.reader.findTraces(call, idsOf(1));
  expect(found.traces.map(({ otlp }) => Buffer.from(otlp))).toEqual(
    expected.traces.map(({ otlp }) => Buffer.from(otlp)),
  );
});

const NONSENSE = Uint8Array.of(0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f);
const lists = { minutes: [1, 2], calls: [1, 1], errors: [0, 0], bucketEnds: [1, 2], buckets: [3, 4], counts: [1, 1] };

const BROKEN: Readonly<Record<string, [path: string, ...messages: Uint8Array[]]>> = {
  'a hit without an id': [
    ownPath('Search'),
    hits.encode({ hits: [{ traceId: Uint8Array.of(1), matchedStartNs: 1n }] }),
  ],
  'hits that are none': [ownPath('Search'), NONSENSE],
  'names that are none': [GET_SERVICES, NONSENSE],
  'a trace that is none': [GET_TRACES, NONSENSE],
  'a trace nobody asked for': [GET_TRACES, traceOf(2)],
  'pieces of which one is none': [GET_TRACES, traceOf(1), Buffer.concat([traceOf(1), NONSENSE])],
  'pieces with another trace in them': [GET_TRACES, traceOf(1), Buffer.concat([traceOf(1), traceOf(2)])],
  'a series that ends early': [GET_SERIES, series.encode({ ...lists, calls: [1] })],
  'a series whose buckets go back': [GET_SERIES, series.encode({ ...lists, bucketEnds: [3, 2] })],
  'a series of a bucket that there is not': [GET_SERIES, series.encode({ ...lists, buckets: [3, LATENCY_BUCKETS] })],
};

test.for(Object.entries(BROKEN))('%s: the answer fails for the node’s sake', async ([, [path, ...messages]]) => {
  const { cluster } = await openOdd({ [path]: (asked) => say(asked, ...messages) });
  const { reader } = cluster;
  const query = { services: ['s'], kinds: [], startNs: 0n, endNs: 1n, isByOperation: false };
  const ask: Readonly<Record<string, () => Promise<unknown>>> = {
    [GET_SERVICES]: () => reader.listServices(call),
    [GET_TRACES]: () => reader.findTraces(call, idsOf(1)),
    [GET_SERIES]: () => reader.listCallSeries(call, query),
    [ownPath('Search')]: () => reader.searchTraces(call, ANY_TRACE),
  };
  await expect(ask[path]!()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  expect(reader.readingBytes).toBe(0);
});

test('spans that a node loses without a word are not acknowledged', async () => {
  let answered = 0;
  const { cluster } = await openOdd({
    [EXPORT]: (asked) => {
      const trailer = new Metadata();
      const result = encodeSliceResult({ stored: answered, rejected: new Map([['too_large', 1]]) });
      trailer.set(WRITE_RESULT_KEY, Buffer.from(result, 'base64'));
      asked.write(new Uint8Array(0));
      asked.end(trailer);
    },
  });
  const body = (): Uint8Array =>
    encodeRequest(requestOf([1, 2, 3].map((trace) => span(1, { trace, startTimeUnixNano: NOON_NS }))));
  await expect(cluster.writer.write(call, body())).rejects.toMatchObject({
    code: 'UNAVAILABLE',
    message: 'storage nodes account for 1 spans of 3; send them again',
  });
  answered = 2;
  expect(await cluster.writer.write(call, body())).toEqual({ stored: 2, rejected: new Map([['too_large', 1]]) });
});

test('time that is over before the nodes are asked is nobody’s fault', async () => {
  const { node, cluster } = await openOdd({});
  const late = { ...call, deadlineNs: deadlineAfter(0) };
  for (const allowsPartial of [false, true])
    await expect(cluster.reader.listServices({ ...late, allowsPartial })).rejects.toMatchObject({ code: 'TIMEOUT' });
  expect(node.countOf(GET_SERVICES)).toBe(0);
});

test('hits of many nodes are merged as they come', async () => {
  const page = (from: number): Uint8Array =>
    hits.encode({
      hits: Array.from({ length: 20 }, (_, n) => ({ traceId: idOf(from + n, 16), matchedStartNs: BigInt(1_000 - n) })),
    });
  const more: OddNode[] = [];
  for (let n = 1; n < 40; n++)
    more.push(
      await OddNode.open(
        { [ownPath('Search')]: (asked) => say(asked, page(20 * n + 1)) },
        { name: `odd-${n}`, protocol: 1, instance: `odd-${n}` },
      ),
    );
  opened.push(...more);
  const { cluster } = await openOdd({ [ownPath('Search')]: (asked) => say(asked, page(1)) }, {}, more);
  const found = await cluster.reader.searchTraces(call, { ...ANY_TRACE, limit: 50 });
  // The newest of each of the 40, then some of the next.
  expect(found.hits.map(({ matchedStartNs }) => matchedStartNs)).toEqual([
    ...Array.from({ length: 40 }, () => 1_000n),
    ...Array.from({ length: 10 }, () => 999n),
  ]);
  expect(new Set(found.hits.map(({ traceId }) => Buffer.from(traceId).toString('hex'))).size).toBe(50);
});
