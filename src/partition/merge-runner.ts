// Runs merges and log reads: in the program on a thread pool (storage/merge-pool.ts), in tests and tools on the calling thread.
import { isStoreError, StoreError } from '../base/errors.ts';
import type { Disk } from '../disk/disk.ts';
import { mergeParts, type MergeJob, type MergeResult } from '../part/merge-parts.ts';
import { readLog, type ReadLog, type ReadLogJob } from './recover-log.ts';

export interface RunOptions {
  /** If aborted, the merge is given up: when run() rejects with CANCELLED, nothing writes to its folder any more. */
  readonly signal?: AbortSignal | undefined;
  /** No other merge runs at the same time. */
  readonly isAlone?: boolean;
}

export interface MergeRunner {
  /**
   * Promises and throws as mergeParts does. It also throws CANCELLED; WORKER_FAILED if the thread died or met a bug;
   * UNAVAILABLE if there is no thread for it. In these three cases an unfinished part may be left.
   */
  run(job: MergeJob, options?: RunOptions): Promise<MergeResult>;
  /** Throws as readLog, and WORKER_FAILED and UNAVAILABLE. No merge waits for it. */
  readLog(job: ReadLogJob): Promise<ReadLog>;
  close(): Promise<void>;
}

/** Disk space for merge outputs. A merge's inputs are removed only when its output is complete. */
export interface MergeRoom {
  /** Bytes that may be written now. */
  readonly freeBytes: number;
  /** The inputs of one background merge have at most this many bytes together, however much space is free. */
  readonly mergeBytesMax: number;
  /** Reserves `sizeBytes` until the result is disposed of. */
  reserve(sizeBytes: number): Disposable;
}

/** Unlimited space. */
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

/** Why work is parked instead of tried again. */
export const PARK_REASONS = ['out_of_memory', 'worker_failed', 'corruption'] as const;
export type ParkReason = (typeof PARK_REASONS)[number];

/**
 * Why the same merge would fail again in the same way: it kills its worker, or cannot read its inputs. undefined: the cause
 * was outside the merge, so a later attempt may succeed.
 */
export function parkReasonOf(error: unknown): ParkReason | undefined {
  if (isStoreError(error, 'CORRUPTION')) return 'corruption';
  if (!isStoreError(error, 'WORKER_FAILED')) return undefined;
  const code = error.cause instanceof Error && 'code' in error.cause ? error.cause.code : undefined;
  return code === 'ERR_WORKER_OUT_OF_MEMORY' ? 'out_of_memory' : 'worker_failed';
}
