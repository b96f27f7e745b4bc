// jaeger.storage.v2 on a real socket over a MapReader: what is asked reaches the reader exactly, and what it answers comes
// back whole, one trace a message.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { status, type ServiceError } from '@grpc/grpc-js';
import { decodeTraces, encodeTraces, spansOf, type OtlpRequest } from '../../support/otlp-proto.ts';
import { openGrpcListener, type GrpcListener } from '../../support/grpc-listener.ts';
import { attribute, RICH_START_NS, span, spanId, traceOf } from '../../support/rich-trace.ts';
import { nsOf, tracesOf } from '../../support/storage-client.ts';

let listener: GrpcListener;
beforeAll(async () => {
  listener = await openGrpcListener();
});
afterAll(async () => {
  await listener[Symbol.asyncDispose]();
});
beforeEach(() => listener.reader.clear());

function idOf(number: number): Uint8Array {
  const id = new Uint8Array(16);
  id[15] = number;
  return id;
}

/** A trace of two services, the later the higher its number; its last span fails and has a parent elsewhere. */
function trace(number: number): OtlpRequest {
  const traceId = idOf(number);
  const afterNs = BigInt(number) * 1_000_000n;
  const front = traceOf(
    [span(1, { traceId, kind: 2 }, afterNs), span(2, { traceId, parentSpanId: spanId(1), kind: 3 }, afterNs + 10n)],
    [attribute('service.name', 'front')],
  );
  const back = traceOf(
    [span(3, { traceId, parentSpanId: spanId(9), status: { code: 2 } }, afterNs + 20n)],
    [attribute('service.name', 'back'), attribute('number', { intValue: BigInt(number) })],
  );
  return { resourceSpans: [...front.resourceSpans!, ...back.resourceSpans!] };
}

async function refusalOf(pending: Promise<unknown>): Promise<ServiceError> {
  return await pending.then(
    () => Promise.reject(new Error('expected the call to fail')),
    (error: ServiceError) => error,
  );
}

describe('GetTraces', () => {
  test('gives the traces that exist, each once, in the order asked and byte for byte', async () => {
    for (const number of [1, 2, 3]) listener.reader.add(trace(number));
    const { messages } = await listener.client.getTraces([idOf(3), idOf(7), idOf(1), idOf(3)]);
    expect(messages).toEqual([encodeTraces(trace(3)), encodeTraces(trace(1))]);
  });

  test('nothing for none, and for ids that are not there: no error', async () => {
    expect((await listener.client.getTraces([])).messages).toEqual([]);
    expect((await listener.client.getTraces([idOf(1), new Uint8Array(16)])).messages).toEqual([]);
  });

  test('a large trace comes in several messages that make the trace', async () => {
    const spans = Array.from({ length: 4_500 }, (_, i) => span(i + 1, { traceId: idOf(5) }, BigInt(i)));
    const data = { resourceSpans: [...trace(5).resourceSpans!, ...traceOf(spans).resourceSpans!] };
    listener.reader.add(data);
    const streamed = await listener.client.getTraces([idOf(5)]);
    expect(streamed.messages.map((message) => spansOf(decodeTraces(message)).length)).toEqual([2_000, 2_000, 503]);
    const stored = decodeTraces(encodeTraces(data));
    expect(spansOf(tracesOf(streamed).get('00000000000000000000000000000005')!)).toEqual(spansOf(stored));
  });

  test('is counted against the budget of answers until it is sent or its client leaves', async () => {
    const spans = Array.from({ length: 4_500 }, (_, i) =>
      span(i + 1, { traceId: idOf(5), traceState: 'x'.repeat(5_000) }),
    );
    listener.reader.add(traceOf(spans));
    const message = { query: [{ traceId: idOf(5) }] };
    const stream = listener.client.open({
      path: '/jaeger.storage.v2.TraceReader/GetTraces',
      request: 'TraceHints',
      message,
    });
    stream.on('error', () => undefined);
    await new Promise((resolve) => stream.once('data', () => resolve(stream.pause())));
    expect(listener.answers.bytes).toBeGreaterThan(20 << 20);
    stream.cancel();
    await expect.poll(() => listener.answers.bytes).toBe(0);
    await listener.client.getTraces([idOf(5)]);
    expect(listener.answers.bytes).toBe(0);
  });

  test('more ids than are read at a time are all found', async () => {
    const numbers = Array.from({ length: 40 }, (_, i) => i + 1);
    for (const number of numbers) listener.reader.add(trace(number));
    const streamed = await listener.client.getTraces(numbers.map(idOf));
    expect([...tracesOf(streamed).keys()]).toEqual(numbers.map((number) => Buffer.from(idOf(number)).toString('hex')));
    expect(listener.reader.signals).toHaveLength(3);
  });

  test.each([
    ['8 bytes', [new Uint8Array(8)], 'trace_id: expected 16 bytes, got 8'],
    ['no id', [new Uint8Array(0)], 'trace_id: expected 16 bytes, got 0'],
    [
      'too many',
      Array.from({ length: 51 }, (_, i) => idOf(i)),
      'query: at most 50 traces (-search.maxTraces) may be named, received: 51',
    ],
  ])('%s is INVALID_ARGUMENT', async (_what, ids, text) => {
    const error = await refusalOf(listener.client.getTraces(ids));
    expect([error.code, error.details]).toEqual([status.INVALID_ARGUMENT, text]);
  });
});

