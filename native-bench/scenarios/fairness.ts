// One tenant sends and asks ten times as much as another, which is measured: alone, and beside the flood. Once as the node is shipped, where only
// its turns and budgets are between them, and once with limits that give each tenant what the measured one uses. Goal: p99 within twice.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fill } from '../harness/fill.ts';
import { startFlood, type Flooded } from '../harness/flood.ts';
import { HttpClient } from '../harness/http-client.ts';
import { Latencies } from '../harness/latencies.ts';
import { driveLoad, type LoadResult } from '../harness/load.ts';
import { startNode } from '../harness/node-process.ts';
import type { BenchOptions } from '../harness/options.ts';
import { jaegerData } from '../harness/queries.ts';
import { mergeRows, type Figure, type Report } from '../harness/report.ts';
import { inScratch } from '../harness/scratch.ts';
import { TrafficPool } from '../harness/traffic.ts';

/** What the flood is to the measured tenant. */
const TIMES = 10;
const spansDefault = 100_000;
const poolSpans = 100_000;
const queriesPerSecond = 20;
/** Traces that are asked for by id, and searches: as many of one as of the other. */
const askedTraces = 200;
const insertPath = '/v1/traces';

const MODEST = { AccountID: '1' };
const GREEDY = { AccountID: '2' };

export async function fairness(options: BenchOptions, command: string): Promise<Report> {
  if (options.url !== undefined || options.peer !== undefined)
    throw new Error('fairness sets limits of tenants on the node it measures: it takes no --url and no --peer');
  const ways = ['as shipped', 'with limits'] as const;
  const measured = [];
  for (const target of ways) {
    const rows = await inScratch(options, (path) => measureOne(path, options, target === 'with limits'));
    measured.push({ target, rows });
  }
  return {
    scenario: 'fairness',
    command,
    targets: ways,
    rows: mergeRows(measured),
    notes: [
      `profile ${options.profile}, seed ${options.seed}; the measured tenant sends ${options.rate} spans/s in requests of ${options.batch} and asks ${queriesPerSecond} times a second, half traces by id, half searches; the flood ${TIMES} times as much of both, on ${TIMES} times as many connections; ${options.seconds} s alone and ${options.seconds} s beside it`,
      'latencies count from when a request was due; both tenants and the node share the machine; with limits: -tenants.config gives every tenant the spans/s of the measured one and one query at once',
    ],
  };
}

async function measureOne(path: string, options: BenchOptions, isLimited: boolean): Promise<Figure[]> {
  mkdirSync(path, { recursive: true });
  const file = join(path, 'tenants.json');
  writeFileSync(file, JSON.stringify({ defaults: { spansPerSecond: options.rate, queriesAtOnce: 1 } }));
  const limits = isLimited ? [`-tenants.config=${file}`] : [];
  const dataPath = join(path, 'data');
  // Both have the same stored; filling is not measured, so it has no limits.
  const paths = await fillBoth(dataPath, options);
  const node = await startNode({ dataPath, grpc: false, flags: [...limits, ...options.flags] });
  try {
    const modest = new ModestTenant(node.url, paths.modest, options);
    await modest.measure(options.warmupSeconds);
    const alone = await modest.measure(options.seconds);
    const flood = await startFlood({
      url: node.url,
      headers: GREEDY,
      traffic: { ...options, seed: options.seed + 2 },
      poolSpans,
      connections: TIMES * options.connections,
      spansPerSecond: TIMES * options.rate,
      queriesPerSecond: TIMES * queriesPerSecond,
      paths: paths.greedy,
    });
    await modest.measure(options.warmupSeconds);
    const beside = await modest.measure(options.seconds);
    const flooded = await flood.stop();
    modest.close();
    return figuresOf({ alone, beside, flooded });
  } finally {
    await node.child.stop();
  }
}

/** What each tenant asks, of what it has stored. */
async function fillBoth(dataPath: string, options: BenchOptions): Promise<Record<'modest' | 'greedy', string[]>> {
  const node = await startNode({ dataPath, grpc: false, flags: options.flags });
  try {
    const fillOne = async (headers: Readonly<Record<string, string>>, seed: number): Promise<string[]> => {
      const spans = options.spans ?? spansDefault;
      const target = { url: node.url, insertPath, headers };
      const { traceIds } = await fill(target, { ...options, seed, spans, rate: 0, store: undefined, batch: 1_000 });
      using client = new HttpClient(node.url, 1, { headers });
      const services = jaegerData(await client.get('/api/services'), '/api/services').map(String);
      return traceIds.slice(0, askedTraces).flatMap((id, i) => {
        const service = encodeURIComponent(services[i % services.length] ?? '');
        return [`/api/traces/${id}`, `/api/traces?service=${service}&limit=20`];
      });
    };
    return { modest: await fillOne(MODEST, options.seed), greedy: await fillOne(GREEDY, options.seed + 1) };
  } finally {
    await node.child.stop();
  }
}

