import { expect, test } from 'vitest';
import { crc32 } from '../../src/bytes/crc32.ts';

test.each([
  ['', 0],
  ['123456789', 0xcbf43926], // the check value of CRC-32/ISO-HDLC
  ['a', 0xe8b7be43],
])('of %j', (text, expected) => {
  expect(crc32(Buffer.from(text))).toBe(expected);
});

test('of a view, not of its buffer', () => {
  expect(crc32(Buffer.from('..123456789..').subarray(2, -2))).toBe(0xcbf43926);
});
