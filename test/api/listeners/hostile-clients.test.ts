// Clients that attack the protocols: each loses its connection or its request, memory and counters stay bounded, and a good client
// is served meanwhile. Bombs of compression and patterns: bad-input.test.ts, decode-body.test.ts, test/system/bad-queries.test.ts.
// Idle and half-open connections by the thousand: test/system/rude-clients.test.ts.
import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { OTLP_GRPC_PATH } from '../../../src/api/otlp-in/otlp-grpc.ts';
import { openEdgeServers, type EdgeServers } from '../../support/edge-servers.ts';
import { callExport } from '../../support/node-client.ts';
import { encodeRequest } from '../../support/otlp-proto.ts';
import { oneSpan } from '../../support/one-span.ts';

let edge: EdgeServers;
beforeAll(async () => void (edge = await openEdgeServers()));
afterAll(() => edge[Symbol.asyncDispose]());

const request = encodeRequest(oneSpan(1));

/** Over HTTP and gRPC. */
async function expectServed(): Promise<void> {
  expect((await edge.post(request, { 'content-type': 'application/x-protobuf' })).status).toBe(200);
  await callExport(`127.0.0.1:${edge.grpc.port}`, request);
}

/** A connection with everything it received, as text. */
class Attacker implements Disposable {
  readonly socket: Socket;
  received = '';
  isClosed = false;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setEncoding('latin1').on('data', (text: string) => (this.received += text));
    socket.on('error', () => undefined).on('close', () => (this.isClosed = true));
  }

  static async open(port: number): Promise<Attacker> {
    const socket = connect({ port, host: '127.0.0.1' });
    await once(socket, 'connect');
    return new Attacker(socket);
  }

  /** Writes as long as the server takes it; at most `times`. */
  async flood(bytes: Buffer | string, times: number): Promise<void> {
    for (let i = 0; i < times && !this.isClosed && !this.socket.destroyed; i++) {
      if (this.socket.write(bytes)) continue;
      await Promise.race([once(this.socket, 'drain'), once(this.socket, 'close'), delay(200)]).catch(() => undefined);
    }
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}

const closedBy = { timeout: 30_000 };

describe('over HTTP/1', () => {
  test.each<[string, string]>([
    ['one header of 64 KiB', `a: ${'x'.repeat(65_536)}\r\n`],
    ['ten thousand headers', 'a: b\r\n'.repeat(10_000)],
    ['a request line of 64 KiB', ''],
  ])('%s: 431, and the connection ends', async (name, headers) => {
    using attacker = await Attacker.open(edge.http.port);
    const path = name.startsWith('a request line') ? `/${'x'.repeat(65_536)}` : '/health';
    attacker.socket.write(`GET ${path} HTTP/1.1\r\nhost: localhost\r\n${headers}\r\n`);
    await expect.poll(() => attacker.isClosed, closedBy).toBe(true);
    expect(attacker.received).toMatch(/^HTTP\/1\.1 431 /);
    await expectServed();
  });

  test.each([
    ['two lengths', 'content-length: 3\r\ncontent-length: 4\r\n'],
    ['a length and chunks', 'content-length: 3\r\ntransfer-encoding: chunked\r\n'],
    ['chunks twice', 'transfer-encoding: chunked, chunked\r\n'],
    ['a line feed in a header', 'x: a\ny: b\r\n z\r\n'],
  ])('%s smuggle no second request', async (_name, headers) => {
    using attacker = await Attacker.open(edge.http.port);
    const before = edge.store.attempts;
    const second = 'GET /flags HTTP/1.1\r\nhost: localhost\r\n\r\n';
    attacker.socket.write(`POST /v1/traces HTTP/1.1\r\nhost: localhost\r\n${headers}\r\n0\r\n\r\n${second}`);
    attacker.socket.end();
    await expect.poll(() => attacker.isClosed, closedBy).toBe(true);
    expect(attacker.received).not.toContain('-retentionPeriod');
    expect(edge.store.attempts).toBe(before);
    await expectServed();
  });

  test('headers that come a byte at a time end with 408, and are counted', async () => {
    using attacker = await Attacker.open(edge.http.port);
    attacker.socket.write('GET /health HTTP/1.1\r\nhost: localhost\r\nx-slow: ');
    while (!attacker.isClosed) await attacker.flood('x', 1).then(() => delay(250));
    expect(attacker.received).toMatch(/^HTTP\/1\.1 408 /);
    expect(await edge.metrics.render()).toMatch(
      /^vm_http_conn_timeout_closed_conns_total\{name="httpListenAddr"\} [1-9]/m,
    );
    await expectServed();
  });

  test.each([
    '/../../../../etc/passwd',
    '/%2e%2e/%2e%2e/etc/passwd',
    '/..%2f..%2fetc%2fpasswd',
    '/static/..%5c..%5cetc',
    '//etc/passwd',
    '/./.%00/etc/passwd',
  ])('GET %s leads nowhere', async (path) => {
    using attacker = await Attacker.open(edge.http.port);
    attacker.socket.end(`GET ${path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n`);
    await expect.poll(() => attacker.isClosed, closedBy).toBe(true);
    expect(attacker.received).toMatch(/^HTTP\/1\.1 40[04] /);
    expect(attacker.received).not.toContain('root:');
  });
});

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
const [HEADERS, RST_STREAM, SETTINGS, PING, CONTINUATION] = [1, 3, 4, 6, 9] as const;
const [END_STREAM, END_HEADERS] = [1, 4] as const;
/** :method POST, :scheme http, :path /, :authority x, by HPACK's static table. */
const BLOCK = Buffer.from([0x83, 0x86, 0x84, 0x41, 0x01, 0x78]);

