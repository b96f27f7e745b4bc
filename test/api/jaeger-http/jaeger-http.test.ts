// What both generations of Jaeger's API share: tenants, failures, clients that leave.
import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { AnswerBudget } from '../../../src/api/edge/answer-budget.ts';
import { StoreError } from '../../../src/base/errors.ts';
import { parseTenant } from '../../../src/trace/tenant.ts';
import { openJaegerServer, refused, type JaegerServer } from '../../support/jaeger-server.ts';
import type { MapReader } from '../../support/map-reader.ts';
import { encodeTraces } from '../../support/otlp-proto.ts';
import { RICH_TRACE } from '../../support/rich-trace.ts';

const RICH_HEX = 'a1b2c3d4e5f60718293a4b5c6d7e8f90';

let server: JaegerServer;
let reader: MapReader;
let get: JaegerServer['get'];

beforeAll(async () => {
  server = await openJaegerServer();
  ({ reader, get } = server);
});
afterAll(() => server[Symbol.asyncDispose]());
beforeEach(() => {
  reader.clear();
  server.logged.length = 0;
});

describe('tenants and failures', () => {
  test('each tenant sees its own', async () => {
    reader.add(RICH_TRACE, parseTenant('7', '8'));
    const headers = { AccountID: '7', ProjectID: '8' };
    expect((await get('/api/services', { headers })).text).toContain('["backend","frontend"]');
    expect((await get('/api/services')).text).toContain('"data":[]');
    expect((await get(`/api/traces/${RICH_HEX}`, { headers })).status).toBe(200);
    expect((await get(`/api/traces/${RICH_HEX}`)).status).toBe(404);
    expect((await get(`/api/traces/${RICH_HEX}`, { headers: { 'x-tenant': '7:8' } })).status).toBe(200);
    expect((await get(`/api/traces/${RICH_HEX}`, { headers: { 'x-tenant': 'acme' } })).status).toBe(400);
    const bad = 'header AccountID: expected a decimal number from 0 to 4294967295, got "x"';
    expect(await get('/api/services', { headers: { AccountID: 'x' } })).toMatchObject({
      status: 400,
      text: refused(400, bad),
    });
  });

  test.each([
    ['UNAVAILABLE', 503, '2'],
    ['OVERLOADED', 429, '1'],
    ['TIMEOUT', 503, null],
    ['CORRUPTION', 500, null],
  ] as const)('%s is %s', async (code, status, retryAfter) => {
    reader.failure = new StoreError(code, `why ${code}`);
    for (const path of [
      '/api/services',
      '/api/services/s/operations',
      '/api/operations?service=s',
      '/api/traces?service=s',
      '/api/traces/1',
      '/api/dependencies',
    ]) {
      const { status: got, headers, text } = await get(path);
      expect([path, got, text, headers.get('retry-after')]).toEqual([
        path,
        status,
        refused(status, `why ${code}`),
        retryAfter,
      ]);
    }
    expect((await get('/api/v3/traces/1')).text).toBe(`{"error":{"httpCode":${status},"message":"why ${code}"}}\n`);
    expect(server.logged.length > 0).toBe(status >= 500);
  });

  test('a bug is 500 without its message, which is logged', async () => {
    reader.failure = new Error('secret');
    const { status, text } = await get('/api/services');
    expect([status, text.includes('secret'), server.logged.length]).toEqual([500, false, 1]);
  });

  test('stored bytes that do not parse are the server’s failure, not the client’s', async () => {
    reader.findTraces = () =>
      Promise.resolve({
        traces: [{ traceId: new Uint8Array(16), otlp: encodeTraces(RICH_TRACE).subarray(0, 50) }],
        warnings: [],
      });
    try {
      expect((await get('/api/traces/1')).status).toBe(500);
      expect((await get('/api/v3/traces/1')).status).toBe(500);
    } finally {
      Reflect.deleteProperty(reader, 'findTraces');
    }
  });

  test.each([
    `/api/traces?traceID=${RICH_HEX}`,
    `/api/traces?service=frontend`,
    `/api/traces/${RICH_HEX}`,
    `/api/v3/traces/${RICH_HEX}`,
    '/api/v3/traces?query.startTimeMin=1970-01-01T00:00:00Z&query.startTimeMax=2070-01-01T00:00:00Z',
    '/api/v3/trace-summaries?query.startTimeMin=1970-01-01T00:00:00Z&query.startTimeMax=2070-01-01T00:00:00Z',
    '/api/services',
    '/api/services/frontend/operations',
    '/api/operations?service=frontend',
    '/api/v3/services',
    '/api/v3/operations?service=frontend',
    '/api/dependencies',
    '/api/v3/dependencies?startTime=2026-01-01T00:00:00Z&endTime=2026-01-02T00:00:00Z',
    '/api/metrics/calls?service=frontend',
    '/api/metrics/latencies?service=frontend&quantile=0.5',
  ])('what an answer lacks stands in a header: %s', async (path) => {
    reader.add(RICH_TRACE);
    expect((await get(path)).headers.get('tracelith-warnings')).toBe(null);
    reader.warnings = ['/data/ž: line\nbreak', 'y'.repeat(3_000)];
    const header = (await get(path)).headers.get('tracelith-warnings');
    expect(header).toMatch(/^2: \/data\/\?: line\?break; y+\.\.\.$/);
    expect(header!.length).toBe(2_003);
  });

  describe('a parameter that would restrict what is shown is refused', () => {
    const PATHS = [
      '/api/services?x',
      '/api/services/a/operations?x',
      '/api/operations?service=a',
      '/api/traces?service=a',
      `/api/traces/${RICH_HEX}?x`,
      '/api/dependencies?x',
      '/api/metrics/calls?service=a',
      '/analytics/v1/dependencies?service=a',
      '/api/v3/services?x',
      '/api/v3/operations?service=a',
      `/api/v3/traces/${RICH_HEX}?x`,
      '/api/v3/traces?query.startTimeMin=2025-11-20T00:00:00Z&query.startTimeMax=2025-11-21T00:00:00Z',
      '/api/v3/trace-summaries?query.startTimeMin=2025-11-20T00:00:00Z&query.startTimeMax=2025-11-21T00:00:00Z',
      '/api/v3/dependencies?startTime=2025-11-20T00:00:00Z&endTime=2025-11-21T00:00:00Z',
      '/select/jaeger/api/services?x',
    ];
    test.each(PATHS)('%s', async (path) => {
      reader.add(RICH_TRACE);
      expect((await get(path)).status).toBe(200);
      const names = [
        'extra_filters',
        'extra_filters%5B%5D',
        'extra_stream_filters',
        'hidden_fields_filters',
        'EXTRA-FILTERS',
      ];
      for (const name of [...names, 'extra_label', 'filter', 'query.tenant', 'extra_filters=%zz;a']) {
        const { status, text } = await get(`${path}&${name}={a="b"}`);
        expect([name, status]).toEqual([name, 400]);
        expect(text).toContain('restricts what is shown');
      }
      const { length } = reader.signals;
      await get(`${path}&extra_filters=`);
      expect(reader.signals.length, 'the reader is not asked').toBe(length);
    });

    test('but not what Jaeger’s clients send and Jaeger ignores', async () => {
      expect((await get('/api/traces?service=a&lookback=1h&unknown=1&filtered=x&_=1')).status).toBe(200);
    });

    test('query.filter where it is honoured, nowhere else', async () => {
      const filter = encodeURIComponent('{"op":"exists","args":[{"attr":{"key":"k"}}]}');
      const times = 'query.startTimeMin=2025-11-20T00:00:00Z&query.startTimeMax=2025-11-21T00:00:00Z';
      expect((await get(`/api/v3/trace-summaries?${times}&query.filter=${filter}`)).status).toBe(200);
      expect((await get(`/api/traces?service=a&query.filter=${filter}`)).status).toBe(400);
      expect((await get(`/api/v3/services?query.filter=${filter}`)).status).toBe(400);
    });
  });

  test.each([
    '/api/traces?service=frontend',
    `/api/traces/${RICH_HEX}`,
    '/api/services',
    '/api/operations?service=frontend',
    '/api/dependencies',
  ])('and in the envelope, beside what is as ever: %s', async (path) => {
    reader.add(RICH_TRACE);
    const whole = JSON.parse((await get(path)).text) as object;
    reader.warnings = ['a "part" is lost', 'b'];
    const { warnings, ...rest } = JSON.parse((await get(path)).text) as { warnings: string[] };
    expect(warnings).toEqual(reader.warnings);
    expect(Object.keys(rest)).toEqual(Object.keys(whole));
    expect((rest as { errors: unknown }).errors).toBeNull();
  });

  test('the traces of an answer are held until it is sent, and more than all may have is refused', async () => {
    const answers = new AnswerBudget(1);
    await using held = await openJaegerServer({ answers });
    held.reader.add(RICH_TRACE);
    expect((await held.get(`/api/traces/${RICH_HEX}`)).status).toBe(200);
    expect((await held.get(`/api/v3/traces/${RICH_HEX}`)).status).toBe(200);
    await expect.poll(() => answers.bytes).toBe(0);
    const other = new AbortController();
    answers.hold([{ traceId: new Uint8Array(16), otlp: new Uint8Array(1) }], other.signal);
    expect((await held.get(`/api/traces/${RICH_HEX}`)).status).toBe(429);
    other.abort();
    expect((await held.get(`/api/traces/${RICH_HEX}`)).status).toBe(200);
  });

  test('the reader’s signal fires when the client leaves', async () => {
    const gate = Promise.withResolvers<void>();
    reader.gate = gate.promise;
    const leaving = httpRequest(`${server.origin}/api/traces?service=s`);
    leaving.on('error', () => undefined);
    leaving.end();
    await expect.poll(() => reader.signals.length, { timeout: 5_000 }).toBe(1);
    const signal = reader.signals[0]!;
    expect(signal.aborted).toBe(false);
    const aborted = once(signal, 'abort');
    leaving.destroy();
    await aborted;
    gate.resolve();
  });
});
