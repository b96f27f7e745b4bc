// §9.A: what exporters send and what they are answered.
import { deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { status, type ServiceError } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect } from 'vitest';
import {
  ask,
  askJson,
  callExport,
  exportText,
  exportTrace,
  readMetrics,
  sendJson,
  sendTo,
  type Headers,
} from '../support/node-client.ts';
import { startNode, type TestNode } from '../support/node-process.ts';
import { exportOnce, EXPORTER_CASES, openExporter } from '../support/otlp-exporters.ts';
import { looseSpans, spansByTrace } from '../support/otlp-json-set.ts';
import {
  decodeResponse,
  decodeRetrySeconds,
  decodeRpcStatus,
  encodeRequest,
  toOtlpJson,
  type OtlpSpan,
} from '../support/otlp-proto.ts';
import { sendRaw, type RawReply } from '../support/raw-http.ts';
import { attribute } from '../support/rich-trace.ts';
import { snappyFramed, snappyLiteral } from '../support/snappy.ts';
import { check } from './check.ts';
import { dayNs, hourNs, makeSpan, midnightNs, noonNs, nowNs, requestOf, S1, S1_ID } from './data-sets.ts';
import { legacyTrace } from './questions.ts';

const PATHS = ['/insert/opentelemetry/v1/traces', '/v1/traces'] as const;
const PROTOBUF = 'application/x-protobuf';
const JSON_TYPE = 'application/json; charset=utf-8';
const today = new Date().toISOString().slice(0, 10).replaceAll('-', '');

let node: TestNode;
beforeAll(async () => {
  node = await startNode();
});
afterAll(() => node[Symbol.asyncDispose]());

/** In two pieces, so chunked. */
async function post(path: string, body: Uint8Array | string, headers: Headers): Promise<RawReply> {
  const bytes = Buffer.from(body);
  return await sendRaw(node, path, { method: 'POST', headers, body: [bytes.subarray(0, 7), bytes.subarray(7)] });
}

/** Two spellings of one request, each into a tenant of its own. */
const s1Protobuf = encodeRequest(S1);
const s1Json = JSON.stringify(toOtlpJson(S1));
const tenantOf = (name: string): Headers => ({ AccountID: String(1 + ['protobuf', 'json', 'root'].indexOf(name)) });

check('A1', async () => {
  for (const [path, tenant] of [
    [PATHS[0], 'protobuf'],
    [PATHS[1], 'root'],
  ] as const) {
    const reply = await post(path, s1Protobuf, { 'content-type': PROTOBUF, ...tenantOf(tenant) });
    expect([path, reply.status]).toEqual([path, 200]);
    // The very next question finds it: stronger than the second that the check allows.
    const text = await exportText(node, S1_ID, tenantOf(tenant));
    expect(spansByTrace([(JSON.parse(text!) as { result: unknown }).result])).toEqual(spansByTrace([toOtlpJson(S1)]));
  }
});

check('A2', async () => {
  for (const path of PATHS) {
    expect((await post(path, s1Json, { 'content-type': JSON_TYPE, ...tenantOf('json') })).status).toBe(200);
  }
  expect(await exportText(node, S1_ID, tenantOf('json'))).toBe(await exportText(node, S1_ID, tenantOf('protobuf')));
});

check('A3', async () => {
  const encodings: [string, (bytes: Uint8Array) => Uint8Array][] = [
    ['gzip', gzipSync],
    ['zstd', zstdCompressSync],
    ['deflate', deflateSync],
    ['zlib', deflateSync],
    ['snappy', snappyLiteral],
    ['snappy', snappyFramed],
    ['x-snappy-framed', snappyFramed],
  ];
  for (const [i, [name, compress]] of encodings.entries()) {
    const body = compress(encodeRequest(requestOf('compressed', [makeSpan(0xa30 + i, 1)])));
    const reply = await post(PATHS[0], body, { 'content-type': PROTOBUF, 'content-encoding': name });
    expect([name, reply.status, reply.body.toString()]).toEqual([name, 200, '']);
    expect(looseSpans(await exportTrace(node, `a3${i}`)), name).toHaveLength(1);
  }
  const unknown = await post(PATHS[0], s1Protobuf, { 'content-type': PROTOBUF, 'content-encoding': 'brotli9' });
  expect([400, 415]).toContain(unknown.status);
});

