import { describe, expect, test } from 'vitest';
import { CODEC_LZ4, CODEC_NONE, CODEC_ZSTD, compress, decompress } from '../../src/bytes/compression.ts';
import { createRandom, randomBytes } from '../support/random-request.ts';

const text = Buffer.from('GET /cart HTTP/1.1 '.repeat(50));
const random = randomBytes(createRandom(7), 1000);
const corruption: unknown = expect.objectContaining({ code: 'CORRUPTION' });

describe.each([
  ['none', CODEC_NONE],
  ['LZ4', CODEC_LZ4],
  ['zstd', CODEC_ZSTD],
])('%s', (_, codec) => {
  test.each<[string, Uint8Array]>([
    ['nothing', new Uint8Array(0)],
    ['one byte', Uint8Array.of(1)],
    ['text', text],
    ['a view inside a buffer', text.subarray(3, 700)],
    ['random bytes', random],
    ['a megabyte of zeros', new Uint8Array(1 << 20)],
  ])('gives back %s, and is never larger', (__, raw) => {
    const compressed = compress(raw, { codec, level: 3 });
    expect(compressed.stored.length).toBeLessThanOrEqual(raw.length);
    expect(Buffer.compare(decompress(compressed.codec, compressed.stored, raw.length), raw)).toBe(0);
  });
});

test('text shrinks; random bytes and short ones are stored as they are', () => {
  for (const codec of [CODEC_LZ4, CODEC_ZSTD]) {
    expect(compress(text, { codec, level: 3 })).toMatchObject({ codec });
    expect(compress(text, { codec, level: 3 }).stored.length).toBeLessThan(text.length / 5);
    expect(compress(random, { codec, level: 3 })).toEqual({ codec: CODEC_NONE, stored: random });
    expect(compress(text.subarray(0, 63), { codec, level: 3 }).codec).toBe(CODEC_NONE);
  }
});

describe('a frame that is not what its header says is CORRUPTION:', () => {
  const lz4 = compress(text, { codec: CODEC_LZ4, level: 0 }).stored;
  const zstd = compress(text, { codec: CODEC_ZSTD, level: 3 }).stored;
  test.each<[string, number, Uint8Array, number]>([
    ['an unknown codec', 3, text, text.length],
    ['raw bytes of another length', CODEC_NONE, text, text.length - 1],
    ['LZ4 of another length', CODEC_LZ4, lz4, text.length + 1],
    ['LZ4 cut inside its length', CODEC_LZ4, lz4.subarray(0, 3), text.length],
    ['LZ4 cut', CODEC_LZ4, lz4.subarray(0, 20), text.length],
    ['zstd longer than said', CODEC_ZSTD, zstd, text.length - 1],
    ['zstd shorter than said', CODEC_ZSTD, zstd, text.length + 1],
    ['zstd cut', CODEC_ZSTD, zstd.subarray(0, -5), text.length],
    ['zstd that is none', CODEC_ZSTD, text, text.length],
    ['a length no frame has', CODEC_ZSTD, zstd, 2 ** 50],
  ])('%s', (_, codec, stored, rawBytes) => {
    expect(() => decompress(codec, stored, rawBytes)).toThrow(corruption);
  });
});

test('an LZ4 frame that claims gigabytes is refused before they are allocated', () => {
  const bomb = Buffer.from(compress(text, { codec: CODEC_LZ4, level: 0 }).stored);
  bomb.writeUInt32LE(0xffffffff, 0);
  expect(() => decompress(CODEC_LZ4, bomb, text.length)).toThrow(corruption);
});
