// OTLP over gRPC at the socket, called with a raw grpc-js client: exact codes, details and metadata.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Client, credentials, Metadata, status, type ServiceError } from '@grpc/grpc-js';
import { connect } from 'node:http2';
import { deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { StoreError } from '../../../src/base/errors.ts';
import { OTLP_GRPC_PATH } from '../../../src/api/otlp-in/otlp-grpc.ts';
import { STRAYS_KEY } from '../../../src/cluster/protocol.ts';
import { decodeResponse, decodeRetrySeconds, decodeRpcStatus, encodeRequest } from '../../support/otlp-proto.ts';
import { snappyFramed, snappyLiteral } from '../../support/snappy.ts';
import { openEdgeServers, type EdgeServers } from '../../support/edge-servers.ts';
import { createRandom, randomRequest } from '../../support/random-request.ts';

const protobuf = Buffer.from(encodeRequest(randomRequest(createRandom(5), 1_763_600_000_000_000_000n)));
const asIs = (bytes: Buffer): Buffer => bytes;

let edge: EdgeServers;
let client: Client;
beforeAll(async () => {
  edge = await openEdgeServers({ flags: ['-opentelemetry.traces.maxRequestSize=1MiB'] });
  client = openClient();
});
afterAll(async () => {
  client.close();
  await edge[Symbol.asyncDispose]();
});
beforeEach(() => {
  edge.store.writes.length = 0;
  edge.store.failures.length = 0;
  edge.store.result = undefined;
});

function openClient(options: Record<string, number> = {}, port = edge.grpc.port): Client {
  return new Client(`127.0.0.1:${port}`, credentials.createInsecure(), options);
}

function call(
  body: Buffer,
  options: { metadata?: Record<string, string>; client?: Client; path?: string } = {},
): Promise<Buffer> {
  const metadata = Metadata.fromHttp2Headers(options.metadata ?? {});
  return new Promise((resolve, reject) => {
    (options.client ?? client).makeUnaryRequest(
      options.path ?? OTLP_GRPC_PATH,
      asIs,
      asIs,
      body,
      metadata,
      (error, reply) => {
        if (error === null) resolve(reply ?? Buffer.alloc(0));
        else reject(error);
      },
    );
  });
}

async function refusalOf(pending: Promise<unknown>): Promise<ServiceError> {
  return await pending.then(
    () => Promise.reject(new Error('expected the call to fail')),
    (error: ServiceError) => error,
  );
}

/** One call by hand on HTTP/2, for what no client library sends. */
function callRaw(frame: Buffer, headers: Record<string, string>): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    const session = connect(`http://127.0.0.1:${edge.grpc.port}`);
    session.on('error', reject);
    const base = {
      ':method': 'POST',
      ':path': OTLP_GRPC_PATH,
      'content-type': 'application/grpc+proto',
      te: 'trailers',
    };
    const stream = session.request({ ...base, ...headers });
    let answer: Record<string, unknown> = {};
    stream.on('response', (received) => (answer = { ...answer, ...received }));
    stream.on('trailers', (received) => (answer = { ...answer, ...received }));
    stream.on('error', reject);
    stream.on('close', () => {
      session.close();
      resolve(answer);
    });
    stream.resume();
    stream.end(frame);
  });
}

function frameOf(message: Buffer, isCompressed: boolean): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(isCompressed ? 1 : 0, 0);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

describe('accepted', () => {
  test('a plain and a gzip message reach the store as sent, and the answer is empty', async () => {
    expect(await call(protobuf)).toHaveLength(0);
    const zipped = openClient({ 'grpc.default_compression_algorithm': 2 });
    expect(await call(protobuf, { client: zipped })).toHaveLength(0);
    zipped.close();
    expect(edge.store.writes.map((write) => [write.tenant, Buffer.from(write.body).equals(protobuf)])).toEqual([
      ['0:0', true],
      ['0:0', true],
    ]);
  });

  test('an empty request is fine', async () => {
    expect(await call(Buffer.alloc(0))).toHaveLength(0);
    expect(edge.store.writes[0]!.request).toEqual({});
  });

  test('the tenant comes from the metadata', async () => {
    await call(protobuf, { metadata: { accountid: '3', projectid: '4' } });
    expect(edge.store.writes[0]!.tenant).toBe('3:4');
  });

  test('who sends spans cannot say that they may be on another node: only nodes of the cluster do, on their own listener', async () => {
    for (const strays of ['1-2', 'nonsense']) await call(protobuf, { metadata: { [STRAYS_KEY]: strays } });
    expect(edge.store.writes.map(({ strays }) => strays)).toEqual([undefined, undefined]);
  });

  test('rejected spans are named in partial_success', async () => {
    edge.store.result = () => ({ stored: 0, rejected: new Map([['invalid_span_id', 1]]) });
    expect(decodeResponse(await call(protobuf))).toEqual({
      partialSuccess: {
        rejectedSpans: 1n,
        errorMessage: '1 span rejected: 1 invalid_span_id (span id must be 8 bytes and not all zero)',
      },
    });
  });
});

