import { describe, expect, test } from 'vitest';
import { BugError } from '../../src/base/assert.ts';
import { StoreError } from '../../src/base/errors.ts';
import { Pinned } from '../../src/partition/pinned.ts';

describe('what is pinned', () => {
  test('is removed when it is doomed and the last pin is gone', () => {
    let removed = 0;
    const pinned = new Pinned(() => removed++);
    pinned.pin();
    pinned.pin();
    pinned.doom();
    pinned.unpin();
    expect(removed).toBe(0);
    pinned.unpin();
    expect(removed).toBe(1);
    expect(() => pinned.pin()).toThrow(BugError);
  });

  test('is removed at once when nobody reads it, and a disk that refuses is no error', () => {
    const pinned = new Pinned(() => {
      throw new StoreError('DISK', 'refused');
    });
    pinned.doom();
    expect(() => pinned.doom()).toThrow(BugError);
    expect(() => pinned.unpin()).toThrow(BugError);
  });
});
