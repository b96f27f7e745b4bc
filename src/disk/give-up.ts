// Cleanup after an operation fails half-way: no file stays open without an owner, no unlisted file stays on disk, and
// the first error is the one that is thrown.
import { isStoreError } from '../base/errors.ts';

/** Runs `prepare` on `file` and returns it; closes it if `prepare` throws, because the caller never gets it then. */
export function orClosed<F extends { close(): void }>(file: F, prepare: (file: F) => void): F {
  try {
    prepare(file);
    return file;
  } catch (error) {
    giveUp(() => file.close());
    throw error;
  }
}

/** Runs every step, even if the disk fails one: startup removes the garbage that the failed step leaves. */
export function giveUp(...steps: readonly (() => void)[]): void {
  for (const step of steps) {
    try {
      step();
    } catch (error) {
      if (!isStoreError(error, 'DISK')) throw error;
    }
  }
}
