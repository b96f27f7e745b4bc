// The whole of it, as processes: insert → three nats-servers → two zones of two storage nodes → select. What is acknowledged is seen
// by the next question, whoever is away; and the answers are those of one node.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasNatsServer, NatsServers } from '../../native-bench/harness/nats-servers.ts';
import { encodeRequest } from '../support/otlp-proto.ts';
import { RoleProcess, waitFor } from '../support/role-process.ts';
import { requestOf, span } from '../block/scanned.ts';

const ZONES = ['a', 'b'];
const NODES = 2;
const PARTITIONS = 4;
const hex = (trace: number): string => trace.toString(16).padStart(32, '0');

class LogCluster implements AsyncDisposable {
  readonly nats: NatsServers;
  readonly storage: readonly RoleProcess[];
  readonly insert: RoleProcess;
  readonly select: RoleProcess;
  readonly single: RoleProcess;

  private constructor(nats: NatsServers, parts: Pick<LogCluster, 'storage' | 'insert' | 'select' | 'single'>) {
    this.nats = nats;
    this.storage = parts.storage;
    this.insert = parts.insert;
    this.select = parts.select;
    this.single = parts.single;
  }

  static async open(): Promise<LogCluster> {
    const nats = await NatsServers.open();
    const log = [`-ingestLog=nats://${nats.addresses}`, `-ingestLog.partitions=${PARTITIONS}`];
    const storage: RoleProcess[] = [];
    for (const zone of ZONES)
      for (let ordinal = 0; ordinal < NODES; ordinal++)
        storage.push(
          await RoleProcess.storing(`${zone}${ordinal}`, false, [
            ...log,
            `-ingestLog.zone=${zone}`,
            `-ingestLog.nodes=${NODES}`,
            `-ingestLog.ordinal=${ordinal}`,
          ]),
        );
    const nodes = storage.map(({ address }) => address).join(',');
    const monitors = `-ingestLog.monitor=${nats.monitorUrls}`;
    const insert = await RoleProcess.inFront('insert', nodes, [...log, monitors]);
    const select = await RoleProcess.inFront('select', nodes, log);
    const single = await RoleProcess.storing('single', true);
    const cluster = new LogCluster(nats, { storage, insert, select, single });
    try {
      // The streams are made by insert; storage nodes wait for them.
      for (const one of [...storage, insert, select, single]) await one.start();
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
    return cluster;
  }

  /** Sends the same request to the cluster and to the node beside it. */
  async write(body: Uint8Array): Promise<number> {
    const headers = { 'content-type': 'application/x-protobuf' };
    const post = async ({ url }: RoleProcess): Promise<number> =>
      (await fetch(`${url}/v1/traces`, { method: 'POST', headers, body: Buffer.from(body) })).status;
    expect(await post(this.single)).toBe(200);
    return await post(this.insert);
  }

  async ask(
    path: string,
    { url }: RoleProcess = this.select,
  ): Promise<{ status: number; text: string; warnings: string | null }> {
    const reply = await fetch(url + path);
    return { status: reply.status, text: await reply.text(), warnings: reply.headers.get('tracelith-warnings') };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const one of [this.insert, this.select, this.single, ...this.storage]) await one[Symbol.asyncDispose]();
    await this.nats[Symbol.asyncDispose]();
  }
}

const nowNs = (): bigint => BigInt(Date.now()) * 1_000_000n;
let made = 1;

/** A request with spans of `count` new traces; returns their numbers. */
function newTraces(count: number): { readonly body: Uint8Array; readonly traces: number[] } {
  const traces = Array.from({ length: count }, () => made++);
  const start = nowNs() - 1_000_000_000n;
  const spans = traces.flatMap((trace) =>
    [1, 2].map((id) => span(id, { trace, startTimeUnixNano: start + BigInt(trace) })),
  );
  return { body: encodeRequest(requestOf(spans)), traces };
}

describe.skipIf(!hasNatsServer())('a cluster with a log', () => {
  let cluster: LogCluster;
  beforeAll(async () => {
    cluster = await LogCluster.open();
  }, 300_000);
  afterAll(async () => await cluster?.[Symbol.asyncDispose]());

  const sees = async (traces: readonly number[]): Promise<void> => {
    for (const trace of traces) {
      const path = `/api/traces/${hex(trace)}`;
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
    const figures = async ({ url }: RoleProcess): Promise<(name: string) => number> => {
      const page = await (await fetch(`${url}/metrics`)).text();
      const lines = page.split('\n').filter((line) => line.startsWith('tracelith_ingest_log_'));
      return (name) => {
        const own = lines.filter((line) => line.startsWith(`tracelith_ingest_log_${name}`));
        expect(own.length, name).toBeGreaterThan(0);
        return own.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
      };
    };
    const front = await figures(cluster.insert);
    expect(front('messages_total')).toBeGreaterThanOrEqual(PARTITIONS);
    expect(front('append_duration_seconds_sum')).toBeGreaterThan(0);
    expect(front('retention_seconds')).toBe(86_400);
    expect([front('replicas'), front('is_refused'), front('waiting_bytes'), front('slices_refused_total')]).toEqual([
      3, 0, 0, 0,
    ]);
    expect((await figures(cluster.select))('ends_unknown_total')).toBe(0);
    // All are seen by now, so each zone has them all.
    await waitFor('both zones to have stored it', async () => {
      const nodes = await Promise.all(cluster.storage.map(figures));
      return nodes.reduce((sum, of) => sum + of('stored_offset'), 0) === ZONES.length * front('messages_total');
    });
    for (const node of cluster.storage) {
      const of = await figures(node);
      expect([of('gap_messages'), of('messages_set_aside_total'), of('messages_replayed_total')]).toEqual([0, 0, 0]);
    }
  });

  test('a storage node takes no spans from elsewhere', { timeout: 60_000 }, async () => {
    const headers = { 'content-type': 'application/x-protobuf' };
    const body = Buffer.from(newTraces(1).body);
    const reply = await fetch(`${cluster.storage[0]!.url}/v1/traces`, { method: 'POST', headers, body });
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
      const answers = await Promise.all(traces.map(async (trace) => await cluster.ask(`/api/traces/${hex(trace)}`)));
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
    const body = Buffer.from(newTraces(1).body);
    const headers = { 'content-type': 'application/x-protobuf' };
    const post = async (): Promise<Response> =>
      await fetch(`${trusted.url}/v1/traces`, { method: 'POST', headers, body });
    expect((await post()).status).toBe(200);
    await nats.servers[0]!.kill9();
    const away = await post();
    expect([away.status, away.headers.get('retry-after') !== null]).toEqual([503, true]);
  },
);
