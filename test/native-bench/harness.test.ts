// The measuring instruments themselves: bodies never repeat, every body is accounted for, figures are what they say.
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { Server } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { glossary, STEPS } from '../../native-bench/brief.ts';
import { Child } from '../../native-bench/harness/child.ts';
import { HttpClient } from '../../native-bench/harness/http-client.ts';
import { Latencies, quantile } from '../../native-bench/harness/latencies.ts';
import { driveLoad } from '../../native-bench/harness/load.ts';
import { parseBenchOptions } from '../../native-bench/harness/options.ts';
import { readUsage } from '../../native-bench/harness/process-usage.ts';
import { driveQueries } from '../../native-bench/harness/queries.ts';
import { formatReport, mergeRows } from '../../native-bench/harness/report.ts';
import { bytesByKind } from '../../native-bench/harness/target.ts';
import { TrafficPool } from '../../native-bench/harness/traffic.ts';
import { counterOf } from '../../native-bench/scenarios/merge.ts';
import { readyLine } from '../../native-bench/scenarios/recovery.ts';
import { slopePerSecond } from '../../native-bench/scenarios/sustain.ts';
import type { Frame } from '../../native-bench/workload/frames.ts';
import { decodeRequest, spansOf } from '../support/otlp-proto.ts';
import { root } from '../support/source-tree.ts';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.close();
    server.closeAllConnections();
  }
});

/** A server that answers each GET with its own path, and holds back what lies under /hold. */
async function serveEcho(): Promise<{ url: string; paths: string[] }> {
  const paths: string[] = [];
  const server = createServer((request, reply) => {
    const path = request.url ?? '';
    paths.push(path);
    if (!path.startsWith('/hold')) reply.end(path);
  }).listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, paths };
}

async function serve(statusOf: (i: number) => number): Promise<{ url: string; bodies: Buffer[] }> {
  const bodies: Buffer[] = [];
  const server = createServer((request, reply) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      bodies.push(Buffer.concat(chunks));
      reply.writeHead(statusOf(bodies.length - 1), { 'retry-after': '0' }).end('because');
    });
  }).listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, bodies };
}

function framesOf(count: number): () => Frame | undefined {
  let made = 0;
  return () => (made < count ? { body: new Uint8Array([made++]), spans: 10 } : undefined);
}

test('the short run asks for what the command line knows, and explains the words of its tables', () => {
  for (const { scenario, options } of STEPS) {
    expect(parseBenchOptions([scenario, ...options]).options).toMatchObject({ spans: 100_000, save: false });
    expect(existsSync(join(root, 'native-bench', 'scenarios', `${scenario}.ts`))).toBe(true);
  }
  for (const word of ['floor', 'ack p50', 'CPU all in', 'RSS', 'blocks opened']) expect(glossary()).toContain(word);
});

test('every body is sent once and its spans are counted when acknowledged', async () => {
  const { url, bodies } = await serve(() => 200);
  using client = new HttpClient(url, 3);
  const load = await driveLoad({
    client,
    path: '/v1/traces',
    connections: 3,
    seconds: Infinity,
    rate: 0,
    next: framesOf(50),
  });
  expect([load.requests, load.spans, load.bytes, load.refusals, load.latencies.count]).toEqual([50, 500, 50, 0, 50]);
  expect(bodies.map((body) => body[0] ?? -1).sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => i));
});

test('who asks is told of every acknowledged body', async () => {
  const { url } = await serve(() => 200);
  using client = new HttpClient(url, 2);
  const told: number[] = [];
  const onAck = (ms: number, { spans }: Frame): void => void told.push(ms >= 0 ? spans : NaN);
  await driveLoad({ client, path: '/', connections: 2, seconds: Infinity, rate: 0, next: framesOf(3), onAck });
  expect(told).toEqual([10, 10, 10]);
});

