// Where merges run, and what else takes long: on a pool of threads in the program (storage/merge-pool.ts), at once in tests and tools.
import { isStoreError, StoreError } from '../base/errors.ts';
import type { Disk } from '../disk/disk.ts';
import { mergeParts, type MergeJob, type MergeResult } from '../part/merge-parts.ts';
import { readLog, type ReadLog, type ReadLogJob } from './recover-log.ts';

export interface RunOptions {
  /** Aborted: the merge is given up, and nothing writes to its folder any more when run() rejects with CANCELLED. */
  readonly signal?: AbortSignal | undefined;
  /** No other merge runs beside this one. */
  readonly isAlone?: boolean;
}

export interface MergeRunner {
  /**
   * See mergeParts for what it promises and throws. Besides: CANCELLED; WORKER_FAILED when the thread died or met a
   * bug; UNAVAILABLE when there is no thread for it. What was written of the part may be left then.
   */
  run(job: MergeJob, options?: RunOptions): Promise<MergeResult>;
  /** See readLog for what it throws; besides, WORKER_FAILED and UNAVAILABLE. No merge waits for it. */
  readLog(job: ReadLogJob): Promise<ReadLog>;
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
    run: async (job, { signal } = {}) => {
      if (signal?.aborted === true) throw cancelled(job);
      return mergeParts(disk, job);
    },
    readLog: async (job) => readLog(disk, job),
    close: async () => {},
  };
}

export function cancelled(job: MergeJob): StoreError {
  return new StoreError('CANCELLED', `${job.partPath}: given up, its day is being closed`);
}

/** Why work is not tried a third time. */
export const PARK_REASONS = ['out_of_memory', 'worker_failed', 'corruption'] as const;
export type ParkReason = (typeof PARK_REASONS)[number];

/**
 * Why the same merge would end in the same way again: its worker died of it, or it cannot read what it needs.
 * undefined: what failed was the world around it, which may be better the next time.
 */
export function parkReasonOf(error: unknown): ParkReason | undefined {
  if (isStoreError(error, 'CORRUPTION')) return 'corruption';
  if (!isStoreError(error, 'WORKER_FAILED')) return undefined;
  const code = error.cause instanceof Error && 'code' in error.cause ? error.cause.code : undefined;
  return code === 'ERR_WORKER_OUT_OF_MEMORY' ? 'out_of_memory' : 'worker_failed';
}
