// A filter never denies a key it was built of, and admits a stranger once in 256.
import { describe, expect, test } from 'vitest';
import { buildFuseFilter, FuseFilter, type HashPairs } from '../../src/codec/fuse-filter.ts';
import { createRandom, printedSeed, type Random } from '../support/random-request.ts';

function randomKeys(random: Random, count: number): HashPairs {
  const seen = new Set<string>();
  const lo = new Uint32Array(count);
  const hi = new Uint32Array(count);
  for (let i = 0; i < count;) {
    lo[i] = random() * 2 ** 32;
    hi[i] = random() * 2 ** 32;
    if (seen.has(`${lo[i]},${hi[i]}`)) continue;
    seen.add(`${lo[i]},${hi[i]}`);
    i++;
  }
  return { lo, hi, count };
}

describe('a fuse filter', () => {
  const random = createRandom(printedSeed('fuse filter'));

  test.each([0, 1, 2, 3, 10, 100, 1000, 5000, 50_000])('of %i keys has each of them and few others', (count) => {
    const keys = randomKeys(random, count);
    const filter = new FuseFilter(buildFuseFilter(keys));
    for (let i = 0; i < count; i++) expect(filter.mayContain(keys.lo[i]!, keys.hi[i]!)).toBe(true);
    let strangers = 0;
    for (let i = 0; i < 20_000; i++) {
      if (filter.mayContain(random() * 2 ** 32, random() * 2 ** 32)) strangers++;
    }
    // 78 are expected; 160 is more than nine standard deviations away.
    expect(strangers).toBeLessThan(160);
  });

  test('of the same keys has the same bytes', () => {
    const keys = randomKeys(random, 500);
    expect(buildFuseFilter(keys)).toEqual(buildFuseFilter(keys));
  });

  test('takes at most 12 bits a key where blocks have thousands', () => {
    expect((buildFuseFilter(randomKeys(random, 4000)).length * 8) / 4000).toBeLessThan(12);
  });

  test('hashes as it always did: stored filters depend on it', () => {
    const keys = { lo: Uint32Array.of(1, 2, 3), hi: Uint32Array.of(4, 5, 6), count: 3 };
    expect(Buffer.from(buildFuseFilter(keys)).toString('hex')).toMatchInlineSnapshot(
      `"0100000008000000010000000f2800000045000000000000000000000000000000000000"`,
    );
  });

  test.each([
    ['empty', new Uint8Array(0)],
    ['shorter than it says', buildFuseFilter(randomKeys(createRandom(1), 10)).subarray(0, 20)],
    [
      'of a segment length that is no power of two',
      Uint8Array.of(1, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, ...new Uint8Array(9)),
    ],
  ])('that is %s is CORRUPTION', (_, bytes) => {
    expect(() => new FuseFilter(bytes)).toThrow(expect.objectContaining({ code: 'CORRUPTION' }));
  });
});
