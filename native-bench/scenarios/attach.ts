// A day comes back while another is written: yesterday, with all of its spans in the log, is put into the folder of a running node and
// attached, so its log is recovered beside acknowledgements for today. Compares their latencies with those before. A node would have
// flushed such a log, so a store in this process writes it, whose flushes never end. Only for a node started here.
import { mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { createLogger } from '../../src/base/logger.ts';
import { systemClock } from '../../src/base/clock.ts';
import { takeLock } from '../../src/disk/lock.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { inlineMergeRunner } from '../../src/partition/merge-runner.ts';
import { Storage } from '../../src/storage/storage.ts';
import { DEFAULT_TENANT } from '../../src/trace/tenant.ts';
import { requests } from '../workload/requests.ts';
import { measureFloor } from '../harness/floor.ts';
import { inScratch } from '../harness/scratch.ts';
import { HttpClient } from '../harness/http-client.ts';
import { driveLoad, type LoadResult } from '../harness/load.ts';
import { startNode } from '../harness/node-process.ts';
import type { BenchOptions } from '../harness/options.ts';
import { mergeRows, type Figure, type Report } from '../harness/report.ts';
import { TrafficPool, trafficStream } from '../harness/traffic.ts';

const spansDefault = 1_000_000;
const rateDefault = 5_000;
const floorSpans = 20_000;
const poolSpans = 200_000;
const insertPath = '/v1/traces';
const dayMs = 86_400_000;

export async function attach(options: BenchOptions, command: string): Promise<Report> {
  if (options.url !== undefined || options.peer !== undefined)
    throw new Error('attach takes a day out of the node it measures: it takes no --url and no --peer');
  return await inScratch(options, async (scratchPath) => {
    const frames = [...trafficStream(options, floorSpans)];
    const floor = await measureFloor(frames, { directory: scratchPath, connections: options.connections });
    const rows = mergeRows([{ target: 'tracelith', rows: await measureAttach(join(scratchPath, 'data'), options) }]);
    const rate = options.rate || rateDefault;
    const notes = [
      `profile ${options.profile}, seed ${options.seed}; ${rate} spans/s for today throughout, in requests of ${options.batch}; latency counts from when a request was due`,
    ];
    return { scenario: 'attach', command, targets: ['tracelith'], rows, floor, notes };
  });
}

async function measureAttach(dataPath: string, options: BenchOptions): Promise<Figure[]> {
  const name = dayName(Date.now() - dayMs);
  const filled = await fillLog(join(dataPath, 'made'), options);
  const node = await startNode({ dataPath: join(dataPath, 'data'), grpc: false, flags: options.flags });
  using client = new HttpClient(node.url, options.connections);
  const pool = new TrafficPool(options, poolSpans);
  const load = (isOver: () => boolean, seconds: number): Promise<LoadResult> =>
    driveLoad({
      client,
      path: insertPath,
      connections: options.connections,
      seconds,
      rate: options.rate || rateDefault,
      next: () => (isOver() ? undefined : pool.next()),
    });
  await load(() => false, options.warmupSeconds);
  const before = (await load(() => false, options.seconds)).latencies;
  using operator = new HttpClient(node.url, 1);
  renameSync(join(dataPath, 'made/partitions', name), join(dataPath, 'data/partitions', name));
  let tookMs: number | undefined;
  const startMs = performance.now();
  const attached = operate(operator, `/internal/partition/attach?name=${name}`).then(() => {
    tookMs = performance.now() - startMs;
  });
  const during = (await load(() => tookMs !== undefined, Infinity)).latencies;
  await attached;
  await node.child.stop();
  const [quiet, busy] = [before.summary(), during.summary()];
  return [
    { metric: 'spans in the log of the attached day', unit: 'spans', value: filled },
    { metric: 'attach', unit: 's', value: tookMs! / 1_000 },
    { metric: 'acknowledgements before', unit: 'requests', value: before.count },
    { metric: 'acknowledgement p50 before', unit: 'ms', value: quiet.p50Ms },
    { metric: 'acknowledgement p99 before', unit: 'ms', value: quiet.p99Ms },
    { metric: 'acknowledgements during the attach', unit: 'requests', value: during.count },
    { metric: 'acknowledgement p50 during the attach', unit: 'ms', value: busy.p50Ms },
    { metric: 'acknowledgement p99 during the attach', unit: 'ms', value: busy.p99Ms },
    { metric: 'p99 during the attach / before', unit: '×', value: busy.p99Ms / quiet.p99Ms },
  ];
}

/** Leaves the spans of an hour of yesterday, far from midnight, in the log of a store that was not closed. Returns how many. */
async function fillLog(path: string, options: BenchOptions): Promise<number> {
  mkdirSync(path, { recursive: true });
  const noonMs = Math.floor(Date.now() / dayMs) * dayMs - dayMs / 2;
  const { profile, seed, batch, spans = spansDefault } = options;
  const startNs = BigInt(noonMs) * 1_000_000n;
  const store = Storage.open({
    path,
    disk: nodeDisk,
    clock: systemClock,
    logger: createLogger({ write: (line) => void process.stderr.write(line) }),
    retentionMs: 7 * dayMs,
    futureRetentionMs: 2 * dayMs,
    freeDiskBytesMin: 0,
    diskBytesMax: 0,
    diskPercentMax: 0,
    flushIntervalMs: dayMs,
    snapshotsMaxAgeMs: 0,
    clockJumpGraceMs: 0,
    tenantsMax: 1,
    mergeRunner: { ...inlineMergeRunner(nodeDisk), run: () => new Promise(() => undefined) },
    takeLock,
  });
  let stored = 0;
  for (const frame of requests({ profile, spans, batch, seed, startNs, seconds: 3_600, instances: 3 }))
    stored += (await store.write(DEFAULT_TENANT, new Uint8Array(frame.body))).stored;
  const { logRows } = await store.stats();
  store.abandon();
  if (logRows !== stored) throw new Error(`${stored} spans were stored, ${logRows} are in the log`);
  return logRows;
}

function dayName(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10).replaceAll('-', '');
}

async function operate(client: HttpClient, path: string): Promise<void> {
  const { status, body } = await client.post(path, new Uint8Array(0));
  if (status !== 200) throw new Error(`POST ${path}: ${status} ${body.toString().slice(0, 300)}`);
}
