// The log of the real program: the events of its life, and that no client can write lines of its own into it.
import { describe, expect, test } from 'vitest';
import { ask, callExport, force, search, sendTo } from '../support/node-client.ts';
import { startNode, type TestNode } from '../support/node-process.ts';
import { encodeRequest } from '../support/otlp-proto.ts';
import { oneSpan } from '../support/one-span.ts';

/** What a client may try: lines like the log's own, escape sequences, marks that turn text, quotes. */
const FORGED = [
  'x\n2026-11-20T12:00:00.000Z ERROR forged by a client\n',
  'x\r\n{"ts":"2026-11-20T12:00:00.000Z","level":"ERROR","msg":"forged by a client"}\r\n',
  'x\u001b[2J\u001b]0;forged by a client\u0007',
  'x\u2028forged by a client\u2029\u0085',
  'x\u202eforged by a client" forged=1',
  'x" level=ERROR msg="forged by a client',
];

/** Sends every forged text wherever a client has a say, and does what is logged. */
async function provoke(node: TestNode): Promise<void> {
  const get = async (path: string, init: RequestInit = {}): Promise<void> =>
    void (await fetch(node.url + path, init).catch(() => undefined));
  for (const text of FORGED) {
    const encoded = encodeURIComponent(text);
    const attributes = ['service.name', text].map((key) => ({ key, value: { stringValue: text } }));
    const [{ scopeSpans: [{ spans: [span] = [] } = {}] = [] } = {}] = oneSpan(1).resourceSpans ?? [];
    // Rejected: more attributes than one.
    const spans = [{ ...span, name: text, attributes }];
    await sendTo(node, {
      resourceSpans: [{ resource: { attributes }, scopeSpans: [{ scope: { name: text }, spans }] }],
    });
    await sendTo(node, {
      resourceSpans: [{ resource: { attributes }, scopeSpans: [{ spans: [{ ...span, name: text }] }] }],
    });
    await search(node, { service: text, operation: text, tags: { [text]: text } });
    await get(`/${encoded}`);
    await get(`/api/traces/${encoded}`);
    await get(`/internal/force_merge?partition_prefix=${encoded}&${encoded}=${encoded}`, { method: 'POST' });
    await get(`/internal/partition/snapshot/delete?path=${encoded}`, { method: 'POST' });
    await get(`/internal/partition/detach?name=${encoded}`, { method: 'POST' });
    await get('/v1/traces', { method: 'POST', body: text, headers: { 'content-type': 'application/json' } });
    await get('/api/services', { headers: { accountid: encoded, 'x-tenant': encoded, 'user-agent': encoded } });
    await callExport(node.grpcAddress, Buffer.from(text), { 'x-tenant': encoded }).catch(() => undefined);
    await callExport(node.grpcAddress, encodeRequest(oneSpan(2)), { accountid: encoded }).catch(() => undefined);
  }
  await force(node, 'merge');
  await ask(node, '/flags');
}

const FLAGS = ['-search.logSlowQueryDuration=1ms', '-insert.maxAttributesPerSpan=1'];

describe('clients cannot write lines of their own', () => {
  test('as text: every line is one of the log’s, and no control character reaches a terminal', async () => {
    await using node = await startNode({ flags: FLAGS });
    await provoke(node);
    const log = node.log();
    expect(log.split('\n').filter((line) => line !== '' && !/^\S+Z (INFO|WARN|ERROR) +[a-z]/.test(line))).toEqual([]);
    expect(log).not.toMatch(/^\S+ ERROR/m);
    expect(log.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\u2028\u2029\u202a-\u202e]/u);
    // It is there, as a value.
    expect(log).toContain('a slow query tenant=0:0 query=search service="x\\n2026-11-20');
    expect(log).toContain('spans were rejected tenant=0:0 too_many_attributes=1');
    expect(log).toContain('what="POST /internal/partition/detach" with="name=x\\n2026');
  });

  test('as JSON: every line is an object with the time of the server', async () => {
    await using node = await startNode({ flags: [...FLAGS, '-loggerFormat=json'] });
    await provoke(node);
    const lines = node
      .log()
      .split('\n')
      .filter((line) => line !== '');
    const parsed = lines.map((line) => JSON.parse(line) as { ts: string; level: string; msg: string });
    expect(
      parsed.filter(
        ({ ts, level, msg }) => ts.startsWith('2026-11-20') || level === 'ERROR' || msg.startsWith('forged'),
      ),
    ).toEqual([]);
    expect(lines.join('')).not.toMatch(/[\p{Cc}\u2028\u2029\u202a-\u202e]/u);
    expect(parsed.map(({ msg }) => msg)).toEqual(
      expect.arrayContaining(['tracelith is ready', 'a slow query', 'spans were rejected', 'an admin call']),
    );
  });
});

test('start, purge, forced merge, detach, attach and stop are lines', async () => {
  await using node = await startNode({ flags: ['-purge.enable'] });
  await sendTo(node, oneSpan(1));
  const days = (await (await fetch(`${node.url}/internal/partition/list`, { method: 'POST' })).json()) as string[];
  await force(node, 'merge');
  for (const what of ['detach', 'attach']) {
    await fetch(`${node.url}/internal/partition/${what}?name=${days[0]}`, { method: 'POST' });
  }
  await fetch(`${node.url}/internal/purge`, { method: 'POST' });
  expect(await node.stop('SIGTERM')).toBe(0);
  const events = [...node.log().matchAll(/^\S+ INFO +(.*?)(?: \w+=.*)?$/gm)].map(([, what]) => what);
  for (const event of [
    'tracelith is ready',
    'partition detached',
    'partition attached',
    'forced merge done',
    'everything stored was removed',
    'closing',
    'closed: everything acknowledged is on disk',
  ]) {
    expect(events, event).toContain(event);
  }
});
