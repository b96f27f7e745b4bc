// What a browser may be made to send and is not served: names pointed at this machine, pages of other origins. On the real
// listener, and as a table.
import type { IncomingHttpHeaders } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { isForeign, ownHosts } from '../../../src/api/http/browser-guard.ts';
import { encodeRequest } from '../../support/otlp-proto.ts';
import { openEdgeServers, type EdgeServers, type RawResponse } from '../../support/edge-servers.ts';

const otlp = encodeRequest({ resourceSpans: [{ scopeSpans: [{ spans: [{ name: 'a' }] }] }] });

/** Everything that may change something. */
const CHANGES: readonly (readonly [method: string, path: string])[] = [
  ['POST', '/internal/force_flush'],
  ['POST', '/internal/force_merge'],
  ['POST', '/internal/purge'],
  ['POST', '/internal/partition/detach?name=20261120'],
  ['POST', '/internal/partition/attach?name=20261120'],
  ['POST', '/internal/partition/snapshot/create'],
  ['POST', '/internal/partition/snapshot/delete?path=%2Fdata%2Fsnapshots%2Fone'],
  ['POST', '/api/archive/1'],
  ['DELETE', '/select/jaeger/api/archive/1'],
  ['POST', '/v1/traces'],
  ['POST', '/insert/opentelemetry/v1/traces'],
];

const bodyOf = (path: string): { body?: Uint8Array } => (path.endsWith('/traces') ? { body: otlp } : {});

let edge: EdgeServers;
beforeAll(async () => {
  edge = await openEdgeServers({ flags: ['-purge.enable'] });
});
afterAll(async () => {
  await edge[Symbol.asyncDispose]();
});
beforeEach(() => {
  edge.store.adminCalls.length = 0;
  edge.store.writes.length = 0;
});

const get = (host: string, path = '/api/services', server = edge): Promise<RawResponse> =>
  server.send({ method: 'GET', path, headers: { host } });

describe('the Host of a request', () => {
  test.each([
    '127.0.0.1',
    '127.0.0.1:10428',
    '10.1.2.3:80',
    'localhost',
    'LOCALHOST:10428',
    'localhost.',
    'a.localhost',
    '[::1]:10428',
    '[::1]',
  ])('%s is served on loopback', async (host) => {
    expect((await get(host)).status).toBe(200);
  });

  test.each([
    'evil.example',
    'evil.example:10428',
    '127.0.0.1.evil.example',
    'localhost.evil.example',
    '[evil]',
    'evillocalhost',
    'a b',
  ])('%s is not, on any path', async (host) => {
    for (const path of ['/api/services', '/metrics', '/flags', '/health', '/no/such', '/v1/traces']) {
      const { status, text } = await get(host, path);
      expect([path, status]).toEqual([path, 421]);
      expect(text).toContain('-http.allowedHosts');
    }
  });

  test('is served when -http.allowedHosts has it, and any is with *', async () => {
    await using named = await openEdgeServers({ flags: ['-http.allowedHosts=Traces.example, other.example'] });
    expect((await get('traces.EXAMPLE:443', undefined, named)).status).toBe(200);
    expect((await get('other.example', undefined, named)).status).toBe(200);
    expect((await get('evil.example', undefined, named)).status).toBe(421);
    await using any = await openEdgeServers({ flags: ['-http.allowedHosts=*'] });
    expect((await get('evil.example', undefined, any)).status).toBe(200);
  });

  test('is any on other addresses, until names are given', async () => {
    await using wide = await openEdgeServers({ flags: ['-insecure', '-httpListenAddr=0.0.0.0:0'] });
    expect((await get('pod.example', undefined, wide)).status).toBe(200);
    await using named = await openEdgeServers({
      flags: ['-insecure', '-httpListenAddr=0.0.0.0:0', '-http.allowedHosts=a.example'],
    });
    expect([
      (await get('pod.example', undefined, named)).status,
      (await get('a.example', undefined, named)).status,
    ]).toEqual([421, 200]);
  });

  test.each<[string, string[], string[] | undefined]>([
    ['127.0.0.1', [], []],
    ['127.9.9.9', [], []],
    ['::1', [], []],
    ['localhost', [], []],
    ['0.0.0.0', [], undefined],
    ['::', [], undefined],
    ['10.0.0.1', [], undefined],
    ['10.0.0.1', ['a'], ['a']],
    ['127.0.0.1', ['*'], undefined],
  ])('names of a listener on %s with %j', (address, flag, names) => {
    expect(ownHosts(address, flag)).toEqual(names && new Set(names));
  });
});

