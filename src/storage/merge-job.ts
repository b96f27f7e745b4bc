// What crosses between the engine thread and a merge worker. Errors go as data: piscina would lose their codes.
import type { StoreErrorCode } from '../base/errors.ts';
import type { PulsingJob } from '../base/thread-pool.ts';
import type { MergeJob, MergeResult } from '../part/merge-parts.ts';

export type MergeReply =
  | { readonly kind: 'done'; readonly result: MergeResult }
  | { readonly kind: 'failed'; readonly code: StoreErrorCode; readonly message: string };

export type PulsingMergeJob = MergeJob & PulsingJob;
