// The readers of leaves against bigint arithmetic and Buffer.
import { describe, expect, test } from 'vitest';
import {
  ExactNumber,
  parseJson,
  readBase64,
  readDouble,
  readHex,
  readInt,
  readInt64,
  readUint64,
  Uint64,
} from '../../src/otlp/json-value.ts';
import { createRandom, printedSeed, randomBytes } from '../support/random-request.ts';

const bits = new Uint64();
const valueOf = (): bigint => (BigInt(bits.hi) << 32n) | BigInt(bits.lo);

/** Integers of every length up to 64 bits, dense around the powers of two and ten where halves carry. */
function randomUint64(random: () => number): bigint {
  const near = random() < 0.5 ? 2n ** BigInt(Math.floor(random() * 65)) : 10n ** BigInt(Math.floor(random() * 20));
  const jitter = BigInt(Math.floor(random() * 5) - 2);
  return BigInt.asUintN(64, random() < 0.5 ? near + jitter : BigInt(Math.floor(random() * 2 ** 32)) * near + jitter);
}

describe('64-bit integers', () => {
  test('text and literal are read exactly, signed and unsigned', () => {
    const random = createRandom(printedSeed('json-value'));
    for (let i = 0; i < 20_000; i++) {
      const value = randomUint64(random);
      const signed = BigInt.asIntN(64, value);
      expect(readUint64(String(value), bits) && valueOf()).toBe(value);
      expect(readUint64(parseJson(Buffer.from(` ${value}`)), bits) && valueOf()).toBe(value);
      expect(readInt64(String(signed), bits) && valueOf()).toBe(value);
      expect(readInt64(parseJson(Buffer.from(` ${signed}`)), bits) && valueOf()).toBe(value);
    }
  });

  test.each(['', ' 1', '1 ', '+1', '1_0', '0x1', '१', '1e', '1.', '.5', '1.5', 'NaN', '1e400', '9'.repeat(65)])(
    '%j is none',
    (text) => {
      expect([readUint64(text, bits), readInt64(text, bits)]).toEqual([false, false]);
    },
  );

  test.each([
    [(2n ** 64n).toString(), false, false],
    [(2n ** 63n).toString(), true, false],
    ['-1', false, true],
    [(-(2n ** 63n)).toString(), false, true],
    [(-(2n ** 63n) - 1n).toString(), false, false],
  ])('%s fits unsigned: %s, signed: %s', (text, isUnsigned, isSigned) => {
    expect([readUint64(text, bits), readInt64(text, bits)]).toEqual([isUnsigned, isSigned]);
  });

  test.each([true, {}, [], undefined])('%j is no number of any kind', (value) => {
    expect([readUint64(value, bits), readInt64(value, bits), readInt(value, 0, 9), readDouble(value)]).toEqual([
      false,
      false,
      undefined,
      undefined,
    ]);
  });
});

test('only literals that a double cannot hold keep their text', () => {
  const text =
    '{"a":9007199254740991,"b":9007199254740993,"c":"9007199254740993","d":1e300,"e":[-18446744073709551616]}';
  expect(parseJson(Buffer.from(text))).toEqual({
    a: 9007199254740991,
    b: new ExactNumber(9007199254740992, '9007199254740993'),
    c: '9007199254740993',
    d: new ExactNumber(1e300, '1e300'),
    e: [new ExactNumber(-(2 ** 64), '-18446744073709551616')],
  });
});

test('hex and base64 of random bytes come back in every spelling', () => {
  const random = createRandom(printedSeed('json-value bytes'));
  for (let length = 0; length < 200; length++) {
    const bytes = Buffer.from(randomBytes(random, length));
    for (const hex of [bytes.toString('hex'), bytes.toString('hex').toUpperCase()]) {
      const out = new Uint8Array(length + 3);
      expect([readHex(hex, out, 3), Buffer.from(out.subarray(3))]).toEqual([length, bytes]);
    }
    const base64 = bytes.toString('base64');
    for (const text of [base64, base64.replace(/=+$/, ''), bytes.toString('base64url')]) {
      expect(Buffer.from(readBase64(text)!)).toEqual(bytes);
    }
  }
});

test.each(['g0', '0', '0:', '0/', '0@', '0`', 'é0'])('%j is not hex', (text) => {
  expect(readHex(text, new Uint8Array(4), 0)).toBeUndefined();
});

test.each(['a', 'a===', 'ab=c', 'ab c', 'a\nbc', 'äbcd'])('%j is not base64', (text) => {
  expect(readBase64(text)).toBeUndefined();
});
