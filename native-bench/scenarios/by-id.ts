// One trace by its id: known ids right after ingest, known and unknown ids after flush and merge. Every answer is checked.
import { fill } from '../harness/fill.ts';
import type { Filled } from '../harness/fill.ts';
import { HttpClient } from '../harness/http-client.ts';
import type { HttpReply } from '../harness/http-client.ts';
import type { Latencies } from '../harness/latencies.ts';
import type { BenchOptions } from '../harness/options.ts';
import { driveQueries, jaegerData } from '../harness/queries.ts';
import type { Report } from '../harness/report.ts';
import { mergeRows } from '../harness/report.ts';
import type { Target } from '../harness/target.ts';
import { onEachTarget, settle } from '../harness/target.ts';
import { Rng } from '../workload/rng.ts';

interface Figure {
  readonly metric: string;
  readonly unit: string;
  readonly value: number | undefined;
}

export async function byId(options: BenchOptions, command: string): Promise<Report> {
  const measured = await onEachTarget(options, async (target) => ({
    target: target.name,
    rows: await measureById(target, options),
  }));
  return {
    scenario: 'by-id',
    command,
    targets: measured.map(({ target }) => target),
    rows: mergeRows(measured),
    notes: [
      `${options.frames ?? `profile ${options.profile}`}, seed ${options.seed}, ${options.connections} connections, ${options.seconds} s per line`,
    ],
  };
}

async function measureById(target: Target, options: BenchOptions): Promise<Figure[]> {
  const filled = await fill(target, options);
  using client = new HttpClient(target.url, options.connections);
  const { connections, seconds } = options;
  const known = (): Promise<Latencies> => driveQueries({ client, connections, seconds, ...knownIds(target, filled) });
  const fresh = await known();
  await settle(target);
  const merged = await known();
  const unknown = await driveQueries({ client, connections, seconds, ...unknownIds(target, options.seed) });
  return [
    ...figures('known id, after ingest', fresh),
    ...figures('known id, after merge', merged),
    ...figures('unknown id, after merge', unknown),
    { metric: 'spans stored', unit: 'spans', value: filled.spans },
  ];
}

function figures(what: string, latencies: Latencies): Figure[] {
  const { p50Ms, p99Ms, maxMs } = latencies.summary();
  return [
    { metric: `${what}: p50`, unit: 'ms', value: p50Ms },
    { metric: `${what}: p99`, unit: 'ms', value: p99Ms },
    { metric: `${what}: max`, unit: 'ms', value: maxMs },
    { metric: `${what}: queries`, unit: '', value: latencies.count },
  ];
}

interface Queries {
  path(i: number): string;
  check(reply: HttpReply, i: number): void;
}

function knownIds(target: Target, { traceIds }: Filled): Queries {
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
