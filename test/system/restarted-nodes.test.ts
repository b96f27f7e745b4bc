// A storage node that answers again is used by the next request, however long it was away and although nobody waited until the
// others had noticed: that is what a rolling restart asks of those in front of it.
import { describe, expect, test } from 'vitest';
import { hasNatsServer } from '../../native-bench/harness/nats-servers.ts';
import { figureOf, LogCluster, newTraces, postSpans } from '../support/log-cluster.ts';
import { AS_NODE, RoleProcess, waitFor } from '../support/role-process.ts';

const ROUNDS = 3;

/** Whether the process counts the node at the address as up. */
async function counts(front: RoleProcess, { address }: RoleProcess): Promise<boolean> {
  const page = await (await fetch(`${front.url}/metrics`)).text();
  const line = page
    .split('\n')
    .find((each) => each.startsWith('vt_insert_remote_is_reachable{') && each.includes(address));
  if (line === undefined) throw new Error(`${front.name} does not know ${address}`);
  return line.endsWith(' 1');
}

/** Ends the node; resolves when those in front of it have tried in vain to reach it. */
async function end(node: RoleProcess, fronts: readonly RoleProcess[]): Promise<void> {
  await node.signal('SIGTERM');
  for (const front of fronts) await waitFor('the node to be missed', async () => !(await counts(front, node)));
}

test(
  'without a log: spans and questions are taken at once, through select nodes of select nodes, too',
  { timeout: 300_000 },
  async () => {
    await using store = await RoleProcess.storing('s1');
    await using insert = await RoleProcess.inFront('insert', store.address);
    await using select = await RoleProcess.inFront('select', store.address, [AS_NODE]);
    await using top = await RoleProcess.inFront('select', select.address);
    for (const process of [store, insert, select, top]) await process.start();
    const { body, traces } = newTraces(1);
    expect((await postSpans(insert, body)).status).toBe(200);
    const ask = async ({ url }: RoleProcess): Promise<number> => (await fetch(`${url}/api/traces/${traces[0]}`)).status;
    for (let round = 0; round < ROUNDS; round++) {
      await end(store, [insert, select]);
      await store.start();
      // The insert node last: it needs no answer of the others.
      expect([await ask(select), (await postSpans(insert, newTraces(1).body)).status]).toEqual([200, 200]);
      await end(select, [top]);
      await select.start();
      expect(await ask(top)).toBe(200);
    }
  },
);

describe.skipIf(!hasNatsServer())('with a log', () => {
  test('twins may be restarted one right after the other', { timeout: 300_000 }, async () => {
    await using cluster = await LogCluster.open({ partitions: 2, nodes: 1 });
    const [a0, b0] = cluster.storage as [RoleProcess, RoleProcess];
    const { body, traces } = newTraces(1);
    expect(await cluster.write(body)).toBe(200);
    const path = `/api/traces/${traces[0]}`;
    const whole = { ...(await cluster.ask(path, cluster.single)), warnings: null };
    for (let round = 0; round < ROUNDS; round++)
      for (const [restarted, twin] of [
        [a0, b0],
        [b0, a0],
      ] as const) {
        await waitFor('the twin to be reached', async () => await counts(cluster.select, twin));
        await end(restarted, [cluster.select]);
        await restarted.start();
        await waitFor('it to have caught up', async () => (await figureOf(restarted, 'lag_messages')) === 0);
        await twin.signal('SIGKILL');
        expect(await cluster.ask(path)).toEqual(whole);
        await twin.start();
      }
  });
});
