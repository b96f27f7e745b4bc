// A file of storage nodes that is edited under load: no request fails, a node that is listed anew gets its share, and one that is
// taken out gets nothing more.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { hexOf, piece } from '../support/day-traces.ts';
import { encodeRequest } from '../support/otlp-proto.ts';
import { Repeated } from '../support/proxy-load.ts';
import { AS_NODE, RoleProcess, waitFor } from '../support/role-process.ts';
import { TemporaryFolder } from '../storage/open-store.ts';

async function rowsOf({ url }: RoleProcess): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const samples = [...text.matchAll(/^tracelith_rows_stored_total(?:\{[^}]*\})? (\d+)$/gm)];
  expect(samples.length).toBeGreaterThan(0);
  return samples.reduce((sum, [, value]) => sum + Number(value), 0);
}

function spanIdsOf(text: string): string[] {
  const { data } = JSON.parse(text) as { readonly data: readonly { readonly spans: readonly { spanID: string }[] }[] };
  return data.flatMap(({ spans }) => spans.map(({ spanID }) => spanID));
}

test('a list of nodes in a file changes under load', { timeout: 300_000 }, async () => {
  using folder = new TemporaryFolder();
  await using first = await RoleProcess.storing('l1');
  await using second = await RoleProcess.storing('l2');
  await using third = await RoleProcess.storing('l3');
  await Promise.all([first, second, third].map((store) => store.start()));
  const file = join(folder.path, 'nodes');
  const list = (...nodes: readonly RoleProcess[]): void =>
    writeFileSync(file, nodes.map(({ address }) => address).join('\n'));
  list(first, second);
  await using insert = await RoleProcess.inFront('insert', `file://${file}`);
  await using select = await RoleProcess.inFront('select', [first, second, third].map(({ address }) => address).join());
  await Promise.all([insert.start(), select.start()]);
  const headers = { 'content-type': 'application/x-protobuf' };
  const load = new Repeated(async (n) => {
    const body = Buffer.from(encodeRequest(piece(1 + n, 0, 3)));
    const reply = await fetch(`${insert.url}/v1/traces`, { method: 'POST', headers, body });
    if (reply.status !== 200) throw new Error(`${reply.status} ${await reply.text()}`);
    await reply.arrayBuffer();
  });
  await load.runs(20);
  expect(await rowsOf(third)).toBe(0);
  list(first, second, third);
  await waitFor('spans on the new node', async () => (await rowsOf(third)) > 0);
  list(second, third);
  await waitFor('the first to be forgotten', () => insert.log().includes('a storage node is forgotten'));
  const before = await rowsOf(first);
  await load.runs(50);
  await load.stop();
  expect(load.failures).toEqual([]);
  expect(await rowsOf(first)).toBe(before);
  for (let n = 1; n <= load.count; n += 7)
    expect([n, (await fetch(`${select.url}/api/traces/${hexOf(n)}`)).status]).toEqual([n, 200]);
});

test(
  'selects that list themselves and each other find the circle, and say what to take out',
  { timeout: 300_000 },
  async () => {
    using folder = new TemporaryFolder();
    await using store = await RoleProcess.storing('l1');
    await store.start();
    const file = join(folder.path, 'nodes');
    await using one = await RoleProcess.inFront('select', `file://${file}`, [AS_NODE]);
    await using other = await RoleProcess.inFront('select', `file://${file}`, [AS_NODE]);
    writeFileSync(file, [store, one, other].map(({ address }) => address).join('\n'));
    await Promise.all([one.start(), other.start()]);
    const headers = { 'content-type': 'application/x-protobuf' };
    const body = Buffer.from(encodeRequest(piece(1, 0, 3)));
    expect((await fetch(`${store.url}/v1/traces`, { method: 'POST', headers, body })).status).toBe(200);
    const expected = await (await fetch(`${store.url}/api/traces/${hexOf(1)}`)).text();
    for (const select of [one, other]) {
      for (const { address } of [one, other])
        await waitFor('the circle to be found', () => select.log().includes(`take ${address} out of -storageNode`));
      // The other select counts as down, so it is missing from an answer, until the list is repaired.
      const ask = (rest = ''): Promise<Response> => fetch(`${select.url}/api/traces/${hexOf(1)}${rest}`);
      const partial = await ask('?allow_partial_response=1');
      expect([partial.status, spanIdsOf(await partial.text())]).toEqual([200, spanIdsOf(expected)]);
      const refused = await ask();
      expect([refused.status, (await refused.text()).includes('out of -storageNode')]).toEqual([503, true]);
    }
    writeFileSync(file, [store, one].map(({ address }) => address).join('\n'));
    // Of these, one lists itself, and the other asks it.
    await waitFor('whole answers', async () => (await fetch(`${one.url}/api/traces/${hexOf(1)}`)).status === 200);
    writeFileSync(file, store.address);
    for (const select of [one, other])
      await waitFor('whole answers', async () => (await fetch(`${select.url}/api/traces/${hexOf(1)}`)).status === 200);
  },
);
