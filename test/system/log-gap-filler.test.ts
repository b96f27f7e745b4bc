// A storage node of a log that was away for longer than the log keeps messages, with -ingestLog.syncFrom: it has what it lacked from
// its twin without anybody's command, also if it is killed in between and if the twin is away at first.
import { describe, expect, test } from 'vitest';
import { hasNatsServer } from '../../native-bench/harness/nats-servers.ts';
import { figureOf, LogCluster, newTraces } from '../support/log-cluster.ts';
import { waitFor, type RoleProcess } from '../support/role-process.ts';

const PARTITIONS = 2;

describe.skipIf(!hasNatsServer())('a storage node that copies by itself what the log had lost', () => {
  const opened = async (): Promise<LogCluster> =>
    await LogCluster.open({ partitions: PARTITIONS, nodes: 1, flagsOf: (twin) => [`-ingestLog.syncFrom=${twin.url}`] });
  const write = async (cluster: LogCluster): Promise<string[]> => {
    const traces: string[] = [];
    for (let n = 0; n < 10; n++) {
      const { body, traces: some } = newTraces(8);
      expect(await cluster.write(body)).toBe(200);
      traces.push(...some);
    }
    return traces;
  };
  const haveSame = async (one: RoleProcess, other: RoleProcess): Promise<void> => {
    const offset = async (node: RoleProcess): Promise<number> => await figureOf(node, 'stored_offset');
    await waitFor('both to be as far', async () => (await offset(one)) === (await offset(other)));
  };
  /** The node is away while the log takes messages and drops them. */
  const fallBehind = async (cluster: LogCluster, node: RoleProcess): Promise<string[]> => {
    await node.signal('SIGKILL');
    const traces = await write(cluster);
    // The twin has read all of it.
    expect(await cluster.ask('/api/services')).toMatchObject({ status: 200, warnings: null });
    for (let partition = 0; partition < PARTITIONS; partition++) await cluster.nats.drop(`tracelith-${partition}`);
    return traces;
  };
  const isWhole = async (cluster: LogCluster, node: RoleProcess): Promise<boolean> =>
    (await cluster.ask('/ready', node)).text === '{"status":"ok"}';
  const checkEqual = async (cluster: LogCluster, traces: readonly string[]): Promise<void> => {
    const [node, twin] = cluster.storage as [RoleProcess, RoleProcess];
    const paths = ['/api/services', ...traces.map((id) => `/api/traces/${id}`)];
    for (const path of paths)
      expect([path, await cluster.ask(path, node)]).toEqual([path, await cluster.ask(path, twin)]);
  };

  test('it fills the gap, says so, and answers as its twin', { timeout: 300_000 }, async () => {
    await using cluster = await opened();
    const [node, twin] = cluster.storage as [RoleProcess, RoleProcess];
    const traces = await write(cluster);
    await haveSame(node, twin);
    traces.push(...(await fallBehind(cluster, node)));
    await node.start();
    // Before anything was copied, and by whom it will be.
    await waitFor('the gap to be seen', async () => (await figureOf(node, 'gap_messages')) > 0);
    const { status, text } = await cluster.ask('/ready', node);
    expect([status, text]).toEqual([
      200,
      expect.stringMatching(/partition \d: messages .*; it (will|is).*copied from/),
    ]);
    await waitFor('the node to be whole', async () => await isWhole(cluster, node));
    expect(await figureOf(node, 'gap_messages')).toBe(0);
    expect(await figureOf(node, 'gap_syncs_total')).toBeGreaterThan(0);
    await waitFor('it to be said', () => node.log().includes('this node has all that the log had lost'));
    await haveSame(node, twin);
    await checkEqual(cluster, traces);
  });

  test('its twin is away at first, and it is killed on the way', { timeout: 300_000 }, async () => {
    await using cluster = await opened();
    const [node, twin] = cluster.storage as [RoleProcess, RoleProcess];
    const traces = await write(cluster);
    await haveSame(node, twin);
    traces.push(...(await fallBehind(cluster, node)));
    await twin.signal('SIGKILL');
    await node.start();
    await waitFor('an attempt', async () => (await figureOf(node, 'gap_sync_is_running')) === 1);
    await node.signal('SIGKILL');
    await node.start();
    await waitFor('an attempt in vain', async () => (await figureOf(node, 'gap_syncs_failed_total')) > 0);
    expect((await cluster.ask('/ready', node)).text).toContain('could not be copied yet and is tried again');
    await twin.start();
    await waitFor('the node to be whole', async () => await isWhole(cluster, node));
    await haveSame(node, twin);
    await checkEqual(cluster, traces);
  });
});
