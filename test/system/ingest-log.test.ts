// The whole of it, as processes: insert → three nats-servers → two zones of two storage nodes → select. What is acknowledged is seen
// by the next question, whoever is away; and the answers are those of one node.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasNatsServer, NatsServers } from '../../native-bench/harness/nats-servers.ts';
import { figureOf, LogCluster, newTraces, postSpans } from '../support/log-cluster.ts';
import { RoleProcess, waitFor } from '../support/role-process.ts';

const NODES = 2;
const PARTITIONS = 4;

describe.skipIf(!hasNatsServer())('a cluster with a log', () => {
  let cluster: LogCluster;
  beforeAll(async () => {
    cluster = await LogCluster.open({ partitions: PARTITIONS, nodes: NODES });
  }, 300_000);
  afterAll(async () => await cluster?.[Symbol.asyncDispose]());

  const sees = async (traces: readonly string[]): Promise<void> => {
    for (const trace of traces) {
      const path = `/api/traces/${trace}`;
      const [ours, single] = await Promise.all([cluster.ask(path), cluster.ask(path, cluster.single)]);
      expect(ours).toEqual({ ...single, status: 200, warnings: null });
    }
  };

  test(
    'what is acknowledged is seen by the next question, and answers are those of one node',
    { timeout: 300_000 },
    async () => {
      for (let round = 0; round < 20; round++) {
        const { body, traces } = newTraces(5);
        expect(await cluster.write(body)).toBe(200);
        await sees(traces);
      }
      for (const path of ['/api/services', '/api/dependencies?endTs=2000000000000&lookback=3600000000']) {
        const [ours, single] = await Promise.all([cluster.ask(path), cluster.ask(path, cluster.single)]);
        expect(ours).toEqual(single);
      }
    },
  );

  test('the metrics of both sides tell what went through the log', { timeout: 60_000 }, async () => {
    const { body } = newTraces(20);
    expect(await cluster.write(body)).toBe(200);
    const front = async (name: string): Promise<number> => await figureOf(cluster.insert, name);
    expect(await front('messages_total')).toBeGreaterThanOrEqual(PARTITIONS);
    expect(await front('append_duration_seconds_sum')).toBeGreaterThan(0);
    expect(await front('retention_seconds')).toBe(86_400);
    for (const [name, value] of [
      ['replicas', 3],
      ['is_refused', 0],
      ['waiting_bytes', 0],
      ['slices_refused_total', 0],
    ] as const)
      expect([name, await front(name)]).toEqual([name, value]);
    expect(await figureOf(cluster.select, 'ends_unknown_total')).toBe(0);
    // All are seen by now, so each zone has them all.
    const messages = await front('messages_total');
    await waitFor('both zones to have stored it', async () => {
      const stored = await Promise.all(cluster.storage.map((node) => figureOf(node, 'stored_offset')));
      return stored.reduce((sum, offset) => sum + offset, 0) === 2 * messages;
    });
    for (const node of cluster.storage)
      for (const name of ['gap_messages', 'messages_set_aside_total', 'messages_replayed_total'])
        expect([name, await figureOf(node, name)]).toEqual([name, 0]);
  });

  test('a storage node takes no spans from elsewhere', { timeout: 60_000 }, async () => {
    const reply = await postSpans(cluster.storage[0]!, newTraces(1).body);
    expect(reply.status).toBe(501);
    expect(await reply.text()).toContain('gets its spans from the log');
  });

  test.for(['SIGKILL', 'SIGSTOP'] as const)(
    'reads and writes go on while a storage node is away by %s',
    { timeout: 300_000 },
    async (signal) => {
      for (const away of cluster.storage.slice(0, 2)) {
        await away.signal(signal);
        for (let round = 0; round < 3; round++) {
          const { body, traces } = newTraces(4);
          expect(await cluster.write(body)).toBe(200);
          await sees(traces);
        }
        if (signal === 'SIGSTOP') await away.signal('SIGCONT');
        else await away.start();
      }
    },
  );

  test('a whole zone may be away; when it is back, it has what it missed', { timeout: 300_000 }, async () => {
    const [zone, other] = [cluster.storage.slice(0, NODES), cluster.storage.slice(NODES)];
    for (const node of zone) await node.signal('SIGKILL');
    const { body, traces } = newTraces(20);
    expect(await cluster.write(body)).toBe(200);
    await sees(traces);
    for (const node of zone) await node.start();
    for (const node of other) await node.signal('SIGKILL');
    // Until it has caught up, an answer would say that it lacks something.
    await waitFor('the zone to have caught up', async () => {
      const answers = await Promise.all(traces.map(async (trace) => await cluster.ask(`/api/traces/${trace}`)));
      return answers.every(({ status, warnings }) => status === 200 && warnings === null);
    });
    await sees(traces);
    for (const node of other) await node.start();
  });

  test(
    'a server of the log may be away: writes resume, and no span is lost or twice',
    { timeout: 300_000 },
    async () => {
      for (const [n, server] of cluster.nats.servers.entries()) {
        if (n === 1) server.pause();
        else await server.kill9();
        const { body, traces } = newTraces(10);
        await waitFor('the log to take spans', async () => (await cluster.write(body)) === 200);
        // While the servers elect the leader of a partition, nobody can say where it ends, and answers say that.
        await waitFor('the ends of all partitions to be known', async () => {
          const { status, warnings } = await cluster.ask('/api/services');
          expect(status).toBe(200);
          return warnings === null;
        });
        await sees(traces);
        if (n === 1) server.resume();
        else await server.start();
        await server.waitUntilHealthy();
      }
    },
  );
});

test.skipIf(!hasNatsServer())(
  'an insert node does not start on a log that proves nothing, unless it is trusted',
  { timeout: 120_000 },
  async () => {
    await using nats = await NatsServers.open({ servers: 1, syncAlways: false });
    const log = [`-ingestLog=nats://${nats.addresses}`, '-ingestLog.replicas=1', '-ingestLog.partitions=2'];
    const monitor = `-ingestLog.monitor=${nats.monitorUrls}`;
    await using refused = await RoleProcess.inFront('insert', '127.0.0.1:1', [...log, monitor]);
    await expect(refused.start()).rejects.toThrow(
      /-ingestLog: stream tracelith-0: 1 replica; .*server nats-1: it does not sync before it acknowledges; .*-ingestLog.trust/s,
    );
    await using trusted = await RoleProcess.inFront('insert', '127.0.0.1:1', [...log, monitor, '-ingestLog.trust']);
    await trusted.start();
    const { body } = newTraces(1);
    const post = async (): Promise<Response> => await postSpans(trusted, body);
    expect((await post()).status).toBe(200);
    await nats.servers[0]!.kill9();
    const away = await post();
    expect([away.status, away.headers.get('retry-after') !== null]).toEqual([503, true]);
  },
);