function frame(type: number, { flags = 0, stream = 0, payload = Buffer.alloc(0) as Buffer } = {}): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

async function openHttp2(): Promise<Attacker> {
  const attacker = await Attacker.open(edge.grpc.port);
  attacker.socket.write(Buffer.concat([PREFACE, frame(SETTINGS)]));
  await expect.poll(() => attacker.received.length).toBeGreaterThan(0);
  return attacker;
}

describe('over HTTP/2', () => {
  test('a message that comes a byte at a time ends with its call, and holds nothing of the others', async () => {
    await using slow = await openEdgeServers({ flags: ['-grpc.maxCallDuration=2s'] });
    const session = connectHttp2(`http://127.0.0.1:${slow.grpc.port}`);
    try {
      const calls = Array.from({ length: 50 }, () => {
        const stream = session.request({
          ':method': 'POST',
          ':path': OTLP_GRPC_PATH,
          'content-type': 'application/grpc',
          te: 'trailers',
        });
        // The head of a message of 1,000 bytes, which never are all there.
        stream.write(Buffer.from([0, 0, 0, 3, 232]));
        const dripping = setInterval(() => stream.write('x'), 100);
        const status = Promise.withResolvers<unknown>();
        const ended = (headers: Readonly<Record<string, unknown>>): void => {
          if (headers['grpc-status'] !== undefined) status.resolve(headers['grpc-status']);
        };
        stream
          .on('response', ended)
          .on('trailers', ended)
          .on('error', () => undefined);
        stream.on('close', () => clearInterval(dripping));
        stream.resume();
        return status.promise;
      });
      // A good client is served on the same port while they drip.
      await callExport(`127.0.0.1:${slow.grpc.port}`, request);
      // 4: DEADLINE_EXCEEDED.
      expect(new Set(await Promise.all(calls))).toEqual(new Set(['4']));
      await expect.poll(() => slow.metrics.render()).toContain('\ntracelith_intake_bytes 0\n');
      expect(slow.store.writes).toHaveLength(1);
    } finally {
      session.destroy();
    }
  });

  test('streams that are reset at once, again and again: the connection ends', async () => {
    using attacker = await openHttp2();
    for (let stream = 1; stream < 20_000 && !attacker.isClosed; stream += 2) {
      const open = frame(HEADERS, { flags: END_HEADERS, stream, payload: BLOCK });
      await attacker.flood(Buffer.concat([open, frame(RST_STREAM, { stream, payload: Buffer.from([0, 0, 0, 8]) })]), 1);
    }
    await expect.poll(() => attacker.isClosed, closedBy).toBe(true);
    await expectServed();
    await expect.poll(() => edge.metrics.render()).toContain('\ntracelith_intake_bytes 0\n');
  });

  test.each<[string, Buffer]>([
    ['pings', frame(PING, { payload: Buffer.alloc(8) })],
    ['settings', frame(SETTINGS)],
  ])('%s by the hundred thousand whose answers nobody reads: the connection ends', async (_name, one) => {
    using attacker = await openHttp2();
    attacker.socket.pause();
    await attacker.flood(Buffer.concat(Array.from({ length: 1_000 }, () => one)), 300);
    attacker.socket.resume();
    await expect.poll(() => attacker.isClosed, closedBy).toBe(true);
    await expectServed();
  });

  test('headers that never end: the connection ends', async () => {
    using attacker = await openHttp2();
    attacker.socket.write(frame(HEADERS, { stream: 1, payload: BLOCK }));
    // Literal headers without indexing, 100 each.
    const block = Buffer.concat(Array.from({ length: 100 }, () => Buffer.from([0x00, 0x01, 0x61, 0x01, 0x62])));
    await attacker.flood(frame(CONTINUATION, { stream: 1, payload: block }), 2_000);
    await expect.poll(() => attacker.isClosed, closedBy).toBe(true);
    await expectServed();
  });

  test('more streams than a connection may have are refused, the others wait within the budget', async () => {
    using attacker = await openHttp2();
    for (let stream = 1; stream < 2_000; stream += 2) {
      await attacker.flood(frame(HEADERS, { flags: END_HEADERS, stream, payload: BLOCK }), 1);
    }
    await expectServed();
    attacker.socket.destroy();
    await expect.poll(() => edge.metrics.render()).toContain('\ntracelith_intake_bytes 0\n');
  });

  test.each<[string, Buffer]>([
    [
      'a frame longer than announced',
      frame(HEADERS, { flags: END_HEADERS | END_STREAM, stream: 1, payload: Buffer.alloc(65_536, 0x82) }),
    ],
    [
      'a header block that is no HPACK',
      frame(HEADERS, { flags: END_HEADERS, stream: 1, payload: Buffer.alloc(64, 0xff) }),
    ],
    ['a continuation of nothing', frame(CONTINUATION, { stream: 1, payload: BLOCK })],
    ['settings of a stream', frame(SETTINGS, { stream: 1 })],
    ['an even stream', frame(HEADERS, { flags: END_HEADERS, stream: 2, payload: BLOCK })],
  ])('%s: the connection ends', async (_name, bytes) => {
    using attacker = await openHttp2();
    attacker.socket.write(bytes);
    await expect.poll(() => attacker.isClosed, closedBy).toBe(true);
    await expectServed();
  });
});
