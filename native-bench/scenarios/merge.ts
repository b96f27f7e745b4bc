// What merging costs: ingest, then flush and full merge, each timed. Write amplification is all the process caused to be written
// (write_bytes of /proc/<pid>/io: log, parts, every merge, LMDB) over what is left on disk, and over the OTLP bytes that came in.
import { fill } from '../harness/fill.ts';
import type { Filled } from '../harness/fill.ts';
import type { Floor } from '../harness/floor.ts';
import { measureFloor } from '../harness/floor.ts';
import { HttpClient } from '../harness/http-client.ts';
import type { BenchOptions } from '../harness/options.ts';
import type { ProcessUsage } from '../harness/process-usage.ts';
import type { Figure, Report } from '../harness/report.ts';
import { mergeRows } from '../harness/report.ts';
import type { Target } from '../harness/target.ts';
import { bytesOnDisk, onEachTarget, usageOf } from '../harness/target.ts';
import { trafficStream } from '../harness/traffic.ts';

const floorSpans = 40_000;

export async function merge(options: BenchOptions, command: string): Promise<Report> {
  let floor: Floor | undefined;
  const measured = await onEachTarget(options, async (target) => {
    const frames = [...trafficStream(options, floorSpans)];
    floor ??= await measureFloor(frames, { directory: target.scratchPath, connections: options.connections });
    return { target: target.name, rows: await measureMerge(target, options, floor) };
  });
  if (floor === undefined) throw new Error('BUG: nothing was measured');
  return {
    scenario: 'merge',
    command,
    targets: measured.map(({ target }) => target),
    rows: mergeRows(measured),
    floor,
    notes: [
      `${options.frames ?? `profile ${options.profile}`}, seed ${options.seed}; the floor of merged spans/s is zstd-3 of the same spans' OTLP on one core`,
    ],
  };
}

/** The process and its counters at one moment. */
interface Moment {
  readonly usage: ProcessUsage | undefined;
  readonly rowsMerged: number | undefined;
  readonly merges: number | undefined;
  readonly diskBytes: number | undefined;
  readonly atMs: number;
}

async function measureMerge(target: Target, options: BenchOptions, floor: Floor): Promise<Figure[]> {
  using client = new HttpClient(target.url, 1);
  const look = async (): Promise<Moment> => {
    const metrics = await client.get('/metrics');
    const text = metrics.status === 200 ? metrics.body.toString('utf8') : '';
    return {
      usage: usageOf(target),
      rowsMerged: counterOf(text, 'vt_rows_merged_total'),
      merges: counterOf(text, 'vt_merges_total'),
      diskBytes: target.dataPath === undefined ? undefined : bytesOnDisk(target.dataPath),
      atMs: performance.now(),
    };
  };
  const start = await look();
  const filled = await fill(target, options);
  const ingested = await look();
  await command(client, '/internal/force_flush');
  const flushed = await look();
  await command(client, '/internal/force_merge');
  const merged = await look();
  return figures({ start, ingested, flushed, merged }, filled, floor);
}

type Moments = Readonly<Record<'start' | 'ingested' | 'flushed' | 'merged', Moment>>;

function figures({ start, ingested, flushed, merged }: Moments, filled: Filled, floor: Floor): Figure[] {
  const mergeMs = merged.atMs - flushed.atMs;
  const mergedNow = difference(flushed.rowsMerged, merged.rowsMerged);
  const written = difference(start.usage?.writtenBytes, merged.usage?.writtenBytes);
  const cpuMs = difference(flushed.usage?.cpuMs, merged.usage?.cpuMs);
  const perSpan = (bytes: number | undefined): number | undefined => ratio(bytes, filled.spans);
  return [
    { metric: 'force_flush', unit: 'ms', value: flushed.atMs - ingested.atMs },
    { metric: 'force_merge', unit: 'ms', value: mergeMs },
    {
      metric: 'merged by force_merge (floor: zstd-3 of OTLP)',
      unit: 'spans/s',
      value: ratio(mergedNow, mergeMs / 1000),
      floor: (floor.zstd3MBPerSecond * 1e6) / floor.otlpBytesPerSpan,
    },
    {
      metric: 'CPU of force_merge',
      unit: 'µs/span',
      value: cpuMs === undefined ? undefined : ratio(cpuMs * 1000, mergedNow),
    },
    { metric: 'spans merged while ingesting', unit: 'spans', value: difference(start.rowsMerged, ingested.rowsMerged) },
    {
      metric: 'spans merged meanwhile by force_flush',
      unit: 'spans',
      value: difference(ingested.rowsMerged, flushed.rowsMerged),
    },
    { metric: 'spans merged by force_merge', unit: 'spans', value: mergedNow },
    { metric: 'merges, all', unit: '', value: difference(start.merges, merged.merges) },
    {
      metric: 'times a span was merged',
      unit: '×',
      value: ratio(difference(start.rowsMerged, merged.rowsMerged), filled.spans),
    },
    { metric: 'write amplification: written / left on disk', unit: '×', value: ratio(written, merged.diskBytes) },
    { metric: 'written / OTLP', unit: '×', value: ratio(written, filled.bytes) },
    { metric: 'written', unit: 'B/span', value: perSpan(written) },
    { metric: 'on disk before flush', unit: 'B/span', value: perSpan(ingested.diskBytes) },
    { metric: 'on disk before the full merge', unit: 'B/span', value: perSpan(flushed.diskBytes) },
    {
      metric: 'on disk after (floor: zstd-3 of OTLP)',
      unit: 'B/span',
      value: perSpan(merged.diskBytes),
      floor: floor.zstd3BytesPerSpan,
    },
    { metric: 'spans', unit: 'spans', value: filled.spans },
  ];
}

async function command(client: HttpClient, path: string): Promise<void> {
  const reply = await client.post(path, new Uint8Array(0));
  if (reply.status >= 300)
    throw new Error(`POST ${path}: status ${reply.status}: ${reply.body.toString('utf8').slice(0, 300)}`);
}

/** Sum of a counter over its labels in Prometheus text; undefined when there is none of that name. */
export function counterOf(text: string, name: string): number | undefined {
  const values = Array.from(text.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'gm')), ([, value]) =>
    Number(value),
  );
  return values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0);
}

function difference(from: number | undefined, to: number | undefined): number | undefined {
  return from === undefined || to === undefined ? undefined : to - from;
}

function ratio(value: number | undefined, by: number | undefined): number | undefined {
  return value === undefined || by === undefined || by === 0 ? undefined : value / by;
}