check('A4', async () => {
  for (const [type, body] of [
    [PROTOBUF, s1Protobuf],
    ['application/json', s1Json],
  ] as const) {
    const reply = await post(PATHS[0], body, { 'content-type': type, ...tenantOf('json') });
    expect(reply.headers['content-type']?.split(';')[0]).toBe(type);
    const message: unknown = type === PROTOBUF ? decodeResponse(reply.body) : JSON.parse(reply.body.toString());
    expect(message).toEqual({});
  }
});

/** HTTP requests that were answered with an error since the node's start. */
async function failuresOf(): Promise<number> {
  const errors = [...(await readMetrics(node))].filter(([name]) => name.startsWith('vt_http_errors_total{path="'));
  return errors.reduce((sum, [, value]) => sum + value, 0);
}

check(
  'A5',
  async () => {
    // A day that is detached is unavailable until it is attached again: an overload that ends when the test wants it to.
    await sendTo(node, requestOf('before', [makeSpan(0xa50, 1, { startTimeUnixNano: nowNs })]));
    const manage = async (what: string): Promise<void> => {
      const reply = await sendRaw(node, `/internal/partition/${what}?name=${today}`, { method: 'POST' });
      if (reply.status !== 200) throw new Error(`${what}: ${reply.body.toString()}`);
    };
    for (const [protocol, compression] of EXPORTER_CASES.filter(([name]) => name !== 'grpc')) {
      await manage('detach');
      const failures = await failuresOf();
      const service = `retried over ${protocol} ${compression}`;
      const exporter = openExporter({ protocol, compression, httpUrl: node.url, grpcAddress: node.grpcAddress });
      const exported = exportOnce(exporter, service);
      await expect.poll(failuresOf, { timeout: 10_000 }).toBeGreaterThan(failures);
      await manage('attach');
      expect(looseSpans(await exportTrace(node, await exported)), service).toHaveLength(1);
    }
    await manage('detach');
    const body = encodeRequest(requestOf('refused', [makeSpan(0xa51, 1, { startTimeUnixNano: nowNs })]));
    const refused = await post(PATHS[0], body, { 'content-type': PROTOBUF });
    expect([refused.status, Number(refused.headers['retry-after'])]).toEqual([503, expect.any(Number)]);
    await manage('attach');

    await using readOnly = await startNode({ flags: ['-storage.minFreeDiskSpaceBytes=1024TiB'] });
    const reply = await sendRaw(readOnly, PATHS[0], {
      method: 'POST',
      headers: { 'content-type': PROTOBUF },
      body: [s1Protobuf],
    });
    expect([reply.status, Number(reply.headers['retry-after']) > 0]).toEqual([429, true]);
    const error = (await callExport(readOnly.grpcAddress, s1Protobuf).catch((cause: unknown) => cause)) as ServiceError;
    expect([error.code, retrySecondsOf(error)]).toEqual([status.RESOURCE_EXHAUSTED, expect.any(Number)]);
  },
  { timeoutMs: 60_000 },
);

/** The delay a gRPC status asks for. */
function retrySecondsOf(error: ServiceError): number | undefined {
  const [bytes] = error.metadata.get('grpc-status-details-bin');
  const [detail] = bytes === undefined ? [] : (decodeRpcStatus(bytes as Buffer).details ?? []);
  return detail?.value === undefined ? undefined : Number(decodeRetrySeconds(detail.value));
}

