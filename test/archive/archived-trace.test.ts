import { zstdCompressSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { isStoreError } from '../../src/base/errors.ts';
import { decodeArchivedTrace, encodeArchivedTrace } from '../../src/archive/archived-trace.ts';
import { parseTenant } from '../../src/trace/tenant.ts';

const tenant = parseTenant('7', '4294967295');
const traceId = Uint8Array.from({ length: 16 }, (_, i) => i + 1);
const otlp = Buffer.from('span '.repeat(100));
const encode = (bytes: Uint8Array): Buffer =>
  Buffer.concat(encodeArchivedTrace(tenant, { traceId, otlp: bytes }, zstdCompressSync(bytes)));

test('the file of format version 1, byte by byte', () => {
  const file = encode(Buffer.from('abc'));
  expect(file.toString('hex')).toBe(
    '544c61726368697601000000' + // TLarchiv, version 1
      file.subarray(12, 16).toString('hex') +
      '0102030405060708090a0b0c0d0e0f10' + // trace id
      '07000000ffffffff' + // tenant
      '0000000003000000' + // not compressed, three bytes
      'c2412435' + // CRC-32 of "abc"
      file.subarray(52, 56).toString('hex') +
      '616263',
  );
});

test('what was encoded is decoded, compressed where that is smaller', () => {
  for (const bytes of [otlp, Buffer.from('x'), Buffer.alloc(0)]) {
    const decoded = decodeArchivedTrace(encode(bytes), 'f');
    expect(decoded.tenant).toBe(tenant);
    expect(Buffer.from(decoded.trace.traceId)).toEqual(Buffer.from(traceId));
    expect(Buffer.from(decoded.trace.otlp)).toEqual(bytes);
  }
  expect(encode(otlp).length).toBeLessThan(100);
});

describe('damage is CORRUPTION and named', () => {
  const codeOf = (bytes: Uint8Array): unknown => {
    try {
      decodeArchivedTrace(bytes, '/a/file');
    } catch (error) {
      return isStoreError(error) && error.message.includes('/a/file') ? error.code : error;
    }
    return 'read';
  };

  test('every flipped bit, every cut', () => {
    const file = encode(otlp);
    for (let bit = 0; bit < file.length * 8; bit++) {
      const flipped = Uint8Array.from(file);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      expect([bit, codeOf(flipped)]).toEqual([bit, 'CORRUPTION']);
    }
    for (let length = 0; length < file.length; length++) {
      expect([length, codeOf(file.subarray(0, length))]).toEqual([length, 'CORRUPTION']);
    }
  });
});
