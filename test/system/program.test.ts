// The program as its operator meets it: flags, exit codes, signals, one process per data directory, what the start line says.
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { exportTrace, readLedger, sendTo } from '../support/node-client.ts';
import { runProgram, startNode, type TestNode } from '../support/node-process.ts';
import { oneSpan } from '../support/one-span.ts';
import { TemporaryFolder } from '../storage/open-store.ts';

const freePorts = ['-httpListenAddr', '-otlpGRPCListenAddr', '-grpc.listenAddr', '-otlpHTTPListenAddr'].map(
  (flag) => `${flag}=127.0.0.1:0`,
);

describe('flags', () => {
  test.each([
    [
      '-retentionPeriods=7d',
      'tracelith: unknown flag -retentionPeriods; did you mean -retentionPeriod? -help lists every flag\n',
    ],
    [
      '--storageDatapath=x',
      'tracelith: unknown flag -storageDatapath; did you mean -storageDataPath? -help lists every flag\n',
    ],
    ['-zzzzzzzzzzzzzzzz', 'tracelith: unknown flag -zzzzzzzzzzzzzzzz; -help lists every flag\n'],
    ['serve', 'tracelith: unexpected argument "serve"; a flag is written -name=value, -help lists every flag\n'],
  ])('%s is exit code 2 and a line that helps', async (flag, line) => {
    expect(await runProgram([flag])).toEqual({ exitCode: 2, output: line });
  });

  test.each([
    '-retentionPeriod=7x',
    '-retentionPeriod=',
    '-httpListenAddr=nonsense',
    '-httpListenAddr=127.0.0.1:70000',
    '-loggerLevel=LOUD',
    '-mergeWorkers=0',
  ])('%s is exit code 2 and one line that names the flag', async (flag) => {
    const { exitCode, output } = await runProgram([flag]);
    expect(exitCode).toBe(2);
    expect(output).toMatch(new RegExp(`^tracelith: flag ${flag.split('=')[0]}\\b.*\\n$`));
  });

  test.each([
    [['help'], /^Tracelith stores .*\n {2}-retentionPeriod .*Tools: verify/s],
    [['-h'], /^Tracelith stores /],
    [['version'], /^tracelith \d+\.\d+\.\d+\n$/],
    [['help', 'verify'], /^tracelith verify <dir>\n/],
    [['completion', 'bash'], /complete -F _tracelith tracelith\n$/],
  ])('%j is understood', async (args, expected) => {
    const { exitCode, output } = await runProgram(args);
    expect([exitCode, output]).toEqual([0, expect.stringMatching(expected)]);
  });

  test('-version and -help print and exit 0', async () => {
    expect(await runProgram(['-version'])).toEqual({
      exitCode: 0,
      output: expect.stringMatching(/^tracelith \d+\.\d+\.\d+\n$/) as string,
    });
    const help = await runProgram(['--help']);
    expect(help.exitCode).toBe(0);
    expect(help.output).toContain('-retentionPeriod');
  });

  test('two dashes are as good as one, and the metrics show what is set', async () => {
    await using node = await startNode({ flags: ['--retentionPeriod=30d', '-search.maxTraces', '7'] });
    const flags = await (await fetch(`${node.url}/flags`)).text();
    expect(flags).toContain('-retentionPeriod="30d"\n');
    expect(flags).toContain('-search.maxTraces="7"\n');
  });
});

describe('what stands in the way of a start is said in one line', () => {
  test('another process on the data directory', async () => {
    await using node = await startNode();
    await sendTo(node, oneSpan(1));
    const { exitCode, output } = await runProgram([`-storageDataPath=${node.dataPath}`, ...freePorts]);
    expect(exitCode).toBe(1);
    expect(output).toMatch(/^tracelith: .*\n$/);
    expect(output).toContain(node.dataPath);
    expect(output).toContain(String(node.pid));
    // The first one goes on.
    await sendTo(node, oneSpan(2));
    expect(await exportTrace(node, '2')).toBeDefined();
  });

  test('a port that is taken', async () => {
    await using node = await startNode();
    using folder = new TemporaryFolder();
    const data = `-storageDataPath=${folder.path}`;
    const http = new URL(node.url).host;
    for (const [taken, ...flags] of [
      [http, `-httpListenAddr=${http}`, freePorts[1]!],
      [node.grpcAddress, freePorts[0]!, `-otlpGRPCListenAddr=${node.grpcAddress}`],
      [new URL(node.otlpUrl).host, ...freePorts.slice(0, 3), `-otlpHTTPListenAddr=${new URL(node.otlpUrl).host}`],
    ] as const) {
      const { exitCode, output } = await runProgram([data, ...flags]);
      expect(exitCode).toBe(2);
      expect(output).toMatch(/^tracelith: .*\bcannot listen: .*\n$/);
      expect(output).toContain(taken);
    }
  });

  test('a data path that is a file', async () => {
    using folder = new TemporaryFolder();
    const path = join(folder.path, 'file');
    writeFileSync(path, 'mine');
    const { exitCode, output } = await runProgram([`-storageDataPath=${path}`, ...freePorts]);
    expect(exitCode).toBe(1);
    expect(output).toBe(
      `tracelith: -storageDataPath=${path}: it is a file; name a folder; it is created if it is absent\n`,
    );
  });
});