test('growth is the slope of the line through the samples', () => {
  const rising = [0, 1, 2, 3].map((second) => ({ second, residentBytes: 500 + 7 * second + (second % 2) }));
  expect(slopePerSecond(rising)).toBeCloseTo(7.2);
  expect(slopePerSecond(rising.map(({ second }) => ({ second, residentBytes: 9 })))).toBe(0);
});

test('a refused body is sent again and counted once', async () => {
  const { url, bodies } = await serve((i) => (i < 2 ? 503 : 200));
  using client = new HttpClient(url, 1);
  const load = await driveLoad({ client, path: '/', connections: 1, seconds: Infinity, rate: 0, next: framesOf(2) });
  expect([load.requests, load.spans, load.refusals]).toEqual([2, 20, 2]);
  expect(bodies.map((body) => body[0])).toEqual([0, 0, 0, 1]);
});

test('any other status ends the run with what the server said', async () => {
  const { url } = await serve(() => 400);
  using client = new HttpClient(url, 1);
  const load = driveLoad({ client, path: '/x', connections: 1, seconds: Infinity, rate: 0, next: framesOf(1) });
  await expect(load).rejects.toThrow('POST /x: status 400: because');
});

test('each query is sent once, over all connections, and its own answer is given to the check', async () => {
  const { url, paths } = await serveEcho();
  const checked: number[] = [];
  const latencies = await driveQueries({
    url,
    connections: 3,
    seconds: 0.3,
    path: (i) => `/q/${i}`,
    check: ({ status, body }, i) => {
      expect([status, body]).toEqual([200, `/q/${i}`]);
      checked.push(i);
    },
  });
  expect(new Set(paths).size).toBe(paths.length);
  expect(new Set(checked).size).toBe(checked.length);
  expect(checked.length).toBeGreaterThan(10);
  expect(latencies.count).toBeLessThanOrEqual(paths.length);
  expect(latencies.count).toBeGreaterThan(checked.length / 3);
});

test('what a check throws ends the run', async () => {
  const { url } = await serveEcho();
  const check = (_reply: unknown, i: number): void => {
    if (i === 5) throw new Error('the sixth answer is wrong');
  };
  const run = driveQueries({ url, connections: 1, seconds: 30, path: (i) => `/${i}`, check });
  await expect(run).rejects.toThrow('the sixth answer is wrong');
});

test('a query that hangs until the end counts with its age', async () => {
  const { url } = await serveEcho();
  const path = (i: number): string => (i === 20 ? '/hold' : `/${i}`);
  const latencies = await driveQueries({ url, connections: 1, seconds: 0.5, path, check: () => {} });
  expect(latencies.summary().maxMs).toBeGreaterThan(200);
});

test('queries to nobody fail with the address', async () => {
  const { url } = await serveEcho();
  servers.splice(0).forEach((server) => server.close());
  const run = driveQueries({ url, connections: 1, seconds: 30, path: () => '/', check: () => {} });
  await expect(run).rejects.toThrow(/ECONNREFUSED/);
});

test('the start line and the counters are read by name', () => {
  const line =
    '2026-11-20T23:57:03Z INFO  tracelith is ready version=0.1.0 partRows=12 logFiles=1 logRows=34 recoveredInMs=56';
  expect(readyLine(`other line\n${line}\n`)).toEqual({ partRows: 12, logRows: 34, recoveredInMs: 56 });
  expect(() => readyLine('it never came up')).toThrow('no partRows in the start line: it never came up');
  const text = '# TYPE a counter\na{x="1"} 3\na{x="2"} 4\nb 5\nab 9';
  expect([counterOf(text, 'a'), counterOf(text, 'b'), counterOf(text, 'c')]).toEqual([7, 5, undefined]);
});

