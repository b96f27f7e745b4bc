// What a login and TLS cost beside ingest: four nodes that get the same requests in turns, so that the machine's mood falls on all
// of them: without a login, with a bearer token, with a password, and with a bearer token over TLS. CPU includes flush.
import { execFileSync } from 'node:child_process';
import { readFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findFreePort } from '../harness/child.ts';
import { HttpClient, type HttpClientOptions } from '../harness/http-client.ts';
import { driveLoad } from '../harness/load.ts';
import { launcher, startNode, type NodeProcess } from '../harness/node-process.ts';
import type { BenchOptions } from '../harness/options.ts';
import { readUsage } from '../harness/process-usage.ts';
import { mergeRows, type Report } from '../harness/report.ts';
import { TrafficPool } from '../harness/traffic.ts';

const poolSpans = 200_000;
/** The seconds asked for are divided into so many turns of each node. */
const turns = 4;

interface Way {
  readonly name: string;
  readonly flags: readonly string[];
  /** Where spans are sent, if not to the node's first listener. */
  readonly url?: string;
  readonly client: HttpClientOptions;
}

interface Measured {
  readonly name: string;
  readonly node: NodeProcess;
  readonly client: HttpClient;
  spans: number;
  cpuMs: number;
}

export async function logins(options: BenchOptions, command: string): Promise<Report> {
  const path = mkdtempSync(join(options.dataPath ?? tmpdir(), 'tracelith-bench-logins-'));
  const pool = new TrafficPool(options, options.spans ?? poolSpans);
  const measured: Measured[] = [];
  try {
    for (const way of await waysIn(path)) {
      const node = await startNode({
        dataPath: join(path, way.name.replaceAll(' ', '-')),
        grpc: false,
        flags: [...way.flags, ...options.flags],
      });
      const client = new HttpClient(way.url ?? node.url, options.connections, way.client);
      measured.push({ name: way.name, node, client, spans: 0, cpuMs: 0 });
    }
    for (const one of measured) await send(one, pool, { ...options, seconds: options.warmupSeconds });
    for (const one of measured) [one.spans, one.cpuMs] = [0, -cpuOf(one)];
    for (let turn = 0; turn < turns; turn++)
      for (const one of measured) await send(one, pool, { ...options, seconds: options.seconds / turns });
    for (const one of measured) one.cpuMs += cpuOf(one);
  } finally {
    for (const { node, client } of measured) {
      client.close();
      await node.child.stop();
    }
    rmSync(path, { recursive: true, force: true });
  }
  const rows = measured.map(({ name, spans, cpuMs }) => {
    return { target: name, rows: [{ metric: 'CPU a span', unit: 'µs', value: (cpuMs * 1000) / spans }] };
  });
  return {
    scenario: 'logins',
    command,
    targets: measured.map(({ name }) => name),
    rows: mergeRows(rows),
    notes: [
      `profile ${options.profile}, seed ${options.seed}, requests of ${options.batch} spans, ${options.connections} connections, ${turns} turns of ${options.seconds / turns} s each; CPU includes what a node does between its turns`,
    ],
  };
}

async function send(one: Measured, pool: TrafficPool, { connections, rate, seconds }: BenchOptions): Promise<void> {
  const load = { client: one.client, path: '/v1/traces', connections, rate, seconds, next: () => pool.next() };
  one.spans += (await driveLoad(load)).spans;
}

function cpuOf({ node, name }: Measured): number {
  const usage = readUsage(node.child.pid);
  if (usage === undefined) throw new Error(`the node with ${name} cannot be read in /proc`);
  return usage.cpuMs;
}

/** Credentials as an operator makes them, and a certificate by openssl. */
async function waysIn(path: string): Promise<Way[]> {
  const token = madeBy('token');
  const user = madeBy('password');
  const file = join(path, 'auth.json');
  writeFileSync(file, JSON.stringify({ tokens: [token.entry], users: [user.entry] }));
  const [key, certificate] = [join(path, 'key.pem'), join(path, 'certificate.pem')];
  const made = `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1`;
  execFileSync('openssl', [...made.split(' '), '-keyout', key, '-out', certificate], { stdio: 'ignore' });
  const auth = `-auth.config=${file}`;
  const bearer = { authorization: `Bearer ${token.secret}` };
  const basic = { authorization: `Basic ${Buffer.from(`bench:${user.secret}`).toString('base64')}` };
  const secure = `127.0.0.1:${await findFreePort()}`;
  const tls = ['-otlpHTTP.tls', `-otlpHTTP.tlsCertFile=${certificate}`, `-otlpHTTP.tlsKeyFile=${key}`];
  return [
    { name: 'no login', flags: [], client: {} },
    { name: 'bearer token', flags: [auth], client: { headers: bearer } },
    { name: 'password', flags: [auth], client: { headers: basic } },
    {
      name: 'token over TLS',
      flags: [auth, `-otlpHTTPListenAddr=${secure}`, ...tls],
      url: `https://${secure}`,
      client: { headers: bearer, ca: readFileSync(certificate) },
    },
  ];
}

/** What `tracelith token bench` or `tracelith password bench` prints: the secret, and the entry with its hash. */
function madeBy(command: 'token' | 'password'): { readonly secret: string; readonly entry: unknown } {
  const lines = execFileSync(launcher, [command, 'bench', '-scopes=ingest'], { encoding: 'utf8' }).trim().split('\n');
  const [secret, entry] = [lines[1], lines.at(-1)];
  if (secret === undefined || entry === undefined) throw new Error(`tracelith ${command} printed no entry`);
  return { secret: secret.trim(), entry: JSON.parse(entry) as unknown };
}
