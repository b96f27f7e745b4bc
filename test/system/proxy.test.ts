// HAProxy and nginx with the files of deploy/, in front of real nodes. Skipped by name where a program is not installed;
// .ci/run installs them.
import { describe, expect, test } from 'vitest';
import { findFreePort } from '../../native-bench/harness/child.ts';
import { fill, hexOf, piece } from '../support/day-traces.ts';
import { ask, askJson, callExport, exportText, readLedger, sendTo } from '../support/node-client.ts';
import { startNode, type TestNode } from '../support/node-process.ts';
import { EXPORTER_CASES, exportOnce, openExporter } from '../support/otlp-exporters.ts';
import { encodeRequest } from '../support/otlp-proto.ts';
import { hasProxy, startProxy, type NodeAddresses, type ProxyName } from '../../native-bench/harness/proxy.ts';
import { Repeated, through } from '../support/proxy-load.ts';
import { StorageClient } from '../support/storage-client.ts';

const PROXIES = ['haproxy', 'nginx'] as const satisfies readonly ProxyName[];

/** The addresses of whole nodes under the names that deploy/…/cluster has for its insert and select nodes. */
function asCluster(...nodes: readonly TestNode[]): NodeAddresses {
  const named: Record<string, string> = {};
  for (const i of [0, 1]) {
    const { url, grpcAddress, jaegerAddress } = nodes[i % nodes.length]!;
    const http = new URL(url).host;
    Object.assign(named, { [`insert-${i + 1}:10481`]: http, [`insert-${i + 1}:4317`]: grpcAddress });
    Object.assign(named, { [`select-${i + 1}:10471`]: http, [`select-${i + 1}:17271`]: jaegerAddress });
  }
  return named;
}

function asPair(a: TestNode, b: TestNode): NodeAddresses {
  const named = ([name, { url, jaegerAddress }]: readonly [string, TestNode]): [string, string][] => [
    [`node-${name}:10428`, new URL(url).host],
    [`node-${name}:17271`, jaegerAddress],
  ];
  return Object.fromEntries([...named(['a', a]), ...named(['b', b])]);
}

/** A node that keeps its ports when it is restarted, so that a proxy finds it again. */
async function startSteadyNode(...flags: string[]): Promise<TestNode> {
  const ports = [await findFreePort(), await findFreePort(), await findFreePort(), await findFreePort()];
  return await startNode({ ports, flags });
}

describe.each(PROXIES)('%s', { timeout: 180_000 }, (name) => {
  const isThere = hasProxy(name);

  test.skipIf(!isThere)('in front of one node: every protocol in and out, large and small', async () => {
    await using node = await startNode();
    await using proxy = await startProxy(name, 'cluster', asCluster(node));
    const front = through(proxy);
    for (const [protocol, compression] of EXPORTER_CASES) {
      const addresses = { httpUrl: proxy.url, grpcAddress: proxy.grpcAddress };
      const traceId = await exportOnce(openExporter({ protocol, compression, ...addresses }), 'sdk');
      expect([protocol, await exportText(front, traceId)]).toEqual([protocol, await exportText(node, traceId)]);
    }
    // More than any buffer of a proxy has, in both directions.
    const large = piece(1, 0, 40_000);
    await sendTo(front, large);
    await callExport(proxy.grpcAddress, encodeRequest(large));
    const [, , text] = await ask(front, `/select/jaeger/api/traces/${hexOf(1)}`);
    expect([text.length > 8_000_000, text === (await ask(node, `/select/jaeger/api/traces/${hexOf(1)}`))[2]]).toEqual([
      true,
      true,
    ]);
    expect((await askJson<{ data: string[] }>(front, '/api/services')).data.sort()).toEqual(['sdk', 'shop-1']);
    using client = new StorageClient(proxy.jaegerAddress);
    expect(await client.getServices()).toEqual(['sdk', 'shop-1']);
    const { messages } = await client.getTraces([Buffer.from(hexOf(1), 'hex')]);
    expect(messages.reduce((sum, { length }) => sum + length, 0)).toBeGreaterThan(2_000_000);
    for (const path of ['/internal/partition/list', '/metrics', '/flags', '//internal/partition/list', '/'])
      expect([path, (await ask(front, path))[0]]).toEqual([path, 404]);
  });

  test.skipIf(!isThere)(
    'in front of a pair: reads go on while one node is killed, comes back, and the other goes',
    async () => {
      await using a = await startSteadyNode();
      await using b = await startSteadyNode();
      await fill([a, b], 1, 50);
      await using proxy = await startProxy(name, 'pair', asPair(a, b));
      const front = through(proxy);
      using client = new StorageClient(proxy.jaegerAddress);
      const expected = await exportText(a, hexOf(7));
      const reads = new Repeated(async () => {
        if ((await exportText(front, hexOf(7))) !== expected) throw new Error('another answer');
      });
      const calls = new Repeated(async () => expect(await client.getServices()).toHaveLength(3));
      await reads.runs(20);
      for (const node of [a, b]) {
        await node.kill9();
        await reads.runs(50);
        await node.start();
        // Until the proxy has seen that it is back.
        await new Promise((resolve) => setTimeout(resolve, 3_000));
      }
      await reads.stop();
      await calls.stop();
      // Each kill may break off the one answer that was being sent.
      expect(reads.failures.length).toBeLessThanOrEqual(2);
      expect(calls.failures.length).toBeLessThanOrEqual(2);
      for (const failure of [...reads.failures, ...calls.failures])
        expect(failure).toMatch(/fetch failed|UNAVAILABLE|INTERNAL/);
    },
  );

  // Again where a busy machine answers a probe of the proxy too late: the proxy then learns of the restart from a failed request.
  test.skipIf(!isThere)(
    'nodes are restarted one after the other under load, and no write fails',
    { retry: 2 },
    async () => {
      const flags = ['-http.shutdownDelay=3s'];
      await using a = await startSteadyNode(...flags);
      await using b = await startSteadyNode(...flags);
      await using proxy = await startProxy(name, 'cluster', asCluster(a, b));
      const front = through(proxy);
      const http = new Repeated((n) => sendTo(front, piece(10_000 + n, 0, 4)));
      const json = new Repeated((n) => sendTo(front, piece(400_000 + n, 0, 4), { protocol: 'http/json' }));
      const grpc = new Repeated((n) => callExport(proxy.grpcAddress, encodeRequest(piece(800_000 + n, 0, 4))));
      const all = [http, json, grpc];
      await http.runs(20);
      for (const node of [a, b]) {
        await node.restart();
        await http.runs(20);
        await new Promise((resolve) => setTimeout(resolve, 3_000));
      }
      await Promise.all(all.map((one) => one.stop()));
      expect(all.map(({ failures }) => failures)).toEqual([[], [], []]);
      expect(Math.min(...all.map(({ count }) => count))).toBeGreaterThan(40);
      // Every acknowledged trace is on one of them, and both got some.
      for (const [first, { count }] of [
        [10_000, http],
        [400_000, json],
        [800_000, grpc],
      ] as const) {
        for (let n = first; n < first + count; n += 50) {
          const found = await Promise.all([a, b].map((node) => exportText(node, hexOf(n))));
          expect([n, found.some((text) => text !== undefined)]).toEqual([n, true]);
        }
      }
      const rows = await Promise.all(
        [a, b].map(async (node) => (await readLedger(node))['tracelith_rows_stored_total']),
      );
      expect(Math.min(...rows.map(Number))).toBeGreaterThan(0);
    },
  );
});
