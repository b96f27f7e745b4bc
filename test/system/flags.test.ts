// Every flag as an operator meets it: given in the file, in the environment and on the command line, shown by the running node;
// a wrong value ends the start with a line that names the flag; and what npm or a signal makes of flags.
import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { flagTable } from '../../src/config.ts';
import { ask } from '../support/node-client.ts';
import { runProgram, startNode } from '../support/node-process.ts';
import { root } from '../support/source-tree.ts';
import { TemporaryFolder } from '../storage/open-store.ts';

/** Flags that a test of all together must give itself, or cannot give. */
const OWN: Readonly<Record<string, string>> = {
  storageDataPath: 'the node of a test has its own',
  httpListenAddr: 'as that',
  otlpHTTPListenAddr: 'as that',
  otlpGRPCListenAddr: 'as that',
  'grpc.listenAddr': 'as that',
  'retention.maxDiskUsagePercent': 'excludes -retention.maxDiskSpaceUsageBytes',
  'http.pathPrefix': 'moves the paths that the test asks',
  adminListenAddr: 'moves the page that shows the flags',
  flagsAuthKey: 'protects the page that shows the flags',
  config: 'names the file itself',
  'envflag.enable': 'is how the environment is asked for',
  'envflag.prefix': 'as that',
  loggerFormat: 'changes the line by which the test knows that the node is ready',
  loggerLevel: 'as that',
  version: 'ends the program',
  help: 'ends the program',
  'jaegerui.dir': 'names a folder that must be there',
  'jaegerui.config': 'as that',
  'tenants.config': 'names a file that must be there',
  'redaction.config': 'as that',
  'redaction.keyFile': 'as that',
};

/** Groups whose flags ask for files, logins or other nodes: access.test.ts, tls.test.ts and cluster.test.ts start nodes with them. */
const ELSEWHERE: readonly string[] = ['access', 'tls', 'cluster'];

interface Tried {
  readonly name: string;
  readonly value: string;
  readonly isSecret: boolean;
}

const tried: readonly Tried[] = flagTable
  .filter(({ name, group }) => OWN[name] === undefined && !ELSEWHERE.includes(group))
  .map(({ name, example, isSecret }) => ({ name, isSecret, value: /=(.*)/.exec(example)?.[1] ?? 'true' }));

function expectShown(page: string, flags: readonly Tried[]): void {
  const shown = new Set(page.split('\n'));
  const missing = flags.filter(
    ({ name, value, isSecret }) => !shown.has(`-${name}=${JSON.stringify(isSecret ? 'secret' : value)}`),
  );
  expect(missing).toEqual([]);
}

test('every flag is taken from the file, and shown', async () => {
  using folder = new TemporaryFolder();
  const file = join(folder.path, 'tracelith.yaml');
  writeFileSync(file, tried.map(({ name, value }) => `${name}: ${JSON.stringify(value)}\n`).join(''));
  await using node = await startNode({ flags: [`-config=${file}`] });
  expectShown((await ask(node, '/flags'))[2], tried);
});

test('every flag is taken from the environment, and the command line wins', async () => {
  const [first, ...rest] = tried;
  const variables = [first!, ...rest].map(({ name, value }) => `T_${name.replaceAll('.', '_')}=${value}`);
  const flags = ['-envflag.enable', '-envflag.prefix=T_', `-${first!.name}=77d`];
  await using node = await startNode({ through: ['env', ...variables], flags });
  const [, , page] = await ask(node, '/flags');
  expectShown(page, rest);
  expect(page).toContain(`-${first!.name}="77d"\n`);
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
