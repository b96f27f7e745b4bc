// Health, metrics, flags and the forced actions, over the real listener.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { encodeRequest } from '../../support/otlp-proto.ts';
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
  delete edge.ready.refusals.insert;
  edge.store.adminCalls.length = 0;
});

const get = (path: string, server = edge): Promise<RawResponse> => server.send({ method: 'GET', path });
const post = (path: string, server = edge, headers = {}): Promise<RawResponse> =>
  server.send({ method: 'POST', path, headers });

describe('readiness', () => {
  test('/health and /insert/ready are 200 once ready and 503 before', async () => {
    expect([(await get('/health')).status, (await get('/health')).text]).toEqual([200, 'OK']);
    expect([(await post('/insert/ready')).status, (await get('/insert/ready')).text]).toEqual([200, '{"status":"ok"}']);
    edge.ready.isReady = false;
    expect([(await get('/health')).status, (await get('/insert/ready')).status]).toEqual([503, 503]);
  });

  test('while spans are refused /ready and /insert/ready say why, and queries may come', async () => {
    edge.ready.refusals.insert = 'the disk is full';
    for (const path of ['/ready', '/insert/ready'])
      expect([(await get(path)).status, (await get(path)).text]).toEqual([503, '{"status":"the disk is full"}']);
    expect([(await get('/select/ready')).status, (await get('/health')).status]).toEqual([200, 200]);
    delete edge.ready.refusals.insert;
    expect([(await get('/ready')).status, (await get('/ready')).text]).toEqual([200, '{"status":"ok"}']);
  });

  test('while the process leaves, the probes are 503 and requests are answered', async () => {
    await using leaving = await openEdgeServers();
    leaving.ready.readiness.leave();
    for (const path of ['/ready', '/insert/ready', '/select/ready', '/health'])
      expect((await get(path, leaving)).status).toBe(503);
    const sent = await leaving.post(encodeRequest({}), { 'content-type': 'application/x-protobuf' });
    const asked = await get('/api/services', leaving);
    expect([sent.status, asked.status, asked.headers['connection']]).toEqual([200, 200, 'close']);
  });

  test('while not ready everything else is 503 with Retry-After, metrics and flags answer', async () => {
    edge.ready.isReady = false;
    const refused = [
      await post('/internal/force_flush'),
      await edge.post(encodeRequest({}), { 'content-type': 'application/x-protobuf' }),
      await get('/nowhere'),
    ];
    expect(refused.map((response) => [response.status, response.headers['retry-after']])).toEqual(
      Array(3).fill([503, '2']),
    );
    expect([(await get('/metrics')).status, (await get('/flags')).status]).toEqual([200, 200]);
    expect(edge.store.adminCalls).toEqual([]);
  });
});

describe('forced actions', () => {
  test('answer when they are done', async () => {
    let open = (): void => undefined;
    edge.store.gate = new Promise((resolve) => (open = resolve));
    let isAnswered = false;
    const flushed = post('/internal/force_flush').finally(() => (isAnswered = true));
    await get('/health');
    expect([isAnswered, edge.store.adminCalls]).toEqual([false, []]);
    open();
    expect([(await flushed).status, (await flushed).text]).toEqual([200, 'OK\n']);
    edge.store.gate = undefined;
    expect((await post('/internal/force_merge')).status).toBe(200);
    expect((await post('/internal/force_merge?partition_prefix=202611')).status).toBe(200);
    expect(edge.store.adminCalls).toEqual(['flush', 'merge ', 'merge 202611']);
  });

  test.each(['x', '2026-11', '../..', '202611200'])('partition_prefix=%s is 400', async (prefix) => {
    const response = await post(`/internal/force_merge?partition_prefix=${prefix}`);
    expect([response.status, response.text]).toEqual([
      400,
      `partition_prefix: expected the beginning of a day as YYYYMMDD, got ${JSON.stringify(prefix)}\n`,
    ]);
  });

  test.each(['/internal/force_flush', '/internal/force_merge'])('GET %s is 405 and does nothing', async (path) => {
    const response = await get(path);
    expect([response.status, response.headers['allow'], response.text]).toEqual([
      405,
      'POST',
      `method GET is not allowed for "${path}": use POST\n`,
    ]);
    expect(edge.store.adminCalls).toEqual([]);
  });
});

describe('purge', () => {
  test('is there with its flag, and by POST alone', async () => {
    await using purging = await openEdgeServers({ flags: ['-purge.enable'] });
    expect((await get('/internal/purge', purging)).status).toBe(405);
    expect((await post('/internal/purge', purging)).text).toBe('OK\n');
    expect(purging.store.adminCalls).toEqual(['purge']);
  });

  test('is an unknown path without it', async () => {
    expect((await post('/internal/purge')).status).toBe(404);
    expect(edge.store.adminCalls).toEqual([]);
  });
});

describe('keys', () => {
  const flags = ['-forceFlushAuthKey=f', '-forceMergeAuthKey=m', '-metricsAuthKey=s', '-flagsAuthKey=g'];

  test('protected paths want their key in the query or as a header', async () => {
    await using locked = await openEdgeServers({ flags });
    for (const [method, path, key] of [
      ['POST', '/internal/force_flush', 'f'],
      ['POST', '/internal/force_merge', 'm'],
      ['GET', '/metrics', 's'],
      ['GET', '/flags', 'g'],
    ] as const) {
      const flag = { f: 'forceFlushAuthKey', m: 'forceMergeAuthKey', s: 'metricsAuthKey', g: 'flagsAuthKey' }[key];
      const missing = await locked.send({ method, path });
      expect([missing.status, missing.text]).toEqual([401, `missing authKey: this path is protected by -${flag}\n`]);
      const wrong = await locked.send({ method, path: `${path}?authKey=x` });
      expect([wrong.status, wrong.text]).toEqual([401, `wrong authKey: this path is protected by -${flag}\n`]);
      expect((await locked.send({ method, path: `${path}?authKey=${key}` })).status).toBe(200);
      expect((await locked.send({ method, path, headers: { authKey: key } })).status).toBe(200);
    }
    expect(locked.store.adminCalls).toEqual(['flush', 'flush', 'merge ', 'merge ']);
  });

  test('/flags shows every flag and no secret', async () => {
    await using locked = await openEdgeServers({ flags: ['-metricsAuthKey=hush'] });
    const { text } = await get('/flags', locked);
    expect(text).toContain('-retentionPeriod="7d"\n');
    expect(text).toContain('-metricsAuthKey="secret"\n');
    expect(text).not.toContain('hush');
  });
});
