// A node under everything at once for minutes: ingest at 60 % of its maximum, spans of older days, questions, operators' work, requests
// that are partial or hostile, and retention by bytes that bites half way. Nothing may grow: memory, descriptors, deleted files that
// are held open, the index, the times of acknowledgements and queries.
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { growthOf, type Growth, type GrowthLimit, type Sample } from '../harness/growth.ts';
import { HttpClient } from '../harness/http-client.ts';
import { Latencies } from '../harness/latencies.ts';
import { driveLoad, type LoadResult } from '../harness/load.ts';
import { startNode, type NodeProcess } from '../harness/node-process.ts';
import { readOpenFiles, readUsage } from '../harness/process-usage.ts';
import type { Figure, Report } from '../harness/report.ts';
import { mergeRows } from '../harness/report.ts';
import { TrafficPool } from '../harness/traffic.ts';
import type { Frame } from '../workload/frames.ts';
import { Rng } from '../workload/rng.ts';
import { traceIdsOf } from '../workload/wire-positions.ts';
import { runActors, type Soaked, type World } from './soak-actors.ts';

export interface SoakOptions {
  readonly minutes: number;
  readonly seed: number;
  /** Further flags of the node. */
  readonly flags: readonly string[];
}

export interface SoakResult {
  readonly report: Report;
  /** Why the run has failed; [] when it has not. */
  readonly faults: readonly string[];
}

const connections = 8;
const batch = 500;
const poolSpans = 100_000;
export const shareOfMaximum = 0.6;
// Long enough for flushes and the first merges.
const maximumSeconds = 20;
/** Spans a second of the days before today, as a share of the others. */
const olderShare = 0.03;
const olderDays = 6;
const daySeconds = 86_400;
/** What is stored half way through is more than retention by bytes allows; in a short run later. A span takes some 30 B. */
const bytesPerSpan = 30;
const retainedSecondsMin = 120;
/** An acknowledged trace is asked for while it is so young: no retention has dropped it. */
const recentUntilMs = 60_000;
/** Caches, and the heaps of eight threads, fill before (RSS was level after five minutes); of a short run its first third. */
const settleSecondsMax = 300;
const windowSeconds = 10;

interface Watched {
  readonly unit: string;
  readonly limit: GrowthLimit;
  readonly samples: Sample[];
}

const limits: Readonly<Record<string, { unit: string; limit: GrowthLimit }>> = {
  'resident memory': { unit: 'MB', limit: { shareMax: 0.15, sizeMin: 40 } },
  // A query thread keeps up to 64 parts open, three files each, as parts are made: a leak is more than that fills up slowly.
  'open descriptors': { unit: '', limit: { shareMax: 0.15, sizeMin: 120 } },
  'deleted files held open': { unit: '', limit: { shareMax: 0.5, sizeMin: 10 } },
  'LMDB files': { unit: 'MB', limit: { shareMax: 0.25, sizeMin: 4 } },
  'ack p99': { unit: 'ms', limit: { shareMax: 0.75, sizeMin: 50 } },
  'query p99': { unit: 'ms', limit: { shareMax: 0.75, sizeMin: 100 } },
};

/** What is looked at over the run, by name. */
class Watch {
  readonly #startMs = performance.now();
  readonly watched: ReadonlyMap<string, Watched> = new Map(
    Object.entries(limits).map(([name, row]) => [name, { ...row, samples: [] }]),
  );
  #acks = new Latencies();
  #queries = new Latencies();

