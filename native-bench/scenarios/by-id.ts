// One trace by its id: known ids right after ingest, known and unknown ids after flush and merge. Every answer is checked.
import { fill } from '../harness/fill.ts';
import type { Filled } from '../harness/fill.ts';
import { measureGetFloor } from '../harness/floor.ts';
import type { Floor } from '../harness/floor.ts';
import type { Latencies } from '../harness/latencies.ts';
import type { BenchOptions } from '../harness/options.ts';
import type { QueryReply } from '../harness/queries.ts';
import { driveQueries, jaegerData } from '../harness/queries.ts';
import type { Figure, Report } from '../harness/report.ts';
import { mergeRows } from '../harness/report.ts';
import type { Target } from '../harness/target.ts';
import { onEachTarget, settle } from '../harness/target.ts';
import { Rng } from '../workload/rng.ts';

export async function byId(options: BenchOptions, command: string): Promise<Report> {
  const floor = await measureGetFloor(options.connections);
  const measured = await onEachTarget(options, async (target) => ({
    target: target.name,
    rows: await measureById(target, options, floor),
  }));
  return {
    scenario: 'by-id',
    command,
    targets: measured.map(({ target }) => target),
    rows: mergeRows(measured),
    notes: [
      `${options.frames ?? `profile ${options.profile}`}, seed ${options.seed}, ${options.connections} connections, ${options.seconds} s per line; floor: an empty GET`,
    ],
  };
}

async function measureById(target: Target, options: BenchOptions, floor: GetFloor): Promise<Figure[]> {
  const filled = await fill(target, options);
  const { connections, seconds } = options;
  const { url } = target;
  const known = (): Promise<Latencies> => driveQueries({ url, connections, seconds, ...knownIds(target, filled) });
  const fresh = await known();
  await settle(target);
  const merged = await known();
  const unknown = await driveQueries({ url, connections, seconds, ...unknownIds(target, options.seed) });
  return [
    ...figures('known id, after ingest', fresh, floor),
    ...figures('known id, after merge', merged, floor),
    ...figures('unknown id, after merge', unknown, floor),
    { metric: 'spans stored', unit: 'spans', value: filled.spans },
  ];
}

type GetFloor = Pick<Floor, 'getP50Ms' | 'getP99Ms'>;

function figures(what: string, latencies: Latencies, floor: GetFloor): Figure[] {
  const { p50Ms, p99Ms, maxMs } = latencies.summary();
  return [
    { metric: `${what}: p50`, unit: 'ms', value: p50Ms, floor: floor.getP50Ms },
    { metric: `${what}: p99`, unit: 'ms', value: p99Ms, floor: floor.getP99Ms },
    { metric: `${what}: max`, unit: 'ms', value: maxMs },
    { metric: `${what}: queries`, unit: '', value: latencies.count },
  ];
}

export interface Queries {
  path(i: number): string;
  check(reply: QueryReply, i: number): void;
}

/** Known ids, one after the other; `filled` names them. */
export function knownIds(target: Target, { traceIds }: Pick<Filled, 'traceIds'>): Queries {
  const id = (i: number): string => traceIds[i % traceIds.length] ?? '';
  const path = (i: number): string => `${target.jaegerPath}/traces/${id(i)}`;
  return {
    path,
    check: (reply, i) => {
      // Parsing every answer would take the CPU the server needs: one in sixteen, and the status of all.
      if (reply.status === 200 && i % 16 !== 0) return;
      if (jaegerData(reply, path(i)).length !== 1)
        throw new Error(`GET ${path(i)}: an acknowledged trace is not found`);
    },
  };
}

function unknownIds(target: Target, seed: number): Queries {
  const rng = new Rng(seed + 1);
  const ids = Array.from({ length: 10_000 }, () => rng.hex(32));
  const path = (i: number): string => `${target.jaegerPath}/traces/${ids[i % ids.length] ?? ''}`;
  return {
    path,
    check: (reply, i) => {
      // Some Jaegers answer 200 with no data; ours answers 404.
      if (reply.status !== 404 && jaegerData(reply, path(i)).length !== 0)
        throw new Error(`GET ${path(i)}: a trace nobody sent is found`);
    },
  };
}
