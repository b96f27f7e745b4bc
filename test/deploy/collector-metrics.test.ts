// A node pushes its metrics as OTLP to a real Collector, and what comes out of it is what a scrape says: every name, kind and series. OTELCOL
// names the Collector.
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { Child, findFreePort } from '../../native-bench/harness/child.ts';
import { TemporaryFolder } from '../storage/open-store.ts';
import { startNode, type TestNode } from '../support/node-process.ts';
import { oneSpan } from '../support/one-span.ts';
import { encodeRequest } from '../support/otlp-proto.ts';

const collector = process.env['OTELCOL'] ?? '';
/** Each kind of OTLP, by that of a scrape. */
const KINDS = { gauge: 'gauge', counter: 'sum', histogram: 'histogram', summary: 'summary' } as const;

type Kind = (typeof KINDS)[keyof typeof KINDS];
type Points = { readonly dataPoints: readonly { readonly asDouble?: number; readonly count?: string }[] };
type Metric = { readonly name: string } & Partial<Readonly<Record<Kind, Points>>>;
interface Exported {
  readonly resourceMetrics: readonly {
    readonly resource: { readonly attributes: readonly { readonly key: string; readonly value: object }[] };
    readonly scopeMetrics: readonly { readonly metrics: readonly Metric[] }[];
  }[];
}

/** What the Collector passes on, as JSON; the newest last. */
async function openSink(): Promise<{ readonly url: string; readonly exported: Exported[] }> {
  const exported: Exported[] = [];
  const take = async (request: IncomingMessage): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    exported.push(JSON.parse(Buffer.concat(chunks).toString()) as Exported);
  };
  const server = createServer((request, response) => {
    void take(request).then(() => response.writeHead(200, { 'content-type': 'application/json' }).end('{}'));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/metrics`, exported };
}

async function startCollector(folder: TemporaryFolder, port: number, url: string): Promise<Child> {
  const file = join(folder.path, 'collector.json');
  const to = { metrics_endpoint: url, encoding: 'json', compression: 'none', sending_queue: { enabled: false } };
  const config = {
    receivers: { otlp: { protocols: { http: { endpoint: `127.0.0.1:${port}` } } } },
    exporters: { otlp_http: to },
    service: {
      pipelines: { metrics: { receivers: ['otlp'], exporters: ['otlp_http'] } },
      telemetry: { metrics: { level: 'none' } },
    },
  };
  writeFileSync(file, JSON.stringify(config));
  const child = await Child.start(collector, [`--config=${file}`]);
  onTestFinished(() => child.kill());
  return child;
}

/** Kinds by name, of those that have a sample. */
async function scraped(node: TestNode): Promise<Map<string, Kind>> {
  const text = await (await fetch(`${node.url}/metrics`)).text();
  const names = [...text.matchAll(/^# TYPE (\S+) (gauge|counter|histogram|summary)\n(?!#)/gm)];
  return new Map(names.map(([, name = '', kind]) => [name, KINDS[kind as keyof typeof KINDS]]));
}

test.skipIf(collector === '')(
  'metrics pushed as OTLP come out of a real Collector as a scrape has them',
  async () => {
    using folder = new TemporaryFolder();
    const { url, exported } = await openSink();
    const port = await findFreePort();
    const child = await startCollector(folder, port, url);
    const push = [`-pushmetrics.url=http://127.0.0.1:${port}/v1/metrics`, '-pushmetrics.interval=1s'];
    await using node = await startNode({
      flags: [...push, '-pushmetrics.format=otlp', '-pushmetrics.extraLabel=instance="one"'],
    });
    const body = Buffer.from(encodeRequest(oneSpan(1)));
    const headers = { 'content-type': 'application/x-protobuf' };
    expect((await fetch(`${node.url}/v1/traces`, { method: 'POST', headers, body })).status).toBe(200);
    const metrics = (): readonly Metric[] => exported.at(-1)?.resourceMetrics[0]?.scopeMetrics[0]?.metrics ?? [];
    const valuesOf = (name: string): (number | undefined)[] =>
      metrics()
        .find((one) => one.name === name)
        ?.sum?.dataPoints.map(({ asDouble }) => asDouble) ?? [];
    await expect
      .poll(() => valuesOf('vt_rows_ingested_total'), { timeout: 60_000, message: child.output })
      .toContain(1);
    // Those that the pushes themselves made are there from the second one on.
    const known = await scraped(node);
    const pushed = (): Map<string, Kind | undefined> =>
      new Map(metrics().map((one) => [one.name, Object.values(KINDS).find((kind) => one[kind] !== undefined)]));
    await expect
      .poll(() => [...known].filter(([name, kind]) => pushed().get(name) !== kind), { timeout: 30_000 })
      .toEqual([]);
    expect(new Set(known.values())).toEqual(new Set(Object.values(KINDS)));
    expect(exported.at(-1)?.resourceMetrics[0]?.resource.attributes).toEqual([
      { key: 'service.name', value: { stringValue: 'tracelith' } },
      { key: 'instance', value: { stringValue: 'one' } },
    ]);
    expect(await (await fetch(`${node.url}/metrics`)).text()).toMatch(
      /^tracelith_metrics_pushes_total\{outcome="ok"\} [1-9]/m,
    );
  },
  180_000,
);
