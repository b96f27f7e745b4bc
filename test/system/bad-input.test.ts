// Everything malformed that can be sent to a real node: exact status and text, the process up and its memory bounded, the
// ledger unchanged but for what it must say of it. What the listeners refuse before the store sees it has its tables in test/api.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { gzipSync } from 'node:zlib';
import { status, type ServiceError } from '@grpc/grpc-js';
import { readUsage } from '../../native-bench/harness/process-usage.ts';
import { gzipOfZeros } from '../support/gzip-zeros.ts';
import { ask, askJson, callExport, readLedger, readMetrics, sendTo } from '../support/node-client.ts';
import { startNode, type TestNode } from '../support/node-process.ts';
import {
  decodeRpcStatus,
  encodeRequest,
  type OtlpAnyValue,
  type OtlpRequest,
  type OtlpSpan,
} from '../support/otlp-proto.ts';
import { attribute } from '../support/rich-trace.ts';

const nowNs = BigInt(Date.now()) * 1_000_000n;
const dayNs = 86_400_000_000_000n;
const PROTOBUF = { 'content-type': 'application/x-protobuf' };
const JSON_TYPE = { 'content-type': 'application/json' };

let node: TestNode;
let before: Readonly<Record<string, number>>;
beforeAll(async () => {
  node = await startNode();
});
afterAll(() => node[Symbol.asyncDispose]());
beforeEach(async () => {
  before = await readLedger(node);
});
afterEach(async () => {
  expect(await ask(node, '/health')).toEqual([200, 'text/plain; charset=utf-8', 'OK']);
  const stored = 'tracelith_rows_stored_total';
  expect((await readLedger(node))[stored], 'nothing was stored').toBe(before[stored]);
  expect((await askJson<{ data: string[] }>(node, '/api/services')).data).toEqual([]);
});

async function post(body: Uint8Array | string, headers: Record<string, string>): Promise<[number, string]> {
  const response = await fetch(`${node.url}/v1/traces`, { method: 'POST', headers, body: Buffer.from(body) });
  const bytes = new Uint8Array(await response.arrayBuffer());
  const type = response.headers.get('content-type');
  if (type === 'application/json')
    return [response.status, (JSON.parse(Buffer.from(bytes).toString()) as { message: string }).message];
  return [
    response.status,
    type === 'application/x-protobuf' ? (decodeRpcStatus(bytes).message ?? '') : Buffer.from(bytes).toString(),
  ];
}

/** The failure of a gRPC export that must fail. */
async function refusal(body: Uint8Array): Promise<ServiceError> {
  return await callExport(node.grpcAddress, body).then(
    () => Promise.reject(new Error('it was accepted')),
    (error: unknown) => error as ServiceError,
  );
}

const goodSpan: OtlpSpan = {
  traceId: new Uint8Array(16).fill(1),
  spanId: new Uint8Array(8).fill(2),
  startTimeUnixNano: nowNs,
  endTimeUnixNano: nowNs + 1n,
};

function requestOf(span: OtlpSpan): OtlpRequest {
  return {
    resourceSpans: [
      {
        resource: { attributes: [attribute('service.name', 'bad')] },
        scopeSpans: [{ scope: { name: 's' }, spans: [span] }],
      },
    ],
  };
}

const everything: OtlpSpan = {
  ...goodSpan,
  parentSpanId: new Uint8Array(8).fill(3),
  name: 'op',
  kind: 2,
  attributes: [attribute('a', { intValue: 7n }), attribute('b', { arrayValue: { values: [{ doubleValue: 1.5 }] } })],
  events: [{ timeUnixNano: nowNs, name: 'e', attributes: [attribute('c', 'x')] }],
  links: [{ traceId: new Uint8Array(16).fill(4), spanId: new Uint8Array(8).fill(5), flags: 1 }],
  status: { code: 2, message: 'm' },
};