check('A6', async () => {
  const whole = encodeRequest(requestOf('truncated', [makeSpan(0xa60, 1), makeSpan(0xa60, 2, { name: 'second' })]));
  for (let length = 1; length < whole.length; length++) {
    const reply = await post(PATHS[0], whole.subarray(0, length), { 'content-type': PROTOBUF });
    expect(reply.status, `${length} bytes`).toBe(400);
  }
  expect(await exportTrace(node, 'a60')).toBeUndefined();
  expect((await askJson<{ data: string[] }>(node, '/api/services')).data).not.toContain('truncated');
});

check('A7', async () => {
  const bad: OtlpSpan[] = [
    { traceId: new Uint8Array(7).fill(1) },
    { traceId: new Uint8Array(16) },
    { spanId: new Uint8Array(8) },
  ];
  for (const [i, more] of bad.entries()) {
    const spans = [makeSpan(0xa70 + i, 1), makeSpan(0xa70 + i, 2, more), makeSpan(0xa70 + i, 3)];
    for (const protocol of ['http/protobuf', 'http/json', 'grpc'] as const) {
      const rejected = await sendTo(node, requestOf('partial', spans), { protocol });
      expect([protocol, rejected?.count]).toEqual([protocol, 1]);
    }
    expect(looseSpans(await exportTrace(node, `a7${i}`))).toHaveLength(2);
  }
});

check('A8', async () => {
  const spanJson = (trace: string, start: string, int: string, more: string): string =>
    `{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"json"}}]},"x":[1,{"y":null}],
      "scopeSpans":[{"spans":[{"traceId":"${trace}","spanId":"00000000000000AB","name":"op",${more}
      "startTimeUnixNano":${start},"endTimeUnixNano":"${noonNs + 5n}","futureField":{"a":[true]},
      "attributes":[{"key":"i","value":{"intValue":${int}}}],"status":{}}]}]}]}`;
  const spellings = [
    spanJson('00000000000000000000000000000a81', `"${noonNs}"`, '"42"', '"kind":2,'),
    spanJson(
      '00000000000000000000000000000A82',
      `"${noonNs}"`,
      '42',
      '"kind":"SPAN_KIND_SERVER","droppedAttributesCount":0,',
    ),
    spanJson('00000000000000000000000000000A83', `${noonNs}`, '4.2e1', '"kind":2,"events":[],"links":[],'),
  ];
  // Accepted, and what is not known is named: nothing is dropped in silence.
  for (const text of spellings) {
    const unknown = expect.stringContaining('unknown field "x" in resourceSpans[0]') as string;
    expect(await sendJson(node, text)).toEqual({ count: 0, text: unknown });
  }
  const stored = await Promise.all(
    ['a81', 'a82', 'a83'].map(async (id) => looseSpans(await exportTrace(node, id)).map(({ span }) => span)),
  );
  for (const [i, spans] of stored.entries()) {
    expect(spans).toEqual([
      {
        traceId: `00000000000000000000000000000a8${i + 1}`,
        spanId: '00000000000000ab',
        name: 'op',
        kind: 2,
        startTimeUnixNano: String(noonNs),
        endTimeUnixNano: String(noonNs + 5n),
        attributes: [{ key: 'i', value: { intValue: '42' } }],
        status: {},
      },
    ]);
  }
});

check('A9', async () => {
  for (const compression of ['none', 'gzip'] as const) {
    const exporter = openExporter({ protocol: 'grpc', compression, httpUrl: node.url, grpcAddress: node.grpcAddress });
    const id = await exportOnce(exporter, `grpc ${compression}`);
    expect(looseSpans(await exportTrace(node, id))).toHaveLength(1);
  }
  await using busy = await startNode({ flags: ['-maxConcurrentInserts=1', '-insert.maxQueueDuration=1ms'] });
  const spans = Array.from({ length: 4_000 }, (_, i) => makeSpan(0xa90, i + 1));
  const body = encodeRequest(requestOf('busy', spans));
  const calls = Array.from({ length: 12 }, () => callExport(busy.grpcAddress, body).then(() => status.OK, codeOf));
  const codes = new Set(await Promise.all(calls));
  expect([...codes].sort((a, b) => a - b)).toEqual([status.OK, status.UNAVAILABLE]);
});

