// What becomes of spans whose acknowledgement is lost, and of a storage node that refuses them but lives: nothing is stored twice
// without need, and nobody is taken for dead.
import { expect, test } from 'vitest';
import { LinkProxy } from '../support/link-proxy.ts';
import { oneSpan } from '../support/one-span.ts';
import { encodeRequest } from '../support/otlp-proto.ts';
import { hexOf } from '../support/day-traces.ts';
import { requestOf, makeSpan } from '../conformance/data-sets.ts';
import { spanId } from '../support/rich-trace.ts';
import { RoleProcess, waitFor } from '../support/role-process.ts';

async function send({ url }: RoleProcess, body: Uint8Array): Promise<number> {
  const headers = { 'content-type': 'application/x-protobuf' };
  const reply = await fetch(`${url}/v1/traces`, { method: 'POST', headers, body: Buffer.from(body) });
  await reply.arrayBuffer();
  return reply.status;
}

/** The sum of a metric over its labels. */
async function metric({ url }: RoleProcess, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const samples = [...text.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'gm'))];
  expect([name, samples.length > 0]).toEqual([name, true]);
  return samples.reduce((sum, [, value]) => sum + Number(value), 0);
}

test('an answer that is lost: the same node is asked again under the same key, and stores the spans once', async () => {
  await using store = await RoleProcess.storing('w1');
  await using other = await RoleProcess.storing('w2');
  await Promise.all([store.start(), other.start()]);
  await using link = await LinkProxy.open(store.address);
  await using otherLink = await LinkProxy.open(other.address);
  const nodes = `${link.address},${otherLink.address}`;
  await using insert = await RoleProcess.inFront('insert', nodes, ['-storageNode.writeTimeout=30s']);
  await insert.start();
  const rows = (): Promise<[number, number]> =>
    Promise.all([metric(store, 'tracelith_rows_stored_total'), metric(other, 'tracelith_rows_stored_total')]);
  for (const each of [link, otherLink]) each.set('lossy');
  const sent = send(insert, encodeRequest(oneSpan(1)));
  await waitFor('the spans to be stored', async () => (await rows()).includes(1));
  // Whoever waits for the answer learns that the connection is gone.
  for (const each of [link, otherLink]) each.set('open');
  expect(await sent).toBe(200);
  expect((await rows()).toSorted((x, y) => x - y)).toEqual([0, 1]);
  const repeated = await Promise.all([store, other].map((node) => metric(node, 'tracelith_writes_repeated_total')));
  expect(repeated.toSorted((x, y) => x - y)).toEqual([0, 1]);
  expect(await metric(insert, 'tracelith_cluster_slices_possibly_twice_total')).toBe(0);
});

/** What the answer says that it lacks. */
async function warnings({ url }: RoleProcess, path: string): Promise<string | undefined> {
  const reply = await fetch(url + path);
  await reply.arrayBuffer();
  expect([path, reply.status]).toEqual([path, 200]);
  return reply.headers.get('tracelith-warnings') ?? undefined;
}

/** Searches of every kind, the names, the trace and its archive: all that shows spans. Sums are not among them. */
const SHOWN = [
  '/select/jaeger/api/services',
  '/select/jaeger/api/services/twice/operations',
  '/api/v3/services',
  '/api/v3/operations?service=twice',
];

