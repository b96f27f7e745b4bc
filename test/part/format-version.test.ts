import { describe, expect, test } from 'vitest';
import { checkFileHeader, encodeFileHeader, LOG_FORMAT, PART_DATA_FORMAT } from '../../src/part/format-version.ts';

const corruption = expect.objectContaining({ code: 'CORRUPTION' });

describe('a file header', () => {
  test('of another kind, cut short, or with any bit flipped is CORRUPTION', () => {
    const header = encodeFileHeader(PART_DATA_FORMAT);
    checkFileHeader(PART_DATA_FORMAT, header, 'x');
    expect(() => checkFileHeader(LOG_FORMAT, header, 'x')).toThrow(corruption);
    for (let size = 0; size < header.length; size++)
      expect(() => checkFileHeader(PART_DATA_FORMAT, header.subarray(0, size), 'x')).toThrow(corruption);
    for (let bit = 0; bit < 8 * header.length; bit++) {
      const flipped = header.slice();
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      expect(() => checkFileHeader(PART_DATA_FORMAT, flipped, 'x')).toThrow(corruption);
    }
  });

  test('of a newer version is FORMAT_TOO_NEW', () => {
    const newer = encodeFileHeader({ ...LOG_FORMAT, version: 2 });
    expect(() => checkFileHeader(LOG_FORMAT, newer, 'a.log')).toThrow(
      'a.log: log format 2, newest known 1; upgrade this node',
    );
  });
});
