// Every flag as an operator meets it: given in the file, in the environment and on the command line, shown by the running node;
// a wrong value ends the start with a line that names the flag; and what npm or a signal makes of flags.
import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { afterAll, describe, expect, test } from 'vitest';
import { findFreePort } from '../../native-bench/harness/child.ts';
import type { FlagRow } from '../../src/base/flag-row.ts';
import { hashSecret } from '../../src/base/password-hash.ts';
import { flagTable } from '../../src/config.ts';
import { hasOpenssl, MadeCertificates } from '../support/made-certificates.ts';
import { MadeUi } from '../support/made-ui.ts';
import { ask } from '../support/node-client.ts';
import { runProgram, startNode, type TestNode } from '../support/node-process.ts';
import { RoleProcess } from '../support/role-process.ts';
import { root } from '../support/source-tree.ts';
import { TemporaryFolder } from '../storage/open-store.ts';

/** Flags that none of the tests of all together can give. */
const OWN: Readonly<Record<string, string>> = {
  storageDataPath: 'the node of a test has its own',
  httpListenAddr: 'as that',
  otlpHTTPListenAddr: 'as that',
  otlpGRPCListenAddr: 'as that',
  'grpc.listenAddr': 'as that',
  adminListenAddr: 'moves the page that shows the flags',
  config: 'names the file itself',
  'envflag.enable': 'is how the environment is asked for',
  'envflag.prefix': 'as that',
  loggerLevel: 'hides the line by which the test knows that the node is ready',
  version: 'ends the program',
  help: 'ends the program',
};

/** Beside all of access and TLS, those that ask for files, or change how the test has to ask. */
const GUARDED: readonly string[] = [
  'retention.maxDiskUsagePercent', // excludes -retention.maxDiskSpaceUsageBytes
  'http.pathPrefix',
  'flagsAuthKey',
  'loggerFormat',
  'jaegerui.dir',
  'jaegerui.config',
  'tenants.config',
  'redaction.config',
  'redaction.keyFile',
];

interface Tried {
  readonly name: string;
  readonly value: string;
  readonly isSecret: boolean;
}

/** The flags that `isMeant` selects with the values of their examples, or those of `made`. */
function triedOf(isMeant: (row: FlagRow) => boolean, made: Readonly<Record<string, string>> = {}): Tried[] {
  return flagTable
    .filter((row) => OWN[row.name] === undefined && isMeant(row))
    .map(({ name, example, isSecret }) => ({
      name,
      isSecret,
      value: made[name] ?? /=(.*)/.exec(example)?.[1] ?? 'true',
    }));
}

const isGuarded = ({ name, group }: FlagRow): boolean => ['access', 'tls'].includes(group) || GUARDED.includes(name);
const isOfRole = ({ group }: FlagRow): boolean => group === 'cluster';
const tried: readonly Tried[] = triedOf((row) => !isGuarded(row) && !isOfRole(row));

function expectShown(page: string, flags: readonly Tried[]): void {
  const shown = new Set(page.split('\n'));
  const missing = flags.filter(
    ({ name, value, isSecret }) => !shown.has(`-${name}=${JSON.stringify(isSecret ? 'secret' : value)}`),
  );
  expect(missing).toEqual([]);
}

/** Arguments that take `flags` from a file in `folder`, or from the environment. */
function given(flags: readonly Tried[], folder: string, source: Source): { flags: string[]; through: string[] } {
  if (source === 'the environment') {
    const variables = flags.map(({ name, value }) => `T_${name.replaceAll('.', '_')}=${value}`);
    return { through: ['env', ...variables], flags: ['-envflag.enable', '-envflag.prefix=T_'] };
  }
  const file = join(folder, 'tracelith.yaml');
  writeFileSync(file, flags.map(({ name, value }) => `${name}: ${JSON.stringify(value)}\n`).join(''));
  return { through: [], flags: [`-config=${file}`] };
}

type Source = 'the file' | 'the environment';
const SOURCES: readonly Source[] = ['the file', 'the environment'];

test.each(SOURCES)('every flag is taken from %s, and shown, and the command line wins', async (source) => {
  using folder = new TemporaryFolder();
  const { flags, through } = given(tried, folder.path, source);
  const [first, ...rest] = tried;
  await using node = await startNode({ through, flags: [...flags, `-${first!.name}=77d`] });
  expectShown((await ask(node, '/flags'))[2], [{ ...first!, value: '77d' }, ...rest]);
});

