// npm run demo: a node on a temporary directory, traffic of the workload generator (or captured requests with --frames FILE), a
// small service with the official OpenTelemetry exporters, and then what a person would ask: services, a search, traces.
// It keeps running until Ctrl-C, so that a browser or Grafana can look too; with --once it exits.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { formatSearch, formatServices, formatWaterfall, table } from './demo-print.ts';
import { runDemoService } from './demo-service.ts';
import type { ExporterOutcome } from './demo-service.ts';
import { HttpClient } from './harness/http-client.ts';
import type { JaegerTrace } from './harness/jaeger-trace.ts';
import { parseJaegerTrace } from './harness/jaeger-trace.ts';
import { driveLoad } from './harness/load.ts';
import type { NodeProcess } from './harness/node-process.ts';
import { startNode } from './harness/node-process.ts';
import { trafficStream } from './harness/traffic.ts';
import type { Frame } from './workload/frames.ts';
import { readFrames } from './workload/frames.ts';
import { shiftFrames } from './workload/shift-frames.ts';

const spansSent = 20_000;
const visits = 12;
const searchLimit = 10;

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { frames: { type: 'string' }, once: { type: 'boolean' } } });
  const interruption = new Interruption();
  const directory = mkdtempSync(join(tmpdir(), 'tracelith-demo-'));
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
  const node = await startNode({ dataPath: join(directory, 'data'), grpc: true });
  console.log(
    `A node runs on ${node.url} (OTLP/gRPC on ${node.grpcAddress}), data in ${directory}; it was up after ${Math.round(node.startMs)} ms.`,
  );
  try {
    await show(node, values.frames);
    if (values.once !== true) {
      console.log('\nThe node keeps running. Ctrl-C stops it and removes its data.');
      await interruption.wait();
    }
  } finally {
    await node.child.stop();
  }
}

/** Ctrl-C: ends the waiting at the end; before that, ends the program, whose exit kills the node and removes its data. */
class Interruption {
  #resolve: (() => void) | undefined;

  constructor() {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.on(signal, () => {
        if (this.#resolve === undefined) process.exit(1);
        this.#resolve();
      });
    }
  }

  wait(): Promise<void> {
    // A pending promise alone does not keep Node alive.
    const alive = setInterval(() => {}, 60_000);
    return new Promise<void>((resolve) => {
      this.#resolve = resolve;
    }).finally(() => clearInterval(alive));
  }
}

async function show(node: NodeProcess, framesPath: string | undefined): Promise<void> {
  using client = new HttpClient(node.url, 4);
  const load = await sendTraffic(client, framesPath);
  const from = framesPath === undefined ? 'the shop workload' : `${framesPath}, shifted to now`;
  const rate = Math.round(load.spans / load.seconds).toLocaleString('en-US');
  console.log(
    `\n${load.spans} spans of ${from} sent in ${load.requests} requests, each acknowledged when on disk: ${load.seconds.toFixed(2)} s, ${rate} spans/s.`,
  );
  const { outcomes, traceIds } = await runDemoService(node, visits);
  console.log(
    `\nA visitor, a storefront and a stock service, instrumented with the OpenTelemetry JS SDK, have sent:\n${formatOutcomes(outcomes)}`,
  );
  if (outcomes.some((outcome) => outcome.failed > 0))
    throw new Error('an exporter was not acknowledged; see the table above');
  const services = await listServices(client);
  console.log(`\nServices (GET /api/services, /api/services/{service}/operations):\n${formatServices(services)}`);
  const busiest = services
    .filter(({ name }) => !name.startsWith('demo-'))
    .reduce((most, one) => (one.operations.length > most.operations.length ? one : most));
  const found = await searchTraces(client, busiest.name);
  console.log(
    `\nThe newest traces with ${busiest.name} (GET /api/traces?service=${busiest.name}&limit=${searchLimit}):\n${formatSearch(found)}`,
  );
  const largest = found.reduce((most, one) => (one.spans.length > most.spans.length ? one : most));
  console.log(`\nOne of them (GET /api/traces/${largest.traceId}):\n${formatWaterfall(largest)}`);
  const ownId = traceIds.at(-1) ?? '';
  console.log(
    `\nA visit that came in through all three exporters (GET /api/traces/${ownId}):\n${formatWaterfall(await findTrace(client, ownId))}`,
  );
  console.log(`\n${whereToLook(node, { service: busiest.name, traceId: ownId })}`);
}

async function sendTraffic(
  client: HttpClient,
  framesPath: string | undefined,
): Promise<{ spans: number; requests: number; seconds: number }> {
  const nowNs = BigInt(Date.now()) * 1_000_000n;
  const generated = { profile: 'shop', frames: undefined, seed: 1, batch: 500, overSeconds: 300 } as const;
  const frames: Iterator<Frame, undefined> =
    framesPath === undefined
      ? trafficStream(generated, spansSent)
      : shiftFrames(readFrames(framesPath), { nowNs, freshIds: false, seed: 1 });
  return driveLoad({
    client,
    path: '/v1/traces',
    connections: 4,
    seconds: Infinity,
    rate: 0,
    next: () => frames.next().value,
  });
}

function formatOutcomes(outcomes: readonly ExporterOutcome[]): string {
  const rows = outcomes.map(({ service, protocol, acknowledged, failed, error }) => [
    service,
    protocol,
    String(acknowledged),
    String(failed),
    error ?? '',
  ]);
  return table(['service', 'exporter', 'acknowledged', 'failed', ''], rows, [2, 3]);
}

async function listServices(client: HttpClient): Promise<{ name: string; operations: string[] }[]> {
  const names = await getData<string>(client, '/api/services');
  return Promise.all(
    names.map(async (name) => ({
      name,
      operations: await getData<string>(client, `/api/services/${encodeURIComponent(name)}/operations`),
    })),
  );
}

async function searchTraces(client: HttpClient, service: string): Promise<JaegerTrace[]> {
  const found = await getData<unknown>(
    client,
    `/api/traces?${new URLSearchParams({ service, limit: String(searchLimit) }).toString()}`,
  );
  if (found.length === 0) throw new Error(`no trace of ${service} is found, though its spans were acknowledged`);
  return found.map(parseJaegerTrace);
}

async function findTrace(client: HttpClient, id: string): Promise<JaegerTrace> {
  const [trace] = await getData<unknown>(client, `/api/traces/${id}`);
  return parseJaegerTrace(trace);
}

async function getData<T>(client: HttpClient, path: string): Promise<T[]> {
  const envelope = (await client.getJson(path)) as { data: T[] | null };
  return envelope.data ?? [];
}

function whereToLook(node: NodeProcess, { service, traceId }: { service: string; traceId: string }): string {
  return [
    'Where to look:',
    `  curl '${node.url}/api/traces?service=${encodeURIComponent(service)}&limit=3'`,
    `  curl '${node.url}/api/traces/${traceId}?prettyPrint=true'`,
    `  curl ${node.url}/metrics`,
    `  browser: ${node.url}/ (what is stored, newest traces, a waterfall)`,
    `  Grafana: a data source of type Jaeger with the URL ${node.url}/select/jaeger`,
    `  Jaeger UI: serve it with its /api proxied to ${node.url}`,
    `  your own service: OTEL_EXPORTER_OTLP_ENDPOINT=${node.url} (http/protobuf, http/json) or http://${node.grpcAddress} (grpc)`,
  ].join('\n');
}

main().catch((error: unknown) => {
  console.error(`demo: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
});