test('what was not known is named in partial_success, and counted', async () => {
  edge.store.result = () => ({ stored: 2, rejected: new Map(), unknownField: '1000 in resource_spans[0]' });
  const errorMessage = expect.stringContaining('unknown field 1000 in resource_spans[0]') as string;
  expect(decodeResponse(await call(protobuf))).toEqual({ partialSuccess: { errorMessage } });
  expect(await edge.metrics.render()).toMatch(
    /^tracelith_requests_with_unknown_fields_total\{type="opentelemetry_traces_otlpgrpc"\} 1$/m,
  );
});

describe('every encoding that the Collector can be set to', () => {
  test.each([
    ['gzip', gzipSync(protobuf)],
    ['deflate', deflateSync(protobuf)],
    ['zstd', zstdCompressSync(protobuf)],
    ['snappy', Buffer.from(snappyFramed(protobuf))],
    ['snappy', Buffer.from(snappyLiteral(protobuf))],
    ['GZIP', gzipSync(protobuf)],
  ])('%s reaches the store decompressed', async (encoding, message) => {
    const answer = await callRaw(frameOf(message, true), { 'grpc-encoding': encoding });
    expect([answer['grpc-status'], answer['grpc-accept-encoding']]).toEqual(['0', 'identity,gzip,deflate,snappy,zstd']);
    expect(edge.store.writes.map(({ body }) => Buffer.from(body).equals(protobuf))).toEqual([true]);
  });

  test('a message that is not compressed is taken as it is, whatever the call may compress', async () => {
    expect((await callRaw(frameOf(protobuf, false), { 'grpc-encoding': 'zstd' }))['grpc-status']).toBe('0');
    expect(Buffer.from(edge.store.writes[0]!.body)).toEqual(protobuf);
  });

  test.each([
    ['gzip', gzipSync(Buffer.alloc(2 << 20))],
    ['zstd', zstdCompressSync(Buffer.alloc(2 << 20))],
    // A block that announces 2 MiB.
    ['snappy', Buffer.from([0x80, 0x80, 0x80, 0x01, 0])],
  ])('%s cannot hold more than one message may have, and leaves nothing in the intake', async (encoding, message) => {
    const answer = await callRaw(frameOf(message, true), { 'grpc-encoding': encoding });
    expect(answer['grpc-status']).toBe('8');
    expect(await edge.metrics.render()).toMatch(/^tracelith_intake_bytes 0$/m);
  });
});

test('one request is one message', async () => {
  const message = frameOf(protobuf, false);
  for (const body of [
    Buffer.alloc(0),
    message.subarray(0, 3),
    message.subarray(0, -1),
    Buffer.concat([message, message]),
  ]) {
    expect((await callRaw(body, {}))['grpc-status']).toBe('3');
  }
  expect(edge.store.writes).toEqual([]);
});

test('a client that is refused in the middle of its message reads why', async () => {
  const error = await refusalOf(call(Buffer.alloc(20 << 20)));
  expect([error.code, error.details]).toEqual([
    status.RESOURCE_EXHAUSTED,
    expect.stringContaining('the message exceeds'),
  ]);
  expect(await call(protobuf)).toHaveLength(0);
});

test('what is received by all calls together is bounded, before it is held', async () => {
  await using own = await openEdgeServers({ intakeBytesMax: 100_000 });
  const ownClient = openClient({}, own.grpc.port);
  const error = await refusalOf(call(Buffer.alloc(200_000), { client: ownClient }));
  expect([error.code, error.details]).toEqual([
    status.RESOURCE_EXHAUSTED,
    expect.stringContaining('of 100000: no room'),
  ]);
  const [details] = error.metadata.get('grpc-status-details-bin');
  expect(decodeRpcStatus(details as Buffer).details).toHaveLength(1);
  expect(await call(Buffer.alloc(0), { client: ownClient })).toHaveLength(0);
  ownClient.close();
});

