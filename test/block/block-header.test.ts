import { describe, expect, test } from 'vitest';
import {
  BLOCK_HEADER_SIZE_MIN,
  BLOCK_SIZE_BYTES_MAX,
  encodeBlockHeader,
  readBlockHeader,
  type BlockHeader,
} from '../../src/block/block-header.ts';
import { crc32 } from '../../src/bytes/crc32.ts';
import type { Tenant } from '../../src/trace/tenant.ts';

const header: BlockHeader = {
  version: 2,
  sizeBytes: 5000,
  directoryBytes: 300,
  tenant: '4294967295:7' as Tenant,
  day: 20_777,
  rowCount: 4_000_000_000,
  traceCount: 3,
  startMin: 0,
  startMax: 86_399_999_999_999,
  durationMin: -(2 ** 53),
  durationMax: 2 ** 53,
};

/** The header with bytes changed and the checksum made right again. */
function forged(change: (view: DataView) => void): Uint8Array {
  const bytes = encodeBlockHeader(header);
  const view = new DataView(bytes.buffer);
  change(view);
  view.setUint32(72, crc32(bytes.subarray(0, 72)), true);
  return bytes;
}

test.each<Partial<BlockHeader>>([{}, { day: -1 }, { tenant: '0:0' as Tenant, rowCount: 1 }])(
  '%j comes back',
  (change) => {
    const bytes = encodeBlockHeader({ ...header, ...change });
    expect(bytes.length).toBe(BLOCK_HEADER_SIZE_MIN);
    expect(readBlockHeader(bytes)).toEqual({ ...header, ...change });
    expect(readBlockHeader(Buffer.concat([Buffer.from('before'), bytes, Buffer.from('behind')]), 6)).toEqual({
      ...header,
      ...change,
    });
  },
);

describe('refused:', () => {
  test('any flipped bit', () => {
    const bytes = encodeBlockHeader(header);
    for (let bit = 0; bit < 8 * bytes.length; bit++) {
      const damaged = bytes.slice();
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      expect(() => readBlockHeader(damaged)).toThrow(expect.objectContaining({ code: 'CORRUPTION' }));
    }
  });

  test.each<[string, Uint8Array, string, RegExp]>([
    ['a header cut', encodeBlockHeader(header).subarray(0, 75), 'CORRUPTION', /shorter than its header/],
    ['another file', new Uint8Array(100), 'CORRUPTION', /wrong magic/],
    [
      'a newer version',
      forged((view) => view.setUint8(3, 3)),
      'FORMAT_TOO_NEW',
      /block format 3, newest known 2; upgrade/,
    ],
    [
      'a size beyond any block',
      forged((view) => view.setUint32(4, BLOCK_SIZE_BYTES_MAX + 1, true)),
      'CORRUPTION',
      /claims/,
    ],
    ['a size below its directory', forged((view) => view.setUint32(4, 375, true)), 'CORRUPTION', /claims 375 bytes/],
  ])('%s', (_, bytes, code, message) => {
    expect(() => readBlockHeader(bytes)).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(message) }),
    );
  });
});

test('a block larger than readers take is never written', () => {
  expect(() => encodeBlockHeader({ ...header, sizeBytes: BLOCK_SIZE_BYTES_MAX + 1 })).toThrow('BUG: a block of');
});
