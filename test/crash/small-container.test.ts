// A node in a container of 1 GB: whatever is sent to it or asked of it, the kernel does not kill it, a good client is served after each
// kind of it, and what a spike took is given back.
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { readUsage } from '../../native-bench/harness/process-usage.ts';
import { makeSpan, requestOf } from '../conformance/data-sets.ts';
import { gzipOfZeros } from '../support/gzip-zeros.ts';
import { canLimitMemory, MemoryCgroup } from '../support/memory-cgroup.ts';
import { exportTrace, force, sendTo } from '../support/node-client.ts';
import { startNode, type TestNode } from '../support/node-process.ts';
import { oneSpan } from '../support/one-span.ts';
import { encodeRequest } from '../support/otlp-proto.ts';
import { attribute } from '../support/rich-trace.ts';

const CONTAINER_BYTES = 10 ** 9;
const AT_ONCE = 8;
const PROTOBUF = { 'content-type': 'application/x-protobuf' };
const GZIP = { ...PROTOBUF, 'content-encoding': 'gzip' };
/** How long clients hold what they sent of a body that never ends. */
const HOLD_MS = 3_000;

/** Statuses of answers; 0: the node closed the connection. */
type Statuses = number[];

/** Sends all at once. Each is answered, or its connection closed, as the node likes. */
async function post(node: TestNode, bodies: readonly Uint8Array[], headers: Record<string, string>): Promise<Statuses> {
  return await Promise.all(
    bodies.map((body) => statusOf(`${node.url}/v1/traces`, { method: 'POST', headers, body: Buffer.from(body) })),
  );
}

async function ask(node: TestNode, paths: readonly string[]): Promise<Statuses> {
  return await Promise.all(paths.map((path) => statusOf(node.url + path)));
}

async function statusOf(url: string, request?: RequestInit): Promise<number> {
  try {
    const response = await fetch(url, request);
    await response.arrayBuffer();
    return response.status;
  } catch {
    // Closed by the node before its answer was read.
    return 0;
  }
}

/** Each answer is one of these, or its connection was closed; and at least one is `must`: the act was what it says. */
function expectAmong(statuses: Statuses, must: number, ...others: number[]): void {
  expect(new Set([...statuses, 0, must, ...others])).toEqual(new Set([0, must, ...others]));
  expect(statuses).toContain(must);
}

const NORMAL_ROUND = 1_000;

/** Names and texts that no other round has. */
function distinctSpans(round: number, count: number, chars: number): Uint8Array {
  const spans = Array.from({ length: count }, (_, i) =>
    makeSpan(1_000_000 + round, i + 1, {
      name: `${round}.${i} `.padEnd(chars, 'n'),
      attributes: [attribute(`key ${round}.${i}`, `${round}.${i} `.padEnd(chars, 'v'))],
    }),
  );
  return encodeRequest(requestOf(`service ${round}`, spans));
}

