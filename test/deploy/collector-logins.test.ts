// A real Collector logs in to a node in each of the ways that operations/access.md names, over HTTP and gRPC: what it sends arrives,
// and what it sends with a wrong credential does not. OTELCOL names the Collector.
import { createHash } from 'node:crypto';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { Child, findFreePort } from '../../native-bench/harness/child.ts';
import { hashPassword } from '../../src/base/password-hash.ts';
import { TemporaryFolder } from '../storage/open-store.ts';
import { hexOf } from '../support/day-traces.ts';
import { hasOpenssl, MadeCertificates } from '../support/made-certificates.ts';
import { startNode, type TestNode } from '../support/node-process.ts';
import { oneSpan } from '../support/one-span.ts';
import { encodeRequest } from '../support/otlp-proto.ts';
import { TokenIssuer } from '../support/token-issuer.ts';

const collector = process.env['OTELCOL'] ?? '';
const has = (extension: string): boolean =>
  collector !== '' &&
  spawnSync(collector, ['components'], { encoding: 'utf8' }).stdout.includes(`name: ${extension}\n`);

const PASSWORD = 'correct horse';
const TOKEN = 'tlt_collector';
/** Reads what the Collector has sent; the Collector's own logins may only ingest. */
const READER = `Basic ${Buffer.from(`reader:${PASSWORD}`).toString('base64')}`;

async function guardedNode(folder: TemporaryFolder, issuer: TokenIssuer, made: MadeCertificates): Promise<TestNode> {
  const path = join(folder.path, 'auth.json');
  const password = hashPassword(PASSWORD);
  const tenants = ['0:0'];
  const config = {
    users: [
      { name: 'collector', password, scopes: ['ingest'], tenants },
      { name: 'reader', password, scopes: ['query'], tenants },
    ],
    tokens: [
      { name: 'collector', sha256: createHash('sha256').update(TOKEN).digest('hex'), scopes: ['ingest'], tenants },
    ],
    issuers: [{ issuer: issuer.url, audience: 'tracelith', jwks: issuer.jwks }],
  };
  writeFileSync(path, JSON.stringify(config));
  const { certFile, keyFile } = made.make('IP:127.0.0.1');
  const tls = ['-otlpGRPC.tls', `-otlpGRPC.tlsCertFile=${certFile}`, `-otlpGRPC.tlsKeyFile=${keyFile}`];
  return await startNode({ flags: [`-auth.config=${path}`, ...tls] });
}

interface Login {
  /** The extension's name and settings. */
  readonly extension?: Readonly<Record<string, object>>;
  /** Or what each exporter sends. */
  readonly headers?: Readonly<Record<string, string>>;
}

interface Sent {
  readonly login: Login;
  readonly first: number;
  /** The authority of the node's certificate: gRPC gives credentials away over TLS alone. */
  readonly caFile: string;
}

/** A Collector that takes OTLP/HTTP on `port` and sends it to the node over both protocols, logged in by `login`. */
function configOf(node: TestNode, port: number, { login: { extension = {}, headers = {} }, caFile }: Sent): object {
  const [name] = Object.keys(extension);
  const auth = name === undefined ? {} : { auth: { authenticator: name } };
  const shared = { ...auth, headers };
  const exporters = {
    otlp_http: {
      ...shared,
      traces_endpoint: `${node.url}/insert/opentelemetry/v1/traces`,
      sending_queue: { enabled: false },
    },
    otlp: { ...shared, endpoint: node.grpcAddress, tls: { ca_file: caFile }, sending_queue: { enabled: false } },
  };
  const receivers = Object.fromEntries(
    Object.keys(exporters).map((protocol, i) => [
      `otlp/${protocol}`,
      { protocols: { http: { endpoint: `127.0.0.1:${port + i}` } } },
    ]),
  );
  const pipelines = Object.fromEntries(
    Object.keys(exporters).map((protocol) => [
      `traces/${protocol}`,
      { receivers: [`otlp/${protocol}`], exporters: [protocol] },
    ]),
  );
  const telemetry = { metrics: { level: 'none' } };
  return {
    extensions: extension,
    receivers,
    exporters,
    service: { extensions: Object.keys(extension), pipelines, telemetry },
  };
}