interface Measured {
  readonly load: LoadResult;
  readonly queries: Latencies;
}

/** The tenant that keeps to its share. */
class ModestTenant {
  readonly #sender: HttpClient;
  readonly #asker: HttpClient;
  readonly #paths: readonly string[];
  readonly #options: BenchOptions;
  readonly #pool: TrafficPool;
  #asked = 0;

  constructor(url: string, paths: readonly string[], options: BenchOptions) {
    this.#options = options;
    this.#paths = paths;
    this.#sender = new HttpClient(url, options.connections, { headers: MODEST });
    this.#asker = new HttpClient(url, options.connections, { headers: MODEST });
    this.#pool = new TrafficPool({ ...options, seed: options.seed + 3 }, poolSpans);
  }

  async measure(seconds: number): Promise<Measured> {
    const { connections, rate } = this.#options;
    const next = () => this.#pool.next();
    const [load, queries] = await Promise.all([
      driveLoad({ client: this.#sender, path: insertPath, connections, rate, seconds, next }),
      this.#ask(seconds),
    ]);
    return { load, queries };
  }

  close(): void {
    this.#sender.close();
    this.#asker.close();
  }

  /** At a rate, whether answers come or not, up to the number of connections; each answer must be a success. */
  async #ask(seconds: number): Promise<Latencies> {
    const latencies = new Latencies();
    const startMs = performance.now();
    const asks: Promise<void>[] = [];
    let failure: unknown;
    for (let i = 0; i < seconds * queriesPerSecond && failure === undefined; i++) {
      const dueMs = startMs + (i * 1_000) / queriesPerSecond;
      await delay(Math.max(0, dueMs - performance.now()));
      const path = this.#paths[this.#asked++ % this.#paths.length] ?? '';
      const answered = this.#asker.get(path).then((reply) => {
        if (reply.status !== 200) throw new Error(`GET ${path}: status ${reply.status}`);
        latencies.add(performance.now() - dueMs);
      });
      // Told when all have ended: the loop waits for the next one, and nobody for this one.
      asks.push(answered.catch((error: unknown) => void (failure ??= error)));
    }
    await Promise.all(asks);
    if (failure !== undefined) throw failure;
    return latencies;
  }
}

export function figuresOf(all: {
  readonly alone: Measured;
  readonly beside: Measured;
  readonly flooded: Flooded;
}): Figure[] {
  const { alone, beside, flooded } = all;
  const acks = comparison('ack', alone.load.latencies, beside.load.latencies);
  const queries = comparison('query', alone.queries, beside.queries);
  const { spans, refusedRequests, answers, refusedQueries, seconds } = flooded;
  return [
    ...acks,
    ...queries,
    { metric: 'requests refused, of the measured tenant', unit: '', value: alone.load.refusals + beside.load.refusals },
    { metric: 'flood: acknowledged', unit: 'spans/s', value: spans / seconds },
    { metric: 'flood: requests refused', unit: '1/s', value: refusedRequests / seconds },
    { metric: 'flood: queries answered', unit: '1/s', value: answers / seconds },
    { metric: 'flood: queries refused', unit: '1/s', value: refusedQueries / seconds },
  ];
}

function comparison(what: string, alone: Latencies, beside: Latencies): Figure[] {
  const [quiet, busy] = [alone.summary(), beside.summary()];
  return [
    { metric: `${what} p50, alone`, unit: 'ms', value: quiet.p50Ms },
    { metric: `${what} p50, beside the flood`, unit: 'ms', value: busy.p50Ms },
    { metric: `${what} p99, alone`, unit: 'ms', value: quiet.p99Ms },
    { metric: `${what} p99, beside the flood`, unit: 'ms', value: busy.p99Ms },
    { metric: `${what} p99, beside / alone (goal: 2)`, unit: '×', value: busy.p99Ms / quiet.p99Ms },
    { metric: `${what}: counted, alone`, unit: '', value: alone.count },
    { metric: `${what}: counted, beside the flood`, unit: '', value: beside.count },
  ];
}