describe('a request cut off', () => {
  const whole = encodeRequest(requestOf(everything));

  test('at any length is 400, stores nothing and is counted', async () => {
    const malformed = 'tracelith_requests_malformed_total';
    const countBefore = (await readMetrics(node)).get(malformed)!;
    expect(whole.length).toBeLessThan(400);
    for (let length = 1; length < whole.length; length++) {
      const [code, text] = await post(whole.subarray(0, length), PROTOBUF);
      expect([code, text], `${length} bytes`).toEqual([
        400,
        expect.stringMatching(/^malformed protobuf at byte \d+: \S/),
      ]);
    }
    expect((await readMetrics(node)).get(malformed)! - countBefore).toBe(whole.length - 1);
    expect(await readLedger(node)).toEqual(before);
  });

  test('is INVALID_ARGUMENT over gRPC', async () => {
    for (let length = 1; length < whole.length; length += 7) {
      const error = await refusal(whole.subarray(0, length));
      expect([error.code, error.details], `${length} bytes`).toEqual([
        status.INVALID_ARGUMENT,
        expect.stringMatching(/^malformed protobuf at byte/),
      ]);
    }
    expect(await readLedger(node)).toEqual(before);
  });

  test('is 400 as JSON and as gzip', async () => {
    const json = '{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"0101","kind":2,"name":"x"}]}]}]}';
    for (let length = 0; length < json.length; length++) {
      expect(await post(json.slice(0, length), JSON_TYPE)).toEqual([400, expect.stringMatching(/^malformed JSON: \S/)]);
    }
    const gzip = gzipSync(whole);
    for (let length = 0; length < gzip.length; length += 5) {
      const [code, text] = await post(gzip.subarray(0, length), { ...PROTOBUF, 'content-encoding': 'gzip' });
      expect([code, text]).toEqual([400, 'malformed gzip body: unexpected end of file']);
    }
  });

  test('nothing at all is an empty request', async () => {
    expect(await post('', PROTOBUF)).toEqual([200, '']);
    expect((await post('{}', JSON_TYPE))[0]).toBe(200);
  });
});

/** Where each message of OTLP stands, as field numbers from the request down, and the wire types of its fields 1, 2, … */
const MESSAGES: readonly [name: string, path: number[], wires: string][] = [
  ['ExportTraceServiceRequest', [], '2'],
  ['ResourceSpans', [1], '222'],
  ['Resource', [1, 1], '202'],
  ['EntityRef', [1, 1, 3], '2222'],
  ['ScopeSpans', [1, 2], '222'],
  ['Scope', [1, 2, 1], '2220'],
  ['Span', [1, 2, 2], '2222201120202025'],
  ['Event', [1, 2, 2, 11], '1220'],
  ['Link', [1, 2, 2, 13], '222205'],
  ['Status', [1, 2, 2, 15], '-20'],
  ['KeyValue', [1, 2, 2, 9], '22'],
  ['AnyValue', [1, 2, 2, 9, 2], '2001222'],
  ['ArrayValue', [1, 2, 2, 9, 2, 5], '2'],
  ['KeyValueList', [1, 2, 2, 9, 2, 6], '2'],
];
/** A zero of each wire type; groups and the reserved types have no content. */
const CONTENT: Readonly<Record<number, number[]>> = {
  0: [0],
  1: Array<number>(8).fill(0),
  2: [0],
  3: [],
  4: [],
  5: Array<number>(4).fill(0),
  6: [],
  7: [],
};

/** `content` as the message at `path`; everything is shorter than 128 bytes. */
function nest(path: readonly number[], content: readonly number[]): Uint8Array {
  return Uint8Array.from(
    path.reduceRight<readonly number[]>((inner, field) => [field * 8 + 2, inner.length, ...inner], content),
  );
}

describe('wrong wire types', () => {
  const tag = (field: number, wire: number): number[] =>
    field < 16 ? [field * 8 + wire] : [((field * 8 + wire) & 0x7f) | 0x80, (field * 8 + wire) >> 7];

  test.each(MESSAGES)('of every field of %s are 400', async (_name, path, wires) => {
    for (const [index, right] of wires.split('').entries()) {
      for (const wire of [0, 1, 2, 3, 4, 5, 6, 7].filter((other) => right !== '-' && other !== Number(right))) {
        const answer = await post(nest(path, [...tag(index + 1, wire), ...CONTENT[wire]!]), PROTOBUF);
        const text = expect.stringMatching(/^malformed protobuf at byte \d+: \S/) as string;
        expect(answer, `field ${index + 1} as type ${wire}`).toEqual([400, text]);
      }
    }
    expect(await readLedger(node)).toEqual(before);
  });

  test.each([
    [nest([], [0]), 'malformed protobuf at byte 0: field number 0'],
    [
      nest([], [0x08, 1]),
      'malformed protobuf at byte 0: ExportTraceServiceRequest.resource_spans has wire type 0, expected 2',
    ],
    [nest([1, 2, 2], [0x32, 1, 0]), 'malformed protobuf at byte 6: Span.kind has wire type 2, expected 0'],
    [
      nest([], [0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f]),
      'malformed protobuf at byte 0: field 1 is longer than its message',
    ],
  ])('are named: %j', async (body, text) => {
    expect(await post(body, PROTOBUF)).toEqual([400, text]);
  });

  test('of fields this version does not know are nothing to it', async () => {
    expect(await post(nest([], [0x7d, 1, 2, 3, 4]), PROTOBUF)).toEqual([200, '']);
    expect(await post(nest([1, 2], [0x78, 1]), PROTOBUF)).toEqual([200, '']);
  });
});

