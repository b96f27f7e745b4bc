import { expect, test } from 'vitest';
import { freeBytes } from '../../src/bytes/free-bytes.ts';

test('memory is freed only where nothing else lies in it', () => {
  const whole = new Uint8Array(1 << 16);
  freeBytes(whole);
  expect(whole.length).toBe(0);
  const shared = new Uint8Array(1 << 16).fill(7);
  for (const part of [shared.subarray(0, 10), shared.subarray(1)]) freeBytes(part);
  expect([shared.length, shared[77]]).toEqual([1 << 16, 7]);
});
