import { describe, expect, test } from 'vitest';
import { newIdentity } from '../../src/part/identity.ts';
import { decodePartMetadata, encodePartMetadata } from '../../src/part/part-metadata.ts';
import { parseTenant } from '../../src/trace/tenant.ts';

const corruption = expect.objectContaining({ code: 'CORRUPTION' });

describe('part metadata', () => {
  const metadata = {
    identity: newIdentity(),
    day: 20_777,
    origin: { logSeqMax: 2 ** 40 + 5, partIds: ['0000000000000003', newIdentity(), newIdentity()] },
    rowCount: 2 ** 35 + 7,
    dataBytes: 2 ** 42 + 1,
    tracesBytes: 4_112,
    filtersBytes: 2 ** 33,
    rollupsBytes: 2 ** 34,
    blocks: [
      {
        offset: 16,
        sizeBytes: 500,
        tenant: parseTenant('1', '4294967295'),
        rowCount: 8_192,
        traceCount: 77,
        startMin: 0,
        startMax: 86_399_999_999_999,
        durationMin: -(2 ** 53),
        durationMax: 2 ** 53,
        filterBytes: 2 ** 31,
      },
      {
        offset: 2 ** 41,
        sizeBytes: 600,
        tenant: parseTenant('0', '0'),
        rowCount: 1,
        traceCount: 1,
        startMin: 5,
        startMax: 5,
        durationMin: 0,
        durationMax: 0,
        filterBytes: 24,
      },
    ],
    fences: Uint32Array.of(0, 17, 0xffffffff),
  };

  test('is read back as it was written', () => {
    expect(decodePartMetadata(encodePartMetadata(metadata), 'x')).toEqual(metadata);
    const empty = { ...metadata, origin: { logSeqMax: 0, partIds: [] }, blocks: [], fences: new Uint32Array(0) };
    expect(decodePartMetadata(encodePartMetadata(empty), 'x')).toEqual(empty);
  });

  test('cut off anywhere, or with any byte changed, is CORRUPTION and never anything else', () => {
    const bytes = encodePartMetadata(metadata);
    for (let size = 0; size < bytes.length; size++)
      expect(() => decodePartMetadata(bytes.subarray(0, size), 'x')).toThrow(corruption);
    for (let at = 0; at < bytes.length; at++) {
      const changed = bytes.slice();
      changed[at]! ^= 0xff;
      expect(() => decodePartMetadata(changed, 'x'), `byte ${at}`).toThrow(corruption);
    }
  });
});