describe.skipIf(!hasOpenssl)('flags of access, TLS and roles (openssl makes the certificates)', () => {
  const files = new TemporaryFolder();
  const ui = new MadeUi();
  const authority = new MadeCertificates();
  const server = authority.make('DNS:localhost,DNS:tracelith-storage');
  const client = authority.make('DNS:ann.example');
  afterAll(() => {
    for (const each of [files, ui, authority]) each[Symbol.dispose]();
  });

  const exampleOf = (name: string): string => triedOf((row) => row.name === name)[0]!.value;
  function made(name: string, content: string): string {
    const path = join(files.path, name);
    writeFileSync(path, content);
    return path;
  }

  function guardedFlags(): Tried[] {
    const sha256 = hashSecret(exampleOf('storageNode.bearerToken')).toString('hex');
    const token = { name: 'select', sha256, scopes: ['ingest', 'query', 'admin'], tenants: ['*'] };
    const certificates = ['', 'otlpHTTP.', 'otlpGRPC.', 'grpc.', 'storage.'].flatMap((prefix) => [
      [`${prefix}tlsCertFile`, server.certFile],
      [`${prefix}tlsKeyFile`, server.keyFile],
      [`${prefix}mtlsCAFile`, authority.caFile],
    ]);
    return triedOf(isGuarded, {
      ...(Object.fromEntries(certificates) as Record<string, string>),
      'auth.config': made('auth.json', JSON.stringify({ tokens: [token] })),
      'tenants.config': made('tenants.json', '{}'),
      'redaction.config': made('redaction.json', '{"rules":[]}'),
      'redaction.keyFile': made('redaction.key', '0123456789abcdef'),
      'jaegerui.dir': ui.dir,
      'jaegerui.config': made('ui.json', '{}'),
    });
  }

  /** Its page of flags, asked with a certificate, a password and a key. */
  function askGuarded({ httpPort: port }: TestNode): Promise<string> {
    const { cert, key } = client;
    const auth = `${exampleOf('httpAuth.username')}:${exampleOf('httpAuth.password')}`;
    const path = `${exampleOf('http.pathPrefix')}/flags?authKey=${exampleOf('flagsAuthKey')}`;
    const options = { host: '127.0.0.1', servername: 'localhost', port, path, auth, ca: authority.ca, cert, key };
    return new Promise((resolve, reject) => {
      const asked = request(options, (answer) => {
        text(answer).then(resolve, reject);
      });
      asked.on('error', reject).end();
    });
  }

  test.each(SOURCES)(
    'are taken from %s, shown, and together make a guarded node and one in front of it',
    async (source) => {
      const guarded = guardedFlags();
      const address = `127.0.0.1:${await findFreePort()}`;
      const { through, flags } = given(guarded, files.path, source);
      await using store = await startNode({
        through,
        flags: [...flags, `-storage.listenAddr=${address}`],
        isTls: true,
      });
      expectShown(await askGuarded(store), guarded);

      const role = triedOf(isOfRole, {
        'storage.listenAddr': '127.0.0.1:0',
        storageNode: address,
        'storageNode.tlsCAFile': authority.caFile,
        'storageNode.tlsCertFile': client.certFile,
        'storageNode.tlsKeyFile': client.keyFile,
      });
      const own = given(role, files.path, source);
      await using front = await RoleProcess.withFlags(own.flags, own.through);
      await front.start();
      expectShown(await (await fetch(`${front.url}/flags`)).text(), role);
      const metrics = async (): Promise<string> => await (await fetch(`${front.url}/metrics`)).text();
      await expect.poll(metrics, { timeout: 30_000 }).toMatch(/^vt_insert_remote_is_reachable\{[^}]*\} 1$/m);
    },
  );
});

test('every flag with a form refuses what is not in it, with one line that names it', async () => {
  const strict = flagTable.filter(({ unit }) => !['text', 'path'].includes(unit));
  const refused = await Promise.all(
    // A few at a time: each is a process.
    Array.from({ length: 4 }, async (_, lane) => {
      const wrong: string[] = [];
      for (const { name, isSecret } of strict.filter((_row, i) => i % 4 === lane)) {
        const { exitCode, output } = await runProgram([`-${name}=\u0001 no such value`]);
        const isTold = new RegExp(
          `^tracelith: flag -${name.replaceAll('.', '\\.')}: expected .*${isSecret ? '' : ', got .*'}\\n$`,
        ).test(output);
        if (exitCode !== 2 || !isTold) wrong.push(`${name}: ${exitCode} ${output}`);
      }
      return wrong;
    }),
  );
  expect(refused.flat()).toEqual([]);
}, 240_000);

