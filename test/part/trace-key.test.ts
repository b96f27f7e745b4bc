import { describe, expect, test } from 'vitest';
import { hasTraceKey, sortedTraceKeys, traceKeyHigh, traceKeyLow } from '../../src/part/trace-key.ts';

describe('trace keys', () => {
  // Computed by another implementation of MurmurHash3_x86_32 (Python). The hash is stored: were it to change, old parts
  // would lose their traces.
  test.each([
    ['00000000000000000000000000000000', 0x8134cdf8, 24],
    ['000102030405060708090a0b0c0d0e0f', 0x191573dd, 83],
    ['0000000000000000a1b2c3d4e5f60718', 0xebe51c36, 86],
  ])('of %s stay what they are', (hex, high, low) => {
    const padded = Buffer.concat([Buffer.from('ff', 'hex'), Buffer.from(hex, 'hex')]);
    expect([traceKeyHigh(padded, 1), traceKeyLow(padded, 1)]).toEqual([high, low]);
  });

  test('find each of their ids, also those that differ in one half only', () => {
    const ids = new Uint8Array(16 * 1000);
    for (let i = 0; i < 1000; i++) new DataView(ids.buffer).setUint32(16 * i + (i % 2 === 0 ? 0 : 12), i + 1);
    const keys = sortedTraceKeys(ids);
    expect(new Set(keys).size).toBe(1000);
    for (let i = 0; i < 1000; i++) expect(hasTraceKey(keys, traceKeyHigh(ids, 16 * i))).toBe(true);
    expect(hasTraceKey(keys, traceKeyHigh(new Uint8Array(16)))).toBe(false);
    expect(hasTraceKey(new Uint32Array(0), 0)).toBe(false);
  });
});
