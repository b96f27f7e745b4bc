// What a login and TLS cost beside ingest. Two processes of one program differ by far more than a login costs, so one process gets the
// same requests in short turns: as they are, with the header of a login, and over TLS. A round of turns gives one ratio for each way; the
// median of the rounds comes with its interval. A process cannot ask for logins and do without them, and the difference is
// far below its noise; so the guard of the listeners is measured without a store behind it, too. CPU includes flush, and no handshakes: connections stay open.
import { execFileSync } from 'node:child_process';
import { readFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fastify, type FastifyInstance } from 'fastify';
import { OPEN_ACCESS, type LogIns } from '../../src/api/access/access.ts';
import { guardRoutes, tenantOf } from '../../src/api/access/guard-routes.ts';
import { openAccess } from '../../src/api/access/open-access.ts';
import { createLogger } from '../../src/base/logger.ts';
import { parseConfig } from '../../src/config.ts';
import { findFreePort } from '../harness/child.ts';
import { HttpClient } from '../harness/http-client.ts';
import { driveLoad } from '../harness/load.ts';
import { medianOf, type Median } from '../harness/median.ts';
import { launcher, startNode, type NodeProcess } from '../harness/node-process.ts';
import type { BenchOptions } from '../harness/options.ts';
import { readUsage } from '../harness/process-usage.ts';
import { mergeRows, type Figure, type Report } from '../harness/report.ts';
import { TrafficPool } from '../harness/traffic.ts';

const poolSpans = 200_000;
/** Turns of each way; the seconds asked for are divided into them. */
const rounds = 40;
/** Pairs of turns at the guard, and the requests of a turn. */
const guardRounds = 100;
const guardRequests = 200;
const BODY = Buffer.from('{}');
const PLAIN = 'no login';

interface Way {
  readonly name: string;
  readonly client: HttpClient;
  /** CPU a span of each round, µs. */
  readonly us: number[];
  /** The header of its login. */
  readonly authorization?: string;
}

export async function logins(options: BenchOptions, command: string): Promise<Report> {
  const path = mkdtempSync(join(options.dataPath ?? tmpdir(), 'tracelith-bench-logins-'));
  const pool = new TrafficPool(options, options.spans ?? poolSpans);
  try {
    const secrets = { token: madeBy('token'), user: madeBy('password') };
    const ways = await measure(path, secrets, pool, options);
    const plain = ways[0]!.us;
    const guard = await guardUs(path, secrets, ways);
    return {
      scenario: 'logins',
      command,
      targets: ways.map(({ name }) => name),
      rows: mergeRows(
        ways.map(({ name, us }) => {
          return {
            target: name,
            rows: [...figuresOf(us, plain), ...guardFigures(guard.get(name), plain, options.batch)],
          };
        }),
      ),
      notes: [
        `profile ${options.profile}, seed ${options.seed}, requests of ${options.batch} spans, ${options.connections} connections; ${rounds} rounds, turns of ${options.seconds / rounds} s; CPU includes what the node does between its turns`,
        'more than no login: the median over the rounds, each against the turn without a login of the same round; 95 % of such intervals hold the true median',
        `login, guard alone: a server in this process that has the guard and no store, with logins and without in turn, ${guardRounds} pairs of ${guardRequests} requests, client included; the header and the check of a login that was verified before`,
      ],
    };
  } finally {
    rmSync(path, { recursive: true, force: true });
  }
}

interface Secret {
  readonly secret: string;
  readonly entry: unknown;
}

interface Secrets {
  readonly token: Secret;
  readonly user: Secret;
}

async function measure(path: string, secrets: Secrets, pool: TrafficPool, options: BenchOptions): Promise<Way[]> {
  const { certFile, keyFile } = makeCertificate(path);
  const secure = `127.0.0.1:${await findFreePort()}`;
  const tls = [
    `-otlpHTTPListenAddr=${secure}`,
    '-otlpHTTP.tls',
    `-otlpHTTP.tlsCertFile=${certFile}`,
    `-otlpHTTP.tlsKeyFile=${keyFile}`,
  ];
  const node = await startNode({ dataPath: join(path, 'data'), grpc: false, flags: [...tls, ...options.flags] });
  const { connections } = options;
  const withHeader = (name: string, authorization: string): Way => {
    return {
      name,
      client: new HttpClient(node.url, connections, { headers: { authorization } }),
      us: [],
      authorization,
    };
  };
  const ways: Way[] = [
    { name: PLAIN, client: new HttpClient(node.url, connections), us: [] },
    withHeader('bearer token', `Bearer ${secrets.token.secret}`),
    withHeader('password', `Basic ${Buffer.from(`bench:${secrets.user.secret}`).toString('base64')}`),
    { name: 'TLS', client: new HttpClient(`https://${secure}`, connections, { ca: readFileSync(certFile) }), us: [] },
  ];
  try {
    for (const { client } of ways) await send(client, pool, options, options.warmupSeconds);
    for (let round = 0; round < rounds; round++)
      // Whoever comes behind a flush is not always the same.
      for (let i = 0; i < ways.length; i++) await turn(ways[(i + round) % ways.length]!, node, pool, options);
  } finally {
    for (const { client } of ways) client.close();
    await node.child.stop();
  }
  return ways;
}