function nested(depth: number): OtlpAnyValue {
  let value: OtlpAnyValue = { boolValue: true };
  for (let level = 1; level < depth; level++) {
    value = level % 2 === 0 ? { arrayValue: { values: [value] } } : { kvlistValue: { values: [{ key: 'k', value }] } };
  }
  return value;
}

describe('deep nesting', () => {
  test('of a hundred thousand levels costs no stack', async () => {
    const levels = 100_000;
    const open = '{"arrayValue":{"values":[';
    const json = `{"resourceSpans":[{"resource":{"attributes":[{"key":"a","value":${open.repeat(levels)}${']}}'.repeat(levels)}}]}}]}`;
    // The attribute of a resource without spans: nothing is lost with it.
    expect((await post(json, JSON_TYPE))[0]).toBe(200);
    expect((await post('[    '.repeat(levels), JSON_TYPE))[0]).toBe(400);
    let bytes = Buffer.from([0x10, 1]);
    const layers: Buffer[] = [];
    for (let level = 0, size = bytes.length; level < 20_000; level++) {
      const head = Buffer.concat([Buffer.from([level % 2 === 0 ? 0x0a : 0x2a]), varint(size)]);
      layers.push(head);
      size += head.length;
    }
    bytes = Buffer.concat([...layers.reverse(), bytes]);
    const value = Buffer.concat([Buffer.from([0x12]), varint(bytes.length), bytes]);
    const body = [0x0a, 0x0a].reduce(
      (inner, field) => Buffer.concat([Buffer.from([field]), varint(inner.length), inner]),
      Buffer.concat([Buffer.from([0x0a]), varint(value.length), value]),
    );
    expect(await post(body, PROTOBUF)).toEqual([200, '']);
  });

  function varint(value: number): Buffer {
    const bytes: number[] = [];
    for (; value > 127; value >>>= 7) bytes.push((value & 127) | 128);
    return Buffer.from([...bytes, value]);
  }
});

