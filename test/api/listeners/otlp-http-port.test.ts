// The port where SDKs send without a setting: it takes OTLP alone, and does not keep a node from starting unless asked for.
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { AnswerBudget } from '../../../src/api/edge/answer-budget.ts';
import { openOtlpHttp } from '../../../src/api/listeners/http-server.ts';
import { parseConfig } from '../../../src/config.ts';
import { openEdgeServers, sendRaw, type EdgeServers } from '../../support/edge-servers.ts';
import { encodeRequest } from '../../support/otlp-proto.ts';
import { RICH_TRACE } from '../../support/rich-trace.ts';

const own = '-otlpHTTPListenAddr=127.0.0.1:0';

function open(edge: EdgeServers, ...flags: string[]) {
  const { intake, bodies, store, metrics, logger } = edge;
  return openOtlpHttp({
    config: parseConfig(flags, {}),
    access: edge.logins.access,
    intake,
    bodies,
    reader: store,
    archive: undefined,
    answers: new AnswerBudget(),
    admin: store,
    metrics,
    logger,
    version: '0.0.0',
    readiness: edge.ready.readiness,
  });
}

test('OTLP is stored, and nothing else is there', async () => {
  await using edge = await openEdgeServers();
  const { port, close } = (await open(edge, own, '-http.pathPrefix=/p'))!;
  const body = encodeRequest(RICH_TRACE);
  const headers = { 'content-type': 'application/x-protobuf' };
  expect((await sendRaw(port, { method: 'POST', path: '/v1/traces', headers, body })).status).toBe(200);
  expect(edge.store.writes.map((write) => write.body)).toEqual([body]);
  for (const path of ['/', '/health', '/metrics', '/api/services', '/p/v1/traces', '/v1/logs']) {
    const { status, text } = await sendRaw(port, { method: 'GET', path });
    expect([path, status, text]).toEqual([path, 404, expect.stringContaining('this port takes OTLP traces alone')]);
  }
  expect((await sendRaw(port, { method: 'GET', path: '/v1/traces' })).status).toBe(405);
  edge.ready.isReady = false;
  expect((await sendRaw(port, { method: 'POST', path: '/v1/traces', headers, body })).status).toBe(503);
  expect(await edge.metrics.render()).toContain('vm_tcplistener_conns{name="otlpHTTPListenAddr"}');
  await close();
});

test('a page of another site may send nothing, unless it is named', async () => {
  await using edge = await openEdgeServers();
  const origin = 'https://shop.example';
  const headers = { origin, 'content-type': 'application/json' };
  const asked = { method: 'POST', path: '/v1/traces', headers, body: '{}' };
  const closed = (await open(edge, own))!;
  expect((await sendRaw(closed.port, asked)).status).toBe(403);
  const rebound = { ...asked, headers: { host: 'evil.example', 'content-type': 'application/json' } };
  expect((await sendRaw(closed.port, rebound)).status).toBe(421);
  const opened = (await open(edge, own, `-http.corsOrigins=${origin}`))!;
  const { status, headers: answered } = await sendRaw(opened.port, asked);
  expect([status, answered['access-control-allow-origin']]).toEqual([200, origin]);
  await Promise.all([closed.close(), opened.close()]);
});

test('an empty address opens nothing', async () => {
  await using edge = await openEdgeServers();
  expect(await open(edge, '-otlpHTTPListenAddr=')).toBeUndefined();
});

test('a port that is taken: asked for, it is refused; by default, the node goes on without it and says so', async () => {
  await using edge = await openEdgeServers();
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as AddressInfo;
  await expect(open(edge, `-otlpHTTPListenAddr=127.0.0.1:${port}`)).rejects.toThrow(
    /^-otlpHTTPListenAddr=127\.0\.0\.1:\d+: cannot listen: .*; another process has this port: stop it, or choose another port$/,
  );
  taken.close();
  await openWithoutDefaultPort(edge);
  expect(edge.logLines.join('')).toMatch(/another program has the port where SDKs send OTLP, .* port=4318\n/);
});

/** Resolves when the node went on without the default port: it is taken here, or by whoever else has it, who may let go of it in between. */
async function openWithoutDefaultPort(edge: EdgeServers): Promise<void> {
  for (;;) {
    const other = createServer().listen(4_318, '127.0.0.1');
    await Promise.race([once(other, 'listening'), once(other, 'error')]);
    const opened = await open(edge);
    other.close();
    if (opened === undefined) return;
    await opened.close();
  }
}
