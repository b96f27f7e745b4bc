// Everything malformed that can be sent to the ingest edges before the store looks at it: exact status and text, nothing
// reaches the writer, memory stays bounded, and the server goes on.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { constants, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { decodeRpcStatus, encodeRequest } from '../../support/otlp-proto.ts';
import { gzipOfZeros } from '../../support/gzip-zeros.ts';
import { openEdgeServers, type EdgeServers, type RawResponse } from '../../support/edge-servers.ts';

const SIZE_MAX = 1 << 20;
const LIMIT = `-opentelemetry.traces.maxRequestSize=${SIZE_MAX} bytes; send smaller batches or raise the limit`;
const PROTOBUF = { 'content-type': 'application/x-protobuf' };
const JSON_TYPE = { 'content-type': 'application/json' };
const good = Buffer.from(encodeRequest({ resourceSpans: [{ schemaUrl: 'x'.repeat(300) }] }));

let edge: EdgeServers;
beforeAll(async () => {
  edge = await openEdgeServers({ flags: [`-opentelemetry.traces.maxRequestSize=${SIZE_MAX}`] });
});
afterAll(async () => {
  await edge[Symbol.asyncDispose]();
});
afterEach(async () => {
  expect(edge.store.attempts, 'nothing reached the writer').toBe(0);
  await expect.poll(() => edge.metrics.render()).toContain('\ntracelith_intake_bytes 0\n');
  expect((await edge.send({ method: 'GET', path: '/health' })).status).toBe(200);
});

/** [status, media type, text] of an answer in any of the three forms an error has. */
function summaryOf(response: RawResponse): [number, string, string] {
  const type = response.headers['content-type'] ?? '';
  if (type === 'application/json')
    return [response.status, type, (JSON.parse(response.text) as { message: string }).message];
  if (type.startsWith('application/')) return [response.status, type, decodeRpcStatus(response.body).message ?? ''];
  return [response.status, type, response.text];
}

describe('media types', () => {
  const HELP = ': send application/x-protobuf or application/json\n';
  test.each([
    [{}, `missing Content-Type${HELP}`],
    [{ 'content-type': '' }, `unsupported Content-Type ""${HELP}`],
    [{ 'content-type': 'text/plain' }, `unsupported Content-Type "text/plain"${HELP}`],
    [{ 'content-type': 'nonsense' }, `unsupported Content-Type "nonsense"${HELP}`],
    [{ 'content-type': 'application/jsonp' }, `unsupported Content-Type "application/jsonp"${HELP}`],
    [
      { 'content-type': 'application/x-www-form-urlencoded' },
      `unsupported Content-Type "application/x-www-form-urlencoded"${HELP}`,
    ],
    [{ 'content-type': 'application/grpc' }, `unsupported Content-Type "application/grpc"${HELP}`],
    [{ 'content-type': 'x/'.repeat(100) }, `unsupported Content-Type "${'x/'.repeat(40)}"${HELP}`],
  ])('%j is 415', async (headers, text) => {
    expect(summaryOf(await edge.post(good, headers as Record<string, string>))).toEqual([
      415,
      'text/plain; charset=utf-8',
      text,
    ]);
  });

  test.each(['br', 'xz', 'gzip, gzip', 'bogus\u00e9', 'x'.repeat(200)])(
    'Content-Encoding %s is 415 and lists what is accepted',
    async (encoding) => {
      const response = await edge.post(good, { ...PROTOBUF, 'content-encoding': encoding });
      const text = `unsupported Content-Encoding ${JSON.stringify(encoding.slice(0, 40))}: send one of gzip, deflate, zstd, snappy, lz4, identity\n`;
      expect(summaryOf(response)).toEqual([415, 'text/plain; charset=utf-8', text]);
      expect(response.headers['accept-encoding']).toBe('gzip, deflate, zstd, snappy, lz4, identity');
    },
  );
});

describe('tenant headers', () => {
  test.each([
    ['AccountID', 'x', '"x"'],
    ['AccountID', '-1', '"-1"'],
    ['AccountID', '4294967296', '"4294967296"'],
    ['AccountID', '0x10', '"0x10"'],
    ['AccountID', '1.0', '"1.0"'],
    ['ProjectID', '99999999999', '"99999999999"'],
    ['ProjectID', ['1', '2'], '"1, 2"'],
  ])('%s: %s is 400', async (header, value, shown) => {
    const text = `header ${header}: expected a decimal number from 0 to 4294967295, got ${shown}`;
    expect(summaryOf(await edge.post(good, { ...PROTOBUF, [header]: value }))).toEqual([
      400,
      'application/x-protobuf',
      text,
    ]);
    expect(summaryOf(await edge.post('{}', { ...JSON_TYPE, [header]: value }))).toEqual([
      400,
      'application/json',
      text,
    ]);
  });
});

describe('JSON', () => {
  test.each([
    ['', 'malformed JSON: Unexpected end of JSON input'],
    ['{"resourceSpans":[', "malformed JSON: Expected ',' or ']'"],
    [
      '{"resourceSpans":[{}]}}',
      'malformed JSON: Unexpected non-whitespace character after JSON at position 22 (line 1 column 23)',
    ],
    ['{"resourceSpans":"x"}', 'malformed OTLP JSON: resourceSpans: expected an array, got "x"'],
    ['[]', 'malformed OTLP JSON: body: expected a JSON object, got an array'],
    [
      '{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":7}]}]}]}',
      'malformed OTLP JSON: resourceSpans[0].scopeSpans[0].spans[0].traceId: expected hex, got 7',
    ],
    ['\u0000', 'malformed JSON: Unexpected token'],
  ])('%s is 400', async (body, text) => {
    const [status, type, message] = summaryOf(await edge.post(body, JSON_TYPE));
    expect([status, type]).toEqual([400, 'application/json']);
    if (text.includes('token') || text.includes("','")) expect(message).toMatch(/^malformed JSON: /);
    else expect(message).toBe(text);
  });

  test('protobuf under the JSON media type is 400', async () => {
    expect((await edge.post(Buffer.from([0x0a, 0xff, 0xfe]), JSON_TYPE)).status).toBe(400);
  });
});

