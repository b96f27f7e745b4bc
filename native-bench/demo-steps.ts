// What the demos of clusters have in common: a cluster behind HAProxy on this machine, traffic without a pause, and steps that
// kill nodes and start them again; every second a line says what was answered. At the end each acknowledged trace is asked for.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { table } from './demo-print.ts';
import { ClusterTraffic } from './demo-traffic.ts';
import { proxyAddresses, type Cluster } from './harness/cluster.ts';
import { hasProxy, startProxy, type Proxy } from './harness/proxy.ts';

export interface Step {
  readonly title: string;
  readonly act?: () => Promise<unknown>;
}

/** A program of the demo. */
export interface Actor {
  readonly name: string;
  readonly url: string;
  readonly pid: number;
  readonly isRunning: boolean;
}

export interface Demo extends AsyncDisposable {
  readonly cluster: Cluster;
  /** Beside the nodes of the cluster. */
  readonly servers?: readonly Actor[];
  readonly steps: readonly Step[];
  /** Further words of a line. */
  readonly figures?: () => Promise<string>;
}

interface DemoOptions {
  /** Seconds that each step takes, as it was typed. */
  readonly seconds: string;
  /** Ends after the last step. */
  readonly once: boolean;
  /** Starts everything, with data below `path`. */
  readonly open: (path: string) => Promise<Demo>;
}

/** Runs the demo; it keeps running until Ctrl-C. Prints why it failed, and sets the exit code. */
export async function runDemo(options: DemoOptions): Promise<void> {
  try {
    await showDemo(options);
  } catch (error) {
    console.error(`demo: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  }
}

async function showDemo({ seconds: typed, once, open }: DemoOptions): Promise<void> {
  const seconds = Number(typed);
  if (!(seconds >= 1 && seconds <= 3600)) throw new Error(`--seconds ${typed}: expected 1 to 3600`);
  const interruption = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => interruption.abort());
  // Each program that is started has one, for the exit of this process.
  process.setMaxListeners(0);
  const directory = mkdtempSync(join(tmpdir(), 'tracelith-demo-cluster-'));
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
  await using demo = await open(directory);
  const { cluster, steps } = demo;
  await using proxy = await openProxy(cluster);
  const front = {
    writeUrl: proxy?.url ?? cluster.named('insert-1').url,
    readUrl: proxy?.url ?? cluster.named('select-1').url,
  };
  console.log(describe(demo, proxy, directory));
  const traffic = new ClusterTraffic(front);
  for (const step of steps) await run(step, { demo, traffic, seconds, interruption: interruption.signal });
  await traffic.stop();
  await summarize(cluster, traffic);
  if (once || interruption.signal.aborted) return;
  console.log('\nThe cluster keeps running. Ctrl-C stops it and removes its data.');
  await waitFor(interruption.signal);
}

/** Without HAProxy everything goes to the first insert and the first select node. */
async function openProxy(cluster: Cluster): Promise<Proxy | undefined> {
  if (!hasProxy('haproxy')) {
    console.log(
      'HAProxy is not installed (Debian: apt-get install haproxy), so this demo talks to insert-1 and select-1 directly:\nwhile one of them is away, nothing is answered. With HAProxy the other one takes over.\n',
    );
    return undefined;
  }
  return await startProxy('haproxy', 'cluster', proxyAddresses(cluster));
}

const actorsOf = ({ cluster, servers = [] }: Demo): Actor[] => [...cluster.members, ...servers];

function describe(demo: Demo, proxy: Proxy | undefined, directory: string): string {
  const rows = actorsOf(demo).map(({ name, url, pid }) => [name, url, String(pid)]);
  const title = `A cluster runs on this machine, data in ${directory}:`;
  const front =
    proxy === undefined
      ? ''
      : `\n\nHAProxy in front (deploy/haproxy/cluster.cfg): ${proxy.url} for OTLP and Jaeger over HTTP, ${proxy.grpcAddress} for OTLP and ${proxy.jaegerAddress} for Jaeger over gRPC.`;
  return `${title}\n${table(['node', 'HTTP', 'process'], rows, [2])}${front}`;
}

interface Run {
  readonly demo: Demo;
  readonly traffic: ClusterTraffic;
  readonly seconds: number;
  readonly interruption: AbortSignal;
}

/** Acts, then prints what is answered, every second. */
async function run({ title, act }: Step, { demo, traffic, seconds, interruption }: Run): Promise<void> {
  if (interruption.aborted) return;
  console.log(`\n${title}`);
  traffic.takeTally();
  await act?.();
  for (let second = 0; second < seconds && !interruption.aborted; second++) {
    await delay(1_000);
    const down = actorsOf(demo).flatMap(({ name, isRunning }) => (isRunning ? [] : [name]));
    const words = [
      traffic.takeTally(),
      await demo.figures?.(),
      down.length > 0 ? `down: ${down.join(', ')}` : undefined,
    ];
    console.log(`  ${words.filter((word) => word !== undefined).join('   ')}`);
  }
  const refusal = traffic.takeRefusal();
  if (refusal !== undefined) console.log(`  a refused answer says: ${refusal}`);
}

async function summarize(cluster: Cluster, traffic: ClusterTraffic): Promise<void> {
  const { acknowledged, missing } = await traffic.verify();
  const rows = await Promise.all(
    cluster.of('storage').map(async ({ name, url }) => [name, String(await spansOn(url))]),
  );
  console.log(`\nWhere the spans are:\n${table(['node', 'spans'], rows, [1])}`);
  console.log(`\n${acknowledged} traces were acknowledged, ${acknowledged - missing} of them are answered whole.`);
  if (missing > 0) throw new Error(`${missing} acknowledged traces are not answered whole`);
}

async function spansOn(url: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const onDisk = [...text.matchAll(/^vt_storage_rows\{.*\} (\d+)/gm)];
  return onDisk.reduce((sum, [, spans]) => sum + Number(spans), 0);
}

async function waitFor(signal: AbortSignal): Promise<void> {
  // A pending promise alone does not keep Node alive.
  const alive = setInterval(() => {}, 60_000);
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
  clearInterval(alive);
}
