// The configurations for the OpenTelemetry Collector: they name places that the program serves, a real Collector takes them, and
// what is sent to one of them arrives, also after the node was away. OTELCOL names the Collector (contrib, or with file_storage).
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { Child, findFreePort } from '../../native-bench/harness/child.ts';
import { startCluster } from '../../native-bench/harness/cluster.ts';
import { launcher } from '../../native-bench/harness/node-process.ts';
import { hexOf } from '../support/day-traces.ts';
import { encodeRequest } from '../support/otlp-proto.ts';
import { oneSpan } from '../support/one-span.ts';
import { run } from '../support/repository-copy.ts';
import { root } from '../support/source-tree.ts';
import { readYaml } from '../support/yaml-files.ts';

const collector = process.env['OTELCOL'] ?? '';
const FILES = [
  'deploy/otel-collector/single.yaml',
  'deploy/otel-collector/cluster.yaml',
  'deploy/pair/otel-collector.yaml',
] as const;

interface Configuration {
  readonly exporters: Readonly<Record<string, { readonly traces_endpoint?: string; readonly sending_queue: object }>>;
  readonly service: {
    readonly pipelines: {
      readonly traces: { readonly exporters: readonly string[]; readonly processors?: readonly string[] };
    };
  };
}

/** Not every Collector has the exporter for Kafka: test/kafka/kafka-cluster.test.ts runs it. */
const KAFKA_FILE = 'deploy/otel-collector/kafka.yaml';

test.each([...FILES, KAFKA_FILE])(
  '%s keeps what is not acknowledged on disk, in a queue for each exporter, and batches nothing in memory',
  (file) => {
    const { exporters, service } = readYaml(file) as Configuration;
    const { traces } = service.pipelines;
    expect(traces.exporters).toEqual(Object.keys(exporters));
    expect(traces.processors ?? []).not.toContain('batch');
    for (const exporter of Object.values(exporters)) {
      expect(exporter).toMatchObject({
        sending_queue: { storage: expect.stringMatching(/^file_storage/) as string },
        retry_on_failure: { max_elapsed_time: '0s' },
      });
      if (exporter.traces_endpoint !== undefined)
        expect(exporter.traces_endpoint).toMatch(/\/insert\/opentelemetry\/v1\/traces$/);
    }
  },
);

describe.skipIf(collector === '')('with a real Collector', () => {
  test.each(FILES)('%s is valid', (file) => {
    expect(run(root, collector, 'validate', `--config=${file}`)).toBe('');
  });

  test('single.yaml delivers what it took while the node was away, also when it was killed before', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tracelith-collector-'));
    const port = await findFreePort();
    const host = '127.0.0.9'; // its ports are fixed, and those of 127.0.0.1 may be a node's
    const environment = [
      `TRACELITH_URL=http://127.0.0.1:${port}`,
      `COLLECTOR_QUEUE=${folder}/queue`,
      `COLLECTOR_HOST=${host}`,
    ];
    const startCollector = async (): Promise<Child> =>
      await Child.start('env', [...environment, collector, `--config=${root}/deploy/otel-collector/single.yaml`]);
    const children: Child[] = [];
    try {
      children.push(await startCollector());
      await until('the Collector takes a span', async () => (await send(`http://${host}:4318/v1/traces`, 1)) === 200);
      await children[0]?.kill();
      const off = ['-otlpGRPCListenAddr=', '-otlpHTTPListenAddr=', '-grpc.listenAddr='];
      const flags = [`-storageDataPath=${folder}/data`, `-httpListenAddr=127.0.0.1:${port}`, ...off];
      children.push(await Child.start(launcher, flags), await startCollector());
      const url = `http://127.0.0.1:${port}/api/traces/${'1'.padStart(32, '0')}`;
      await until('the node has the span', async () => (await fetch(url)).status === 200);
    } catch (error) {
      throw new Error(children.map(({ output }) => output).join('\n'), { cause: error });
    } finally {
      for (const child of children) await child.kill();
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test('cluster.yaml delivers through an insert node, and a select node answers, also what came while a node was away', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tracelith-collector-'));
    const host = '127.0.0.10';
    const cluster = await startCluster({ path: folder, inserts: 1, selects: 1, storages: 2 });
    const [[insert], [select], [away]] = [cluster.of('insert'), cluster.of('select'), cluster.of('storage')];
    const environment = [
      `TRACELITH_INSERT=127.0.0.1:${insert!.ports.otlpGrpc}`,
      `COLLECTOR_QUEUE=${folder}/queue`,
      `COLLECTOR_HOST=${host}`,
    ];
    const config = `--config=${root}/deploy/otel-collector/cluster.yaml`;
    const child = await Child.start('env', [...environment, collector, config]);
    try {
      const deliver = (n: number): Promise<void> =>
        until('the Collector takes a span', async () => (await send(`http://${host}:4318/v1/traces`, n)) === 200);
      for (let n = 1; n <= 10; n++) await deliver(n);
      await away!.kill9();
      for (let n = 11; n <= 20; n++) await deliver(n);
      await insert!.kill9();
      for (let n = 21; n <= 30; n++) await deliver(n);
      for (const member of [away!, insert!]) await member.start();
      for (let n = 1; n <= 30; n++) {
        const url = `${select!.url}/api/traces/${hexOf(n)}`;
        await until(`the cluster has trace ${n}`, async () => (await fetch(url)).status === 200);
      }
    } catch (error) {
      throw new Error(child.output, { cause: error });
    } finally {
      await child.kill();
      await cluster[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true, force: true });
    }
  }, 120_000);
});

async function send(url: string, trace: number): Promise<number> {
  const body = Buffer.from(encodeRequest(oneSpan(trace)));
  const reply = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/x-protobuf' }, body });
  await reply.arrayBuffer();
  return reply.status;
}

/** Asks again until `isDone`; a connection that is refused counts as not yet. */
async function until(what: string, isDone: () => Promise<boolean>): Promise<void> {
  for (let asked = 0; asked < 300; asked++) {
    if (await isDone().catch(() => false)) return;
    await delay(100);
  }
  throw new Error(`waited in vain: ${what}`);
}