  get second(): number {
    return (performance.now() - this.#startMs) / 1000;
  }

  addAck(ms: number): void {
    this.#acks.add(ms);
  }

  addQuery(ms: number): void {
    this.#queries.add(ms);
  }

  /** Reads everything of the node but times, every second. */
  sample(pid: number, dataPath: string): void {
    const usage = readUsage(pid);
    const files = readOpenFiles(pid);
    if (usage === undefined || files === undefined) throw new Error('the node has ended');
    this.#put('resident memory', usage.residentBytes / 1e6);
    this.#put('open descriptors', files.open);
    this.#put('deleted files held open', files.deleted);
    this.#put('LMDB files', indexBytes(dataPath) / 1e6);
  }

  /** The newest of each figure, for whoever waits. */
  newest(): string {
    const known = [...this.watched].flatMap(([name, { samples }]) => {
      const last = samples.at(-1);
      return last === undefined ? [] : [`${name} ${Math.round(last.value)}`];
    });
    return known.join(', ');
  }

  /** Ends one window of times. */
  closeWindow(): void {
    if (this.#acks.count > 0) this.#put('ack p99', this.#acks.summary().p99Ms);
    if (this.#queries.count > 0) this.#put('query p99', this.#queries.summary().p99Ms);
    [this.#acks, this.#queries] = [new Latencies(), new Latencies()];
  }

  #put(name: string, value: number): void {
    this.watched.get(name)!.samples.push({ second: this.second, value });
  }
}

export async function soak(options: SoakOptions, command: string): Promise<SoakResult> {
  const scratchPath = mkdtempSync(join(tmpdir(), 'tracelith-soak-'));
  const remove = (): void => rmSync(scratchPath, { recursive: true, force: true });
  process.once('exit', remove);
  const maximum = await measureMaximum(join(scratchPath, 'maximum'), options);
  const rate = Math.round(maximum * shareOfMaximum);
  const seconds = options.minutes * 60;
  const bytesMax = Math.round(rate * Math.max(retainedSecondsMin, seconds / 2) * bytesPerSpan);
  const dataPath = join(scratchPath, 'data');
  const flags = [`-retention.maxDiskSpaceUsageBytes=${bytesMax}`, ...options.flags];
  const node = await startNode({ dataPath, grpc: true, flags });
  const run = await soakNode(node, { dataPath, rate, seconds, seed: options.seed });
  const code = await node.child.stop();
  remove();
  const growths = growthsOf(run.watch, seconds);
  return {
    report: {
      scenario: 'soak',
      command,
      targets: ['tracelith'],
      rows: mergeRows([{ target: 'tracelith', rows: figuresOf({ maximum, rate, bytesMax }, run, growths) }]),
      notes: [
        `profile shop, seed ${options.seed}, ${connections} connections, ${seconds} s; everything shares the machine with the node`,
        `growth: the median slope over the samples after ${settledAfter(seconds)} s, times the time from there`,
        ...run.soaked.map(
          ({ name, counts }) => `${name}: ${counts.done}, refused ${counts.refused}, wrong ${counts.failed}`,
        ),
      ],
    },
    faults: [
      ...[...growths].filter(([, { isGrowing }]) => isGrowing).map(([name]) => `${name} grows`),
      ...run.soaked.flatMap(({ counts }) => counts.failures),
      ...(code === 0 ? [] : [`the node ended with ${code ?? 'SIGKILL'}: ${node.child.output.slice(-2_000)}`]),
    ],
  };
}

/** Spans a second, with nothing beside the ingest. */
async function measureMaximum(dataPath: string, { seed, flags }: SoakOptions): Promise<number> {
  const pool = new TrafficPool(trafficOf(seed, 300), poolSpans);
  const node = await startNode({ dataPath, grpc: false, flags });
  console.error(`soak: the node is process ${node.child.pid}`);
  using client = new HttpClient(node.url, connections);
  const load = { client, path: '/v1/traces', connections, rate: 0, next: () => pool.next() };
  await driveLoad({ ...load, seconds: maximumSeconds / 3 });
  const { spans, seconds } = await driveLoad({ ...load, seconds: maximumSeconds });
  await node.child.stop();
  return spans / seconds;
}

function trafficOf(seed: number, overSeconds: number): ConstructorParameters<typeof TrafficPool>[0] {
  return { profile: 'shop', frames: undefined, seed, batch, overSeconds };
}

interface Run {
  readonly watch: Watch;
  readonly load: LoadResult;
  readonly older: LoadResult;
  readonly soaked: readonly Soaked[];
}

async function soakNode(
  node: NodeProcess,
  { dataPath, rate, seconds, seed }: { dataPath: string; rate: number; seconds: number; seed: number },
): Promise<Run> {
  // Spans a few seconds old when they are sent: retention by bytes drops by span start, and a trace asked for must be inside it.
  const pool = new TrafficPool(trafficOf(seed + 1, 10), poolSpans);
  const olderPool = new TrafficPool(trafficOf(seed + 2, olderDays * daySeconds), poolSpans / 10);
  const partial = new TrafficPool(trafficOf(seed + 3, 3 * olderDays * daySeconds), poolSpans / 100);
  const recent: { id: string; ackedMs: number }[] = [];
  let acks = 0;
  const onAck = (ms: number, { body }: Frame): void => {
    watch.addAck(ms);
    if (acks++ % connections > 0) return;
    const [id = ''] = traceIdsOf(body);
    const nowMs = performance.now();
    recent.push({ id, ackedMs: nowMs });
    while (nowMs - recent[0]!.ackedMs > recentUntilMs) recent.shift();
  };
  const world: World = {
    url: node.url,
    rng: new Rng(seed),
    recentTraceId: () => (recent.length === 0 ? undefined : world.rng.pick(recent).id),
    partialBody: () => partial.next().body,
  };
  using client = new HttpClient(node.url, 2 * connections);
  const watch = new Watch();
  let isOver = false;
  const sampling = sampleWhile(watch, { pid: node.child.pid, dataPath, isOver: () => isOver });
  const acting = runActors(
    world,
    () => isOver,
    (ms) => watch.addQuery(ms),
  );
  const ingest = { client, path: '/v1/traces', seconds };
  const [load, older] = await Promise.all([
    driveLoad({ ...ingest, connections, rate, next: () => pool.next(), onAck }),
    driveLoad({ ...ingest, connections: 1, rate: rate * olderShare, next: () => olderPool.next() }),
  ]).finally(() => (isOver = true));
  const soaked = await acting;
  await sampling;
  return { watch, load, older, soaked };
}

async function sampleWhile(
  watch: Watch,
  { pid, dataPath, isOver }: { pid: number; dataPath: string; isOver: () => boolean },
): Promise<void> {
  for (let second = 1; !isOver(); second++) {
    await delay(1_000);
    watch.sample(pid, dataPath);
    if (second % windowSeconds === 0) watch.closeWindow();
    if (second % 60 === 0) console.error(`soak: ${second / 60} min, ${watch.newest()}`);
  }
}

/** Of every day's index; a day may be dropped meanwhile. */
function indexBytes(dataPath: string): number {
  const partitions = join(dataPath, 'partitions');
  const days = statSync(partitions, { throwIfNoEntry: false }) === undefined ? [] : readdirSync(partitions);
  return days.reduce((sum, day) => {
    const file = statSync(join(partitions, day, 'index', 'data.mdb'), { throwIfNoEntry: false });
    return sum + (file?.size ?? 0);
  }, 0);
}

function settledAfter(seconds: number): number {
  return Math.min(settleSecondsMax, Math.floor(seconds / 3));
}

function growthsOf(watch: Watch, seconds: number): Map<string, Growth> {
  const after = settledAfter(seconds);
  return new Map(
    [...watch.watched].map(([name, { samples, limit }]) => [
      name,
      growthOf(
        samples.filter(({ second }) => second >= after),
        limit,
      ),
    ]),
  );
}

function figuresOf(
  { maximum, rate, bytesMax }: { maximum: number; rate: number; bytesMax: number },
  { load, older, watch }: Run,
  growths: ReadonlyMap<string, Growth>,
): Figure[] {
  const { p50Ms, p99Ms, maxMs } = load.latencies.summary();
  return [
    { metric: 'maximum, ingest alone', unit: 'spans/s', value: maximum },
    { metric: 'asked for', unit: 'spans/s', value: rate },
    { metric: 'acknowledged', unit: 'spans/s', value: load.spans / load.seconds },
    { metric: 'acknowledged, of older days', unit: 'spans/s', value: older.spans / older.seconds },
    { metric: 'refused and sent again (429, 503)', unit: 'requests', value: load.refusals + older.refusals },
    { metric: 'retention by bytes', unit: 'MB', value: bytesMax / 1e6 },
    { metric: 'ack p50', unit: 'ms', value: p50Ms },
    { metric: 'ack p99', unit: 'ms', value: p99Ms },
    { metric: 'ack max', unit: 'ms', value: maxMs },
    ...[...growths].flatMap(([name, { median, perMinute, overRun, isGrowing }]) => {
      const { unit } = watch.watched.get(name)!;
      return [
        { metric: `${name}: median`, unit, value: median },
        { metric: `${name}: slope`, unit: `${unit}/min`, value: perMinute },
        { metric: `${name}: growth over the run${isGrowing ? ', TOO MUCH' : ''}`, unit, value: overRun },
      ];
    }),
  ];
}
