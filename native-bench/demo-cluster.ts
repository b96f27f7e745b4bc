// npm run demo:cluster: two insert, two select and three storage nodes behind HAProxy, on this machine. Traces are written and
// read without a pause while nodes are killed and started again, and every second a line says what was answered. At the end
// each acknowledged trace is asked for. It keeps running until Ctrl-C; with --once it exits. --seconds N: length of a step.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { table } from './demo-print.ts';
import { ClusterTraffic } from './demo-traffic.ts';
import { proxyAddresses, startCluster, type Cluster } from './harness/cluster.ts';
import { hasProxy, startProxy, type Proxy } from './harness/proxy.ts';

interface Step {
  readonly title: string;
  readonly act?: (cluster: Cluster) => Promise<void>;
}

const kill = (name: string) => async (cluster: Cluster) => await cluster.named(name).kill9();
const start = (name: string) => async (cluster: Cluster) => await cluster.named(name).start();

const STEPS: readonly Step[] = [
  { title: 'Everything is up.' },
  {
    title:
      'storage-2 is killed (kill -9): its share of the writes goes to the others, answers that need it are refused.',
    act: kill('storage-2'),
  },
  { title: 'storage-2 is started again: answers are whole.', act: start('storage-2') },
  { title: 'insert-1 is killed: the proxy writes through insert-2.', act: kill('insert-1') },
  { title: 'insert-1 is started again, and select-1 is killed: the proxy reads through select-2.', act: killSelect },
  { title: 'select-1 is started again.', act: start('select-1') },
];

async function killSelect(cluster: Cluster): Promise<void> {
  await cluster.named('insert-1').start();
  await cluster.named('select-1').kill9();
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { once: { type: 'boolean' }, seconds: { type: 'string', default: '8' } } });
  const seconds = Number(values.seconds);
  if (!(seconds >= 1 && seconds <= 3600)) throw new Error(`--seconds ${values.seconds}: expected 1 to 3600`);
  const interruption = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => interruption.abort());
  const directory = mkdtempSync(join(tmpdir(), 'tracelith-demo-cluster-'));
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
  await using cluster = await startCluster({ path: directory, inserts: 2, selects: 2, storages: 3 });
  await using proxy = await openProxy(cluster);
  const front = {
    writeUrl: proxy?.url ?? cluster.named('insert-1').url,
    readUrl: proxy?.url ?? cluster.named('select-1').url,
  };
  console.log(describe(cluster, proxy, directory));
  const traffic = new ClusterTraffic(front);
  for (const step of STEPS) await run(step, { cluster, traffic, seconds, interruption: interruption.signal });
  await traffic.stop();
  await summarize(cluster, traffic);
  if (values.once === true || interruption.signal.aborted) return;
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

function describe(cluster: Cluster, proxy: Proxy | undefined, directory: string): string {
  const rows = cluster.members.map(({ name, url, pid }) => [name, url, String(pid)]);
  const title = `A cluster runs on this machine, data in ${directory}:`;
  const front =
    proxy === undefined
      ? ''
      : `\n\nHAProxy in front (deploy/haproxy/cluster.cfg): ${proxy.url} for OTLP and Jaeger over HTTP, ${proxy.grpcAddress} for OTLP and ${proxy.jaegerAddress} for Jaeger over gRPC.`;
  return `${title}\n${table(['node', 'HTTP', 'process'], rows, [2])}${front}`;
}

interface Run {
  readonly cluster: Cluster;
  readonly traffic: ClusterTraffic;
  readonly seconds: number;
  readonly interruption: AbortSignal;
}

/** Acts, then prints what is answered, every second. */
async function run({ title, act }: Step, { cluster, traffic, seconds, interruption }: Run): Promise<void> {
  if (interruption.aborted) return;
  console.log(`\n${title}`);
  traffic.takeTally();
  await act?.(cluster);
  for (let second = 0; second < seconds && !interruption.aborted; second++) {
    await delay(1_000);
    const down = cluster.members.filter((member) => !member.isRunning).map(({ name }) => name);
    console.log(`  ${traffic.takeTally()}${down.length === 0 ? '' : `   down: ${down.join(', ')}`}`);
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
  return Number(/^tracelith_rows_stored_total (\d+)/m.exec(text)?.[1] ?? 0);
}

async function waitFor(signal: AbortSignal): Promise<void> {
  // A pending promise alone does not keep Node alive.
  const alive = setInterval(() => {}, 60_000);
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
  clearInterval(alive);
}

main().catch((error: unknown) => {
  console.error(`demo: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
});
