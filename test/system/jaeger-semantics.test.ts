// What Jaeger's suite asks beyond its queries (contract/jaeger.md §4.3, §6.2, §6.3, §7.1), on spans made here: huge traces,
// one id used by many spans, predicates that only hold together, special tag names, days; over HTTP against a real node.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  ask,
  askJson,
  exportTrace,
  force,
  search,
  sendTo,
  type JaegerTrace,
  type SearchTerms,
} from '../support/node-client.ts';
import { startNode, type TestNode } from '../support/node-process.ts';
import { spansByTrace, spansByTraceOf } from '../support/otlp-json-set.ts';
import type { OtlpKeyValue, OtlpRequest, OtlpSpan } from '../support/otlp-proto.ts';
import { attribute, spanId } from '../support/rich-trace.ts';

const secondNs = 1_000_000_000n;
const dayNs = 86_400n * secondNs;
/** 00:00 UTC of yesterday. */
const midnightNs = (BigInt(Math.floor(Date.now() / 86_400_000)) - 1n) * dayNs;
const noonNs = midnightNs + dayNs / 2n;

let node: TestNode;
beforeAll(async () => {
  node = await startNode();
});
afterAll(() => node[Symbol.asyncDispose]());

function traceId(id: number): Uint8Array {
  const bytes = Buffer.alloc(16);
  bytes.writeUInt32BE(id, 12);
  return bytes;
}

function span(trace: number, id: number, more: OtlpSpan = {}): OtlpSpan {
  const startTimeUnixNano = more.startTimeUnixNano ?? noonNs + BigInt(id) * 1_000n;
  return {
    traceId: traceId(trace),
    spanId: spanId(id),
    name: 'op',
    startTimeUnixNano,
    endTimeUnixNano: startTimeUnixNano + 5_000n,
    ...more,
  };
}

function requestOf(service: string, spans: OtlpSpan[], resource: OtlpKeyValue[] = []): OtlpRequest {
  const attributes = [attribute('service.name', service), ...resource];
  return {
    resourceSpans: [{ resource: { attributes }, scopeSpans: [{ scope: { name: 'lib', version: '1.2' }, spans }] }],
  };
}

const yesterday = { startNs: midnightNs, endNs: midnightNs + dayNs };
async function find(terms: SearchTerms): Promise<JaegerTrace[]> {
  return await search(node, { ...yesterday, ...terms });
}

const MOVES = [
  ['just acknowledged', () => Promise.resolve()],
  ['after a forced flush', () => force(node, 'flush')],
  ['after a forced merge', () => force(node, 'merge')],
  ['after kill -9 and a new start', () => node.restart('SIGKILL')],
] as const;

describe('a trace of 10,008 spans, one a second, of one resource', () => {
  const spans = Array.from({ length: 10_008 }, (_, i) =>
    span(0xb16, i + 1, { startTimeUnixNano: midnightNs + BigInt(i) * secondNs }),
  );
  beforeAll(async () => {
    for (let at = 0; at < spans.length; at += 200) await sendTo(node, requestOf('large', spans.slice(at, at + 200)));
  });

  test.each(MOVES)('is returned whole %s', async (_name, move) => {
    await move();
    const { data } = await askJson<{ data: JaegerTrace[] }>(node, '/api/traces/b16');
    expect(data.map((trace) => trace.spans.length)).toEqual([10_008]);
    const out = spansByTrace([await exportTrace(node, 'b16')]);
    expect(out).toEqual(spansByTraceOf([requestOf('large', spans)]));
  });

  test('is found by its last minute, whole', async () => {
    const startNs = midnightNs + 10_000n * secondNs;
    const [trace] = await find({ service: 'large', startNs, endNs: startNs + 60n * secondNs });
    expect(trace!.spans).toHaveLength(10_008);
  });
});

describe('200 spans, every 20th with the same span id and another time', () => {
  const spans = Array.from({ length: 200 }, (_, i) =>
    span(0xd0b, i % 20 === 0 ? 1 : i + 1, { startTimeUnixNano: noonNs + BigInt(i) * secondNs }),
  );
  beforeAll(async () => {
    // Twice: what is equal in every field is one span.
    for (const part of [spans.slice(0, 120), spans, spans.slice(60)]) await sendTo(node, requestOf('repeating', part));
  });

  test.each(MOVES)('are all kept, and none is doubled, %s', async (_name, move) => {
    await move();
    for (const path of ['/api/traces/d0b', '/api/traces/d0b?raw=true']) {
      const { data } = await askJson<{ data: JaegerTrace[] }>(node, path);
      expect(data[0]!.spans).toHaveLength(200);
      expect(data[0]!.spans.filter(({ spanID }) => spanID === '0000000000000001')).toHaveLength(10);
    }
    expect(spansByTrace([await exportTrace(node, 'd0b')])).toEqual(spansByTraceOf([requestOf('repeating', spans)]));
  });
});

