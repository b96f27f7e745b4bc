// Messages between the engine thread and a merge worker. Errors are sent as data: piscina would lose their codes.
import { StoreError, type StoreErrorCode } from '../base/errors.ts';
import type { PulsingJob } from '../base/thread-pool.ts';
import type { MergeJob, MergeResult } from '../part/merge-parts.ts';
import type { ReadLog, ReadLogJob } from '../partition/recover-log.ts';

export type WorkerReply<T> =
  | { readonly kind: 'done'; readonly result: T }
  | { readonly kind: 'failed'; readonly code: StoreErrorCode; readonly message: string };

export type MergeReply = WorkerReply<MergeResult>;
export type ReadLogReply = WorkerReply<ReadLog>;

export type PulsingMergeJob = MergeJob & PulsingJob;
export type PulsingReadLogJob = ReadLogJob & PulsingJob;

export function resultOf<T>(reply: WorkerReply<T>): T {
  if (reply.kind === 'done') return reply.result;
  throw new StoreError(reply.code, reply.message);
}
