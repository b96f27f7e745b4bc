// The HTTP listener as a whole: paths, methods, prefixes, header limits, broken connections.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { connect } from 'node:net';
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib';
import { openEdgeServers, type EdgeServers, type RawResponse } from '../../support/edge-servers.ts';

let edge: EdgeServers;
beforeAll(async () => {
  edge = await openEdgeServers();
});
afterAll(async () => {
  await edge[Symbol.asyncDispose]();
});
beforeEach(() => {
  edge.ready.isReady = true;
});

const get = (path: string, server = edge): Promise<RawResponse> => server.send({ method: 'GET', path });

describe('paths', () => {
  test('an unknown path is 404 and named', async () => {
    const response = await get('/no/such?x=1');
    expect([response.status, response.headers['content-type'], response.text]).toEqual([
      404,
      'text/plain; charset=utf-8',
      'unknown path "/no/such"; GET /ui lists what is served here\n',
    ]);
  });

  test('one that is nearly right is told what was meant', async () => {
    expect((await edge.send({ method: 'POST', path: '/v1/trace' })).text).toMatch(/; did you mean \/v1\/traces\? /);
    expect((await get('/metric')).text).toMatch(/; did you mean \/metrics\? /);
    expect((await get(`/${'x'.repeat(10_000)}`)).text).toMatch(/^unknown path "\/x{199}"; GET /);
  });

  test('GET on the ingest path is 405 with Allow', async () => {
    const response = await get('/v1/traces');
    expect([response.status, response.headers['allow']]).toEqual([405, 'POST']);
  });

  test('Jaeger is served under its prefixes, with its own errors while not ready', async () => {
    for (const prefix of ['/select/jaeger', '', '/jaeger']) {
      const response = await get(`${prefix}/api/services`);
      expect([response.status, JSON.parse(response.text)]).toMatchObject([200, { data: [], errors: null }]);
    }
    edge.ready.isReady = false;
    const response = await get('/select/jaeger/api/services');
    const { errors } = JSON.parse(response.text) as { errors: unknown };
    expect([response.status, errors]).toEqual([
      503,
      [{ code: 503, msg: 'the server is starting or closing; try again' }],
    ]);
  });

  test('a percent sign that begins no escape means itself', async () => {
    expect((await get('/api/services/100%/operations')).status).toBe(200);
    expect((await get('/api/services/100%25/operations?x=100%')).status).toBe(200);
    expect((await get('/100%')).status).toBe(404);
  });

  test('with -http.pathPrefix everything moves under it', async () => {
    await using prefixed = await openEdgeServers({ flags: ['-http.pathPrefix=/tracelith'] });
    expect((await get('/tracelith/health', prefixed)).text).toBe('OK');
    expect((await get('/health', prefixed)).status).toBe(404);
    expect((await get('/tracelith/select/jaeger/api/services/a%2Fb/operations', prefixed)).status).toBe(200);
    expect((await get('/tracelith/internal/force_flush', prefixed)).status).toBe(405);
    expect((await get('/tracelith/metrics', prefixed)).text).toContain('vt_http_requests_total{path="/health"} 1');
  });
});

test.each([
  ['GET', '/health'],
  ['GET', '/flags'],
  ['GET', '/metrics'],
  ['POST', '/insert/ready'],
  ['POST', '/internal/force_flush'],
  ['GET', '/select/jaeger/api/services'],
  ['GET', '/jaeger/api/services/a%2Fb/operations'],
  ['GET', '/api/traces/1'],
  ['GET', '/api/v3/traces/1'],
  ['GET', '/api/v3/services'],
  ['GET', '/api/archive/1'],
  ['PUT', '/health'],
  ['GET', '/v1/traces'],
  ['GET', '/select/jaeger'],
])('%s %s is answered the same with slashes behind it', async (method, path) => {
  const [plain, one, two] = await Promise.all(
    ['', '/', '//?x=1/'].map(async (end) => await edge.send({ method, path: path + end })),
  );
  expect([one!.status, two!.status]).toEqual([plain!.status, plain!.status]);
  expect(one!.headers['content-type']).toBe(plain!.headers['content-type']);
});