describe('what a foreign page sends', () => {
  const FOREIGN: readonly Record<string, string>[] = [
    { origin: 'https://evil.example' },
    { origin: 'http://localhost:3000' },
    { origin: 'null' },
    { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' },
    { 'sec-fetch-site': 'same-site', origin: 'http://localhost:3000' },
    { 'sec-fetch-site': 'cross-site' },
  ];

  test.each(CHANGES)('%s %s is refused and changes nothing', async (method, path) => {
    for (const headers of FOREIGN) {
      const type = { 'content-type': 'application/x-protobuf' };
      const { status, text } = await edge.send({ method, path, headers: { ...type, ...headers }, ...bodyOf(path) });
      expect([headers, status]).toEqual([headers, 403]);
      expect(text).toContain('-http.corsOrigins');
    }
    expect([edge.store.adminCalls, edge.store.writes]).toEqual([[], []]);
  });

  test.each(CHANGES)('%s %s of a program or of this server’s own page is served', async (method, path) => {
    const own = `http://127.0.0.1:${edge.http.port}`;
    for (const headers of [
      {},
      { origin: own },
      { 'sec-fetch-site': 'same-origin', origin: 'https://behind.a.proxy' },
      { 'sec-fetch-site': 'none' },
    ]) {
      const type = { 'content-type': 'application/x-protobuf' };
      const host = { host: own.slice(7) };
      const { status } = await edge.send({ method, path, headers: { ...type, ...host, ...headers }, ...bodyOf(path) });
      // There is no archive here.
      expect([headers, status]).toEqual([headers, path.includes('archive') ? 500 : 200]);
    }
  });

  test('is served where it only reads: it cannot read the answer', async () => {
    for (const headers of FOREIGN) {
      expect((await edge.send({ method: 'GET', path: '/api/services', headers })).status).toBe(200);
    }
  });

  test('may be traces when -http.corsOrigins names it, and nothing of the operators', async () => {
    await using open = await openEdgeServers({ flags: ['-http.corsOrigins=https://shop.example', '-purge.enable'] });
    const headers = {
      'content-type': 'application/x-protobuf',
      origin: 'https://shop.example',
      'sec-fetch-site': 'cross-site',
    };
    const statusOf = async (path: string, more = {}): Promise<number> =>
      (await open.send({ method: 'POST', path, headers: { ...headers, ...more }, body: otlp })).status;
    expect(await statusOf('/v1/traces')).toBe(200);
    expect(await statusOf('/v1/traces', { origin: 'https://other.example' })).toBe(403);
    expect(await statusOf('/internal/purge')).toBe(403);
    expect(open.store.adminCalls).toEqual([]);
  });

  test.each<[IncomingHttpHeaders, boolean]>([
    [{}, false],
    [{ host: 'a.example' }, false],
    [{ host: 'a.example', origin: 'https://a.example' }, false],
    [{ host: 'A.example:81', origin: 'http://a.example:81' }, false],
    [{ host: 'a.example', origin: 'http://a.example:81' }, true],
    [{ host: 'x', origin: 'https://named.example:9' }, false],
    [{ host: 'x', origin: 'https://not.named.example' }, true],
    [{ host: 'x', origin: 'nonsense' }, true],
    [{ host: 'x', origin: '' }, true],
    [{ host: 'x', origin: 'http://x', 'sec-fetch-site': 'cross-site' }, true],
    [{ host: 'x', 'sec-fetch-site': 'same-origin' }, false],
    [{ host: 'x', 'sec-fetch-site': 'nonsense' }, true],
  ])('%j is foreign: %s', (headers, expected) => {
    expect(isForeign(headers, new Set(['named.example']))).toBe(expected);
  });
});