describe('all conditions on one span', () => {
  const two = [attribute('tag1', 'v'), attribute('tag2', { intValue: 123n })];
  const four = [attribute('tag3', { doubleValue: 72.5 }), attribute('tag4', { boolValue: true })];
  const tags = { tag1: 'v', tag2: '123', tag3: '72.5', tag4: 'true' };
  beforeAll(async () => {
    await sendTo(node, requestOf('split', [span(0x501, 1, { attributes: two }), span(0x501, 2, { attributes: four })]));
    await sendTo(node, requestOf('split', [span(0x502, 1, { attributes: two, events: [{ attributes: four }] })]));
    await sendTo(node, requestOf('split', [span(0x503, 1, { attributes: four })], [attribute('tag1', 'v')]));
    // Each of its two resources has half of the tags.
    await sendTo(node, { resourceSpans: [...halves('split', 0x504, two), ...halves('split', 0x504, four)] });
    const slow = { endTimeUnixNano: noonNs + secondNs };
    await sendTo(
      node,
      requestOf('split', [span(0x505, 1, { name: 'fast' }), span(0x505, 2, { name: 'slow', ...slow })]),
    );
  });

  function halves(service: string, trace: number, resource: OtlpKeyValue[]): NonNullable<OtlpRequest['resourceSpans']> {
    return requestOf(service, [span(trace, resource === two ? 1 : 2)], resource).resourceSpans!;
  }

  test.each<[string, Omit<SearchTerms, 'service'>, string[]]>([
    ['four tags', { tags }, ['502']],
    ['the two tags of a resource', { tags: { tag1: 'v', tag2: '123' } }, ['501', '502', '504']],
    ['a tag of the resource with one of the span', { tags: { tag1: 'v', tag4: 'true' } }, ['502', '503']],
    ['the operation of one span and the duration of another', { operation: 'fast', minNs: 6_000 }, []],
    ['the operation and duration of one span', { operation: 'slow', minNs: 6_000 }, ['505']],
    [
      'a tag of one span in the window of another',
      { tags: { tag1: 'v' }, startNs: noonNs + 2_000n, endNs: noonNs + 2_000n },
      [],
    ],
  ])('%s', async (_name, terms, expected) => {
    const found = await find({ service: 'split', ...terms });
    expect(found.map(({ traceID }) => traceID.replace(/^0+/, '')).sort()).toEqual(expected);
  });
});

describe('tag names that stand for fields', () => {
  // Each span is a trace of its own and is known by its operation.
  const made: OtlpSpan[] = [
    { name: 'a', kind: 2, status: { code: 2, message: 'boom' }, traceState: 'x=y', events: [{ name: 'retry' }] },
    {
      name: 'b',
      kind: 3,
      attributes: [attribute('error', { boolValue: true })],
      events: [{ attributes: [attribute('event', 'retry')] }],
    },
    { name: 'c', kind: 1, attributes: [attribute('error', 'true')] },
    { name: 'd', kind: 4, status: { code: 1 }, attributes: [attribute('error', { boolValue: false })] },
    { name: 'e', kind: 5, attributes: [attribute('zone', 'eu')] },
    { name: 'f', links: [{ traceId: traceId(9), spanId: spanId(9), attributes: [attribute('zone', 'eu')] }] },
  ];
  beforeAll(async () => {
    const spans = made.map((more, i) => span(0x700 + i, 1, more));
    await sendTo(node, requestOf('special', spans));
    await sendTo(node, requestOf('special', [span(0x710, 1, { name: 'r' })], [attribute('zone', 'eu')]));
    const scope = { name: 'other', attributes: [attribute('zone', 'eu')] };
    const [group] = requestOf('special', []).resourceSpans!;
    await sendTo(node, {
      resourceSpans: [{ ...group, scopeSpans: [{ scope, spans: [span(0x711, 1, { name: 's' })] }] }],
    });
  });

  const table: [tags: Record<string, string>, operations: string][] = [
    [{ error: 'true' }, 'abc'],
    [{ error: 'false' }, 'defrs'],
    [{ 'span.kind': 'server' }, 'a'],
    [{ 'span.kind': 'SERVER' }, 'a'],
    [{ 'span.kind': 'consumer' }, 'e'],
    [{ 'span.kind': 'internal' }, 'c'],
    [{ 'span.kind': 'nonsense' }, ''],
    [{ 'span.status': 'ERROR' }, 'a'],
    [{ 'otel.status_code': 'ERROR' }, 'a'],
    [{ 'otel.status_code': 'OK' }, 'd'],
    [{ 'otel.status_description': 'boom' }, 'a'],
    [{ 'otel.status_description': 'boo' }, ''],
    [{ 'scope.name': 'lib' }, 'abcdefr'],
    [{ 'otel.scope.name': 'other' }, 's'],
    [{ 'otel.library.name': 'other' }, 's'],
    [{ 'scope.version': '1.2' }, 'abcdefr'],
    [{ 'otel.scope.version': '1.2', 'otel.library.version': '1.2' }, 'abcdefr'],
    [{ 'scope.version': '1' }, ''],
    [{ 'w3c.tracestate': 'x=y' }, 'a'],
    [{ event: 'retry' }, 'ab'],
    [{ zone: 'eu' }, 'efrs'],
    [{ 'resource.zone': 'eu' }, 'r'],
    [{ 'resource_attr:zone': 'eu' }, 'r'],
    [{ 'scope_attr:zone': 'eu' }, 's'],
    [{ 'span_attr:zone': 'eu' }, 'e'],
    [{ 'service.name': 'special' }, 'abcdefrs'],
    [{ 'span.kind': 'server', error: 'true', event: 'retry' }, 'a'],
    [{ 'span.kind': 'client', error: 'false' }, ''],
  ];
  const operationsOf = (traces: JaegerTrace[]): string =>
    traces
      .map(({ spans }) => spans[0]!.operationName)
      .sort()
      .join('');

  test.each([MOVES[0], MOVES[2]])('mean what Jaeger means by them, %s', async (_name, move) => {
    await move();
    for (const [tags, operations] of table) {
      expect(operationsOf(await find({ service: 'special', tags })), JSON.stringify(tags)).toBe(operations);
    }
  });
});

