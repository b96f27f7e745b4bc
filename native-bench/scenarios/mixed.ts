// Ingest at a rate while others read: first the rate alone, then the same rate with searches and traces by id meanwhile. Says how much
// either suffers. The readers ask for what was stored before, so that every answer can be checked.
import { fill } from '../harness/fill.ts';
import type { Floor } from '../harness/floor.ts';
import { measureFloor } from '../harness/floor.ts';
import { HttpClient } from '../harness/http-client.ts';
import type { Latencies } from '../harness/latencies.ts';
import type { LoadResult } from '../harness/load.ts';
import { driveLoad } from '../harness/load.ts';
import type { BenchOptions } from '../harness/options.ts';
import { driveQueries } from '../harness/queries.ts';
import type { Figure, Report } from '../harness/report.ts';
import { mergeRows } from '../harness/report.ts';
import type { Target } from '../harness/target.ts';
import { onEachTarget, settle, usageOf } from '../harness/target.ts';
import { TrafficPool } from '../harness/traffic.ts';
import { Rng } from '../workload/rng.ts';
import type { Queries } from './by-id.ts';
import { knownIds } from './by-id.ts';
import { makeQueries, tracesIn } from './search-kinds.ts';

const storedSpansDefault = 200_000;
const poolSpansMax = 200_000;
// What comes in meanwhile is of the last minutes, however old what is stored.
const freshSeconds = 300;

export async function mixed(options: BenchOptions, command: string): Promise<Report> {
  const poolSpans = options.rate === 0 ? poolSpansMax : Math.min(poolSpansMax, options.rate * options.seconds);
  // Another seed than what is stored before: the same one would send the same spans again.
  const pool = new TrafficPool({ ...options, seed: options.seed + 1, overSeconds: freshSeconds }, poolSpans);
  let floor: Floor | undefined;
  const measured = await onEachTarget(options, async (target) => {
    floor ??= await measureFloor(pool.frames, { directory: target.scratchPath, connections: options.connections });
    return { target: target.name, rows: await measureMixed(target, { options, pool, floor }) };
  });
  if (floor === undefined) throw new Error('BUG: nothing was measured');
  const rate = options.rate === 0 ? 'as fast as acknowledged' : `${options.rate} spans/s asked`;
  return {
    scenario: 'mixed',
    command,
    targets: measured.map(({ target }) => target),
    rows: mergeRows(measured),
    floor,
    notes: [
      `${options.frames ?? `profile ${options.profile}`}, seed ${options.seed}, ${options.connections} connections, ${rate}, ${options.readers} readers, ${options.seconds} s alone and ${options.seconds} s together`,
      'load generator and readers share the machine; an ack counts from when its body was due',
    ],
  };
}

interface Setup {
  readonly options: BenchOptions;
  readonly pool: TrafficPool;
  readonly floor: Floor;
}

/** What one time of ingest gave, and the CPU the server used meanwhile. */
interface Ingested {
  readonly load: LoadResult;
  readonly cpuMs: number | undefined;
}

async function measureMixed(target: Target, { options, pool, floor }: Setup): Promise<Figure[]> {
  const { connections, rate, seconds, readers } = options;
  const filled = await fill(target, { ...options, spans: options.spans ?? storedSpansDefault, rate: 0 });
  await settle(target);
  using client = new HttpClient(target.url, connections);
  const searches = await mixedSearches(client, target, { filled, rng: new Rng(options.seed) });
  const ingest = async (forSeconds: number): Promise<Ingested> => {
    const before = usageOf(target);
    const next = () => pool.next();
    const load = await driveLoad({ client, path: target.insertPath, connections, rate, seconds: forSeconds, next });
    const after = usageOf(target);
    return { load, cpuMs: before === undefined || after === undefined ? undefined : after.cpuMs - before.cpuMs };
  };
  const query = (queries: Queries, on: number): Promise<Latencies> =>
    driveQueries({ url: target.url, connections: on, seconds, ...queries });
  await ingest(options.warmupSeconds);
  const alone = await ingest(seconds);
  const half = Math.ceil(readers / 2);
  const [together, searched, found] = await Promise.all([
    ingest(seconds),
    query(searches, half),
    query(knownIds(target, filled), readers - half),
  ]);
  const slowdown = alone.load.spans / alone.load.seconds / (together.load.spans / together.load.seconds);
  return [
    ...ingestFigures('alone', alone, floor),
    ...ingestFigures('with readers', together, floor),
    { metric: 'slowdown of ingest by readers', unit: '×', value: slowdown },
    ...queryFigures('search', searched, floor),
    ...queryFigures('by id', found, floor),
    { metric: 'spans stored before', unit: 'spans', value: filled.spans },
  ];
}

/** All kinds of searches in random order. */
async function mixedSearches(
  client: HttpClient,
  target: Target,
  knowledge: Parameters<typeof makeQueries>[2],
): Promise<Queries> {
  const kinds = await makeQueries(client, target, knowledge);
  const queries = kinds.flatMap(({ paths, ...kind }) => paths.map((path) => ({ path, ...kind })));
  const picked = Array.from({ length: queries.length * 4 }, () => knowledge.rng.pick(queries));
  const at = (i: number) => picked[i % picked.length]!;
  return {
    path: (i) => at(i).path,
    check: (reply, i) => {
      // Parsing every answer would take the CPU the server needs: each path once, and the status of all.
      if (reply.status === 200 && i >= picked.length) return;
      const { path, traces, isSummary } = at(i);
      const found = tracesIn(reply, path, isSummary);
      if (found < traces[0] || found > traces[1])
        throw new Error(`GET ${path}: ${found} found, expected ${traces.join(' to ')}`);
    },
  };
}

function ingestFigures(when: string, { load, cpuMs }: Ingested, floor: Floor): Figure[] {
  const { p50Ms, p99Ms } = load.latencies.summary();
  return [
    {
      metric: `acknowledged, ${when} (floor: empty POST)`,
      unit: 'spans/s',
      value: load.spans / load.seconds,
      floor: floor.postSpansPerSecond,
    },
    {
      metric: `ack p50, ${when} (floor: empty POST + fdatasync)`,
      unit: 'ms',
      value: p50Ms,
      floor: floor.postP50Ms + floor.fdatasyncP50Ms,
    },
    { metric: `ack p99, ${when}`, unit: 'ms', value: p99Ms, floor: floor.postP99Ms + floor.fdatasyncP99Ms },
    { metric: `CPU of the server, ${when}`, unit: 'cores', value: cpuMs && cpuMs / 1000 / load.seconds },
    { metric: `refused, ${when}`, unit: 'requests', value: load.refusals },
  ];
}

function queryFigures(what: string, latencies: Latencies, floor: Floor): Figure[] {
  const { p50Ms, p99Ms, maxMs } = latencies.summary();
  return [
    { metric: `${what}, while ingesting: p50 (floor: empty GET)`, unit: 'ms', value: p50Ms, floor: floor.getP50Ms },
    { metric: `${what}, while ingesting: p99`, unit: 'ms', value: p99Ms, floor: floor.getP99Ms },
    { metric: `${what}, while ingesting: max`, unit: 'ms', value: maxMs },
    { metric: `${what}, while ingesting: queries`, unit: '', value: latencies.count },
  ];
}