describe('a search', () => {
  test('reaches the reader with every condition exact', async () => {
    await listener.client.findTraces({
      service: 'front',
      operation: 'op',
      tags: { text: 'a', int: 123n, double: 72.5, bool: true, bytes: Uint8Array.of(0, 0, 48), empty: '' },
      startNs: RICH_START_NS,
      endNs: RICH_START_NS + 1n,
      minNs: 4_500,
      maxNs: 1_500_000_001,
      limit: 7,
    });
    await listener.client.findTraces({});
    expect(listener.reader.queries).toEqual([
      {
        service: 'front',
        operation: 'op',
        tags: [
          { key: 'text', value: 'a' },
          { key: 'int', value: '123' },
          { key: 'double', value: '72.5' },
          { key: 'bool', value: 'true' },
          { key: 'bytes', value: 'AAAw' },
          { key: 'empty', value: '' },
        ],
        startMinNs: RICH_START_NS,
        startMaxNs: RICH_START_NS + 1n,
        durationMinNs: 4_500n,
        durationMaxNs: 1_500_000_001n,
        limit: 7,
        lastUnit: { startNs: RICH_START_NS + 1n, tracesMax: 50 },
      },
      {
        service: undefined,
        operation: undefined,
        tags: [],
        startMinNs: 0n,
        startMaxNs: 2n ** 63n - 1n,
        durationMinNs: undefined,
        durationMaxNs: undefined,
        limit: 50,
      },
    ]);
  });

  test('FindTraces gives whole traces, newest first', async () => {
    for (const number of [1, 2, 3]) listener.reader.add(trace(number));
    const { messages } = await listener.client.findTraces({ service: 'back', limit: 2 });
    expect(messages).toEqual([encodeTraces(trace(3)), encodeTraces(trace(2))]);
    const typed = await listener.client.findTraces({ service: 'back', tags: { number: 1 } });
    expect(typed.messages).toEqual([encodeTraces(trace(1))]);
  });

  test('FindTraceIDs gives bounds that cover the whole trace', async () => {
    listener.reader.add(trace(1));
    const [found, ...others] = await listener.client.findTraceIds({ service: 'back' });
    expect(others).toEqual([]);
    expect(Buffer.from(found!.traceId)).toEqual(Buffer.from(idOf(1)));
    expect(nsOf(found!.start)).toBe(RICH_START_NS + 1_000_000n);
    expect(nsOf(found!.end)).toBe(RICH_START_NS + 1_000_020n + 5_000n);
  });

  test('FindTraceSummaries counts spans, errors and orphans by service', async () => {
    for (let number = 1; number <= 30; number++) listener.reader.add(trace(number));
    const summaries = await listener.client.findSummaries({ service: 'back', limit: 30 });
    expect(summaries).toHaveLength(30);
    const { traceId, ...summary } = summaries[0]!;
    expect(Buffer.from(traceId as Uint8Array)).toEqual(Buffer.from(idOf(30)));
    expect(summary).toEqual({
      rootServiceName: 'front',
      rootOperationName: 'op-1',
      minStartTimeUnixNano: RICH_START_NS + 30_000_000n,
      maxEndTimeUnixNano: RICH_START_NS + 30_000_020n + 5_000n,
      spanCount: 3,
      errorSpanCount: 1,
      orphanSpanCount: 1,
      services: [
        { name: 'back', spanCount: 1, errorSpanCount: 1 },
        { name: 'front', spanCount: 2, errorSpanCount: 0 },
      ],
    });
  });

  test('without a match the streams are empty and the reader is not asked for what cannot be', async () => {
    listener.reader.add(trace(1));
    const nothing = { service: 'none' };
    expect((await listener.client.findTraces(nothing)).messages).toEqual([]);
    expect(await listener.client.findTraceIds(nothing)).toEqual([]);
    expect(await listener.client.findSummaries(nothing)).toEqual([]);
    for (const terms of [
      { startNs: 2n, endNs: 1n },
      { minNs: 2, maxNs: 1 },
    ])
      await listener.client.findTraces(terms);
    expect(listener.reader.queries).toHaveLength(3);
  });

  test('deeper than traces are given gets what is given, and says so', async () => {
    listener.reader.add(trace(1));
    const query = { searchDepth: 51 };
    const call = { path: '/jaeger.storage.v2.TraceReader/FindTraceIDs', request: 'StorageSearch', message: { query } };
    const trailers = [(await listener.client.findTraces({ limit: 51 })).trailer, await listener.client.trailerOf(call)];
    for (const trailer of trailers) {
      expect(trailer.get('tracelith-warning')).toEqual([
        '51 traces were asked for, at most 50 are given (-search.maxTraces)',
      ]);
    }
    expect(await listener.client.findSummaries({ limit: 51 })).toHaveLength(1);
    expect(listener.reader.queries.map(({ limit }) => limit)).toEqual([50, 50, 50]);
  });

  test('reaches the reader with its filter, which stands alone and must be one', async () => {
    const attr = { key: 'retries', level: 'span' };
    const filter = { op: 'gt', args: [{ attr }, { scalar: { value: '3', type: 'int' } }] };
    await listener.client.findTraces({ filter, limit: 3 });
    expect(listener.reader.queries).toMatchObject([{ tags: [], limit: 3, filter: { op: 'gt' } }]);
    for (const [terms, text] of [
      [{ filter, service: 'front' }, /^invalid query filter: it cannot be combined with \[service_name\]/],
      [{ filter: { op: 'like', args: [] } }, /^invalid query filter: unknown filter operator "like"/],
      [{ filter: { op: 'and' } }, /^invalid query filter: /],
    ] as const) {
      const error = await refusalOf(listener.client.findTraces(terms));
      expect([error.code, error.details]).toEqual([status.INVALID_ARGUMENT, expect.stringMatching(text)]);
    }
  });

  test('without a query it is INVALID_ARGUMENT', async () => {
    const call = { path: '/jaeger.storage.v2.TraceReader/FindTraces', request: 'Empty', message: {} };
    const error = await refusalOf(listener.client.stream(call));
    expect([error.code, error.details]).toEqual([status.INVALID_ARGUMENT, 'missing query']);
  });
});