describe('browsers of other origins', () => {
  const preflight = { origin: 'https://shop.example', 'access-control-request-method': 'POST' };

  test('are told nothing unless -http.corsOrigins names them', async () => {
    const { headers } = await edge.send({ method: 'GET', path: '/api/services', headers: { origin: 'https://x.y' } });
    expect(headers['access-control-allow-origin']).toBeUndefined();
    const asked = await edge.send({ method: 'OPTIONS', path: '/v1/traces', headers: preflight });
    expect([asked.status, asked.headers['access-control-allow-origin']]).toEqual([405, undefined]);
  });

  test('may then query and send traces, and nothing of the operators', async () => {
    await using open = await openEdgeServers({ flags: ['-http.corsOrigins=https://shop.example'] });
    const asked = await open.send({ method: 'OPTIONS', path: '/v1/traces', headers: preflight });
    expect([
      asked.status,
      asked.headers['access-control-allow-origin'],
      asked.headers['access-control-allow-methods'],
    ]).toEqual([204, 'https://shop.example', 'GET, POST, DELETE']);
    const allowedAt = async (path: string, origin: string): Promise<unknown> =>
      (await open.send({ method: 'GET', path, headers: { origin } })).headers['access-control-allow-origin'];
    expect(await allowedAt('/select/jaeger/api/v3/services', preflight.origin)).toBe(preflight.origin);
    expect(await allowedAt('/api/services', 'https://other.example')).toBeUndefined();
    expect(await allowedAt('/flags', preflight.origin)).toBeUndefined();
    expect((await open.send({ method: 'GET', path: '/no/such' })).status).toBe(404);
  });

  test('all of them with *', async () => {
    await using open = await openEdgeServers({ flags: ['-http.corsOrigins=*', '-http.pathPrefix=/p'] });
    const { headers } = await open.send({ method: 'GET', path: '/p/api/services', headers: { origin: 'https://x.y' } });
    expect(headers['access-control-allow-origin']).toBe('*');
  });
});

describe('B9: answers are compressed as offered', () => {
  const decoders: Record<string, (bytes: Uint8Array) => Buffer> = {
    gzip: gunzipSync,
    br: brotliDecompressSync,
    zstd: zstdDecompressSync,
  };
  const metrics = (offered: string | undefined): Promise<RawResponse> =>
    edge.send({
      method: 'GET',
      path: '/metrics',
      headers: offered === undefined ? {} : { 'accept-encoding': offered },
    });

  test.each([
    ['gzip', 'gzip'],
    ['br', 'br'],
    ['zstd', 'zstd'],
    ['gzip, deflate, br, zstd', 'zstd'],
    ['gzip, deflate', 'gzip'],
    ['zstd;q=0, gzip;q=0.5, br;q=0', 'gzip'],
  ])('%s gives %s', async (offered, expected) => {
    const { headers, body } = await metrics(offered);
    expect([headers['content-encoding'], headers['vary']]).toEqual([expected, 'accept-encoding']);
    expect(decoders[expected]!(body).toString()).toContain('\nprocess_cpu_seconds_total ');
  });

  test.each([undefined, 'identity', 'lzma', 'deflate'])('%s gives plain text', async (offered) => {
    const { status, headers, text } = await metrics(offered);
    expect([status, headers['content-encoding']]).toEqual([200, undefined]);
    expect(text).toContain('\nprocess_cpu_seconds_total ');
  });

  test('small ones and acknowledgements are not', async () => {
    for (const path of ['/api/services', '/health']) {
      const { headers } = await edge.send({ method: 'GET', path, headers: { 'accept-encoding': 'gzip' } });
      expect(headers['content-encoding']).toBeUndefined();
    }
  });
});

describe('connections', () => {
  test('a body shorter than its Content-Length leaves nothing behind', async () => {
    const socket = connect(edge.http.port, '127.0.0.1');
    socket.write(
      'POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-protobuf\r\nContent-Length: 100\r\n\r\nabc',
    );
    await expect.poll(() => edge.metrics.render()).toContain('\ntracelith_intake_bytes 16387\n');
    socket.destroy();
  });

  test('what is not HTTP is answered 400 and closed', async () => {
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = connect(edge.http.port, '127.0.0.1', () => socket.write('\x16\x03\x01 not http\r\n\r\n'));
      let text = '';
      socket.on('data', (chunk) => (text += chunk.toString()));
      socket.on('error', reject);
      socket.on('close', () => resolve(text));
    });
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
  });
});

test('headers above 16 KiB are 431', async () => {
  const response = await edge.send({ method: 'GET', path: '/health', headers: { 'x-big': 'x'.repeat(17_000) } });
  expect(response.status).toBe(431);
});
