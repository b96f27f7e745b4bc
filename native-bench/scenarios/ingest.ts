// How fast spans are taken in with durable acknowledgements, what a span costs in CPU, memory and disk, all in: after the load the
// node is flushed and merged, and that work counts too.
import type { Floor } from '../harness/floor.ts';
import { measureFloor } from '../harness/floor.ts';
import { HttpClient } from '../harness/http-client.ts';
import type { LoadResult } from '../harness/load.ts';
import { driveLoad } from '../harness/load.ts';
import type { BenchOptions } from '../harness/options.ts';
import type { ProcessUsage } from '../harness/process-usage.ts';
import type { Figure, Report } from '../harness/report.ts';
import { mergeRows } from '../harness/report.ts';
import type { Target } from '../harness/target.ts';
import { bytesOnDisk, onEachTarget, settle, usageOf } from '../harness/target.ts';
import { TrafficPool } from '../harness/traffic.ts';

// 300,000 spans are about 140 MB of bodies; more of them go round with fresh ids.
const poolSpans = 300_000;

export async function ingest(options: BenchOptions, command: string): Promise<Report> {
  const pool = new TrafficPool(options, options.spans ?? poolSpans);
  let floor: Floor | undefined;
  const measured = await onEachTarget(options, async (target) => {
    floor ??= await measureFloor(pool.frames, { directory: target.scratchPath, connections: options.connections });
    return { target: target.name, rows: await measureIngest(target, { options, pool, floor }) };
  });
  if (floor === undefined) throw new Error('BUG: nothing was measured');
  const rate = options.rate === 0 ? 'as fast as acknowledged' : `${options.rate} spans/s asked`;
  return {
    scenario: 'ingest',
    command,
    targets: measured.map(({ target }) => target),
    rows: mergeRows(measured),
    floor,
    notes: [
      `${options.frames ?? `profile ${options.profile}`}, seed ${options.seed}, ${options.connections} connections, ${rate}; the load generator shares the machine`,
    ],
  };
}

interface Setup {
  readonly options: BenchOptions;
  readonly pool: TrafficPool;
  readonly floor: Floor;
}

type Figures = readonly Figure[];

async function measureIngest(target: Target, { options, pool, floor }: Setup): Promise<Figures> {
  const { connections, rate } = options;
  using client = new HttpClient(target.url, connections);
  const load = { client, path: target.insertPath, connections, rate, next: () => pool.next() };
  const idle = usageOf(target);
  const warmup = await driveLoad({ ...load, seconds: options.warmupSeconds });
  const before = usageOf(target);
  const result = await driveLoad({ ...load, seconds: options.seconds });
  const after = usageOf(target);
  const settleMs = await settle(target);
  const end = usageOf(target);
  const storedSpans = warmup.spans + result.spans;
  const storedBytes = target.dataPath === undefined ? undefined : bytesOnDisk(target.dataPath);
  return [
    ...speedFigures(result, floor),
    ...cpuFigures({ idle, before, after, end }, { result, storedSpans, floor }),
    { metric: 'RSS after load', unit: 'MB', value: scaled(after?.residentBytes, 1e6) },
    { metric: 'RSS peak', unit: 'MB', value: scaled(end?.residentPeakBytes, 1e6) },
    { metric: 'flush + merge', unit: 'ms', value: settleMs },
    {
      metric: 'bytes on disk (floor: zstd-3 of OTLP)',
      unit: 'B/span',
      value: scaled(storedBytes, storedSpans),
      floor: floor.zstd3BytesPerSpan,
    },
    { metric: 'written / bytes on disk', unit: '×', value: writeAmplification({ idle, end }, storedBytes) },
    {
      metric: 'written to disk',
      unit: 'B/span',
      value: scaled(difference(idle?.writtenBytes, end?.writtenBytes), storedSpans),
    },
  ];
}

function speedFigures(result: LoadResult, floor: Floor): Figures {
  const { p50Ms, p99Ms, maxMs } = result.latencies.summary();
  return [
    {
      metric: 'acknowledged (floor: empty POST)',
      unit: 'spans/s',
      value: result.spans / result.seconds,
      floor: floor.postSpansPerSecond,
    },
    { metric: 'acknowledged', unit: 'MB/s', value: result.bytes / 1e6 / result.seconds },
    {
      metric: 'ack p50 (floor: empty POST + fdatasync)',
      unit: 'ms',
      value: p50Ms,
      floor: floor.postP50Ms + floor.fdatasyncP50Ms,
    },
    { metric: 'ack p99', unit: 'ms', value: p99Ms, floor: floor.postP99Ms + floor.fdatasyncP99Ms },
    { metric: 'ack max', unit: 'ms', value: maxMs },
    { metric: 'refused and sent again (429, 503)', unit: 'requests', value: result.refusals },
    { metric: 'spans measured', unit: 'spans', value: result.spans },
  ];
}

interface Usages {
  readonly idle: ProcessUsage | undefined;
  readonly before: ProcessUsage | undefined;
  readonly after: ProcessUsage | undefined;
  readonly end: ProcessUsage | undefined;
}

function cpuFigures(
  { idle, before, after, end }: Usages,
  about: { result: LoadResult; storedSpans: number; floor: Floor },
): Figures {
  const { result, storedSpans, floor } = about;
  const underLoadMs = difference(before?.cpuMs, after?.cpuMs);
  const allInMs = difference(idle?.cpuMs, end?.cpuMs);
  return [
    {
      metric: 'CPU under load (floor: empty POST)',
      unit: 'µs/span',
      value: scaled(underLoadMs, result.spans / 1000),
      floor: floor.postCpuUsPerSpan,
    },
    { metric: 'CPU all in, with warm-up, flush, merge', unit: 'µs/span', value: scaled(allInMs, storedSpans / 1000) },
    { metric: 'CPU under load', unit: 'cores', value: scaled(underLoadMs, result.seconds * 1000) },
  ];
}

function writeAmplification(
  { idle, end }: Pick<Usages, 'idle' | 'end'>,
  storedBytes: number | undefined,
): number | undefined {
  const written = difference(idle?.writtenBytes, end?.writtenBytes);
  return storedBytes === undefined || storedBytes === 0 ? undefined : scaled(written, storedBytes);
}

function difference(from: number | undefined, to: number | undefined): number | undefined {
  return from === undefined || to === undefined ? undefined : to - from;
}

function scaled(value: number | undefined, by: number): number | undefined {
  return value === undefined ? undefined : value / by;
}
