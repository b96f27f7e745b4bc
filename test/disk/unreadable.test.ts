// Which failures are of the file that was read.
import { expect, test } from 'vitest';
import { StoreError } from '../../src/base/errors.ts';
import { diskError } from '../../src/disk/node-disk.ts';
import { isUnreadable } from '../../src/disk/unreadable.ts';

const failed = (code: string): StoreError => diskError('read', '/a', Object.assign(new Error(code), { code }));

test.each(['EIO', 'EACCES', 'EPERM', 'EISDIR'])('%s is of the file', (code) => {
  expect(isUnreadable(failed(code))).toBe(true);
});

test.each(['EMFILE', 'ENFILE', 'ENOMEM', 'ENOSPC'])('%s says nothing about it', (code) => {
  expect(isUnreadable(failed(code))).toBe(false);
});

test('damage is of the file, a bug and a closing store are not', () => {
  expect(isUnreadable(new StoreError('CORRUPTION', 'x'))).toBe(true);
  expect([isUnreadable(new Error('x')), isUnreadable(new StoreError('UNAVAILABLE', 'x'))]).toEqual([false, false]);
});
