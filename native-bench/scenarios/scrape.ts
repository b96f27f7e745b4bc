// What a scrape of /metrics takes on a node that knows a thousand services and as many tenants as have series of their own: its time, its
// size, its series. As Prometheus asks, with gzip, and without. Goal: 5 ms.
import { join } from 'node:path';
import { TENANTS_MAX } from '../../src/api/metrics/tenant-metrics.ts';
import { HttpClient } from '../harness/http-client.ts';
import { Latencies } from '../harness/latencies.ts';
import { startNode, type NodeProcess } from '../harness/node-process.ts';
import type { BenchOptions } from '../harness/options.ts';
import { readUsage } from '../harness/process-usage.ts';
import { mergeRows, type Figure, type Report } from '../harness/report.ts';
import { inScratch } from '../harness/scratch.ts';
import { Rng } from '../workload/rng.ts';

const services = 1_000;
/** Each time a part is written, so that the node has several. */
const rounds = 5;
const operationsOfService = 10;
/** Services of every tenant but the first, which has all. */
const servicesOfTenant = 20;
const warmupScrapes = 50;
/** What somebody asks meanwhile: each route has series of its own. */
const routes = [
  '/',
  '/health',
  '/ready',
  '/api/services',
  '/api/traces?service=service-1',
  '/api/v3/services',
  '/flags',
];

export async function scrape(options: BenchOptions, command: string): Promise<Report> {
  if (options.url !== undefined || options.peer !== undefined)
    throw new Error('scrape fills the node it measures: it takes no --url and no --peer');
  const measured = await inScratch(options, (path) => measure(path, options));
  return {
    scenario: 'scrape',
    command,
    targets: measured.map(({ target }) => target),
    rows: mergeRows(measured),
    notes: [
      `${services} services, ${TENANTS_MAX} tenants, ${operationsOfService} operations of each service, ${rounds} parts; one scrape after the other for ${options.seconds} s`,
    ],
  };
}

async function measure(path: string, options: BenchOptions): Promise<{ target: string; rows: Figure[] }[]> {
  const node = await startNode({ dataPath: join(path, 'data'), grpc: false, flags: options.flags });
  try {
    await fillServices(node.url, options.seed);
    const ways = [
      { target: 'plain', headers: {} },
      { target: 'gzip', headers: { 'accept-encoding': 'gzip' } },
    ];
    const measured = [];
    for (const { target, headers } of ways)
      measured.push({ target, rows: await scrapes(node, headers, options.seconds) });
    return measured;
  } finally {
    await node.child.stop();
  }
}

async function scrapes(
  node: NodeProcess,
  headers: Readonly<Record<string, string>>,
  seconds: number,
): Promise<Figure[]> {
  using client = new HttpClient(node.url, 1, { headers });
  using plain = new HttpClient(node.url, 1);
  const scrapeOnce = async (): Promise<{ ms: number; bytes: number }> => {
    const { status, body, ms } = await client.get('/metrics');
    if (status !== 200) throw new Error(`GET /metrics: status ${status}: ${body.toString('utf8').slice(0, 300)}`);
    return { ms, bytes: body.length };
  };
  for (let i = 0; i < warmupScrapes; i++) await scrapeOnce();
  const latencies = new Latencies();
  let bytes = 0;
  const cpuBeforeMs = readUsage(node.child.pid)?.cpuMs;
  const endMs = performance.now() + seconds * 1_000;
  while (performance.now() < endMs) {
    const one = await scrapeOnce();
    latencies.add(one.ms);
    bytes = one.bytes;
  }
  const cpuAfterMs = readUsage(node.child.pid)?.cpuMs;
  const { p50Ms, p99Ms, maxMs } = latencies.summary();
  const text = (await plain.get('/metrics')).body.toString('utf8');
  return [
    { metric: 'scrape p50 (goal: 5)', unit: 'ms', value: p50Ms },
    { metric: 'scrape p99', unit: 'ms', value: p99Ms },
    { metric: 'scrape max', unit: 'ms', value: maxMs },
    { metric: 'scrapes', unit: '', value: latencies.count },
    {
      metric: 'CPU of the node a scrape',
      unit: 'ms',
      value:
        cpuBeforeMs === undefined || cpuAfterMs === undefined
          ? undefined
          : (cpuAfterMs - cpuBeforeMs) / latencies.count,
    },
    { metric: 'size', unit: 'bytes', value: bytes },
    { metric: 'series', unit: '', value: seriesIn(text) },
  ];
}

/** Samples in a text of metrics. */
export function seriesIn(text: string): number {
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#')).length;
}

async function fillServices(url: string, seed: number): Promise<void> {
  const rng = new Rng(seed);
  using operator = new HttpClient(url, 1);
  for (let round = 0; round < rounds; round++) {
    for (let tenant = 0; tenant < TENANTS_MAX; tenant++) {
      using client = new HttpClient(url, 1, { headers: { AccountID: String(tenant) } });
      const count = tenant === 0 ? services : servicesOfTenant;
      await succeed(client.post('/v1/traces', requestOf(count, rng), 'application/json'), 'POST /v1/traces');
      for (const path of routes) await client.get(path);
    }
    await succeed(operator.post('/internal/force_flush', new Uint8Array(0)), 'POST /internal/force_flush');
  }
}

async function succeed(sent: ReturnType<HttpClient['post']>, what: string): Promise<void> {
  const { status, body } = await sent;
  if (status !== 200) throw new Error(`${what}: status ${status}: ${body.toString('utf8').slice(0, 300)}`);
}

/** One trace of each of `count` services, with a span of each of its operations. */
export function requestOf(count: number, rng: Rng): Buffer {
  const nowNs = BigInt(Date.now()) * 1_000_000n;
  const resourceSpans = Array.from({ length: count }, (_, service) => {
    const traceId = rng.hex(32);
    const spans = Array.from({ length: operationsOfService }, (_, i) => ({
      traceId,
      spanId: rng.hex(16),
      name: `operation-${i}`,
      kind: 2,
      startTimeUnixNano: String(nowNs),
      endTimeUnixNano: String(nowNs + 1_000_000n),
    }));
    const attributes = [{ key: 'service.name', value: { stringValue: `service-${service}` } }];
    return { resource: { attributes }, scopeSpans: [{ spans }] };
  });
  return Buffer.from(JSON.stringify({ resourceSpans }));
}
