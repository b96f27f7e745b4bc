// Where merges run: on a pool of threads in the program (storage/merge-pool.ts), at once in tests and tools.
import type { Disk } from '../disk/disk.ts';
import { mergeParts, type MergeJob, type MergeResult } from '../part/merge-parts.ts';

export interface MergeRunner {
  /** See mergeParts for what it promises and throws. */
  run(job: MergeJob): Promise<MergeResult>;
  close(): Promise<void>;
}

/** Runs each merge on the calling thread, through `disk`. */
export function inlineMergeRunner(disk: Disk): MergeRunner {
  return {
    run: async (job) => mergeParts(disk, job),
    close: async () => {},
  };
}
