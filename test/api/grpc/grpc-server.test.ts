// The life of the two listeners: what becomes of calls under way when they close, and of an address that is taken.
import { once } from 'node:events';
import { connect as http2Connect, constants, type ClientHttp2Stream } from 'node:http2';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { Client, credentials, status, type ServiceError } from '@grpc/grpc-js';
import { OTLP_GRPC_PATH } from '../../../src/api/otlp-in/otlp-grpc.ts';
import { encodeRequest } from '../../support/otlp-proto.ts';
import { openGrpcListener } from '../../support/grpc-listener.ts';
import { callExport } from '../../support/node-client.ts';
import { RUDE_ACTS, RudeClients } from '../../support/rude-clients.ts';
import { createRandom, printedSeed } from '../../support/random-request.ts';
import { openEdgeServers, type EdgeServers } from '../../support/edge-servers.ts';

const protobuf = Buffer.from(encodeRequest({ resourceSpans: [{}] }));
const asIs = (bytes: Buffer): Buffer => bytes;

let edge: EdgeServers;
beforeAll(async () => {
  edge = await openEdgeServers();
});
afterAll(async () => {
  await edge[Symbol.asyncDispose]();
});

function openClient(port: number): Client {
  return new Client(`127.0.0.1:${port}`, credentials.createInsecure());
}

function call(client: Client, path: string = OTLP_GRPC_PATH): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(path, asIs, asIs, protobuf, (error, reply) => {
      if (error === null) resolve(reply ?? Buffer.alloc(0));
      else reject(error);
    });
  });
}

async function refusalOf(pending: Promise<unknown>): Promise<ServiceError> {
  return await pending.then(
    () => Promise.reject(new Error('expected the call to fail')),
    (error: ServiceError) => error,
  );
}

describe('close', () => {
  test('waits for a call under way', async () => {
    const own = await openEdgeServers();
    let open = (): void => undefined;
    own.store.gate = new Promise((resolve) => (open = resolve));
    const ownClient = openClient(own.grpc.port);
    const pending = call(ownClient);
    await expect.poll(() => own.store.attempts).toBe(1);
    const closed = own.grpc.close();
    open();
    expect(await pending).toHaveLength(0);
    await closed;
    ownClient.close();
    await own.http.close();
  });

  test('ends at the deadline when a call does not', async () => {
    const own = await openEdgeServers({ flags: ['-http.maxGracefulShutdownDuration=50ms'] });
    own.store.gate = new Promise(() => undefined);
    const ownClient = openClient(own.grpc.port);
    const pending = refusalOf(call(ownClient));
    const pendingHttp = own
      .post(protobuf, { 'content-type': 'application/x-protobuf' })
      .catch((error: unknown) => error);
    await expect.poll(() => own.store.attempts).toBe(2);
    await own[Symbol.asyncDispose]();
    expect([status.UNAVAILABLE, status.CANCELLED]).toContain((await pending).code);
    expect(await pendingHttp).toBeInstanceOf(Error);
    ownClient.close();
  });

  test('waits for no client that was refused, or that never speaks', async () => {
    const own = await openEdgeServers();
    const ownClient = openClient(own.grpc.port);
    expect((await refusalOf(call(ownClient, '/unknown'))).code).toBe(status.UNIMPLEMENTED);
    const silent = connect(own.grpc.port, '127.0.0.1');
    await once(silent, 'connect');
    // Ends without its deadline, which would be 7 s away.
    await own.grpc.close();
    silent.destroy();
    ownClient.close();
    await own.http.close();
  });

  test.each(Object.keys(RUDE_ACTS))('ends at the deadline, whatever holds it: %s', async (act) => {
    const own = await openEdgeServers({ flags: ['-http.maxGracefulShutdownDuration=300ms'] });
    await using jaeger = await openGrpcListener({ shutdownMax: '300ms' });
    using rude = new RudeClients();
    const http = own.http.port;
    const grpc = Number(jaeger.address.split(':')[1]);
    await rude.do(act, { http, otlpHttp: http, otlpGrpc: own.grpc.port, grpc });
    // Whoever comes after is served, and behind it the rude ones have been heard.
    expect((await own.send({ method: 'GET', path: '/health' })).status).toBe(200);
    expect(await callExport(`127.0.0.1:${own.grpc.port}`, protobuf)).toHaveLength(0);
    await jaeger.client.getServices();
    await Promise.all([own[Symbol.asyncDispose](), jaeger.close()]);
  });

  test('an address in use says so', async () => {
    await expect(openEdgeServers({ flags: [`-otlpGRPCListenAddr=127.0.0.1:${edge.grpc.port}`] })).rejects.toThrow(
      /-otlpGRPCListenAddr=127\.0\.0\.1:\d+: cannot listen/,
    );
    await expect(openEdgeServers({ flags: [`-httpListenAddr=127.0.0.1:${edge.http.port}`] })).rejects.toThrow(
      /-httpListenAddr=127\.0\.0\.1:\d+: cannot listen: .*EADDRINUSE/,
    );
  });
});

