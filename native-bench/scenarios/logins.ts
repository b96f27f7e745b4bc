// What a login and TLS cost beside ingest. Two processes of one program differ by far more than a login costs, so one process gets the
// same requests in short turns: as they are, with the header of a login, and over TLS. A round of turns gives one ratio for each way; the
// median of the rounds comes with its interval. A process cannot ask for logins and do without them, so the check itself, of a login
// that was verified before, is measured alone, in this process. CPU includes flush, and no handshakes: connections stay open.
import { execFileSync } from 'node:child_process';
import { readFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openAccess } from '../../src/api/access/open-access.ts';
import { createLogger } from '../../src/base/logger.ts';
import { parseConfig } from '../../src/config.ts';
import { findFreePort } from '../harness/child.ts';
import { HttpClient } from '../harness/http-client.ts';
import { driveLoad } from '../harness/load.ts';
import { medianOf } from '../harness/median.ts';
import { launcher, startNode, type NodeProcess } from '../harness/node-process.ts';
import type { BenchOptions } from '../harness/options.ts';
import { readUsage } from '../harness/process-usage.ts';
import { mergeRows, type Figure, type Report } from '../harness/report.ts';
import { TrafficPool } from '../harness/traffic.ts';

const poolSpans = 200_000;
/** Turns of each way; the seconds asked for are divided into them. */
const rounds = 40;
const checksMeasured = 500_000;
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
    const checks = await checkUs(path, secrets, ways);
    return {
      scenario: 'logins',
      command,
      targets: ways.map(({ name }) => name),
      rows: mergeRows(
        ways.map(({ name, us }) => {
          return {
            target: name,
            rows: [...figuresOf(us, plain), ...checkFigures(checks.get(name), plain, options.batch)],
          };
        }),
      ),
      notes: [
        `profile ${options.profile}, seed ${options.seed}, requests of ${options.batch} spans, ${options.connections} connections; ${rounds} rounds, turns of ${options.seconds / rounds} s; CPU includes what the node does between its turns`,
        'more than no login: the median over the rounds, each against the turn without a login of the same round; 95 % of such intervals hold the true median',
        'a login costs its header (what the requests that have it need more) and its check',
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

function checkFigures(us: number | undefined, plain: readonly number[], batch: number): Figure[] {
  if (us === undefined) return [];
  return [
    { metric: 'check of the login alone', unit: 'µs/request', value: us },
    { metric: 'share of it in a request', unit: '%', value: (us / (medianOf(plain).median * batch)) * 100 },
  ];
}

/** What the check of a login takes that was verified before, µs by way, of ways with a login. */
async function checkUs(path: string, { token, user }: Secrets, ways: readonly Way[]): Promise<Map<string, number>> {
  const file = join(path, 'auth.json');
  writeFileSync(file, JSON.stringify({ tokens: [token.entry], users: [user.entry] }));
  const config = parseConfig([`-auth.config=${file}`], {});
  const logger = createLogger({ write: () => undefined });
  using opened = openAccess({ config, logger, countFailure: () => undefined });
  const found = new Map<string, number>();
  for (const { name, authorization } of ways) {
    if (authorization === undefined) continue;
    const caller = { authorization, address: '127.0.0.1', certificateNames: undefined };
    await opened.access.logIn(caller);
    const before = process.cpuUsage();
    for (let i = 0; i < checksMeasured; i++) void opened.access.logIn(caller);
    const used = process.cpuUsage(before);
    found.set(name, (used.user + used.system) / checksMeasured);
  }
  return found;
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
