// Search as users do it: the 20 newest traces by service, by service and operation, with a tag, with a tag that one trace has, with
// one that none has, with conditions that no span satisfies together, by duration; summaries; and the service list. search-kinds.ts makes the queries.
import { availableParallelism, loadavg } from 'node:os';
import { fill } from '../harness/fill.ts';
import { measureGetFloor } from '../harness/floor.ts';
import type { Floor } from '../harness/floor.ts';
import { HttpClient } from '../harness/http-client.ts';
import type { Latencies } from '../harness/latencies.ts';
import type { BenchOptions } from '../harness/options.ts';
import { driveQueries } from '../harness/queries.ts';
import type { Figure, Report } from '../harness/report.ts';
import { mergeRows } from '../harness/report.ts';
import type { Target } from '../harness/target.ts';
import { onEachTarget, settle, usageOf } from '../harness/target.ts';
import { Rng } from '../workload/rng.ts';
import { limit, makeQueries, tracesIn, type SearchKind } from './search-kinds.ts';

export async function search(options: BenchOptions, command: string): Promise<Report> {
  const floor = await measureGetFloor(options.connections);
  const measured = await onEachTarget(options, async (target) => ({
    target: target.name,
    rows: await measureSearch(target, options, floor),
  }));
  return {
    scenario: 'search',
    command,
    targets: measured.map(({ target }) => target),
    rows: mergeRows(measured),
    notes: [
      `${options.frames ?? `profile ${options.profile}`}, seed ${options.seed}, ${options.connections} connections, limit ${limit}, ${options.seconds} s per line, after flush and merge; floor: an empty GET`,
      `load average of the machine at the end: ${loadavg()[0]?.toFixed(1)} on ${availableParallelism()} cores`,
    ],
  };
}

type GetFloor = Pick<Floor, 'getP50Ms' | 'getP99Ms'>;

async function measureSearch(target: Target, options: BenchOptions, floor: GetFloor): Promise<Figure[]> {
  const filled = await fill(target, options);
  await settle(target);
  using client = new HttpClient(target.url, options.connections);
  const out: Figure[] = [];
  for (const kind of await makeQueries(client, target, { filled, rng: new Rng(options.seed) })) {
    const before = usageOf(target)?.cpuMs;
    const { latencies, asked } = await measureKind(target.url, kind, options);
    const after = usageOf(target)?.cpuMs;
    out.push(...figures(kind.name, latencies, floor));
    if (before !== undefined && after !== undefined)
      out.push({ metric: `${kind.name}: CPU of the server`, unit: 'ms/query', value: (after - before) / asked });
    const opened = await blocksOpened(client, kind);
    if (opened !== undefined) out.push({ metric: `${kind.name}: blocks opened`, unit: '/query', value: opened });
  }
  return [...out, { metric: 'spans stored', unit: 'spans', value: filled.spans }];
}

/** Blocks a search of this kind opens on average, as explain=1 says; undefined where it does not. */
async function blocksOpened(client: HttpClient, { paths }: SearchKind): Promise<number | undefined> {
  let sum = 0;
  for (const path of paths) {
    const reply = await client.get(`${path}&explain=1`);
    if (reply.status !== 200) return undefined;
    const { blocks } = JSON.parse(reply.body.toString('utf8')) as { blocks?: { opened?: Record<string, number> } };
    if (blocks?.opened === undefined) return undefined;
    sum += Object.values(blocks.opened).reduce((all, one) => all + one, 0);
  }
  return sum / paths.length;
}

async function measureKind(
  url: string,
  { paths, traces, isSummary }: SearchKind,
  options: BenchOptions,
): Promise<{ latencies: Latencies; asked: number }> {
  const path = (i: number): string => paths[i % paths.length] ?? '';
  let asked = 0;
  const latencies = await driveQueries({
    url,
    connections: options.connections,
    seconds: options.seconds,
    path,
    check: (reply, i) => {
      asked++;
      // Parsing every answer would take the CPU the server needs: each path once, and the status of all.
      if (reply.status === 200 && i >= paths.length) return;
      const found = tracesIn(reply, path(i), isSummary);
      if (found < traces[0] || found > traces[1])
        throw new Error(`GET ${path(i)}: ${found} found, expected ${traces.join(' to ')}`);
    },
  });
  return { latencies, asked };
}

function figures(name: string, latencies: Latencies, floor: GetFloor): Figure[] {
  const { p50Ms, p99Ms, maxMs } = latencies.summary();
  return [
    { metric: `${name}: p50`, unit: 'ms', value: p50Ms, floor: floor.getP50Ms },
    { metric: `${name}: p99`, unit: 'ms', value: p99Ms, floor: floor.getP99Ms },
    { metric: `${name}: max`, unit: 'ms', value: maxMs },
    { metric: `${name}: queries`, unit: '', value: latencies.count },
  ];
}