describe('refused', () => {
  test.each([
    ['INVALID_REQUEST', status.INVALID_ARGUMENT, undefined],
    ['OVERLOADED', status.RESOURCE_EXHAUSTED, 1n],
    ['READ_ONLY', status.RESOURCE_EXHAUSTED, 5n],
    ['UNAVAILABLE', status.UNAVAILABLE, 2n],
    ['DISK', status.UNAVAILABLE, 5n],
    ['CORRUPTION', status.INTERNAL, undefined],
  ] as const)('%s is code %i, with RetryInfo of %s s', async (code, grpcCode, seconds) => {
    edge.store.failures.push(new StoreError(code, 'why: žluť % \ud800'));
    const error = await refusalOf(call(protobuf));
    expect([error.code, error.details]).toEqual([grpcCode, 'why: žluť % \ufffd']);
    const [details] = error.metadata.get('grpc-status-details-bin');
    const decoded = decodeRpcStatus(details as Buffer);
    expect([decoded.code, decoded.message]).toEqual([grpcCode, 'why: žluť % \ufffd']);
    const [retry] = decoded.details ?? [];
    expect(retry?.value && decodeRetrySeconds(retry.value)).toBe(seconds);
  });

  test('a bug is INTERNAL and keeps its text to itself', async () => {
    edge.store.failures.push(new Error('secret'));
    const error = await refusalOf(call(protobuf));
    expect([error.code, error.details]).toEqual([status.INTERNAL, 'internal error; the log of the server says more']);
  });

  test('a message above the limit, plain or decompressed, is RESOURCE_EXHAUSTED without RetryInfo', async () => {
    const zipped = openClient({ 'grpc.default_compression_algorithm': 2 });
    for (const options of [{}, { client: zipped }]) {
      const error = await refusalOf(call(Buffer.alloc((1 << 20) + 1), options));
      const [details] = error.metadata.get('grpc-status-details-bin');
      expect([error.code, decodeRpcStatus(details as Buffer).details]).toEqual([status.RESOURCE_EXHAUSTED, undefined]);
      expect(error.details).toMatch(/exceeds -opentelemetry\.traces\.maxRequestSize=1048576 bytes; send smaller/);
    }
    zipped.close();
    expect(edge.store.writes).toEqual([]);
  });

  test.each([
    [{ accountid: 'x' }, 'header AccountID: expected a decimal number from 0 to 4294967295, got "x"'],
    [{ projectid: '4294967296' }, 'header ProjectID: expected a decimal number from 0 to 4294967295, got "4294967296"'],
  ])('metadata %j is INVALID_ARGUMENT', async (metadata, text) => {
    const error = await refusalOf(call(protobuf, { metadata: metadata as Record<string, string> }));
    expect([error.code, error.details]).toEqual([status.INVALID_ARGUMENT, text]);
  });

  test.each([
    ['damaged gzip', frameOf(Buffer.from('no gzip'), true), { 'grpc-encoding': 'gzip' }, '3'],
    ['truncated gzip', frameOf(gzipSync(protobuf).subarray(0, 40), true), { 'grpc-encoding': 'gzip' }, '3'],
    ['an unknown grpc-encoding', frameOf(protobuf, true), { 'grpc-encoding': 'br' }, '12'],
    ['a malformed grpc-timeout', frameOf(protobuf, false), { 'grpc-timeout': 'soon' }, '3'],
  ])('%s is the fault of the sender', async (_name, frame, headers, code) => {
    const answer = await callRaw(frame, headers);
    expect(answer['grpc-status']).toBe(code);
    expect(edge.store.writes).toEqual([]);
  });

  test('an unknown method is UNIMPLEMENTED', async () => {
    const error = await refusalOf(
      call(protobuf, { path: '/opentelemetry.proto.collector.logs.v1.LogsService/Export' }),
    );
    expect(error.code).toBe(status.UNIMPLEMENTED);
  });

  test('before the store is open calls are UNAVAILABLE', async () => {
    edge.ready.isReady = false;
    const error = await refusalOf(call(protobuf));
    edge.ready.isReady = true;
    expect([error.code, error.details]).toEqual([status.UNAVAILABLE, 'the server is starting or closing; try again']);
  });

  test('every answer is counted', async () => {
    const text = await edge.metrics.render();
    const path = `path="${OTLP_GRPC_PATH}"`;
    const requests = Number(text.match(new RegExp(`vt_http_requests_total{${path},format="protobuf"} (\\d+)`))![1]);
    const errors = Number(text.match(new RegExp(`vt_http_errors_total{${path},format="protobuf"} (\\d+)`))![1]);
    const refused = 3 + 4 + 1 + 6 + 1 + 2 + 2 + 4 + 1;
    expect([requests, errors]).toEqual([5 + 2 + 1 + 6 + 1 + 1 + refused, refused]);
  });
});