describe('names and links', () => {
  beforeEach(() => listener.reader.add(trace(1)));

  test('GetServices', async () => {
    expect(await listener.client.getServices()).toEqual(['back', 'front']);
  });

  test('GetOperations tells kinds as they are, and filters by them', async () => {
    const all = [
      { name: 'op-1', spanKind: 'server' },
      { name: 'op-2', spanKind: 'client' },
    ];
    expect(await listener.client.getOperations({ service: 'front' })).toEqual(all);
    expect(await listener.client.getOperations({ service: 'front', spanKind: 'client' })).toEqual([all[1]]);
    expect(await listener.client.getOperations({ service: 'front', spanKind: 'queue' })).toEqual([]);
    expect(await listener.client.getOperations({ service: 'back' })).toEqual([{ name: 'op-3', spanKind: '' }]);
    expect(await listener.client.getOperations({ service: '' })).toEqual([]);
  });

  test('GetDependencies of a window, of all time, of an empty window', async () => {
    const traceId = idOf(2);
    const child = traceOf([span(8, { traceId, parentSpanId: spanId(1) })], [attribute('service.name', 'back')]);
    listener.reader.add({
      resourceSpans: [...traceOf([span(1, { traceId })]).resourceSpans!, ...child.resourceSpans!],
    });
    const link = { parent: 'shop', child: 'back', callCount: 1n, source: '' };
    expect(await listener.client.getDependencies({ startNs: 5n, endNs: 2n ** 62n })).toEqual([link]);
    expect(await listener.client.getDependencies({})).toEqual([link]);
    expect(listener.reader.dependencyRanges).toEqual([
      [5n, 2n ** 62n],
      [0n, 2n ** 63n - 1n],
    ]);
    expect(await listener.client.getDependencies({ startNs: 2n, endNs: 1n })).toEqual([]);
  });

  test('GetCapabilities says what works', async () => {
    expect(await listener.client.getCapabilities()).toEqual({
      search: {
        withoutServiceName: true,
        sameSpanConjunction: true,
        filter: {
          levels: ['resource', 'scope', 'span', 'event', 'link'],
          operators: 'and or not eq ne gt lt gte lte regex exists in not_in some'.split(' '),
        },
      },
    });
  });
});
