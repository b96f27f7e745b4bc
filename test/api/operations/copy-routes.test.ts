// What other nodes read of this one: the bytes of docs/format/copy-protocol.md, over the real listener.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { openEdgeServers, type EdgeServers, type RawResponse } from '../../support/edge-servers.ts';

let folder: string;
let edge: EdgeServers;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tracelith-copy-'));
  edge = await openEdgeServers({ flags: [`-storageDataPath=${folder}`] });
});
afterAll(async () => {
  await edge[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});
beforeEach(() => {
  edge.store.adminCalls.length = 0;
  edge.store.digestPages = [];
  edge.store.found = { traces: [], warnings: [] };
});

const post = (path: string, body?: Uint8Array, headers = {}): Promise<RawResponse> =>
  edge.send({ method: 'POST', path: `/internal/partition/${path}`, headers, ...(body && { body, hasLength: true }) });
const get = (path: string, headers = {}): Promise<RawResponse> =>
  edge.send({ method: 'GET', path: `/internal/partition/snapshot/file/${path}`, headers });

test('the tenants of a day are listed', async () => {
  expect((await post('tenants?name=20261120')).text).toBe('["0:0","7:1"]');
  expect((await post('tenants?name=20200101')).text).toBe('[]');
});

test('digests come page after page, and end with what could not be read', async () => {
  const page = (byte: number, warnings: string[]) => ({ records: Buffer.alloc(28, byte), spans: 1, warnings });
  edge.store.digestPages = [page(1, []), page(2, ['a', 'b']), page(3, ['b'])];
  const { status, headers, body } = await post('digests?name=20261120', undefined, { 'x-tenant': '7:1' });
  expect([status, headers['content-type']]).toEqual([200, 'application/octet-stream']);
  const text = '{"warnings":["a","b"]}';
  const end = Buffer.concat([Buffer.alloc(16), Buffer.of(text.length, 0, 0, 0), Buffer.from(text)]);
  expect(body.toString('hex')).toBe(
    Buffer.concat([...[1, 2, 3].map((byte) => Buffer.alloc(28, byte)), end]).toString('hex'),
  );
  expect(edge.store.adminCalls).toEqual(['digest 7:1 20777']);
});

test('digests that fail in the middle break off: nobody takes them for all', async () => {
  edge.store.digestPages = [{ records: Buffer.alloc(28, 1), spans: 1, warnings: [] }, 'the disk is gone'];
  await expect(post('digests?name=20261120')).rejects.toThrow(/aborted|hang up|ECONNRESET/);
});

test('traces come as OTLP, each with its length', async () => {
  const traceId = new Uint8Array(16).fill(7);
  edge.store.found = {
    traces: [
      { traceId, otlp: Uint8Array.of(1, 2, 3) },
      { traceId, otlp: Uint8Array.of(4) },
    ],
    warnings: [],
  };
  const { body } = await post('traces', traceId);
  expect(body.toString('hex')).toBe('03000000010203' + '0100000004');
  expect((await post('traces', new Uint8Array(0))).status).toBe(200);
});

test('binary answers are never compressed: one whose length looks like the beginning of zlib is not taken for zlib', async () => {
  const traceId = new Uint8Array(16).fill(7);
  const traces = Array.from({ length: 8 }, () => ({ traceId, otlp: new Uint8Array(0x0178).fill(9) }));
  edge.store.found = { traces, warnings: [] };
  const { headers, body } = await post('traces', traceId, { 'accept-encoding': 'gzip, deflate, zstd, br' });
  expect([headers['content-encoding'], body.length]).toEqual([undefined, 8 * (4 + 0x0178)]);
  expect(body.toString('hex', 0, 6)).toBe('780100000909');
});

test.each(['digests', 'digests?name=', 'digests?name=20261399', 'tenants?name=..', 'digests?name=1&name=2'])(
  '%s is 400',
  async (path) => {
    expect((await post(path)).status).toBe(400);
    expect(edge.store.adminCalls).toEqual([]);
  },
);

test('a body that is no list of ids is 400, and one of too many is 413', async () => {
  expect((await post('traces', new Uint8Array(17))).status).toBe(400);
  expect((await post('traces', new Uint8Array(16 * 1025))).status).toBe(413);
});

test('files of snapshots are read, also from the middle, and nothing outside them', async () => {
  const snapshot = join(folder, 'snapshots', 'one');
  mkdirSync(join(snapshot, 'parts'), { recursive: true });
  writeFileSync(join(snapshot, 'parts', 'data'), '0123456789');
  writeFileSync(join(folder, 'secret'), 'secret');
  expect((await get('one/parts/data')).text).toBe('0123456789');
  const rest = await get('one/parts/data', { range: 'bytes=7-' });
  expect([rest.status, rest.text]).toEqual([206, '789']);
  for (const path of [
    'one/parts',
    'one/none',
    '../secret',
    '..%2fsecret',
    'one/..%2f..%2f..%2fsecret',
    '%2e%2e/secret',
  ])
    expect([path, (await get(path)).status]).toEqual([path, expect.toSatisfy((status: number) => status >= 400)]);
  await using locked = await openEdgeServers({ flags: [`-storageDataPath=${folder}`, '-partitionManageAuthKey=key'] });
  const path = '/internal/partition/snapshot/file/one/parts/data';
  expect((await locked.send({ method: 'GET', path })).status).toBe(401);
  expect((await locked.send({ method: 'GET', path, headers: { authKey: 'key' } })).text).toBe('0123456789');
});