/** Sends as soon as the Collector listens. */
async function sendPatiently(port: number, trace: number): Promise<number> {
  for (let tried = 0; tried < 300; tried++) {
    const status = await send(port, trace).catch(() => undefined);
    if (status !== undefined) return status;
    await delay(100);
  }
  throw new Error(`nobody listens on ${port}`);
}

async function send(port: number, trace: number): Promise<number> {
  const body = Buffer.from(encodeRequest(oneSpan(trace)));
  const headers = { 'content-type': 'application/x-protobuf' };
  const reply = await fetch(`http://127.0.0.1:${port}/v1/traces`, { method: 'POST', headers, body });
  await reply.arrayBuffer();
  return reply.status;
}

/** Statuses of two spans that the Collector is given, one for each protocol to the node. */
async function through(folder: TemporaryFolder, node: TestNode, sent: Sent): Promise<number[]> {
  const port = await findFreePort();
  const file = join(folder.path, `collector-${sent.first}.json`);
  writeFileSync(file, JSON.stringify(configOf(node, port, sent)));
  const child = await Child.start(collector, [`--config=${file}`]);
  try {
    return [await sendPatiently(port, sent.first), await sendPatiently(port + 1, sent.first + 1)];
  } catch (error) {
    throw new Error(child.output, { cause: error });
  } finally {
    await child.kill();
  }
}

const isThere = async (node: TestNode, trace: number): Promise<boolean> =>
  (await fetch(`${node.url}/api/traces/${hexOf(trace)}`, { headers: { authorization: READER } })).status === 200;

describe.skipIf(collector === '' || !hasOpenssl)('a real Collector logs in', () => {
  const client = (issuer: TokenIssuer, path: string): object => ({
    client_id: 'collector',
    client_secret: 'secret',
    token_url: `${issuer.url}${path}`,
    scopes: ['ingest'],
  });
  const by = (name: string, settings: object): Login => ({ extension: { [name]: settings } });
  const basic = (password: string): string => `Basic ${Buffer.from(`collector:${password}`).toString('base64')}`;
  const user = (password: string) => ({ client_auth: { username: 'collector', password } });
  const ways: readonly [name: string, right: (issuer: TokenIssuer) => Login, wrong: (issuer: TokenIssuer) => Login][] =
    [
      [
        'headers',
        () => ({ headers: { authorization: basic(PASSWORD) } }),
        () => ({ headers: { authorization: basic('wrong') } }),
      ],
      ['basicauth', () => by('basicauth', user(PASSWORD)), () => by('basicauth', user('wrong'))],
      [
        'bearertokenauth',
        () => by('bearertokenauth', { token: TOKEN }),
        () => by('bearertokenauth', { token: 'tlt_wrong' }),
      ],
      [
        'oauth2client',
        (issuer) => by('oauth2client', client(issuer, '/token')),
        (issuer) => by('oauth2client', client(issuer, '/none')),
      ],
    ];
  const extensions = ['basicauth', 'bearertokenauth', 'oauth2client'];

  test.each(ways.filter(([name]) => !extensions.includes(name) || has(name)))(
    'by %s, over HTTP and gRPC',
    async (_way, right, wrong) => {
      using folder = new TemporaryFolder();
      await using issuer = await TokenIssuer.open();
      using made = new MadeCertificates();
      const { caFile } = made;
      await using node = await guardedNode(folder, issuer, made);
      expect(await through(folder, node, { login: right(issuer), first: 1, caFile })).toEqual([200, 200]);
      expect([await isThere(node, 1), await isThere(node, 2)]).toEqual([true, true]);
      const refused = await through(folder, node, { login: wrong(issuer), first: 3, caFile });
      expect(refused.every((status) => status >= 400)).toBe(true);
      expect([await isThere(node, 3), await isThere(node, 4)]).toEqual([false, false]);
    },
    120_000,
  );
});
