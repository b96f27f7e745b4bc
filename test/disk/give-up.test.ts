import { expect, test } from 'vitest';
import { BugError } from '../../src/base/assert.ts';
import { StoreError } from '../../src/base/errors.ts';
import { giveUp, orClosed } from '../../src/disk/give-up.ts';

const refused = (): never => {
  throw new StoreError('DISK', 'refused');
};

test('a file whose opening fails is closed, and the first error comes out, also when the close fails', () => {
  for (const close of [(): void => undefined, refused]) {
    let closed = 0;
    const file = {
      close: (): void => {
        closed++;
        close();
      },
    };
    const fail = (): never => {
      throw new StoreError('CORRUPTION', 'damaged');
    };
    expect(() => orClosed(file, fail)).toThrow('damaged');
    expect(closed).toBe(1);
    expect(orClosed(file, () => undefined)).toBe(file);
    expect(closed).toBe(1);
  }
});

test('giving up goes on when the disk refuses a step, and hides no bug', () => {
  const done: number[] = [];
  const step = (number: number) => (): void => void done.push(number);
  giveUp(step(1), refused, step(2));
  expect(done).toEqual([1, 2]);
  const bug = (): never => {
    throw new BugError('ours');
  };
  expect(() => giveUp(bug)).toThrow(BugError);
});