async function turn({ client, us }: Way, node: NodeProcess, pool: TrafficPool, options: BenchOptions): Promise<void> {
  const before = cpuOf(node);
  const spans = await send(client, pool, options, options.seconds / rounds);
  us.push(((cpuOf(node) - before) * 1_000) / spans);
}

async function send(client: HttpClient, pool: TrafficPool, options: BenchOptions, seconds: number): Promise<number> {
  const { connections, rate } = options;
  return (await driveLoad({ client, path: '/v1/traces', connections, rate, seconds, next: () => pool.next() })).spans;
}

function cpuOf({ child }: NodeProcess): number {
  const usage = readUsage(child.pid);
  if (usage === undefined) throw new Error('the node cannot be read in /proc');
  return usage.cpuMs;
}

function figuresOf(us: readonly number[], plain: readonly number[]): Figure[] {
  const { median, from, to } = medianOf(us.map((own, round) => (own / plain[round]! - 1) * 100));
  const metric = 'more than no login';
  return [
    { metric: 'CPU a span', unit: 'µs', value: medianOf(us).median },
    { metric, unit: '%', value: median },
    { metric: `${metric}, from`, unit: '%', value: from },
    { metric: `${metric}, to`, unit: '%', value: to },
  ];
}

function guardFigures(more: Median | undefined, plain: readonly number[], batch: number): Figure[] {
  if (more === undefined) return [];
  const metric = 'login, guard alone';
  const share = (us: number): number => (us / (medianOf(plain).median * batch)) * 100;
  return [
    { metric, unit: 'µs/request', value: more.median },
    { metric: `${metric}, from`, unit: 'µs/request', value: more.from },
    { metric: `${metric}, to`, unit: 'µs/request', value: more.to },
    { metric: 'the latter beside ingest', unit: '%', value: share(more.to) },
  ];
}

/** µs of CPU that a request with a login takes more, at the guard of every route and in this process, by way; of ways with a login. */
async function guardUs(path: string, { token, user }: Secrets, ways: readonly Way[]): Promise<Map<string, Median>> {
  const file = join(path, 'auth.json');
  writeFileSync(file, JSON.stringify({ tokens: [token.entry], users: [user.entry] }));
  const config = parseConfig([`-auth.config=${file}`], {});
  const logger = createLogger({ write: () => undefined });
  using opened = openAccess({ config, logger, countFailure: () => undefined });
  const apps = [guardedApp(OPEN_ACCESS), guardedApp(opened.access)] as const;
  const [open, guarded] = await Promise.all(apps.map((app) => app.listen({ port: 0, host: '127.0.0.1' })));
  const found = new Map<string, Median>();
  for (const { name, authorization } of ways) {
    if (authorization === undefined) continue;
    using without = new HttpClient(open!, 1);
    using withLogin = new HttpClient(guarded!, 1, { headers: { authorization } });
    await usOf(without);
    await usOf(withLogin);
    const more: number[] = [];
    for (let round = 0; round < guardRounds; round++) {
      // Whoever comes second has the caches of the first.
      const isSwapped = round % 2 === 1;
      const first = await usOf(isSwapped ? withLogin : without);
      const second = await usOf(isSwapped ? without : withLogin);
      more.push(isSwapped ? first - second : second - first);
    }
    found.set(name, medianOf(more));
  }
  await Promise.all(apps.map((app) => app.close()));
  return found;
}

/** The guard of the HTTP listeners in front of a route that takes what it gets. */
function guardedApp(access: LogIns): FastifyInstance {
  const app = fastify();
  guardRoutes(app, { access, keys: parseConfig([], {}), needOf: () => ({ scope: 'ingest' }) });
  app.post('/', (request, reply) => reply.send(tenantOf(request)));
  return app;
}

async function usOf(client: HttpClient): Promise<number> {
  const before = process.cpuUsage();
  for (let i = 0; i < guardRequests; i++) {
    const { status } = await client.post('/', BODY, 'application/json');
    if (status !== 200) throw new Error(`the guard answers ${status}`);
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / guardRequests;
}

function makeCertificate(path: string): { readonly certFile: string; readonly keyFile: string } {
  const [keyFile, certFile] = [join(path, 'key.pem'), join(path, 'certificate.pem')];
  const made = `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1`;
  execFileSync('openssl', [...made.split(' '), '-keyout', keyFile, '-out', certFile], { stdio: 'ignore' });
  return { certFile, keyFile };
}

/** What `tracelith token bench` or `tracelith password bench` prints: the secret, and the entry with its hash. */
function madeBy(command: 'token' | 'password'): Secret {
  const lines = execFileSync(launcher, [command, 'bench', '-scopes=ingest'], { encoding: 'utf8' }).trim().split('\n');
  const [secret, entry] = [lines[1], lines.at(-1)];
  if (secret === undefined || entry === undefined) throw new Error(`tracelith ${command} printed no entry`);
  return { secret: secret.trim(), entry: JSON.parse(entry) as unknown };
}