describe('what the first page of a manual would say', () => {
  test('idle connections, compression and keep-alive', async () => {
    await using node = await startNode({ flags: ['-http.disableResponseCompression', '-http.disableKeepAlive'] });
    const { headers } = await fetch(`${node.url}/metrics`, { headers: { 'accept-encoding': 'gzip' } });
    expect([headers.get('content-encoding'), headers.get('connection')]).toEqual([null, 'close']);
    await using other = await startNode({ flags: ['-http.idleConnTimeout=7s'] });
    expect((await fetch(`${other.url}/health`)).headers.get('keep-alive')).toBe('timeout=7');
  });

  test('spans older than -maxBackfillAge are rejected by name', async () => {
    await using node = await startNode({ flags: ['-maxBackfillAge=1h'] });
    const startNs = String((BigInt(Date.now()) - 2n * 3_600_000n) * 1_000_000n);
    const span = {
      traceId: '1'.repeat(32),
      spanId: '2'.repeat(16),
      name: 'old',
      startTimeUnixNano: startNs,
      endTimeUnixNano: startNs,
    };
    const body = JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] });
    const headers = { 'content-type': 'application/json' };
    const reply = await fetch(`${node.otlpUrl}/v1/traces`, { method: 'POST', headers, body });
    expect(await reply.json()).toMatchObject({ partialSuccess: { rejectedSpans: '1' } });
  });

  test('-jaegerui.dir that is no build is exit code 2 and says what is expected', async () => {
    using folder = new TemporaryFolder();
    const data = `-storageDataPath=${join(folder.path, 'data')}`;
    for (const dir of ['/nonexist', folder.path]) {
      const { exitCode, output } = await runProgram([data, `-jaegerui.dir=${dir}`, '-httpListenAddr=127.0.0.1:0']);
      expect([exitCode, output]).toEqual([
        2,
        `tracelith: -jaegerui.dir=${dir}: expected the folder into which assets.tar.gz of a jaeger-ui release was unpacked: ${dir}/index.html does not exist\n`,
      ]);
    }
  });
});

test('SIGHUP takes over what it can, names what needs a restart, and survives a wrong file', async () => {
  using folder = new TemporaryFolder();
  mkdirSync(join(folder.path, 'etc'));
  const file = join(folder.path, 'etc', 'tracelith.yaml');
  writeFileSync(file, 'search.logSlowQueryDuration: 1h\n');
  await using node = await startNode({ flags: [`-config=${file}`] });
  const reload = async (text: string, told: RegExp): Promise<void> => {
    writeFileSync(file, text);
    process.kill(node.pid, 'SIGHUP');
    await expect.poll(() => node.log(), { timeout: 20_000 }).toMatch(told);
  };
  await reload(
    'search.logSlowQueryDuration: 1ms\nqueryWorkers: 2\n',
    /flags were read again taken=\S*search\.logSlowQueryDuration/,
  );
  expect(node.log()).toMatch(/flags have changed that need a restart flags=\S*queryWorkers/);
  const logAfterQuery = async (): Promise<string> => {
    await ask(node, '/api/traces/1');
    return node.log();
  };
  await expect.poll(logAfterQuery, { timeout: 20_000 }).toContain('a slow query');
  await reload(
    'search.logSlowQueryDuration: soon\n',
    /read again and refused.* line 1: search\.logSlowQueryDuration: expected/,
  );
  expect((await ask(node, '/health'))[0]).toBe(200);
});

test('flags that npm takes for its own are told, before anything starts', async () => {
  // -search.maxTraces is not passed on by sh, and is seen only where there is a /proc.
  const dotted = process.platform === 'linux' ? ['-search.maxTraces=5', '-purge.enable'] : [];
  for (const flag of ['-retentionPeriod=30d', '--retentionPeriod=30d', ...dotted]) {
    const name = flag.replace(/^--?|=.*/g, '');
    const ended = promisify(execFile)('npm', ['start', flag], { cwd: root, timeout: 60_000 });
    await expect(ended).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringContaining(
        `npm took -${name} for a setting of its own; write -- before the flags: npm start -- -${name}=…\n`,
      ) as string,
    });
  }
});
