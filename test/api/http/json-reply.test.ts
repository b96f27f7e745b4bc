import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import compress from '@fastify/compress';
import { fastify } from 'fastify';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { sendJsonChunks } from '../../../src/api/http/json-reply.ts';
import { StoreError } from '../../../src/base/errors.ts';

let chunks: Iterable<Buffer> = [];
let made = 0;
let isClosed = false;
const logged: string[] = [];
const keep = (text: string): void => void logged.push(text);
const app = fastify({ logger: false });
let origin: string;

beforeAll(async () => {
  app.get('/', async (_request, reply) =>
    sendJsonChunks(reply, {
      chunks,
      isPretty: false,
      logger: { info: keep, warn: keep, error: keep },
      stallMsMax: 1_000,
    }),
  );
  app.get('/other', async () => 'answered');
  app.setErrorHandler((error, _request, reply) => reply.code(500).send({ code: (error as StoreError).code }));
  await app.register(async (scope) => {
    await scope.register(compress, { encodings: ['gzip'], globalDecompression: false });
    scope.get('/compressed', async (_request, reply) =>
      sendJsonChunks(reply, { chunks, isPretty: false, logger: { info: keep, warn: keep, error: keep } }),
    );
  });
  origin = await app.listen({ host: '127.0.0.1', port: 0 });
});
afterAll(async () => {
  app.server.closeAllConnections(); // fetch may hold one that was never used
  await app.close();
});
beforeEach(() => {
  made = 0;
  isClosed = false;
  logged.length = 0;
});

function* many(count: number, failAt = Infinity): Generator<Buffer> {
  try {
    for (made = 0; made < count; made++) {
      if (made === failAt) throw new StoreError('INVALID_REQUEST', 'malformed protobuf');
      yield Buffer.alloc(65_536, 'x');
    }
  } finally {
    isClosed = true;
  }
}

test('a small answer is sent whole, with its length', async () => {
  chunks = [Buffer.from('{"a":'), Buffer.from('1}')];
  const response = await fetch(origin);
  expect([response.headers.get('content-type'), response.headers.get('content-length'), await response.text()]).toEqual(
    ['application/json', '7', '{"a":1}'],
  );
});

test('a large answer is streamed, and arrives whole', async () => {
  chunks = many(100);
  const response = await fetch(origin);
  expect(response.headers.get('content-length')).toBeNull();
  expect((await response.arrayBuffer()).byteLength).toBe(100 * 65_536);
});

test.each(['', 'compressed'])(
  'no more is made than the client takes; that it leaves is no failure %s',
  async (path) => {
    chunks = many(100_000);
    const response = await fetch(`${origin}/${path}`);
    expect(response.headers.get('content-encoding')).toBe(path === '' ? null : 'gzip');
    await response.body!.cancel();
    await expect.poll(() => isClosed, { timeout: 4_000 }).toBe(true);
    expect([made < (path === '' ? 5_000 : 50_000), logged]).toEqual([true, []]);
  },
);

test('a failure in the first chunks is an error answer; stored bytes are not the client’s fault', async () => {
  chunks = many(10, 1);
  const response = await fetch(origin);
  expect([response.status, await response.json()]).toEqual([500, { code: 'CORRUPTION' }]);
});

test('a failure later cuts the connection and is logged', async () => {
  chunks = many(100, 50);
  const response = await fetch(origin);
  await expect(response.arrayBuffer()).rejects.toThrow();
  expect(logged).toEqual(['an answer broke off while it was being sent']);
});

/** Each chunk is ten milliseconds of work. */
function* slow(count: number, chunk: Buffer): Generator<Buffer> {
  for (made = 0; made < count; made++) {
    for (const end = performance.now() + 10; performance.now() < end;);
    yield chunk;
  }
}

test.each([
  ['before it begins', Buffer.alloc(0)],
  ['while it is sent', Buffer.alloc(65_536, 'x')],
])('others are answered while a long answer is made, %s', async (_, chunk) => {
  chunks = slow(100, chunk);
  const long = fetch(origin).then(async (response) => response.arrayBuffer());
  await expect.poll(() => made).toBeGreaterThan(5);
  expect(await (await fetch(`${origin}/other`)).text()).toBe('answered');
  expect(made).toBeLessThan(90);
  expect((await long).byteLength).toBe(100 * chunk.length);
});

test('a client that leaves before its answer begins ends the work for it', async () => {
  chunks = slow(10_000, Buffer.alloc(0));
  const leave = new AbortController();
  const asked = fetch(origin, { signal: leave.signal });
  await expect.poll(() => made).toBeGreaterThan(5);
  leave.abort();
  await expect(asked).rejects.toThrow();
  await delay(100);
  const then = made;
  await delay(100);
  expect(made).toBe(then);
});

test('a client that takes nothing is cut off, and its answer let go', async () => {
  chunks = many(100_000);
  const socket = connect(Number(new URL(origin).port), '127.0.0.1').pause();
  socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
  await expect.poll(() => isClosed, { timeout: 4_000 }).toBe(true);
  expect(logged).toEqual(['an answer broke off while it was being sent']);
  const closed = once(socket, 'close');
  socket.on('error', () => undefined).resume();
  await closed;
});
