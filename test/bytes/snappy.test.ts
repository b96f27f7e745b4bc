import { describe, expect, test } from 'vitest';
import { decodeSnappy } from '../../src/bytes/snappy.ts';
import { createRandom, randomBytes } from '../support/random-request.ts';
import { snappyFramed, snappyLiteral } from '../support/snappy.ts';

const tooLarge = (): Error => new Error('too large');
const decode = (bytes: Uint8Array, sizeMax = 1 << 20): string =>
  Buffer.from(decodeSnappy(bytes, sizeMax, tooLarge)).toString('latin1');

function isDecoded(bytes: Uint8Array): boolean {
  try {
    decode(bytes);
    return true;
  } catch {
    return false;
  }
}

describe.each([
  ['a block', snappyLiteral],
  ['a stream', snappyFramed],
])('%s', (_name, encode) => {
  test.each([0, 1, 59, 60, 61, 300, 5_000])('of %i bytes comes back', (length) => {
    const bytes = Buffer.from(randomBytes(createRandom(length), length));
    expect(decode(encode(bytes))).toBe(bytes.toString('latin1'));
  });

  test('above the bound is too large, cut off or changed it is malformed', () => {
    const whole = encode(Buffer.from('GET /cart '.repeat(9)));
    expect(decode(whole, 90)).toHaveLength(90);
    expect(() => decode(whole, 89)).toThrow('too large');
    const isWhole = [...whole.keys()].filter((length) => length > 0 && isDecoded(whole.subarray(0, length)));
    // A stream may end behind any of its chunks: behind its identifier, and behind the first half.
    expect(isWhole).toHaveLength(encode === snappyFramed ? 2 : 0);
  });
});

/** The elements of the format by hand: tag byte, its operand, and what they make. */
test.each<[what: string, bytes: number[], text: string]>([
  ['a copy with a one-byte offset', [8, 0x0c, 97, 98, 99, 100, 0x01, 4], 'abcdabcd'],
  ['a copy that overlaps itself', [9, 0x00, 97, 0x11, 1], 'aaaaaaaaa'],
  ['a one-byte offset with high bits', [...long(260), 0x21, 4], `${'x'.repeat(260)}xxxx`],
  ['a copy with a two-byte offset', [5, 0x04, 97, 98, 0x0a, 2, 0], 'ababa'],
  ['a copy with a four-byte offset', [5, 0x04, 97, 98, 0x0b, 2, 0, 0, 0], 'ababa'],
  ['a literal with a one-byte length', [3, 0xf0, 2, 97, 98, 99], 'abc'],
  ['a literal with a four-byte length', [3, 0xfc, 2, 0, 0, 0, 97, 98, 99], 'abc'],
  ['nothing', [0], ''],
])('%s', (_what, bytes, text) => {
  expect(decode(Uint8Array.from(bytes))).toBe(text);
});

/** `n` x as a literal with a two-byte length, announced with four bytes more. */
function long(n: number): number[] {
  return [((n + 4) & 127) | 128, (n + 4) >> 7, 0xf4, (n - 1) & 255, (n - 1) >> 8, ...Array<number>(n).fill(120)];
}

test.each<[what: string, bytes: number[], message: string]>([
  ['no length', [], 'malformed length'],
  ['a length without end', [255, 255, 255, 255, 255, 1], 'malformed length'],
  ['gigabytes from nowhere', [255, 255, 3, 0], '4 bytes cannot hold 65535'],
  ['less than announced', [3, 0x00, 97], '1 bytes where 3 were announced'],
  ['more than announced', [1, 0x04, 97, 98], 'more bytes than were announced'],
  ['a literal that is cut', [3, 0x08, 97], 'unexpected end of a literal'],
  ['an operand that is cut', [3, 0xf4, 1], 'unexpected end'],
  ['a copy from nothing', [4, 0x01, 1], 'a copy from before the beginning'],
  ['a copy of offset zero', [8, 0x0c, 97, 98, 99, 100, 0x01, 0], 'a copy from before the beginning'],
])('%s is malformed', (_what, bytes, message) => {
  expect(() => decode(Uint8Array.from(bytes))).toThrow(message);
});

test.each<[what: string, chunk: number[], message: string]>([
  ['a chunk that is cut', [1, 9, 0, 0, 1], 'unexpected end of a chunk'],
  ['a header that is cut', [1, 9], 'unexpected end of a chunk header'],
  ['an unknown chunk', [2, 0, 0, 0], 'unknown chunk type 2'],
  ['a chunk without checksum', [1, 3, 0, 0, 1, 2, 3], 'a chunk without its checksum'],
  ['a wrong checksum', [1, 5, 0, 0, 1, 2, 3, 4, 97], 'a chunk fails its checksum'],
])('%s in a stream is malformed', (_what, chunk, message) => {
  const stream = Buffer.concat([snappyFramed(Buffer.from('abc')), Uint8Array.from(chunk)]);
  expect(() => decode(stream)).toThrow(message);
});

test('chunks that may be skipped are, wherever they stand', () => {
  const padding = Uint8Array.of(0xfe, 3, 0, 0, 1, 2, 3);
  expect(decode(Buffer.concat([snappyFramed(Buffer.from('abc')), padding]))).toBe('abc');
});
