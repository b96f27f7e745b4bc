// HAProxy and nginx with the files of deploy/ in front of two insert, two select and three storage nodes: the answers of one node,
// and restarts of every role under load. Skipped by name where a program is not installed; .ci/run installs them.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { proxyAddresses, startCluster, type Cluster, type Member } from '../../native-bench/harness/cluster.ts';
import { hasProxy, startProxy, type ProxyName } from '../../native-bench/harness/proxy.ts';
import { fill, hexOf, piece } from '../support/day-traces.ts';
import { ask, callExport, sendTo } from '../support/node-client.ts';
import { startNode, type TestNode } from '../support/node-process.ts';
import { EXPORTER_CASES, exportOnce, openExporter } from '../support/otlp-exporters.ts';
import { encodeRequest } from '../support/otlp-proto.ts';
import { Repeated, through } from '../support/proxy-load.ts';
import { StorageClient } from '../support/storage-client.ts';
import { answersOf } from '../support/two-nodes.ts';

const PROXIES = ['haproxy', 'nginx'] as const satisfies readonly ProxyName[];
const isAny = PROXIES.some(hasProxy);

let folder: string;
let cluster: Cluster;
let single: TestNode;
beforeAll(async () => {
  if (!isAny) return;
  folder = mkdtempSync(join(tmpdir(), 'tracelith-cluster-'));
  const delayed = ['-http.shutdownDelay=3s', '-stallTimeout=1m'];
  const flags = { insert: delayed, select: delayed, storage: delayed };
  cluster = await startCluster({ path: folder, inserts: 2, selects: 2, storages: 3, flags });
  single = await startNode();
}, 600_000);
afterAll(async () => {
  if (!isAny) return;
  await (cluster as Cluster | undefined)?.[Symbol.asyncDispose]();
  await (single as TestNode | undefined)?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
}, 120_000);

async function restart(member: Member): Promise<void> {
  await member.stop();
  await member.start();
  // Until the proxy's checks and the other roles have seen it.
  await delay(3_000);
}

describe.each(PROXIES)('%s in front of 2 + 2 + 3', { timeout: 300_000 }, (name) => {
  const isThere = hasProxy(name);
  // Traces of one proxy are not those of the other.
  const first = name === 'haproxy' ? 1_000 : 500_000;

  test.skipIf(!isThere)('answers are byte for byte those of one node that was sent the same', async () => {
    await using proxy = await startProxy(name, 'cluster', proxyAddresses(cluster));
    const front = through(proxy);
    const tenants = [`${first}:0`, `${first}:1`];
    const headers = { 'x-tenant': tenants[0]! };
    await fill([front, single], first, first + 300, tenants[0]);
    await fill([front, single], first, first + 50, tenants[1]);
    const pieces = Array.from({ length: 40 }, (_, i) => piece(first + 400 + i, 0, 3));
    for (const request of pieces) {
      await sendTo(front, request, { protocol: 'http/json', headers });
      await callExport(proxy.grpcAddress, encodeRequest(request), headers);
      await sendTo(single, request, { headers });
    }
    const asked = { tenants, traceIds: Array.from({ length: 45 }, (_, i) => hexOf(first + 10 * i)) };
    expect(await answersOf(front, asked)).toEqual(await answersOf(single, asked));
    using far = new StorageClient(proxy.jaegerAddress);
    using near = new StorageClient(single.jaegerAddress);
    const ids = [first, first + 7, first + 410].map((n) => Buffer.from(hexOf(n), 'hex'));
    const [proxied, direct] = await Promise.all(
      [far, near].map((client) => client.getTraces(ids, { metadata: headers })),
    );
    expect(proxied!.messages.length).toBeGreaterThan(0);
    expect(proxied!.messages).toEqual(direct!.messages);
  });

  test.skipIf(!isThere)('the exporters of an application arrive', async () => {
    await using proxy = await startProxy(name, 'cluster', proxyAddresses(cluster));
    for (const [protocol, compression] of EXPORTER_CASES) {
      const addresses = { httpUrl: proxy.url, grpcAddress: proxy.grpcAddress };
      const traceId = await exportOnce(openExporter({ protocol, compression, ...addresses }), `sdk-${name}`);
      expect([protocol, (await ask(through(proxy), `/api/traces/${traceId}`))[0]]).toEqual([protocol, 200]);
    }
  });

  test.skipIf(!isThere)(
    'every node is restarted under load: no write fails, and no read that takes partial answers',
    // As in proxy.test.ts.
    { retry: 2 },
    async () => {
      await using proxy = await startProxy(name, 'cluster', proxyAddresses(cluster));
      const front = through(proxy);
      const known = hexOf(first);
      await fill([front], first, first + 10);
      const read = async (path: string): Promise<void> => {
        const [status, , text] = await ask(front, path);
        if (status !== 200) throw new Error(`${status} ${text.slice(0, 300)}`);
      };
      const http = new Repeated((n) => sendTo(front, piece(first + 10_000 + n, 0, 4)));
      const grpc = new Repeated((n) => callExport(proxy.grpcAddress, encodeRequest(piece(first + 200_000 + n, 0, 4))));
      const partial = new Repeated(() => read('/api/traces?service=shop-1&limit=5&allow_partial_response=1'));
      const whole = new Repeated(() => read(`/api/traces/${known}`));
      await http.runs(10);
      for (const member of [...cluster.of('insert'), ...cluster.of('select')]) await restart(member);
      // A whole answer needs every storage node, and nothing else.
      await whole.stop();
      expect([whole.failures, whole.count > 10]).toEqual([[], true]);
      for (const member of cluster.of('storage')) await restart(member);
      await Promise.all([http, grpc, partial].map((one) => one.stop()));
      expect([http.failures, partial.failures]).toEqual([[], []]);
      // nginx checks no health: a call may meet a connection that the node has just ended.
      if (name === 'haproxy') expect(grpc.failures).toEqual([]);
      expect(grpc.failures.length).toBeLessThanOrEqual(2);
      for (const failure of grpc.failures) expect(failure).toMatch('UNAVAILABLE');
      expect(Math.min(http.count, grpc.count, partial.count)).toBeGreaterThan(20);
      for (const [from, { count }] of [
        [first + 10_000, http],
        [first + 200_000, grpc],
      ] as const) {
        for (let n = from; n < from + count; n += 40) {
          const [status, , text] = await ask(front, `/api/traces/${hexOf(n)}`);
          const spans =
            status === 200 ? (JSON.parse(text) as { data: { spans: unknown[] }[] }).data[0]!.spans.length : 0;
          expect([n, status, spans]).toEqual([n, 200, 4]);
        }
      }
    },
  );
});
