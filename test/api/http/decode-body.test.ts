// What is done to a body once it is received. Every encoding over a socket: request-body.test.ts; damage: bad-input.test.ts.
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { expect, test } from 'vitest';
import {
  ACCEPTED_ENCODINGS,
  bodyToOtlp,
  decodeBody,
  isIdentity,
  isKnownEncoding,
} from '../../../src/api/http/decode-body.ts';
import { jsonToRequest } from '../../../src/otlp/json-to-request.ts';
import { tracesToJson } from '../../../src/otlp/traces-to-json.ts';
import { requestOf } from '../../storage/stored-spans.ts';

const bytes = Buffer.from('x'.repeat(1_000));

test('every encoding that is offered is known', () => {
  for (const encoding of ACCEPTED_ENCODINGS.split(', ')) expect(isKnownEncoding(encoding)).toBe(true);
  expect(['br', 'GZIP', 'constructor'].map(isKnownEncoding)).toEqual([false, false, false]);
  expect(['', 'identity', 'none', 'gzip'].map(isIdentity)).toEqual([true, true, true, false]);
});

test.each([
  ['gzip', gzipSync(bytes)],
  ['zstd', zstdCompressSync(bytes)],
])('%s is expanded up to the limit and no byte further', (encoding, compressed) => {
  const body = { bytes: compressed, encoding };
  expect(Buffer.from(decodeBody(body, 1_000))).toEqual(bytes);
  expect(() => decodeBody(body, 999)).toThrow(expect.objectContaining({ code: 'LIMIT_EXCEEDED' }));
});

test('JSON becomes the protobuf it stands for; protobuf is left as it is', () => {
  const protobuf = requestOf({ first: 0, count: 3 });
  const json = Buffer.concat([...tracesToJson(protobuf)]);
  const otlp = bodyToOtlp({ bytes: gzipSync(json), encoding: 'gzip' }, { sizeMax: 1 << 20, isJson: true });
  expect(otlp).toEqual(jsonToRequest(json));
  expect(bodyToOtlp({ bytes: protobuf, encoding: '' }, { sizeMax: 1 << 20, isJson: false })).toBe(protobuf);
});
