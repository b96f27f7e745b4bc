// Bytes of answers that are read: bounded for one and for all, given back once, whatever becomes of the attempts.
import { expect, test } from 'vitest';
import { StoreError } from '../../src/base/errors.ts';
import { NoRoom, ReadBudget } from '../../src/cluster/read-budget.ts';
import type { TakeBytes } from '../../src/cluster/remote-store.ts';

const budget = (): ReadBudget => new ReadBudget({ answerBytesMax: 100, answersBytesMax: 150 });

test('the parts of one answer count together, and until it is given back', async () => {
  const all = budget();
  const read = all.open();
  await read.attempt(async (take) => take(60));
  await expect(read.attempt(async (take) => take(41))).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
  // The attempt that was refused holds nothing.
  expect(all.bytes).toBe(60);
  await read.attempt(async (take) => take(40));
  read[Symbol.dispose]();
  expect(all.bytes).toBe(0);
});

test('an attempt that fails gives back what it took, so that the next one has room', async () => {
  const all = budget();
  using read = all.open();
  const fail = async (take: TakeBytes): Promise<void> => {
    take(90);
    throw new Error('gone');
  };
  for (let time = 0; time < 3; time++) await expect(read.attempt(fail)).rejects.toThrow('gone');
  expect(all.bytes).toBe(0);
  await read.attempt(async (take) => take(90));
  expect(all.bytes).toBe(90);
});

test('what comes after an attempt has ended, or its answer is given back, is not counted', async () => {
  const all = budget();
  const takes: TakeBytes[] = [];
  const read = all.open();
  await read.attempt(async (take) => void takes.push(take));
  expect(() => takes[0]!(1)).toThrow(expect.objectContaining({ code: 'CANCELLED' }));
  const { promise, resolve } = Promise.withResolvers<void>();
  const late = read.attempt(async (take) => {
    take(10);
    await promise;
    take(10);
  });
  read[Symbol.dispose]();
  expect(all.bytes).toBe(0);
  resolve();
  await expect(late).rejects.toMatchObject({ code: 'CANCELLED' });
  expect(all.bytes).toBe(0);
  expect(() => read[Symbol.dispose]()).toThrow('BUG: an answer is given back twice');
});

test('all answers share the room; one that is alone may use its own limit', async () => {
  const all = new ReadBudget({ answerBytesMax: 100, answersBytesMax: 50 });
  using first = all.open();
  await first.attempt(async (take) => take(100));
  using second = all.open(() => new StoreError('BUG', 'not asked for'));
  await expect(second.attempt(async (take) => take(1))).rejects.toBeInstanceOf(NoRoom);
  expect(all.bytes).toBe(100);
});
