// OTLP over HTTP at the socket: what is accepted, what is answered, what reaches the SpanWriter.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { StoreError } from '../../../src/base/errors.ts';
import {
  decodeResponse,
  decodeRetrySeconds,
  decodeRpcStatus,
  encodeRequest,
  toOtlpJson,
} from '../../support/otlp-proto.ts';
import { createRandom, randomRequest } from '../../support/random-request.ts';
import { openEdgeServers, type EdgeServers } from '../../support/edge-servers.ts';

const PROTOBUF = { 'content-type': 'application/x-protobuf' };
const JSON_TYPE = { 'content-type': 'application/json' };
const request = {
  resourceSpans: [...(randomRequest(createRandom(11), 1_763_600_000_000_000_000n).resourceSpans ?? []), {}],
};
const protobuf = encodeRequest(request);
const json = JSON.stringify(toOtlpJson(request));

let edge: EdgeServers;
beforeAll(async () => {
  edge = await openEdgeServers();
});
afterAll(async () => {
  await edge[Symbol.asyncDispose]();
});
beforeEach(() => {
  edge.store.writes.length = 0;
  edge.store.failures.length = 0;
  edge.store.result = undefined;
});

describe('accepted', () => {
  test.each(['/insert/opentelemetry/v1/traces', '/v1/traces', '//v1/traces', '/v1/traces/', '//v1//traces//?a=/'])(
    'POST %s stores protobuf and JSON alike',
    async (path) => {
      for (const [headers, body] of [
        [PROTOBUF, protobuf],
        [JSON_TYPE, json],
      ] as const) {
        for (const hasLength of [true, false]) {
          const response = await edge.send({ method: 'POST', path, headers, body, hasLength });
          expect([response.status, response.headers['content-type']]).toEqual([200, headers['content-type']]);
        }
      }
      expect(edge.store.writes.map((write) => Buffer.from(write.body).toString('hex'))).toEqual(
        Array(4).fill(Buffer.from(protobuf).toString('hex')),
      );
    },
  );

  test.each([
    ['application/x-protobuf', 'application/x-protobuf'],
    ['application/x-protobuf;v=1', 'application/x-protobuf'],
    ['Application/X-Protobuf', 'application/x-protobuf'],
    ['application/protobuf', 'application/protobuf'],
  ])('Content-Type %s is answered as %s, empty when all is stored', async (contentType, expected) => {
    const response = await edge.post(protobuf, { 'content-type': contentType });
    expect([response.status, response.headers['content-type'], response.body.length]).toEqual([200, expected, 0]);
  });

  test.each(['application/json; charset=utf-8', 'APPLICATION/JSON', 'application/json;charset="UTF-8"'])(
    'Content-Type %s is answered with {}',
    async (contentType) => {
      const response = await edge.post(json, { 'content-type': contentType });
      expect([response.status, response.headers['content-type'], response.text]).toEqual([
        200,
        'application/json',
        '{}',
      ]);
    },
  );

  test('the tenant comes from the headers, 0:0 without them', async () => {
    await edge.post(protobuf, PROTOBUF);
    await edge.post(protobuf, { ...PROTOBUF, AccountID: '7' });
    expect((await edge.post(protobuf, { ...PROTOBUF, 'x-tenant': 'acme' })).status).toBe(400);
    await edge.post(protobuf, { ...PROTOBUF, accountid: '4294967295', PROJECTID: '12' });
    expect(edge.store.writes.map((write) => write.tenant)).toEqual(['0:0', '7:0', '4294967295:12']);
  });

  test('rejected spans are named in the encoding of the request', async () => {
    edge.store.result = () => ({
      stored: 4,
      rejected: new Map([
        ['too_small_timestamp', 1],
        ['invalid_trace_id', 2],
      ]),
    });
    const message =
      '3 spans rejected: 2 invalid_trace_id (trace id must be 16 bytes and not all zero), ' +
      '1 too_small_timestamp (start is older than -retentionPeriod, or than retentionDays of the tenant; check the clock of the sender or raise it)';
    const inProtobuf = await edge.post(protobuf, PROTOBUF);
    expect(decodeResponse(inProtobuf.body)).toEqual({ partialSuccess: { rejectedSpans: 3n, errorMessage: message } });
    const inJson = await edge.post(json, JSON_TYPE);
    expect(JSON.parse(inJson.text)).toEqual({ partialSuccess: { rejectedSpans: '3', errorMessage: message } });
  });
});

describe('refused', () => {
  test.each([
    ['OVERLOADED', 429, 8, 1],
    ['READ_ONLY', 429, 8, 5],
    ['UNAVAILABLE', 503, 14, 2],
    ['DISK', 503, 14, 5],
  ] as const)('%s is %i with Retry-After, and RetryInfo in the status', async (code, status, grpcCode, seconds) => {
    edge.store.failures.push(new StoreError(code, 'why'), new StoreError(code, 'why'));
    const inProtobuf = await edge.post(protobuf, PROTOBUF);
    expect([inProtobuf.status, inProtobuf.headers['retry-after'], inProtobuf.headers['content-type']]).toEqual([
      status,
      String(seconds),
      'application/x-protobuf',
    ]);
    const decoded = decodeRpcStatus(inProtobuf.body);
    expect([decoded.code, decoded.message, decoded.details?.[0]?.typeUrl]).toEqual([
      grpcCode,
      'why',
      'type.googleapis.com/google.rpc.RetryInfo',
    ]);
    expect(decodeRetrySeconds(decoded.details![0]!.value!)).toBe(BigInt(seconds));
    const inJson = await edge.post(json, JSON_TYPE);
    expect([inJson.status, inJson.headers['retry-after'], inJson.headers['content-type']]).toEqual([
      status,
      String(seconds),
      'application/json',
    ]);
    expect(JSON.parse(inJson.text)).toEqual({
      code: grpcCode,
      message: 'why',
      details: [{ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: `${seconds}s` }],
    });
  });

  test('a malformed request found by the store is 400 without Retry-After', async () => {
    edge.store.failures.push(new StoreError('INVALID_REQUEST', 'malformed protobuf at byte 7'));
    const response = await edge.post(protobuf, PROTOBUF);
    expect([response.status, response.headers['retry-after'], decodeRpcStatus(response.body)]).toEqual([
      400,
      undefined,
      { code: 3, message: 'malformed protobuf at byte 7' },
    ]);
  });

  test('a bug is 500, told to the log and not to the client', async () => {
    edge.store.failures.push(new Error('secret detail'));
    const response = await edge.post(json, JSON_TYPE);
    expect([response.status, JSON.parse(response.text)]).toEqual([
      500,
      { code: 13, message: 'internal error; the log of the server says more' },
    ]);
    expect(edge.logLines.at(-1)).toContain('secret detail');
  });
});
