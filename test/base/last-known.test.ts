// An answer in time from somebody who may be busy.
import { expect, test } from 'vitest';
import { LastKnown } from '../../src/base/last-known.ts';

test('a question that is answered soon gives the answer of now', async () => {
  let value = 0;
  const known = new LastKnown(async () => ++value, -1);
  expect([await known.look(), await known.look()]).toEqual([1, 2]);
});

test('while the answer takes long, the last one is given, and nobody asks again', async () => {
  let asked = 0;
  let release: (value: number) => void = () => undefined;
  const known = new LastKnown(() => {
    asked++;
    return asked === 1 ? Promise.resolve(1) : new Promise<number>((resolve) => (release = resolve));
  }, -1);
  expect(await known.look()).toBe(1);
  expect([await known.look(), await known.look(), asked]).toEqual([1, 1, 2]);
  release(7);
  await expect.poll(() => known.look()).toBe(7);
});

test('a failure is told, also to who did not wait for it', async () => {
  let fail: (error: Error) => void = () => undefined;
  const known = new LastKnown(() => new Promise<number>((_, reject) => (fail = reject)), -1);
  expect(await known.look()).toBe(-1);
  fail(new Error('it has ended'));
  await expect.poll(() => known.look().catch((error: unknown) => String(error))).toBe('Error: it has ended');
});