test('a client that says goodbye and keeps its socket open is left alone when connections are looked at', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  await using own = await openEdgeServers();
  const rude = connect({ port: own.grpc.port, host: '127.0.0.1', allowHalfOpen: true });
  try {
    // The preface, no settings, GOAWAY without an error.
    const frames = Buffer.from('000000040000000000' + '000008070000000000' + '0000000000000000', 'hex');
    rude.resume().write(Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frames]));
    await once(rude, 'end');
    vi.advanceTimersByTime(61_000);
    expect(await callExport(`127.0.0.1:${own.grpc.port}`, protobuf)).toHaveLength(0);
  } finally {
    rude.destroy();
    vi.useRealTimers();
  }
});

test('a client that says goodbye and ends no call of its own is given up after a while', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
  await using own = await openEdgeServers();
  const session = http2Connect(`http://127.0.0.1:${own.grpc.port}`);
  session.on('error', () => undefined);
  const stream = session.request({ ':method': 'POST', ':path': OTLP_GRPC_PATH, 'content-type': 'application/grpc' });
  stream.on('error', () => undefined).write(Buffer.alloc(3));
  await expect.poll(() => own.metrics.render()).toMatch(/^tracelith_intake_bytes 16387$/m);
  try {
    session.goaway();
    for (let look = 0; look < 3; look++) {
      // What a look asks is answered before the next one.
      await delay(50);
      vi.advanceTimersByTime(31_000);
    }
    await expect.poll(() => own.metrics.render()).toMatch(/^tracelith_intake_bytes 0$/m);
  } finally {
    session.destroy();
    vi.useRealTimers();
  }
});

/** What a client may do with a call, well or badly; each ends when nothing more of it is to come. */
const BEHAVIOURS: readonly ((stream: ClientHttp2Stream, frame: Buffer) => void)[] = [
  (stream, frame) => void stream.end(frame),
  (stream, frame) => void stream.end(frame.subarray(0, frame.length >> 1)),
  (stream) => void stream.end(),
  (stream, frame) => void stream.end(Buffer.concat([frame, frame])),
  (stream, frame) => {
    stream.write(frame.subarray(0, frame.length >> 1));
    stream.close(constants.NGHTTP2_CANCEL);
  },
  (stream, frame) => {
    stream.write(frame);
    stream.session?.destroy();
  },
  (stream, frame) => {
    const large = Buffer.from(frame);
    large.writeUInt32BE(0xffff_ffff, 1);
    stream.write(large);
  },
  (stream, frame) => {
    const compressed = Buffer.from(frame);
    compressed[0] = 1;
    stream.end(compressed);
  },
];

test('whatever calls end like, in whatever order, nothing of them is held and the next is answered', async () => {
  const random = createRandom(printedSeed('grpc-server'));
  await using own = await openEdgeServers();
  const frame = Buffer.concat([Buffer.from([0, 0, 0, 0, 0]), Buffer.alloc(40_000)]);
  // Field 1 of 39,996 zeros is malformed; an empty field 15 as often as it fits is not.
  for (let at = 5; at < frame.length; at += 2) frame.set([0x7a, 0], at);
  frame.writeUInt32BE(frame.length - 5, 1);
  for (let round = 0; round < 12; round++) {
    const session = http2Connect(`http://127.0.0.1:${own.grpc.port}`);
    session.on('error', () => undefined);
    const ended = Array.from({ length: 1 + Math.floor(random() * 8) }, async () => {
      const encoding = ['gzip', 'zstd', 'br'][Math.floor(random() * 3)]!;
      const headers = {
        ':method': 'POST',
        ':path': OTLP_GRPC_PATH,
        'content-type': 'application/grpc',
        'grpc-encoding': encoding,
      };
      const stream = session.request(headers);
      const closed = new Promise((resolve) => stream.on('close', resolve));
      stream.on('error', () => undefined).resume();
      BEHAVIOURS[Math.floor(random() * BEHAVIOURS.length)]!(stream, frame);
      await closed;
    });
    await Promise.all(ended);
    session.destroy();
  }
  await expect.poll(() => own.metrics.render()).toMatch(/^tracelith_intake_bytes 0$/m);
  const ownClient = openClient(own.grpc.port);
  expect(await call(ownClient)).toHaveLength(0);
  ownClient.close();
});

/** The status of HTTP for an export of this content type, and what the connection lets a client send ahead. */
async function statusOfType(port: number, contentType: string): Promise<{ http: unknown; window: number | undefined }> {
  const session = http2Connect(`http://127.0.0.1:${port}`);
  await once(session, 'remoteSettings');
  const stream = session.request({ ':method': 'POST', ':path': OTLP_GRPC_PATH, 'content-type': contentType });
  stream.on('error', () => undefined);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(protobuf.length, 1);
  stream.end(Buffer.concat([head, protobuf]));
  const [headers] = (await once(stream, 'response')) as [Record<string, unknown>];
  const window = session.remoteSettings.initialWindowSize;
  session.destroy();
  return { http: headers[':status'], window };
}

test.each([
  ['application/grpc', 200],
  ['application/grpc+proto', 200],
  ['application/grpc; charset=utf-8', 200],
  ['application/grpc-web', 415],
  ['application/grpc-web+proto', 415],
  ['application/grpc+json', 415],
  ['application/grpcx', 415],
])('content type %s is %d, and a sender far away may send more than 64 KiB ahead', async (contentType, http) => {
  expect(await statusOfType(edge.grpc.port, contentType)).toEqual({ http, window: 256 << 10 });
});
