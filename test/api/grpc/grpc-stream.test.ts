// A call on its HTTP/2 stream: messages come whole however they are cut on their way, and what is held is counted.
import { connect, constants, createServer, type ClientHttp2Stream, type Settings } from 'node:http2';
import { once } from 'node:events';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { limits } from '../../../src/base/limits.ts';
import { FairBudget } from '../../../src/base/fair-budget.ts';
import { DEFAULT_TENANT } from '../../../src/trace/tenant.ts';
import { IntakeAccount } from '../../../src/api/edge/intake.ts';
import { GrpcStream } from '../../../src/api/grpc/grpc-stream.ts';
import { BodyPool } from '../../../src/api/http/body-pool.ts';
import { createRandom, printedSeed } from '../../support/random-request.ts';

const bodies = new BodyPool();
const server = createServer();
let port = 0;
beforeAll(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  port = (server.address() as { port: number }).port;
});
afterAll(async () => {
  server.close();
  await bodies.close();
});

function frameOf(message: Uint8Array, isCompressed: boolean): Buffer {
  const head = Buffer.from([isCompressed ? 1 : 0, 0, 0, 0, 0]);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** A call from both sides. */
async function openCall(headers: Record<string, string> = {}, settings: Settings = {}) {
  const session = connect(`http://127.0.0.1:${port}`, { settings });
  const accepted = once(server, 'stream');
  const client: ClientHttp2Stream = session.request({ ':method': 'POST', ...headers }, { endStream: false });
  client.on('error', () => undefined);
  const [stream, received] = (await accepted) as ConstructorParameters<typeof GrpcStream>;
  const statuses: number[] = [];
  const call = new GrpcStream(stream, received, (status) => statuses.push(status));
  return { session, client, stream, call, statuses, [Symbol.dispose]: () => session.destroy() };
}

test('messages come whole and in order, wherever they are cut', async () => {
  const random = createRandom(printedSeed('grpc-stream'));
  const int = (below: number): number => Math.floor(random() * below);
  for (let round = 0; round < 20; round++) {
    using open = await openCall({ 'grpc-encoding': round % 2 === 0 ? 'gzip' : 'zstd' });
    const messages = Array.from({ length: int(5) }, () => Buffer.alloc(int(3) * int(40_000), int(256)));
    const compress = round % 2 === 0 ? gzipSync : zstdCompressSync;
    const wire = Buffer.concat(
      messages.map((message) => (int(2) === 0 ? frameOf(message, false) : frameOf(compress(message), true))),
    );
    const sent = (async () => {
      for (let at = 0; at < wire.length;) {
        const end = at + 1 + int(int(2) === 0 ? 8 : 30_000);
        await new Promise((resolve) => open.client.write(wire.subarray(at, end), resolve));
        at = end;
      }
      open.client.end();
    })();
    const budget = new FairBudget(1 << 20);
    let received = 0;
    using account = new IntakeAccount(budget, DEFAULT_TENANT);
    for (; ; received++) {
      const message = await open.call.next({ bytesMax: 100_000, account, bodies });
      if (message === undefined) break;
      account.exchange(message.length, 0);
      expect(Buffer.from(message).equals(messages[received]!)).toBe(true);
    }
    await sent;
    expect([received, budget.bytes]).toEqual([messages.length, 0]);
  }
});

test('a message that is too large is refused by its head', async () => {
  using open = await openCall();
  open.client.write(frameOf(Buffer.alloc(1_001), false).subarray(0, 5));
  const budget = new FairBudget(1 << 20);
  using account = new IntakeAccount(budget, DEFAULT_TENANT);
  await expect(open.call.next({ bytesMax: 1_000, account, bodies })).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
  expect(budget.bytes).toBe(5);
});

test('a client that leaves, and a deadline that passes, end the wait for a message', async () => {
  for (const leave of [true, false]) {
    using open = await openCall(leave ? {} : { 'grpc-timeout': '20m' });
    open.call.startDeadline();
    using account = new IntakeAccount(new FairBudget(1 << 20), DEFAULT_TENANT);
    const next = open.call.next({ bytesMax: 1_000, account, bodies });
    if (leave) open.session.destroy();
    await expect(next).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(open.call.signal.aborted).toBe(true);
    expect(open.statuses).toEqual(leave ? [] : [503]);
  }
});

test('a whole message of a client that has left is nobody’s: its sender has given up and sends it elsewhere', async () => {
  using open = await openCall();
  await new Promise((resolve) => open.client.write(frameOf(Buffer.from('late'), false), resolve));
  open.client.close(constants.NGHTTP2_CANCEL);
  await expect.poll(() => open.call.signal.aborted).toBe(true);
  const account = new IntakeAccount(new FairBudget(1 << 20), DEFAULT_TENANT);
  await expect(open.call.next({ bytesMax: 100, account, bodies })).rejects.toMatchObject({ code: 'CANCELLED' });
});

test('a call has one status, whatever comes behind it', async () => {
  using open = await openCall();
  const response = once(open.client, 'response');
  open.call.fail(new Error('first'));
  open.call.end();
  open.call.write(Buffer.from('late'), () => undefined);
  const [headers] = (await response) as [Record<string, unknown>];
  expect([headers['grpc-status'], open.statuses]).toEqual(['13', [500]]);
});

test('a client that does not take the end of its answer is cut off', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  try {
    using open = await openCall({}, { initialWindowSize: 0 });
    open.call.write(Buffer.alloc(100_000), () => undefined);
    open.call.end();
    await once(open.client, 'response');
    const closed = once(open.client, 'close');
    vi.advanceTimersByTime(limits.answerStallMsMax + 1);
    await closed;
    expect(open.client.rstCode).toBe(constants.NGHTTP2_CANCEL);
  } finally {
    vi.useRealTimers();
  }
});

test('what is no gRPC call is refused, and its stream ends though nobody asked for its body', async () => {
  using open = await openCall();
  const ended = new Promise((resolve) => open.stream.on('close', resolve));
  open.client.write(Buffer.alloc(1_000));
  await once(open.stream, 'readable');
  open.call.refuseType();
  open.client.resume();
  await ended;
});