/** `largeBytes`: nearly the most that a request may have with so little memory. */
const ACTS: Readonly<Record<string, (node: TestNode, largeBytes: number) => Promise<void>>> = {
  'bombs of gzip': async (node) => {
    const bomb = await gzipOfZeros(2_000);
    for (let round = 0; round < 3; round++)
      expectAmong(await post(node, Array<Uint8Array>(AT_ONCE).fill(bomb), GZIP), 413, 429, 503);
  },
  'millions of empty resources': async (node, largeBytes) => {
    const body = gzipSync(Buffer.alloc(largeBytes, Buffer.from([0x0a, 0x00])));
    // Each may be as large as there is room for one: the others are told to come again.
    expectAmong(await post(node, Array<Uint8Array>(AT_ONCE).fill(body), GZIP), 429, 413);
  },
  'calls of gRPC whose messages do not end': async (node, largeBytes) => {
    const head = Buffer.alloc(5);
    head.writeUInt32BE(largeBytes, 1);
    const path = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';
    const part = Buffer.alloc(largeBytes - 1);
    const sessions = Array.from({ length: AT_ONCE }, () => {
      const session = connectHttp2(`http://${node.grpcAddress}`).on('error', () => undefined);
      for (let i = 0; i < AT_ONCE; i++) {
        const stream = session.request({
          ':method': 'POST',
          ':path': path,
          'content-type': 'application/grpc',
          te: 'trailers',
        });
        stream.on('error', () => undefined).resume();
        stream.write(head);
        stream.write(part);
      }
      return session;
    });
    await delay(HOLD_MS);
    for (const session of sessions) session.destroy();
  },
  'bodies of HTTP that do not end': async (node, largeBytes) => {
    const part = Buffer.alloc(largeBytes - 1);
    const sockets = Array.from({ length: 4 * AT_ONCE }, () => {
      const socket = connect(node.httpPort, '127.0.0.1').on('error', () => undefined);
      socket.resume();
      const type = 'content-type: application/x-protobuf';
      socket.write(`POST /v1/traces HTTP/1.1\r\nhost: x\r\n${type}\r\ncontent-length: ${largeBytes}\r\n\r\n`);
      socket.write(part);
      return socket;
    });
    await delay(HOLD_MS);
    for (const socket of sockets) socket.destroy();
  },
  'thousands of tenants': async (node) => {
    const body = encodeRequest(oneSpan(1));
    for (let first = 0; first < 4_000; first += 40) {
      const accounts = Array.from({ length: 40 }, (_, i) => String(first + i));
      const statuses = await Promise.all(accounts.map((accountid) => post(node, [body], { ...PROTOBUF, accountid })));
      expectAmong(statuses.flat(), 200);
    }
  },
  'names and texts without repetition': async (node) => {
    for (let round = 0; round < 16; round += 4) {
      const bodies = Array.from({ length: 4 }, (_, i) => distinctSpans(round + i, 12_000, 1_000));
      expectAmong(await post(node, bodies, PROTOBUF), 200, 429, 503);
    }
    await force(node, 'merge');
  },
  'questions for everything by many': async (node) => {
    const services = Array.from({ length: 16 }, (_, i) => `/api/traces?service=service%20${i}&limit=1500`);
    for (let round = 0; round < 3; round++) expectAmong(await ask(node, services), 200, 413, 429, 503);
  },
};

test.runIf(canLimitMemory())(
  'a node in a container of 1 GB survives what its clients send and ask, serves good ones, and gives memory back',
  { timeout: 600_000 },
  async () => {
    using group = new MemoryCgroup(CONTAINER_BYTES);
    await using node = await startNode({ through: group.through });
    const { pid } = node;
    await sendTo(node, oneSpan(1));
    // Each kind of work once: what a node has loaded for it, it keeps.
    await post(node, [distinctSpans(NORMAL_ROUND, 2_000, 100)], PROTOBUF);
    await force(node, 'merge');
    await ask(node, [`/api/traces?service=service%20${NORMAL_ROUND}&limit=20`]);
    const { residentBytes: before } = readUsage(pid)!;
    const largeBytes = Number(/ requestBytesMax=(\d+)/.exec(node.log())?.[1]) - 1_000;
    let traces = 1;
    for (const [act, run] of Object.entries(ACTS)) {
      await run(node, largeBytes);
      traces++;
      // Until what it holds of the act is gone, a good client may be told to come again.
      await expect
        .poll(() => sendTo(node, oneSpan(traces)).then(() => 'taken', String), { timeout: 60_000 })
        .toBe('taken');
      expect([act, group.killed, node.pid]).toEqual([act, 0, pid]);
    }
    for (let trace = 1; trace <= traces; trace++)
      expect(await exportTrace(node, trace.toString(16)), `trace ${trace}`).toBeDefined();
    const growth = (): number => readUsage(pid)!.residentBytes / before;
    await expect.poll(growth, { timeout: 180_000, interval: 1_000 }).toBeLessThan(1.5);
  },
);
