// Where merges run: on a pool of threads in the program (storage/merge-pool.ts), at once in tests and tools.
import type { Disk } from '../disk/disk.ts';
import { mergeParts, type MergeJob, type MergeResult } from '../part/merge-parts.ts';

export interface MergeRunner {
  /** See mergeParts for what it promises and throws. */
  run(job: MergeJob): Promise<MergeResult>;
  close(): Promise<void>;
}

/** Room on disk for what merges write: their inputs go only when the output is there. */
export interface MergeRoom {
  /** Bytes that may be written now. */
  readonly freeBytes: number;
  /** Inputs of a merge in the background may have so many bytes together, whatever there is room for. */
  readonly mergeBytesMax: number;
  /** Sets `sizeBytes` aside until the result is disposed of. */
  reserve(sizeBytes: number): Disposable;
}

/** As if the disk had no end. */
export const ENDLESS_ROOM: MergeRoom = {
  freeBytes: Infinity,
  mergeBytesMax: Infinity,
  reserve: () => ({ [Symbol.dispose]: () => undefined }),
};

/** Runs each merge on the calling thread, through `disk`. */
export function inlineMergeRunner(disk: Disk): MergeRunner {
  return {
    run: async (job) => mergeParts(disk, job),
    close: async () => {},
  };
}
