import { expect, test } from 'vitest';
import { status as grpc } from '@grpc/grpc-js';
import { BugError } from '../../../src/base/assert.ts';
import { STORE_ERROR_CODES, StoreError, type StoreErrorCode } from '../../../src/base/errors.ts';
import { FAILURE_STATUS, messageOf, statusOf } from '../../../src/api/edge/status.ts';

/** What OTLP exporters retry over HTTP. */
const RETRIED = new Set([429, 502, 503, 504]);

test('every code has a status', () => {
  expect(Object.keys(FAILURE_STATUS).toSorted()).toEqual([...STORE_ERROR_CODES].toSorted());
});

test.each<[StoreErrorCode, number, number, boolean]>([
  ['INVALID_REQUEST', 400, grpc.INVALID_ARGUMENT, false],
  ['UNSUPPORTED_TYPE', 415, grpc.UNIMPLEMENTED, false],
  ['LIMIT_EXCEEDED', 413, grpc.RESOURCE_EXHAUSTED, false],
  ['OVERLOADED', 429, grpc.RESOURCE_EXHAUSTED, true],
  ['READ_ONLY', 429, grpc.RESOURCE_EXHAUSTED, true],
  ['BUSY', 503, grpc.UNAVAILABLE, true],
  ['UNAVAILABLE', 503, grpc.UNAVAILABLE, true],
  ['NOT_FOUND', 404, grpc.NOT_FOUND, false],
  ['TIMEOUT', 503, grpc.DEADLINE_EXCEEDED, false],
  ['CANCELLED', 499, grpc.CANCELLED, false],
  ['CORRUPTION', 500, grpc.INTERNAL, false],
  ['FORMAT_TOO_NEW', 500, grpc.INTERNAL, false],
  ['DISK', 503, grpc.UNAVAILABLE, true],
])('%s is HTTP %i and gRPC %i', (code, http, grpcCode, isRetried) => {
  const status = statusOf(new StoreError(code, 'x'));
  expect([status.http, status.grpc, status.retrySeconds !== undefined]).toEqual([http, grpcCode, isRetried]);
  if (isRetried) expect(RETRIED.has(http)).toBe(true);
});

test('what is not a StoreError is a bug of ours, and its text stays here', () => {
  for (const error of [new BugError('x'), new TypeError('secret'), 'thrown text', undefined]) {
    expect([statusOf(error).http, statusOf(error).grpc]).toEqual([500, grpc.INTERNAL]);
    expect(messageOf(error)).toBe('internal error; the log of the server says more');
  }
});
