// One trace of many spans (--spans, 100,000 without it): how soon its answers begin and end, what they cost in memory, and how long
// they keep other requests waiting. Asked by one client, then by --connections at once. Answers are counted, never kept.
import { get } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { HttpClient } from '../harness/http-client.ts';
import { driveLoad } from '../harness/load.ts';
import type { BenchOptions } from '../harness/options.ts';
import type { Figure, Report } from '../harness/report.ts';
import { mergeRows } from '../harness/report.ts';
import type { Target } from '../harness/target.ts';
import { onEachTarget, settle, usageOf } from '../harness/target.ts';
import { trafficStream } from '../harness/traffic.ts';
import type { Frame } from '../workload/frames.ts';
import { findWirePositions } from '../workload/wire-positions.ts';

const bigSpansDefault = 100_000;
const traceId = Buffer.from('b16b16b16b16b16b16b16b16b16b16b1', 'hex');
const probeEveryMs = 10;

export async function bigTrace(options: BenchOptions, command: string): Promise<Report> {
  const measured = await onEachTarget(options, async (target) => ({
    target: target.name,
    rows: await measureBigTrace(target, options),
  }));
  return {
    scenario: 'big-trace',
    command,
    targets: measured.map(({ target }) => target),
    rows: mergeRows(measured),
    notes: [
      `spans of profile ${options.profile}, seed ${options.seed}, all in one trace; ${options.connections} clients at once`,
      'stall: the slowest GET /health meanwhile, asked every 10 ms; RSS: the highest seen while the answers were sent',
    ],
  };
}

async function measureBigTrace(target: Target, options: BenchOptions): Promise<Figure[]> {
  const spans = options.spans ?? bigSpansDefault;
  const bytes = await store(target, options, spans);
  await settle(target);
  const rows: Figure[] = [
    { metric: 'OTLP sent', unit: 'B/span', value: bytes / spans },
    { metric: 'RSS before', unit: 'MB', value: residentMb(target) },
  ];
  for (const [name, path] of Object.entries(pathsOf(target))) {
    rows.push(...(await measureAnswer(target, { name: `${name}, alone`, path, clients: 1 })));
    const clients = options.connections;
    rows.push(...(await measureAnswer(target, { name: `${name}, ${clients} at once`, path, clients })));
  }
  return rows;
}

function pathsOf({ jaegerPath }: Target): Readonly<Record<string, string>> {
  const end = Date.now() * 1000;
  const id = traceId.toString('hex');
  return {
    'v1 trace': `${jaegerPath}/traces/${id}`,
    'v3 trace': `${jaegerPath}/v3/traces/${id}`,
    'v1 search': `${jaegerPath}/traces?service=frontend&limit=1&start=${end - 3600e6}&end=${end}`,
  };
}

/** The profile's spans under one trace id; returns the bytes sent. */
async function store(target: Target, options: BenchOptions, spans: number): Promise<number> {
  const stream = trafficStream(options, spans);
  const next = (): Frame | undefined => {
    const frame = stream.next().value;
    if (frame !== undefined) for (const at of findWirePositions(frame.body).traceIds) frame.body.set(traceId, at);
    return frame;
  };
  using client = new HttpClient(target.url, 2);
  const load = { client, path: target.insertPath, connections: 2, seconds: Infinity, rate: options.rate, next };
  return (await driveLoad(load)).bytes;
}

interface Answer {
  readonly firstByteMs: number;
  readonly lastByteMs: number;
  readonly bytes: number;
}

async function measureAnswer(
  target: Target,
  { name, path, clients }: { readonly name: string; readonly path: string; readonly clients: number },
): Promise<Figure[]> {
  let isDone = false;
  let peakMb = 0;
  let stallMs = 0;
  const watch = async (): Promise<void> => {
    using client = new HttpClient(target.url, 1);
    while (!isDone) {
      stallMs = Math.max(stallMs, (await client.get('/health')).ms);
      peakMb = Math.max(peakMb, residentMb(target) ?? NaN);
      await delay(probeEveryMs);
    }
  };
  const watching = watch();
  const answers = await Promise.all(Array.from({ length: clients }, () => receive(`${target.url}${path}`)));
  isDone = true;
  await watching;
  return [
    { metric: `${name}: first byte`, unit: 'ms', value: Math.max(...answers.map(({ firstByteMs }) => firstByteMs)) },
    { metric: `${name}: last byte`, unit: 'ms', value: Math.max(...answers.map(({ lastByteMs }) => lastByteMs)) },
    { metric: `${name}: answer`, unit: 'MB', value: (answers[0]?.bytes ?? NaN) / 1e6 },
    { metric: `${name}: stall`, unit: 'ms', value: stallMs },
    { metric: `${name}: RSS`, unit: 'MB', value: peakMb },
  ];
}

function residentMb(target: Target): number | undefined {
  const bytes = usageOf(target)?.residentBytes;
  return bytes === undefined ? undefined : bytes / 1e6;
}

function receive(url: string): Promise<Answer> {
  const startMs = performance.now();
  return new Promise((resolve, reject) => {
    const request = get(url, { agent: false }, (reply) => {
      const firstByteMs = performance.now() - startMs;
      let bytes = 0;
      reply.on('data', (chunk: Buffer) => (bytes += chunk.length));
      reply.on('error', reject);
      reply.on('end', () => {
        if (reply.statusCode === 200) resolve({ firstByteMs, lastByteMs: performance.now() - startMs, bytes });
        else reject(new Error(`GET ${url}: status ${reply.statusCode ?? 0}`));
      });
    });
    request.on('error', reject);
  });
}
