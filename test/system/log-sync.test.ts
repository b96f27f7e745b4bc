// A storage node of a log that lost its disk, or was away for longer than the log keeps messages: it says which hours it lacks, and
// `tracelith sync` fills them from its twin.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasNatsServer } from '../../native-bench/harness/nats-servers.ts';
import { figureOf, LogCluster, newTraces, postSpans } from '../support/log-cluster.ts';
import { runProgram } from '../support/node-process.ts';
import { waitFor, type RoleProcess } from '../support/role-process.ts';

const PARTITIONS = 4;

describe.skipIf(!hasNatsServer())('a storage node that the log cannot make whole', () => {
  let cluster: LogCluster;
  const traces: string[] = [];
  const nodes = (): readonly [RoleProcess, RoleProcess, RoleProcess, RoleProcess] =>
    cluster.storage as unknown as [RoleProcess, RoleProcess, RoleProcess, RoleProcess];
  beforeAll(async () => {
    cluster = await LogCluster.open({ partitions: PARTITIONS });
  }, 300_000);
  afterAll(async () => await cluster?.[Symbol.asyncDispose]());

  const write = async (): Promise<void> => {
    for (let n = 0; n < 10; n++) {
      const { body, traces: some } = newTraces(8);
      expect(await cluster.write(body)).toBe(200);
      traces.push(...some);
    }
  };
  const offsets = async (node: RoleProcess): Promise<number> => await figureOf(node, 'stored_offset');
  const haveSame = async (one: RoleProcess, other: RoleProcess): Promise<void> =>
    await waitFor(
      `${one.name} and ${other.name} to be as far`,
      async () => (await offsets(one)) === (await offsets(other)),
    );
  const sync = async (
    from: RoleProcess,
    to: RoleProcess,
  ): Promise<{ readonly exitCode: number | undefined; readonly output: string }> =>
    await runProgram(['sync', '--from', from.url, '--to', to.url]);
  const isEqual = async (one: RoleProcess, other: RoleProcess): Promise<void> => {
    const paths = traces.flatMap((id) => [`/api/traces/${id}`, `/api/v3/traces/${id}`]);
    const lists = ['/api/services', '/api/traces?service=shop&limit=1000&lookback=1h'];
    for (const path of [...paths, ...lists])
      expect([path, await cluster.ask(path, one)]).toEqual([path, await cluster.ask(path, other)]);
  };
  const lose = async (node: RoleProcess, isDiskLost: boolean): Promise<void> => {
    await node.signal('SIGKILL');
    if (isDiskLost) node.loseDisk();
    await write();
    for (let partition = 0; partition < PARTITIONS; partition++) await cluster.nats.drop(`tracelith-${partition}`);
  };

  test.for([true, false])(
    'its disk lost: %s. It says which hours it lacks, and has them from its twin; others may not write to it',
    { timeout: 300_000 },
    async (isDiskLost) => {
      const [node, , twin, stranger] = nodes();
      await write();
      await haveSame(node, twin);
      await lose(node, isDiskLost);
      await node.start();
      // Nothing comes behind what is missing, and it is seen all the same.
      await waitFor('the gap to be seen', async () => (await figureOf(node, 'gap_messages')) > 0);
      const since = isDiskLost ? 'before' : String.raw`between 20\S+Z and`;
      const lacks = new RegExp(String.raw`partition \d: messages \d+ to \d+, which the log took ${since} 20\S+Z`);
      expect(node.log()).toMatch(lacks);
      const ready = await cluster.ask('/ready', node);
      expect([ready.status, ready.text]).toEqual([200, expect.stringMatching(lacks)]);
      await write();
      for (const id of traces) {
        const path = `/api/traces/${id}`;
        expect(await cluster.ask(path)).toEqual({ ...(await cluster.ask(path, cluster.single)), warnings: null });
      }

      expect((await postSpans(node, newTraces(1).body)).status).toBe(501);
      for (const [from, to] of [
        [stranger, node],
        [cluster.single, node],
        [node, stranger],
      ] as const) {
        const refused = await sync(from, to);
        expect([refused.exitCode, refused.output]).toEqual([
          2,
          expect.stringContaining('that read some partition both'),
        ]);
      }

      const done = await sync(twin, node);
      expect([done.exitCode, done.output]).toEqual([0, expect.stringContaining('has what it had missed of the log')]);
      await waitFor('the gap to be gone', async () => (await figureOf(node, 'gap_messages')) === 0);
      expect((await cluster.ask('/ready', node)).text).toBe('{"status":"ok"}');
      await haveSame(node, twin);
      await isEqual(node, twin);
      await twin.signal('SIGKILL');
      for (const id of traces) {
        const path = `/api/traces/${id}`;
        expect(await cluster.ask(path)).toEqual({ ...(await cluster.ask(path, cluster.single)), warnings: null });
      }
      await twin.start();
      const again = await sync(twin, node);
      expect([again.exitCode, again.output]).toEqual([0, expect.stringContaining(' 0 traces copied (0 B)')]);
    },
  );
});