describe('days', () => {
  beforeAll(async () => {
    // Its first span is the last nanosecond of one day, its second the first of the next, and it goes on a day later.
    const starts = [midnightNs - 1n, midnightNs, midnightNs + dayNs];
    await sendTo(
      node,
      requestOf(
        'nightly',
        starts.map((startTimeUnixNano, i) => span(0x900, i + 1, { startTimeUnixNano })),
      ),
    );
  });

  test.each(MOVES)(
    'a trace over three days is found by each of its days and returned whole %s',
    async (_name, move) => {
      await move();
      const windows: [bigint, bigint, number][] = [
        // A bound in µs covers the whole microsecond: the first span starts in the last one of its day.
        [midnightNs - secondNs, midnightNs - 2_000n, 0],
        [midnightNs - secondNs, midnightNs - 1_000n, 1],
        [midnightNs - 1_000n, midnightNs, 1],
        [midnightNs, midnightNs, 1],
        [midnightNs + 1_000n, midnightNs + dayNs - 1_000n, 0],
        [midnightNs + dayNs, midnightNs + dayNs, 1],
        [midnightNs + dayNs + 1_000n, midnightNs + 2n * dayNs, 0],
      ];
      for (const [startNs, endNs, traces] of windows) {
        const found = await find({ service: 'nightly', startNs, endNs });
        expect(
          found.map(({ spans }) => spans.length),
          `${startNs} to ${endNs}`,
        ).toEqual(Array(traces).fill(3));
      }
    },
  );
});

describe('ids and answers', () => {
  beforeAll(async () => {
    await sendTo(
      node,
      requestOf('ids', [{ ...span(1, 1), traceId: Buffer.from('0000000000000000fb2b3cffbe6f7788', 'hex') }]),
    );
  });

  test.each([
    'fb2b3cffbe6f7788',
    '0000000000000000fb2b3cffbe6f7788',
    'FB2B3CFFBE6F7788',
    '000FB2b3cffbe6f7788',
    '+ys8/75vd4g=',
    '+ys8/75vd4g',
    '-ys8_75vd4g=',
    'AAAAAAAAAAD7Kzz/vm93iA==',
  ])('id %s finds the trace', async (id) => {
    const { data } = await askJson<{ data: JaegerTrace[] }>(node, `/api/traces/${encodeURIComponent(id)}`);
    expect(data[0]!.traceID).toBe('fb2b3cffbe6f7788');
  });

  test('what is not found is an error that names it, beside what is', async () => {
    const [status, , text] = await ask(node, '/api/traces/00000000000000000000000000abcdef');
    expect([status, JSON.parse(text)]).toEqual([
      404,
      { data: null, total: 0, limit: 0, offset: 0, errors: [{ code: 404, msg: 'trace not found' }] },
    ]);
    const both = await askJson<{ data: JaegerTrace[]; errors: unknown }>(
      node,
      '/api/traces?traceID=fb2b3cffbe6f7788&traceID=abcdef',
    );
    expect(both.data).toHaveLength(1);
    expect(both.errors).toEqual([{ msg: 'trace not found', traceID: '0000000000abcdef' }]);
  });

  test('the same question has the same bytes after everything was moved', async () => {
    const paths = [
      '/api/traces/900',
      '/api/traces/d0b',
      '/api/v3/traces/b16',
      '/api/traces?service=special&limit=20&lookback=3d',
      '/api/services',
    ];
    const before = await Promise.all(paths.map((path) => ask(node, path)));
    await force(node, 'merge');
    await node.restart();
    expect(await Promise.all(paths.map((path) => ask(node, path)))).toEqual(before);
  });
});
