// What a failed read says about the file: that it is damaged or out of reach, or that the process has run out of something.
import { isStoreError, type StoreError } from '../base/errors.ts';
import { errnoOf } from './node-disk.ts';

/** Others, as EMFILE, ENOMEM or ENOSPC, say nothing about the file they were met on. */
const OF_THE_FILE: ReadonlySet<string> = new Set(['EIO', 'EACCES', 'EPERM', 'EISDIR', 'ELOOP', 'ESTALE']);

/**
 * Whether `error` is of the file that was read: bytes that are wrong or missing, or a device that does not give them. What is
 * left is to go on without it and to say so; false: the same read may work in a moment.
 */
export function isUnreadable(error: unknown): error is StoreError {
  if (isStoreError(error, 'CORRUPTION')) return true;
  return isStoreError(error, 'DISK') && OF_THE_FILE.has(errnoOf(error));
}

/** What `read` gives; once more when the device fails it, as a device may once. */
export function readTwice<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!isUnreadable(error) || error.code !== 'DISK') throw error;
    return read();
  }
}