test('spans that two nodes have, because the first did not answer in time, are shown once', async () => {
  await using store = await RoleProcess.storing('t1');
  await using other = await RoleProcess.storing('t2');
  await using single = await RoleProcess.storing('single', true);
  await Promise.all([store.start(), other.start(), single.start()]);
  await using link = await LinkProxy.open(store.address);
  await using otherLink = await LinkProxy.open(other.address);
  const nodes = `${link.address},${otherLink.address}`;
  await using insert = await RoleProcess.inFront('insert', nodes, ['-storageNode.writeTimeout=2s']);
  await using select = await RoleProcess.inFront('select', `${store.address},${other.address}`);
  await Promise.all([insert.start(), select.start()]);
  const spans = Array.from({ length: 10 }, (_, n) => n + 1).flatMap((trace) => [
    makeSpan(trace, 1),
    makeSpan(trace, 2, { parentSpanId: spanId(1) }),
  ]);
  const body = encodeRequest(requestOf('twice', spans));
  // What goes to the first node arrives, and no answer comes back; the second gets the same spans.
  link.set('lossy');
  expect(await send(insert, body)).toBe(200);
  link.set('open');
  expect(await send(single, body)).toBe(200);
  const doubled = await metric(insert, 'tracelith_cluster_slices_possibly_twice_total');
  const rows = await Promise.all([store, other].map((node) => metric(node, 'tracelith_rows_stored_total')));
  expect([doubled, rows[0]! > 0, rows[1]]).toEqual([1, true, spans.length]);
  const show = async ({ url }: RoleProcess, path: string): Promise<[number, string]> => {
    const reply = await fetch(url + path);
    return [reply.status, await reply.text()];
  };
  const day = 86_400_000_000n;
  const now = BigInt(Date.now()) * 1_000n;
  const window = `start=${now - 2n * day}&end=${now + day}`;
  const iso = (us: bigint): string => new Date(Number(us / 1_000n)).toISOString();
  const v3 = `query.startTimeMin=${iso(now - 2n * day)}&query.startTimeMax=${iso(now + day)}&query.searchDepth=20`;
  const id = hexOf(1);
  const paths = [
    ...SHOWN,
    `/select/jaeger/api/traces?service=twice&limit=20&${window}`,
    `/select/jaeger/api/traces?service=twice&limit=2&${window}`,
    `/api/v3/traces?${v3}`,
    `/api/v3/trace-summaries?${v3}&query.serviceName=twice`,
    `/select/jaeger/api/traces/${id}`,
    `/api/v3/traces/${id}`,
  ];
  for (const path of paths) expect([path, await show(select, path)]).toEqual([path, await show(single, path)]);
  // Sums are not compared: they say themselves that they may be wrong.
  const twoDays = `endTs=${Date.now()}&lookback=${2 * 86_400_000}`;
  for (const path of [
    `/select/jaeger/api/dependencies?${twoDays}`,
    `/select/jaeger/api/metrics/calls?service=twice&${twoDays}&step=60000`,
  ]) {
    expect([path, await warnings(select, path)]).toEqual([path, expect.stringMatching(/^1: .* may be counted twice/)]);
    expect([path, await warnings(single, path)]).toEqual([path, undefined]);
  }
  for (const { url } of [select, single])
    expect((await fetch(`${url}/select/jaeger/api/archive/${id}`, { method: 'POST' })).status).toBe(200);
  for (const path of [`/select/jaeger/api/archive/${id}`, `/select/jaeger/api/traces/${id}`])
    expect([path, await show(select, path)]).toEqual([path, await show(single, path)]);
});

test('a node that is overloaded but lives is passed over for a while, and not taken for dead', async () => {
  const busy = ['-maxConcurrentInserts=1', '-insert.maxQueueDuration=1ms'];
  await using store = await RoleProcess.storing('o1', false, busy);
  await using other = await RoleProcess.storing('o2');
  await Promise.all([store.start(), other.start()]);
  await using insert = await RoleProcess.inFront('insert', `${store.address},${other.address}`, [
    '-storageNode.writeTimeout=30s',
  ]);
  await insert.start();
  const bodies = Array.from({ length: 40 }, (_, at) => {
    const spans = Array.from({ length: 2_000 }, (_none, i) => makeSpan(1 + at * 2_000 + i, 1));
    return encodeRequest(requestOf('busy', spans));
  });
  const statuses = await Promise.all(bodies.map((body) => send(insert, body)));
  expect(new Set(statuses)).toEqual(new Set([200]));
  expect(await metric(insert, 'tracelith_cluster_slices_rerouted_total')).toBeGreaterThan(0);
  expect(await metric(insert, 'tracelith_cluster_slices_possibly_twice_total')).toBe(0);
  expect(await metric(insert, 'vt_insert_remote_is_reachable')).toBe(2);
  expect(insert.log()).not.toContain('a storage node is down');
  const rows = await Promise.all([store, other].map((node) => metric(node, 'tracelith_rows_stored_total')));
  expect(rows[0]! + rows[1]!).toBe(40 * 2_000);
});
