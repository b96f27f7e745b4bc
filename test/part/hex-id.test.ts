import { describe, expect, test } from 'vitest';
import { formatHexId, parseHexId } from '../../src/part/hex-id.ts';

describe('a hex id', () => {
  test.each([
    [1, '0000000000000001'],
    [255, '00000000000000ff'],
    [Number.MAX_SAFE_INTEGER, '001fffffffffffff'],
  ])('%d is written %s and read back', (id, name) => {
    expect(formatHexId(id)).toBe(name);
    expect(parseHexId(name)).toBe(id);
  });

  test.each(['', '1', '000000000000000G', '00000000000000001', 'ffffffffffffffff', '000000000000000A'])(
    'is not %j',
    (name) => {
      expect(parseHexId(name)).toBeUndefined();
    },
  );
});
