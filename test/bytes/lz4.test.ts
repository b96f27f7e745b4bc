// LZ4 frames made by the programs that send them: what they compress comes back, and what is damaged is an error.
import { describe, expect, test } from 'vitest';
import { decodeLz4, xxh32 } from '../../src/bytes/lz4.ts';
import { createRandom, randomBytes } from '../support/random-request.ts';

const tooLarge = (): Error => new Error('too large');
const decode = (bytes: Uint8Array, sizeMax = 1 << 20): Buffer => Buffer.from(decodeLz4(bytes, sizeMax, tooLarge));
const PLAIN = Buffer.from('tracelith '.repeat(7_000));

/** Frames of PLAIN in hex, `(n)` for n times ff. */
const FRAMES: readonly (readonly [maker: string, hex: string])[] = [
  [
    'golang pierrec/lz4, as the Collector sends it',
    '04224d186470b934010000af74726163656c697468200a00(274)53f0036163656c6974682074726163656c6974682000000000911a3f23',
  ],
  [
    'blocks of 64 KiB',
    '04224d186440a720010000af74726163656c697468200a00(256)d100e6ffe06163656c6974682074726163656c31000000af6974682074726163656c0a00(17)52005811e06974682074726163656c6974682000000000911a3f23',
  ],
  [
    'checksums of blocks',
    '04224d187440bd20010000af74726163656c697468200a00(256)d100e6ffe06163656c6974682074726163656cb96132af31000000af6974682074726163656c0a00(17)52005811e06974682074726163656c6974682096eeca3c00000000911a3f23',
  ],
  [
    'an announced size',
    '04224d186c7070110100000000005d34010000af74726163656c697468200a00(274)53f0036163656c6974682074726163656c6974682000000000911a3f23',
  ],
  [
    'blocks that depend on one another (lz4 -BD -BX --content-size)',
    '04224d185c407011010000000000e314010000af74726163656c697468200a00(256)de50726163656c3ca598a61b0000000ffa(18)69506c6974682014c96b3000000000911a3f23',
  ],
];

function frameOf(hex: string): Buffer {
  return Buffer.from(
    hex.replace(/\((\d+)\)/g, (_run, count: string) => 'ff'.repeat(Number(count))),
    'hex',
  );
}

/** A frame of one block that is not compressed, without checksums. */
function plainFrame(bytes: Uint8Array): Buffer {
  const size = Buffer.alloc(4);
  size.writeUInt32LE((bytes.length | 0x8000_0000) >>> 0);
  return Buffer.concat([Buffer.from('04224d18607073', 'hex'), size, bytes, Buffer.alloc(4)]);
}

describe.each(FRAMES)('a frame of %s', (_maker, hex) => {
  const frame = frameOf(hex);

  test('comes back, alone and behind others', () => {
    expect(decode(frame).equals(PLAIN)).toBe(true);
    const skippable = Buffer.from('5a2a4d1803000000616263', 'hex');
    const three = decode(Buffer.concat([frame, skippable, plainFrame(Buffer.from('middle')), frame]));
    expect(three.equals(Buffer.concat([PLAIN, Buffer.from('middle'), PLAIN]))).toBe(true);
  });

  test('above the bound is too large, cut off it is malformed', () => {
    expect(decode(frame, PLAIN.length)).toHaveLength(PLAIN.length);
    expect(() => decode(frame, PLAIN.length - 1)).toThrow('too large');
    for (let length = 1; length < frame.length; length++) {
      expect(() => decode(frame.subarray(0, length)), `${length} bytes`).toThrow();
    }
  });

  test('with any bit changed is an error, never other bytes', () => {
    for (let at = 0; at < frame.length * 8; at++) {
      const changed = Buffer.from(frame);
      changed[at >> 3]! ^= 1 << (at & 7);
      const result = (() => {
        try {
          return decode(changed);
        } catch {
          return undefined;
        }
      })();
      // A bit of the header that nothing of this frame depends on may change; a frame that becomes skippable holds nothing.
      if (result !== undefined && result.length > 0) expect(result.equals(PLAIN), `bit ${at}`).toBe(true);
    }
  });
});

test('what does not compress is kept as it is', () => {
  for (const size of [0, 1, 15, 16, 17, 1_000]) {
    const bytes = Buffer.from(randomBytes(createRandom(size), size));
    expect(decode(plainFrame(bytes)).equals(bytes)).toBe(true);
  }
});

test.each([
  ['', ''],
  ['1f8b0800', 'no LZ4 frame'],
  ['02214c1800000000', 'no LZ4 frame'],
  ['04224d18a07073', 'an unknown version of LZ4 frames'],
  ['04224d1861700000000000', 'a frame that needs a dictionary'],
  ['04224d18607074', 'a frame header fails its checksum'],
  ['04224d18607073050000', 'unexpected end of a frame'],
  ['04224d186070730300000000010000000000', 'a copy from before the beginning'],
  ['04224d18607073040000001061020000000000', 'a copy from before the beginning'],
  ['04224d1860707301000000f000000000', 'unexpected end of a length'],
  ['04224d18607073010000002000000000', 'unexpected end of literals'],
])('%s: %s', (hex, message) => {
  const bytes = Buffer.from(hex, 'hex');
  if (message === '') expect(decode(bytes)).toHaveLength(0);
  else expect(() => decode(bytes)).toThrow(message);
});

test('random bytes behind a valid header never become more than the bound', () => {
  const random = createRandom(4);
  for (let round = 0; round < 2_000; round++) {
    const block = Buffer.from(randomBytes(random, 1 + (round % 200)));
    const size = Buffer.alloc(4);
    size.writeUInt32LE(block.length);
    const bytes = Buffer.concat([Buffer.from('04224d18607073', 'hex'), size, block, Buffer.alloc(4)]);
    try {
      expect(decode(bytes, 5_000).length).toBeLessThanOrEqual(5_000);
    } catch (error) {
      expect(error).toBeInstanceOf(Error);
      expect(String(error)).not.toMatch(/RangeError|TypeError/);
    }
  }
});

test.each([
  ['', 0x02cc5d05],
  ['a', 0x550d7456],
  ['abc', 0x32d153ff],
  ['Nobody inspects the spammish repetition', 0xe2293b2f],
])('xxHash32 of %j', (text, hash) => {
  expect(xxh32(Buffer.from(text))).toBe(hash);
});
