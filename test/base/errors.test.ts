import { describe, expect, test } from 'vitest';
import { isStoreError, STORE_ERROR_CODES, StoreError } from '../../src/base/errors.ts';

describe('StoreError', () => {
  test('it carries a code, a message and its cause', () => {
    const cause = new Error('ENOSPC');
    const error = new StoreError('DISK', '/data: no space left; free some', { cause });
    expect([error.code, error.message, error.cause, error.name]).toEqual([
      'DISK',
      '/data: no space left; free some',
      cause,
      'StoreError',
    ]);
  });

  test('isStoreError tells codes apart and does not take a look-alike', () => {
    const error = new StoreError('TIMEOUT', 'too slow');
    expect(isStoreError(error)).toBe(true);
    expect(isStoreError(error, 'TIMEOUT')).toBe(true);
    expect(isStoreError(error, 'DISK')).toBe(false);
    expect(isStoreError({ code: 'TIMEOUT', message: 'too slow' }, 'TIMEOUT')).toBe(false);
    expect(isStoreError(undefined)).toBe(false);
  });

  test('no code is listed twice', () => {
    expect(new Set(STORE_ERROR_CODES).size).toBe(STORE_ERROR_CODES.length);
  });
});
