import { expect, test } from 'vitest';
import { freeBytes, freeWhenSent } from '../../src/bytes/free-bytes.ts';

test('memory is freed only where nothing else lies in it', () => {
  const whole = new Uint8Array(1 << 16);
  freeBytes(whole);
  expect(whole.length).toBe(0);
  const shared = new Uint8Array(1 << 16).fill(7);
  for (const part of [shared.subarray(0, 10), shared.subarray(1)]) freeBytes(part);
  expect([shared.length, shared[77]]).toEqual([1 << 16, 7]);
});

test('what was sent is freed when all of it has ended, and the first failure is told', async () => {
  const bodies = Array.from({ length: 3 }, () => new Uint8Array(16));
  const last = Promise.withResolvers<number>();
  const ended = freeWhenSent([Promise.resolve(1), last.promise], bodies, bodies[2]);
  await Promise.resolve();
  expect(bodies.map(({ length }) => length)).toEqual([16, 16, 16]);
  last.resolve(2);
  expect(await ended).toEqual([1, 2]);
  expect(bodies.map(({ length }) => length)).toEqual([0, 0, 16]);
  const failing = freeWhenSent([Promise.reject(new Error('first')), Promise.reject(new Error('second'))], [bodies[2]!]);
  await expect(failing).rejects.toThrow('first');
  expect(bodies[2]).toHaveLength(0);
});
