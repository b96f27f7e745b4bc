// Classifies a failed read: the file is damaged or out of reach, or the process lacks a resource.
import { isStoreError, type StoreError } from '../base/errors.ts';
import { errnoOf } from './node-disk.ts';

/** Errors of the file itself. Others, such as EMFILE, ENOMEM or ENOSPC, say nothing about the file. */
const OF_THE_FILE: ReadonlySet<string> = new Set(['EIO', 'EACCES', 'EPERM', 'EISDIR', 'ELOOP', 'ESTALE']);

/**
 * Whether `error` is the file's fault: wrong or missing bytes, or a device that does not return them. The caller then
 * goes on without the file and reports it. false: the same read may succeed in a moment.
 */
export function isUnreadable(error: unknown): error is StoreError {
  if (isStoreError(error, 'CORRUPTION')) return true;
  return isStoreError(error, 'DISK') && OF_THE_FILE.has(errnoOf(error));
}

/** The result of `read`; tries once more after an error of the device, which may be temporary. */
export function readTwice<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!isUnreadable(error) || error.code !== 'DISK') throw error;
    return read();
  }
}