test('a pool that goes round gives every span a fresh identity and keeps the rest', () => {
  const pool = new TrafficPool({ profile: 'shop', frames: undefined, seed: 5, batch: 100, overSeconds: 300 }, 300);
  const rounds = [0, 1, 2].map(() =>
    pool.frames.flatMap(() => {
      const frame = pool.next();
      expect(spansOf(decodeRequest(frame.body))).toHaveLength(frame.spans);
      return spansOf(decodeRequest(frame.body));
    }),
  );
  const ids = rounds.flat().map((span) => Buffer.from(span.spanId ?? []).toString('hex'));
  expect(new Set(ids).size).toBe(ids.length);
  const names = rounds.map((spans) => spans.map((span) => span.name));
  expect(names[1]).toEqual(names[0]);
  expect(names[2]).toEqual(names[0]);
});

test.each([
  [[5], 0.99, 5],
  [[1, 2, 3, 4], 0.5, 2],
  [[1, 2, 3, 4], 1, 4],
  [Array.from({ length: 100 }, (_, i) => i + 1), 0.99, 99],
])('quantile of %j at %d is %d', (values, q, expected) => {
  expect(quantile(Float64Array.from(values), q)).toBe(expected);
});

test('nothing measured shows as missing, not as zero', () => {
  const { p50Ms } = new Latencies().summary();
  const rows = mergeRows([{ target: 'a', rows: [{ metric: 'p50', unit: 'ms', value: p50Ms }] }]);
  const machine = { cpu: 'cpu', cores: 2, memoryGiB: 1, kernel: '6', node: 'v24' };
  const text = formatReport({ scenario: 's', command: 'c', targets: ['a'], rows, notes: [] }, machine);
  expect(text).toContain('p50     ms    –');
});

test('rows of several targets are joined by metric, the floor of the first kept', () => {
  const rows = mergeRows([
    { target: 'a', rows: [{ metric: 'm', unit: 'ms', value: 1, floor: 2 }] },
    { target: 'b', rows: [{ metric: 'm', unit: 'ms', value: 3 }] },
  ]);
  expect(rows).toEqual([{ metric: 'm', unit: 'ms', floor: 2, values: { a: 1, b: 3 } }]);
});

test('files of all days and parts are summed by kind', () => {
  const directory = mkdtempSync(join(tmpdir(), 'tracelith-kinds-'));
  try {
    for (const part of ['00000001', '0000000a']) {
      mkdirSync(join(directory, 'partitions/20261120/parts', part), { recursive: true });
      writeFileSync(join(directory, 'partitions/20261120/parts', part, 'data'), Buffer.alloc(4096));
    }
    mkdirSync(join(directory, 'partitions/20261120/log'));
    writeFileSync(join(directory, 'partitions/20261120/log/00000007.log'), Buffer.alloc(4096));
    const kinds = bytesByKind(directory);
    expect([...kinds.keys()].sort()).toEqual(['partitions/*/log/*.log', 'partitions/*/parts/*/data']);
    expect(kinds.get('partitions/*/parts/*/data')).toBe(8192);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('usage of a process is read with all its threads; one that is gone has none', async () => {
  const child = await Child.start(process.execPath, [
    '-e',
    'process.on("SIGTERM", () => process.exit(7)); setInterval(() => {}, 1000); console.log("up")',
  ]);
  await expect.poll(() => child.output).toContain('up');
  const usage = readUsage(child.pid);
  expect(usage?.residentPeakBytes).toBeGreaterThanOrEqual(usage?.residentBytes ?? Infinity);
  expect(usage?.residentBytes).toBeGreaterThan(10e6);
  expect(await child.stop()).toBe(7);
  expect(readUsage(child.pid)).toBeUndefined();
});

test.each([
  [['ingest', '--seconds', 'x'], '--seconds x is not a number of at least 1'],
  [
    ['ingest', '--profile', 'strange'],
    '--profile strange does not exist; there are shop, chaotic, long, late, llm, odd',
  ],
  [['ingest', '--peer', 'vt'], '--peer vt is not name=url'],
])('bad options %j are refused by name', (argv, message) => {
  expect(() => parseBenchOptions(argv)).toThrow(message);
});
