// The configuration for a Jaeger on top of a node: whole, at the node's own addresses, and taken by a real Jaeger. JAEGER names its
// program, which is started on this file with other ports.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Child, findFreePort } from '../../native-bench/harness/child.ts';
import { parseConfig } from '../../src/config.ts';
import { formatAddress } from '../../src/base/flag-value.ts';
import { sendTo } from '../support/node-client.ts';
import { startNode } from '../support/node-process.ts';
import { oneSpan } from '../support/one-span.ts';
import { root } from '../support/source-tree.ts';
import { readYaml } from '../support/yaml-files.ts';

const file = 'deploy/jaeger/config-tracelith.yaml';
const jaeger = process.env['JAEGER'] ?? '';

interface Configuration {
  readonly extensions: {
    readonly jaeger_storage: {
      readonly backends: Readonly<Record<string, { readonly grpc: Record<string, unknown> }>>;
    };
    readonly jaeger_query: { readonly storage: { readonly traces: string } };
  };
  readonly receivers: {
    readonly otlp: { readonly protocols: Readonly<Record<string, { readonly endpoint: string }>> };
  };
  readonly exporters: { readonly jaeger_storage_exporter: { readonly trace_storage: string } };
  readonly service: { readonly extensions: readonly string[]; readonly pipelines: { readonly traces: object } };
}

test('it is whole, and names what is there', () => {
  const { extensions, receivers, exporters, service } = readYaml(file) as Configuration;
  expect(service.extensions).toEqual(Object.keys(extensions));
  expect(service.pipelines.traces).toEqual({ receivers: Object.keys(receivers), exporters: Object.keys(exporters) });
  const [[name, { grpc }] = ['', { grpc: {} }]] = Object.entries(extensions.jaeger_storage.backends);
  expect([extensions.jaeger_query.storage.traces, exporters.jaeger_storage_exporter.trace_storage]).toEqual([
    name,
    name,
  ]);
  const config = parseConfig([], {});
  expect(grpc['endpoint']).toBe(formatAddress(config.grpcListenAddr!));
  // Jaeger 2.14 refuses keys that it does not know.
  expect(Object.keys(grpc)).toEqual(['endpoint', 'tls', 'timeout']);
  const own = [config.otlpGrpcListenAddr, config.otlpHttpListenAddr, config.httpListenAddr].map((a) =>
    formatAddress(a!),
  );
  for (const { endpoint } of Object.values(receivers.otlp.protocols)) expect(own).not.toContain(endpoint);
});

test.runIf(jaeger !== '')(
  'a real Jaeger starts with it, and shows what the node has',
  async () => {
    await using node = await startNode();
    await sendTo(node, oneSpan(1));
    const folder = mkdtempSync(join(tmpdir(), 'tracelith-jaeger-'));
    const query = await findFreePort();
    let text = readFileSync(join(root, file), 'utf8').replace('127.0.0.1:17271', node.jaegerAddress);
    text = text.replaceAll('127.0.0.1:16686', `127.0.0.1:${query}`);
    for (const port of ['16685', '14317', '14318'])
      text = text.replaceAll(`127.0.0.1:${port}`, `127.0.0.1:${await findFreePort()}`);
    writeFileSync(join(folder, 'config.yaml'), text);
    const child = await Child.start(jaeger, ['--config', join(folder, 'config.yaml')]);
    try {
      const ask = (path: string): Promise<string> =>
        fetch(`http://127.0.0.1:${query}/api/v3/${path}`).then(
          (reply) => reply.text(),
          () => child.output,
        );
      await expect.poll(() => ask('services'), { timeout: 30_000 }).toContain('"s"');
      const id = '1'.padStart(32, '0');
      expect(await ask(`traces/${id}`)).toContain(`"traceId":"${id}"`);
      // Without legacy JSON, which Jaeger has given up after 2.20.
      const now = Date.now();
      const [from, to] = [now - 86_400_000, now + 86_400_000].map((ms) => new Date(ms).toISOString());
      const search = `query.service_name=s&query.start_time_min=${from}&query.start_time_max=${to}&query.search_depth=5`;
      expect(await ask(`traces?${search}`)).toContain(`"traceId":"${id}"`);
    } finally {
      await child.stop();
      rmSync(folder, { recursive: true, force: true });
    }
  },
  60_000,
);