test('the start says where to look and where to send, in URLs that answer', async () => {
  await using node = await startNode({ flags: ['-http.pathPrefix=/p'] });
  const [, page, http, grpc] = / open (\S+) to see .* send OTLP traces to (\S+) \(HTTP\) or (\S+) \(gRPC\)\n/.exec(
    node.log(),
  )!;
  expect([page, http, grpc]).toEqual([`${node.url}/p/`, node.otlpUrl, `http://${node.grpcAddress}`]);
  const headers = { 'content-type': 'application/json' };
  expect((await fetch(`${http}/v1/traces`, { method: 'POST', headers, body: '{}' })).status).toBe(200);
});

describe('signals', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)(
    '%s flushes, closes and exits 0; the next start has nothing to recover',
    async (signal) => {
      await using node = await startNode();
      for (let trace = 1; trace <= 5; trace++) await sendTo(node, oneSpan(trace));
      expect(await node.stop(signal)).toBe(0);
      expect(node.log()).toMatch(
        new RegExp(`closing signal=${signal}\\n.* closed: everything acknowledged is on disk\\n$`),
      );
      await node.start();
      expect(node.log().trimEnd().split('\n').at(-1)).toMatch(
        / tracelith is ready version=\S+ data=\S+ http=\S+ otlpGrpc=\S+ grpc=\S+ otlpHttp=\S+ partitions=1 parts=\d+ partRows=5 .*logRows=0 .*damaged=0 /,
      );
      for (let trace = 1; trace <= 5; trace++) expect(await exportTrace(node, String(trace))).toBeDefined();
    },
  );

  test('kill -9 leaves a log that the next start reads back, and says so', async () => {
    await using node = await startNode();
    for (let trace = 1; trace <= 5; trace++) await sendTo(node, oneSpan(trace));
    await node.restart('SIGKILL');
    expect(node.log().trimEnd().split('\n').at(-1)).toMatch(/ partRows=0 .*logRows=5 /);
    expect(await readLedger(node)).toMatchObject({
      'vt_storage_rows{type="storage/log"}': 5,
      'vt_storage_rows{type="storage/part"}': 0,
    });
  });

  test(
    'SIGTERM under load: every request is answered or refused, and what was acknowledged is there',
    { timeout: 60_000 },
    async () => {
      await using node = await startNode();
      const acknowledged: number[] = [];
      let next = 0;
      const send = async (): Promise<void> => {
        for (;;) {
          const trace = ++next;
          await sendTo(node, oneSpan(trace));
          acknowledged.push(trace);
        }
      };
      const senders = Array.from({ length: 8 }, () => send().catch((error: unknown) => String(error)));
      await expect.poll(() => acknowledged.length, { timeout: 10_000 }).toBeGreaterThan(100);
      expect(await node.stop('SIGTERM')).toBe(0);
      for (const refusal of await Promise.all(senders)) expect(refusal).toMatch(/503|fetch failed/);
      await node.start();
      await expectThere(node, acknowledged);
    },
  );

  async function expectThere(node: TestNode, traces: readonly number[]): Promise<void> {
    for (const trace of traces) expect(await exportTrace(node, trace.toString(16)), `trace ${trace}`).toBeDefined();
  }
});

test('the data directory holds what the design says', async () => {
  await using node = await startNode();
  await sendTo(node, oneSpan(1));
  await fetch(`${node.url}/internal/force_flush`, { method: 'POST' });
  expect(readdirSync(node.dataPath)).toEqual(expect.arrayContaining(['flock.lock', 'partitions']));
  const [day] = readdirSync(join(node.dataPath, 'partitions'));
  expect(day).toMatch(/^\d{8}$/);
  expect(readdirSync(join(node.dataPath, 'partitions', day!))).toEqual(
    expect.arrayContaining(['index', 'log', 'parts']),
  );
});