describe('compressed bodies', () => {
  const damaged = (whole: Buffer): Buffer =>
    Buffer.from(whole.map((byte, i) => (i > 12 && i < 20 ? byte ^ 0xff : byte)));
  test.each([
    ['gzip', Buffer.alloc(0), 'unexpected end of file'],
    ['gzip', Buffer.from('not gzip at all'), 'incorrect header check'],
    ['gzip', gzipSync(good).subarray(0, -6), 'unexpected end of file'],
    ['gzip', Buffer.concat([gzipSync(good), Buffer.from('tail')]), 'incorrect header check'],
    ['deflate', deflateSync(good).subarray(0, -3), 'unexpected end of file'],
    ['deflate', deflateRawSync(good).subarray(0, -3), 'unexpected end of file'],
    ['zstd', Buffer.from('not zstd at all'), 'Unknown frame descriptor'],
    ['zstd', zstdCompressSync(good).subarray(0, -2), 'unexpected end of file'],
    ['zstd', Buffer.concat([zstdCompressSync(good), Buffer.from('trailing')]), 'Unknown frame descriptor'],
    ['zstd', Buffer.concat(Array<Buffer>(1_100).fill(zstdCompressSync(Buffer.alloc(0)))), 'more than 1024 frames'],
  ])('%s that is damaged is 400: %#', async (encoding, body, reason) => {
    const response = await edge.post(body, { ...PROTOBUF, 'content-encoding': encoding });
    expect(summaryOf(response)).toEqual([400, 'application/x-protobuf', `malformed ${encoding} body: ${reason}`]);
  });

  test.each([
    ['gzip', gzipSync(good)],
    ['zstd', zstdCompressSync(good)],
    ['deflate', deflateSync(good)],
  ])('%s with flipped bits is 400', async (encoding, whole) => {
    const response = await edge.post(damaged(whole), { ...PROTOBUF, 'content-encoding': encoding });
    expect([response.status, decodeRpcStatus(response.body).message]).toEqual([
      400,
      expect.stringMatching(`^malformed ${encoding} body: `),
    ]);
  });
});

describe('too large', () => {
  test.each([true, false])('a plain body above the limit is 413, with a length: %s', async (hasLength) => {
    const path = '/v1/traces';
    const response = await edge.send({
      method: 'POST',
      path,
      headers: PROTOBUF,
      body: Buffer.alloc(SIZE_MAX + 1),
      hasLength,
    });
    expect(summaryOf(response)).toEqual([413, 'application/x-protobuf', `request body exceeds ${LIMIT}`]);
  });

  test('a body of many times the limit still reads its answer', async () => {
    const response = await edge.send({
      method: 'POST',
      path: '/v1/traces',
      headers: JSON_TYPE,
      body: Buffer.alloc(40 * SIZE_MAX, 32),
    });
    expect(summaryOf(response)).toEqual([413, 'application/json', `request body exceeds ${LIMIT}`]);
  });

  test.each([
    ['gzip', gzipSync(Buffer.alloc(SIZE_MAX + 1))],
    ['deflate', deflateSync(Buffer.alloc(SIZE_MAX + 1))],
    ['deflate', deflateRawSync(Buffer.alloc(SIZE_MAX + 1))],
    ['zstd', zstdCompressSync(Buffer.alloc(SIZE_MAX + 1))],
    ['zstd', Buffer.concat([zstdCompressSync(Buffer.alloc(SIZE_MAX)), zstdCompressSync(Buffer.alloc(1))])],
  ])('%s that decompresses to one byte more is 413', async (encoding, body) => {
    const response = await edge.post(body, { ...PROTOBUF, 'content-encoding': encoding });
    expect(summaryOf(response)).toEqual([413, 'application/x-protobuf', `decompressed request body exceeds ${LIMIT}`]);
  });

  test('a gzip bomb of 10 GB is cut off at the limit with bounded memory', { timeout: 30_000 }, async () => {
    await using large = await openEdgeServers();
    const bomb = await gzipOfZeros(10_000);
    expect(bomb.length).toBeLessThan(12 << 20);
    const beforeBytes = process.memoryUsage.rss();
    const response = await large.post(bomb, { ...PROTOBUF, 'content-encoding': 'gzip' });
    expect([response.status, decodeRpcStatus(response.body).message]).toEqual([
      413,
      expect.stringMatching(/^decompressed request body exceeds /),
    ]);
    expect(process.memoryUsage.rss() - beforeBytes).toBeLessThan(256 << 20);
    expect(large.store.attempts).toBe(0);
  });

  test('a zstd frame that asks for a huge window is refused', async () => {
    const params = { [constants.ZSTD_c_windowLog]: 27 };
    const body = zstdCompressSync(Buffer.alloc(130 << 20), { params });
    const response = await edge.post(body, { ...PROTOBUF, 'content-encoding': 'zstd' });
    expect(summaryOf(response)).toEqual([
      400,
      'application/x-protobuf',
      'malformed zstd body: Frame requires too much memory for decoding',
    ]);
  });
});
