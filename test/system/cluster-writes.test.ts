// What becomes of spans whose acknowledgement is lost, and of a storage node that refuses them but lives: nothing is stored twice
// without need, and nobody is taken for dead.
import { expect, test } from 'vitest';
import { LinkProxy } from '../support/link-proxy.ts';
import { oneSpan } from '../support/one-span.ts';
import { encodeRequest } from '../support/otlp-proto.ts';
import { requestOf, makeSpan } from '../conformance/data-sets.ts';
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
