// Ingest at a rate for minutes on end: does the node keep up, how do acknowledgements fare minute by minute, and does its memory grow.
// Memory is sampled every second; its growth is the slope of a line through the samples after the first minute.
import { setTimeout as delay } from 'node:timers/promises';
import { HttpClient } from '../harness/http-client.ts';
import { Latencies } from '../harness/latencies.ts';
import { driveLoad } from '../harness/load.ts';
import type { BenchOptions } from '../harness/options.ts';
import type { Figure, Report } from '../harness/report.ts';
import { mergeRows } from '../harness/report.ts';
import type { Target } from '../harness/target.ts';
import { bytesOnDisk, onEachTarget, settle, usageOf } from '../harness/target.ts';
import { TrafficPool } from '../harness/traffic.ts';

const poolSpans = 300_000;
const sampleMs = 1000;
/** Caches and heaps fill in the first minute (of a short run: its first third). */
const settledSeconds = 60;

export async function sustain(options: BenchOptions, command: string): Promise<Report> {
  const pool = new TrafficPool(options, options.spans ?? poolSpans);
  const measured = await onEachTarget(options, async (target) => ({
    target: target.name,
    rows: await measureSustain(target, options, pool),
  }));
  const rate = options.rate === 0 ? 'as fast as acknowledged' : `${options.rate} spans/s asked`;
  return {
    scenario: 'sustain',
    command,
    targets: measured.map(({ target }) => target),
    rows: mergeRows(measured),
    notes: [
      `profile ${options.profile}, seed ${options.seed}, ${options.connections} connections, ${rate}, ${options.seconds} s; the load generator shares the machine`,
      `RSS growth: the slope of a line through the samples of every second after the first ${settledAfter(options.seconds)} s`,
    ],
  };
}

function settledAfter(seconds: number): number {
  return Math.min(settledSeconds, Math.floor(seconds / 3));
}

/** What happened in one minute of the run. */
class Minute {
  readonly latencies = new Latencies();
  spans = 0;
  residentPeakBytes = 0;
}

interface Sample {
  readonly second: number;
  readonly residentBytes: number;
}

async function measureSustain(target: Target, options: BenchOptions, pool: TrafficPool): Promise<Figure[]> {
  const { connections, rate, seconds } = options;
  using client = new HttpClient(target.url, connections);
  const load = { client, path: target.insertPath, connections, rate, next: () => pool.next() };
  await driveLoad({ ...load, seconds: options.warmupSeconds });
  const minutes: Minute[] = [];
  const samples: Sample[] = [];
  const startMs = performance.now();
  const minuteNow = (): Minute => (minutes[Math.floor((performance.now() - startMs) / 60_000)] ??= new Minute());
  const before = usageOf(target);
  let isDone = false;
  const sample = async (): Promise<void> => {
    while (!isDone) {
      const residentBytes = usageOf(target)?.residentBytes;
      if (residentBytes === undefined) return;
      const minute = minuteNow();
      minute.residentPeakBytes = Math.max(minute.residentPeakBytes, residentBytes);
      samples.push({ second: (performance.now() - startMs) / 1000, residentBytes });
      await delay(sampleMs);
    }
  };
  const sampling = sample();
  const result = await driveLoad({
    ...load,
    seconds,
    onAck: (ms, { spans }) => {
      const minute = minuteNow();
      minute.latencies.add(ms);
      minute.spans += spans;
    },
  });
  isDone = true;
  await sampling;
  const after = usageOf(target);
  const settleMs = await settle(target);
  const { p50Ms, p99Ms, maxMs } = result.latencies.summary();
  const cpuMs = before === undefined || after === undefined ? undefined : after.cpuMs - before.cpuMs;
  const settled = samples.filter(({ second }) => second >= settledAfter(seconds));
  return [
    { metric: 'acknowledged', unit: 'spans/s', value: result.spans / result.seconds },
    { metric: 'ack p50', unit: 'ms', value: p50Ms },
    { metric: 'ack p99', unit: 'ms', value: p99Ms },
    { metric: 'ack max', unit: 'ms', value: maxMs },
    { metric: 'refused and sent again (429, 503)', unit: 'requests', value: result.refusals },
    {
      metric: 'CPU under load',
      unit: 'µs/span',
      value: cpuMs === undefined ? undefined : (cpuMs * 1000) / result.spans,
    },
    { metric: 'RSS growth', unit: 'MB/min', value: slopePerSecond(settled) * (60 / 1e6) },
    { metric: 'RSS, median', unit: 'MB', value: median(settled.map(({ residentBytes }) => residentBytes)) / 1e6 },
    { metric: 'RSS, highest sample', unit: 'MB', value: highest(samples) / 1e6 },
    ...minutes.flatMap((minute, i) => minuteFigures(minute, i, seconds)),
    { metric: 'flush + merge afterwards', unit: 'ms', value: settleMs },
    {
      metric: 'bytes on disk, all in',
      unit: 'MB',
      value: target.dataPath === undefined ? undefined : bytesOnDisk(target.dataPath) / 1e6,
    },
    { metric: 'spans measured', unit: 'spans', value: result.spans },
  ];
}

/** What ends behind the last whole minute belongs to no line: a few seconds say nothing of a minute. */
function minuteFigures(minute: Minute, index: number, seconds: number): Figure[] {
  const lasted = Math.min(60, seconds - index * 60);
  if (lasted < 10) return [];
  const { p50Ms, p99Ms } = minute.latencies.summary();
  const name = `minute ${index + 1}`;
  return [
    { metric: `${name}: acknowledged`, unit: 'spans/s', value: minute.spans / lasted },
    { metric: `${name}: ack p50`, unit: 'ms', value: p50Ms },
    { metric: `${name}: ack p99`, unit: 'ms', value: p99Ms },
    { metric: `${name}: RSS, highest sample`, unit: 'MB', value: minute.residentPeakBytes / 1e6 },
  ];
}

/** Least squares. */
export function slopePerSecond(samples: readonly Sample[]): number {
  const n = samples.length;
  let x = 0;
  let y = 0;
  for (const { second, residentBytes } of samples) {
    x += second / n;
    y += residentBytes / n;
  }
  let xy = 0;
  let xx = 0;
  for (const { second, residentBytes } of samples) {
    xy += (second - x) * (residentBytes - y);
    xx += (second - x) ** 2;
  }
  return xy / xx;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;
}

function highest(samples: readonly Sample[]): number {
  return samples.reduce((most, { residentBytes }) => Math.max(most, residentBytes), -Infinity);
}
