// What is done when an opening or a piece of work fails half-way: nothing stays open that nobody knows of, nothing stays
// on disk that nobody lists, and the error that comes out is the first one.
import { isStoreError } from '../base/errors.ts';

/** `file` as `prepare` leaves it; closed when that throws, for its opener never gets it then. */
export function orClosed<F extends { close(): void }>(file: F, prepare: (file: F) => void): F {
  try {
    prepare(file);
    return file;
  } catch (error) {
    giveUp(() => file.close());
    throw error;
  }
}

/** Runs every step, also when the disk refuses one: what it leaves is garbage that a start removes. */
export function giveUp(...steps: readonly (() => void)[]): void {
  for (const step of steps) {
    try {
      step();
    } catch (error) {
      if (!isStoreError(error, 'DISK')) throw error;
    }
  }
}
