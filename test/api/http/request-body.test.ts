// Bodies that are well compressed, in every encoding, arrive as they were. What is damaged: bad-input.test.ts.
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { encodeRequest } from '../../support/otlp-proto.ts';
import { snappyFramed, snappyLiteral } from '../../support/snappy.ts';
import { openEdgeServers, type EdgeServers } from '../../support/edge-servers.ts';
import { createRandom, randomRequest } from '../../support/random-request.ts';

const PROTOBUF = { 'content-type': 'application/x-protobuf' };
const SIZE_MAX = 1 << 20;
const request = randomRequest(createRandom(11), 1_763_600_000_000_000_000n);
const protobuf = encodeRequest(request);
/** As large as is allowed, to the byte. */
const largest = encodeRequest({ resourceSpans: [{ schemaUrl: 'x'.repeat(SIZE_MAX - 8) }] });

let edge: EdgeServers;
beforeAll(async () => {
  edge = await openEdgeServers({ flags: [`-opentelemetry.traces.maxRequestSize=${SIZE_MAX}`] });
});
afterAll(async () => {
  await edge[Symbol.asyncDispose]();
});
beforeEach(() => {
  edge.store.writes.length = 0;
});

test.each([
  ['gzip', gzipSync(protobuf)],
  ['GZIP', gzipSync(protobuf)],
  ['x-gzip', gzipSync(protobuf)],
  ['gzip', Buffer.concat([gzipSync(protobuf.subarray(0, 9)), gzipSync(protobuf.subarray(9))])],
  ['gzip', Buffer.concat([gzipSync(protobuf), Buffer.alloc(20)])],
  ['deflate', deflateSync(protobuf)],
  ['deflate', deflateRawSync(protobuf)],
  ['zlib', deflateSync(protobuf)],
  ['snappy', snappyLiteral(protobuf)],
  ['snappy', snappyFramed(protobuf)],
  ['x-snappy-framed', snappyFramed(protobuf)],
  ['zstd', zstdCompressSync(protobuf)],
  ['zstd', Buffer.concat([zstdCompressSync(protobuf.subarray(0, 9)), zstdCompressSync(protobuf.subarray(9))])],
  ['identity', protobuf],
  ['none', protobuf],
  ['', protobuf],
])('Content-Encoding %s', async (encoding, body) => {
  const response = await edge.post(body, { ...PROTOBUF, 'content-encoding': encoding });
  expect(response.status).toBe(200);
  expect(edge.store.writes[0]!.request).toEqual(request);
});

test.each([
  ['identity', largest],
  ['gzip', gzipSync(largest)],
  ['deflate', deflateSync(largest)],
  ['deflate', deflateRawSync(largest)],
  ['zstd', zstdCompressSync(largest)],
])('%s of exactly the limit is accepted', async (encoding, body) => {
  expect(largest.length).toBe(SIZE_MAX);
  const response = await edge.post(body, { ...PROTOBUF, 'content-encoding': encoding });
  expect(response.status).toBe(200);
  expect(edge.store.writes[0]!.body.length).toBe(SIZE_MAX);
});
