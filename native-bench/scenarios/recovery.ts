// Start after a crash: ingest, kill -9 right after the last acknowledgement, start again. What was acknowledged must be there: rows by
// the start line, and a sample of traces by asking for them. Only for a node started here: it is killed.
import { join } from 'node:path';
import { fill } from '../harness/fill.ts';
import type { Filled } from '../harness/fill.ts';
import type { Floor } from '../harness/floor.ts';
import { measureFloor } from '../harness/floor.ts';
import { inScratch } from '../harness/scratch.ts';
import { HttpClient } from '../harness/http-client.ts';
import type { NodeProcess } from '../harness/node-process.ts';
import { startNode } from '../harness/node-process.ts';
import type { BenchOptions } from '../harness/options.ts';
import { readUsage } from '../harness/process-usage.ts';
import { jaegerData } from '../harness/queries.ts';
import type { Figure, Report } from '../harness/report.ts';
import { mergeRows } from '../harness/report.ts';
import { bytesByKind } from '../harness/target.ts';
import { trafficStream } from '../harness/traffic.ts';

const floorSpans = 20_000;
const tracesAsked = 100;
const isLog = /\.log$/;

export async function recovery(options: BenchOptions, command: string): Promise<Report> {
  if (options.url !== undefined || options.peer !== undefined)
    throw new Error('recovery kills the node it measures: it takes no --url and no --peer');
  return await inScratch(options, async (scratchPath) => {
    const frames = [...trafficStream(options, floorSpans)];
    const floor = await measureFloor(frames, { directory: scratchPath, connections: options.connections });
    return {
      scenario: 'recovery',
      command,
      targets: ['tracelith'],
      rows: mergeRows([
        { target: 'tracelith', rows: await measureRecovery(join(scratchPath, 'data'), options, floor) },
      ]),
      floor,
      notes: [
        `${options.frames ?? `profile ${options.profile}`}, seed ${options.seed}; ready: the first 200 of /health; ${tracesAsked} acknowledged traces were asked for after the crash and found`,
      ],
    };
  });
}

async function measureRecovery(dataPath: string, options: BenchOptions, floor: Floor): Promise<Figure[]> {
  const start = (): Promise<NodeProcess> => startNode({ dataPath, grpc: false, flags: options.flags });
  const empty = await start();
  const filled = await fill({ url: empty.url, insertPath: '/v1/traces' }, options);
  await empty.child.kill();
  const kinds = [...bytesByKind(dataPath)];
  const crashed = await start();
  const usage = readUsage(crashed.child.pid);
  const found = readyLine(crashed.child.output);
  if (found.partRows + found.logRows !== filled.spans)
    throw new Error(`${filled.spans} spans were acknowledged, ${found.partRows + found.logRows} came back`);
  await findTraces(crashed.url, filled);
  await crashed.child.stop();
  const clean = await start();
  await clean.child.stop();
  return [
    {
      metric: 'spawn to ready, after kill -9 (floor: bare server)',
      unit: 'ms',
      value: crashed.startMs,
      floor: floor.startMs,
    },
    { metric: 'spawn to ready, after a clean stop', unit: 'ms', value: clean.startMs, floor: floor.startMs },
    { metric: 'spawn to ready, empty directory', unit: 'ms', value: empty.startMs, floor: floor.startMs },
    { metric: 'opening the store after kill -9', unit: 'ms', value: found.recoveredInMs },
    { metric: 'recovered from the log', unit: 'spans', value: found.logRows },
    { metric: 'recovered in parts', unit: 'spans', value: found.partRows },
    { metric: 'log read', unit: 'MB', value: sumOf(kinds.filter(([kind]) => isLog.test(kind))) / 1e6 },
    { metric: 'data directory at the crash', unit: 'B/span', value: sumOf(kinds) / filled.spans },
    { metric: 'CPU until ready', unit: 'ms', value: usage?.cpuMs },
    { metric: 'RSS when ready', unit: 'MB', value: usage && usage.residentBytes / 1e6 },
  ];
}

/** The figures of the line `tracelith is ready`. Throws when there is none. */
export function readyLine(output: string): { partRows: number; logRows: number; recoveredInMs: number } {
  const line = output.split('\n').find((one) => one.includes('tracelith is ready'));
  const figure = (name: string): number => {
    const found = new RegExp(`\\b${name}=(\\d+)`).exec(line ?? '');
    if (found === null) throw new Error(`no ${name} in the start line: ${line ?? output.slice(-500)}`);
    return Number(found[1]);
  };
  return { partRows: figure('partRows'), logRows: figure('logRows'), recoveredInMs: figure('recoveredInMs') };
}

async function findTraces(url: string, { traceIds }: Filled): Promise<void> {
  using client = new HttpClient(url, 1);
  for (const id of traceIds.slice(0, tracesAsked)) {
    const path = `/api/traces/${id}`;
    if (jaegerData(await client.get(path), path).length !== 1)
      throw new Error(`GET ${path}: a trace acknowledged before the crash is not found`);
  }
}

function sumOf(kinds: readonly (readonly [string, number])[]): number {
  return kinds.reduce((sum, [, bytes]) => sum + bytes, 0);
}