function codeOf(error: unknown): status {
  return (error as ServiceError).code;
}

check('A10', async () => {
  const resources = [[], [attribute('service.name', '')], [attribute('service.name', { intValue: 7n })]];
  const names = ['missing-service-name', 'empty-service-name', 'service-name-wrong-type'];
  const tenant = { AccountID: '10' };
  for (const [i, attributes] of resources.entries()) {
    // An attribute beside it: a resource without any is Jaeger's OTLPResourceNoServiceName only where nothing is sanitized.
    const resource = { attributes: [...attributes, attribute('zone', 'b')] };
    const spans = [makeSpan(0xaa0 + i, 1, { name: i === 0 ? '' : 'op' })];
    const request = { resourceSpans: [{ resource, scopeSpans: [{ spans }] }] };
    expect(await sendTo(node, request, { headers: tenant })).toBeUndefined();
    const trace = await legacyTrace(node, `aa${i}`, { headers: tenant });
    expect(trace.processes['p1']!.serviceName).toBe(names[i]);
    expect(trace.spans[0]!.operationName).toBe(i === 0 ? 'empty-span-name' : 'op');
  }
  expect((await askJson<{ data: string[] }>(node, '/api/services', tenant)).data).toEqual([...names].sort());
  const operations = '/api/services/missing-service-name/operations';
  expect((await askJson<{ data: string[] }>(node, operations, tenant)).data).toEqual(['empty-span-name']);

  const marker = 'not-utf-8-here';
  const request = encodeRequest(requestOf('utf8', [makeSpan(0xaa9, 1, { attributes: [attribute('bad', marker)] })]));
  const broken = Buffer.from(request);
  broken[broken.indexOf(marker)] = 0xff;
  expect(await sendTo(node, broken, { headers: tenant })).toBeUndefined();
  const [span] = (await legacyTrace(node, 'aa9', { headers: tenant })).spans;
  const bytes = Buffer.from(`x${marker.slice(1)}`);
  bytes[0] = 0xff;
  expect(span!.tags).toEqual([{ key: 'bad', type: 'binary', value: bytes.toString('base64') }]);
});

check('A11', async () => {
  await sendTo(node, requestOf('negative', [makeSpan(0xab0, 1, { endTimeUnixNano: noonNs - 1n })]));
  const [span] = (await legacyTrace(node, 'ab0')).spans;
  expect(span!.duration).toBe(0);
  expect(span!.warnings).toEqual([
    expect.stringMatching(/^Negative duration detected, sanitizing end timestamp\. Original end timestamp: /),
  ]);
});

check('A12', async () => {
  const request = requestOf('twice', [makeSpan(0xac0, 1), makeSpan(0xac0, 2)]);
  for (const protocol of ['http/protobuf', 'http/json', 'grpc'] as const) await sendTo(node, request, { protocol });
  expect((await legacyTrace(node, 'ac0')).spans).toHaveLength(2);
  expect((await legacyTrace(node, 'ac0', { raw: true })).spans.length).toBeGreaterThanOrEqual(2);
});

check('A13', async () => {
  for (const startTimeUnixNano of [midnightNs - 400n * dayNs, nowNs + 2n * dayNs + hourNs]) {
    const request = requestOf('out of time', [makeSpan(0xad0, 1), makeSpan(0xad0, 2, { startTimeUnixNano })]);
    const rejected = await sendTo(node, request);
    expect(rejected).toEqual({ count: 1, text: expect.stringMatching(/retention|-futureRetention/i) });
  }
  expect((await ask(node, '/api/traces/ad0'))[0]).toBe(200);
});