describe('a span that is rejected is named, over every protocol', () => {
  const small =
    'start is older than -retentionPeriod, or than retentionDays of the tenant; check the clock of the sender or raise it';
  const big = 'start is further ahead than -futureRetention; check the clock of the sender or raise it';
  const table: [what: string, span: OtlpSpan, reason: string, remedy: string][] = [
    [
      'a trace id of 7 bytes',
      { traceId: new Uint8Array(7).fill(1) },
      'invalid_trace_id',
      'trace id must be 16 bytes and not all zero',
    ],
    [
      'a trace id of 17 bytes',
      { traceId: new Uint8Array(17).fill(1) },
      'invalid_trace_id',
      'trace id must be 16 bytes and not all zero',
    ],
    [
      'a trace id of zeros',
      { traceId: new Uint8Array(16) },
      'invalid_trace_id',
      'trace id must be 16 bytes and not all zero',
    ],
    ['no trace id', { traceId: new Uint8Array(0) }, 'invalid_trace_id', 'trace id must be 16 bytes and not all zero'],
    [
      'a span id of 9 bytes',
      { spanId: new Uint8Array(9).fill(1) },
      'invalid_span_id',
      'span id must be 8 bytes and not all zero',
    ],
    [
      'a span id of zeros',
      { spanId: new Uint8Array(8) },
      'invalid_span_id',
      'span id must be 8 bytes and not all zero',
    ],
    ['no span id', { spanId: new Uint8Array(0) }, 'invalid_span_id', 'span id must be 8 bytes and not all zero'],
    [
      'a parent id of 3 bytes',
      { parentSpanId: new Uint8Array(3).fill(1) },
      'invalid_parent_span_id',
      'parent span id must be empty or 8 bytes',
    ],
    ['no start', { startTimeUnixNano: 0n }, 'too_small_timestamp', small],
    ['a start in 1970', { startTimeUnixNano: 1n }, 'too_small_timestamp', small],
    ['a start in milliseconds', { startTimeUnixNano: nowNs / 1_000_000n }, 'too_small_timestamp', small],
    ['a start eight days ago', { startTimeUnixNano: nowNs - 8n * dayNs }, 'too_small_timestamp', small],
    ['a start in three days', { startTimeUnixNano: nowNs + 3n * dayNs }, 'too_big_timestamp', big],
    ['a start at 2^63', { startTimeUnixNano: 2n ** 63n }, 'too_big_timestamp', big],
    ['the last start there is', { startTimeUnixNano: 2n ** 64n - 1n }, 'too_big_timestamp', big],
    [
      '1025 attributes',
      { attributes: Array.from({ length: 1025 }, (_, i) => attribute(`k${i}`, 'v')) },
      'too_many_attributes',
      'more than -insert.maxAttributesPerSpan in a span, event or link; set the limits of the SDK or raise it',
    ],
    ...[65, 66, 100].map((depth): (typeof table)[number] => [
      `a value of ${depth} levels`,
      { attributes: [{ key: 'deep', value: nested(depth) }] },
      'too_deep',
      "an attribute's value is nested deeper than 64 levels; send it as text",
    ]),
    [
      '4 MiB in one attribute',
      { attributes: [attribute('k', 'v'.repeat(4 << 20))] },
      'too_large',
      'the span is larger than -insert.maxSpanBytes, has more than 65536 events or links, or its resource or scope has more ' +
        'than 524288 bytes; set the limits of the SDK or raise it',
    ],
  ];

  test.each(table)('%s', async (_what, wrong, reason, remedy) => {
    const request = requestOf({ ...goodSpan, ...wrong });
    const expected = { count: 1, text: `1 span rejected: 1 ${reason} (${remedy})` };
    expect(await sendTo(node, request)).toEqual(expected);
    expect(await sendTo(node, request, { protocol: 'http/json' })).toEqual(expected);
    // A message of more than 4 MiB is more than gRPC takes.
    const sent = reason === 'too_large' ? 2 : 3;
    if (sent === 3) expect(await sendTo(node, request, { protocol: 'grpc' })).toEqual(expected);
    const after = await readLedger(node);
    const dropped = `vt_rows_dropped_total{reason="${reason}"}`;
    expect(after).toEqual({
      ...before,
      tracelith_rows_received_total: before['tracelith_rows_received_total']! + sent,
      [dropped]: before[dropped]! + sent,
    });
  });

  test('several at once are counted by reason', async () => {
    const [group] = requestOf(goodSpan).resourceSpans!;
    const spans = table.slice(0, 15).map(([, wrong]) => ({ ...goodSpan, ...wrong }));
    const { count, text } = (await sendTo(node, { resourceSpans: [{ ...group, scopeSpans: [{ spans }] }] }))!;
    expect(count).toBe(15);
    expect(text).toMatch(
      /^15 spans rejected: 4 invalid_trace_id \(.*\), 3 invalid_span_id \(.*\), 1 invalid_parent_span_id \(.*\), 4 too_small_timestamp \(.*\), 3 too_big_timestamp \(.*\)$/,
    );
  });
});

describe('encodings and sizes', () => {
  const body = encodeRequest(requestOf(everything));

  test.each([
    [
      { 'content-type': 'text/plain' },
      'unsupported Content-Type "text/plain": send application/x-protobuf or application/json\n',
    ],
    [
      { ...PROTOBUF, 'content-encoding': 'br' },
      'unsupported Content-Encoding "br": send one of gzip, deflate, zstd, snappy, lz4, identity\n',
    ],
  ])('%j is 415', async (headers, text) => {
    expect(await post(body, headers)).toEqual([415, text]);
  });

  test.each([
    [body, JSON_TYPE, /^malformed JSON: /],
    ['{}', PROTOBUF, /^malformed protobuf at byte 0: /],
    [body, { ...PROTOBUF, 'content-encoding': 'gzip' }, /^malformed gzip body: incorrect header check$/],
  ])('one encoding under the name of another is 400: %#', async (bytes, headers, text) => {
    expect(await post(bytes, headers)).toEqual([400, expect.stringMatching(text)]);
  });

  test('ten gigabytes in a gzip of ten megabytes are cut off, in bounded memory', { timeout: 60_000 }, async () => {
    const bomb = await gzipOfZeros(10_000);
    const { residentBytes } = readUsage(node.pid)!;
    for (let round = 0; round < 2; round++) {
      const [code, text] = await post(bomb, { ...PROTOBUF, 'content-encoding': 'gzip' });
      expect([code, text]).toEqual([
        413,
        expect.stringMatching(
          /^decompressed request body exceeds -opentelemetry\.traces\.maxRequestSize=67108864 bytes; /,
        ),
      ]);
    }
    expect(readUsage(node.pid)!.residentPeakBytes - residentBytes).toBeLessThan(300 << 20);
    expect(await readLedger(node)).toEqual(before);
  });
});
