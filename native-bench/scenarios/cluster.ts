// A cluster beside a single node that gets the same requests: CPU a span of each role, calls between roles a request, and queries, at
// growing numbers of storage nodes. One insert and one select node, all on this machine: ratios count, not times.
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { startCluster, type Cluster } from '../harness/cluster.ts';
import { fill, type Filled } from '../harness/fill.ts';
import type { BenchOptions } from '../harness/options.ts';
import { readUsage } from '../harness/process-usage.ts';
import { driveQueries, jaegerData } from '../harness/queries.ts';
import { mergeRows, type Figure, type Report } from '../harness/report.ts';
import { Rng } from '../workload/rng.ts';

const spansDefault = 200_000;
/** Sent to each storage node before anything is measured: each process compiles the same code, which is no cost of a span. */
export const warmUpSpans = 150_000;
const single = 'one node';

/** What is measured: where to send, where to ask, and the processes behind both. */
export interface Subject {
  readonly writeUrl: string;
  readonly readUrl: string;
  readonly processes: readonly { readonly role: string; readonly pid: number; readonly url: string }[];
}

export async function cluster(options: BenchOptions, command: string): Promise<Report> {
  const measured = [await measureIn(options, 0)];
  for (const storages of options.storages) measured.push(await measureIn(options, storages));
  return {
    scenario: 'cluster',
    command,
    targets: measured.map(({ target }) => target),
    rows: mergeRows(measured),
    notes: [
      `profile ${options.profile}, seed ${options.seed}, requests of ${options.batch} spans, ${options.connections} connections, ${options.seconds} s per line of queries; CPU includes flush and merge, after ${warmUpSpans} spans a storage node that are not measured`,
      `load average of the machine at the end: ${loadavg()[0]?.toFixed(1)} on ${availableParallelism()} cores, which all processes share`,
    ],
  };
}

/** With no storages: a single node. */
async function measureIn(options: BenchOptions, storages: number): Promise<{ target: string; rows: Figure[] }> {
  const path = mkdtempSync(join(options.dataPath ?? tmpdir(), 'tracelith-bench-cluster-'));
  const roles = storages === 0 ? 0 : 1;
  const members = { path, inserts: roles, selects: roles, storages: Math.max(1, storages) };
  const flags = { insert: options.flags, select: options.flags, storage: options.flags };
  try {
    await using started = await startCluster({ ...members, flags });
    const target = storages === 0 ? single : `${storages} storage`;
    return { target, rows: await measure(subjectOf(started), options) };
  } finally {
    rmSync(path, { recursive: true, force: true });
  }
}

/** Where to send and ask. Throws when nobody takes spans or questions. */
export function subjectOf(started: Cluster): Subject {
  const [storage] = started.of('storage');
  const insert = started.of('insert')[0] ?? storage;
  const select = started.of('select')[0] ?? storage;
  if (insert === undefined || select === undefined) throw new Error('a cluster without nodes');
  const processes = started.members.map(({ role, pid, url }) => ({ role, pid, url }));
  return { writeUrl: insert.url, readUrl: select.url, processes };
}

async function measure(subject: Subject, options: BenchOptions): Promise<Figure[]> {
  const target = { url: subject.writeUrl, insertPath: '/v1/traces' };
  const nodes = subject.processes.filter(({ role }) => role === 'storage').length;
  await fill(target, { ...options, spans: nodes * warmUpSpans, seed: options.seed + 1, store: undefined });
  const before = cpuByRole(subject);
  const callsBefore = await callsOf(subject);
  const spans = options.spans ?? spansDefault;
  const filled = await fill(target, { ...options, spans, store: undefined });
  for (const { role, url } of subject.processes) if (role === 'storage') await forceMerge(url);
  const after = cpuByRole(subject);
  const requests = filled.spans / options.batch;
  const rows: Figure[] = [...after].map(([role, cpuMs]) => ({
    metric: `${role}: CPU a span`,
    unit: 'µs',
    value: ((cpuMs - (before.get(role) ?? 0)) * 1000) / filled.spans,
  }));
  const calls = await callsOf(subject);
  if (calls !== undefined)
    rows.push({ metric: 'calls with spans a request', unit: '', value: (calls - (callsBefore ?? 0)) / requests });
  rows.push(...(await askQuestions(subject, filled, options)));
  return [...rows, { metric: 'spans stored', unit: 'spans', value: filled.spans }];
}

/** How long each kind of question takes. */
export async function askQuestions(subject: Subject, filled: Filled, options: BenchOptions): Promise<Figure[]> {
  const rows: Figure[] = [];
  for (const [what, paths] of Object.entries(await questions(subject, filled, options.seed))) {
    const { p50Ms, p99Ms } = (await ask(subject.readUrl, paths, options)).summary();
    rows.push(
      { metric: `${what}: p50`, unit: 'ms', value: p50Ms },
      { metric: `${what}: p99`, unit: 'ms', value: p99Ms },
    );
  }
  return rows;
}

/** CPU milliseconds of all processes of each role since their start. Throws where /proc is not there. */
export function cpuByRole({ processes }: Subject): Map<string, number> {
  const sums = new Map<string, number>();
  for (const { role, pid } of processes) {
    const usage = readUsage(pid);
    if (usage === undefined) throw new Error(`process ${pid} cannot be read in /proc`);
    sums.set(role, (sums.get(role) ?? 0) + usage.cpuMs);
  }
  return sums;
}

/** Resolves when everything of the node is in as few parts as can be. */
export async function forceMerge(url: string): Promise<void> {
  const { status } = await fetch(`${url}/internal/force_merge`, { method: 'POST' });
  if (status !== 200) throw new Error(`POST ${url}/internal/force_merge: ${status}`);
}

/** Calls with spans that insert nodes have made; undefined of a single node. */
async function callsOf({ processes }: Subject): Promise<number | undefined> {
  const inserts = processes.filter(({ role }) => role === 'insert');
  if (inserts.length === 0) return undefined;
  const texts = await Promise.all(inserts.map(async ({ url }) => (await fetch(`${url}/metrics`)).text()));
  const counts = texts.flatMap((text) => [...text.matchAll(/^tracelith_cluster_calls_total\{.*\} (\d+)/gm)]);
  return counts.reduce((sum, [, count]) => sum + Number(count), 0);
}

/** Paths of each kind of question, asked in turn. */
async function questions({ readUrl }: Subject, { traceIds }: Filled, seed: number): Promise<Record<string, string[]>> {
  const rng = new Rng(seed + 1);
  const services = await (await fetch(`${readUrl}/api/services`)).json();
  const { data } = services as { data: string[] };
  return {
    'search by service': data.map((service) => `/api/traces?service=${encodeURIComponent(service)}&limit=20`),
    'known trace id': traceIds.slice(0, 1_000).map((id) => `/api/traces/${id}`),
    'unknown trace id': Array.from({ length: 1_000 }, () => `/api/traces/${rng.hex(32)}`),
  };
}

async function ask(url: string, paths: readonly string[], { connections, seconds }: BenchOptions) {
  const path = (i: number): string => paths[i % paths.length] ?? '';
  return await driveQueries({
    url,
    connections,
    seconds,
    path,
    check: (reply, i) => {
      // An unknown id is 404. Parsing every answer would take the CPU the servers need.
      if (reply.status !== 404 && (reply.status !== 200 || i % 16 === 0)) jaegerData(reply, path(i));
    },
  });
}
