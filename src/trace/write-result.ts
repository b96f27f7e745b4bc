// Results of writes put together.
import type { RejectReason, WriteResult } from './store.ts';

/** What all of them stored and rejected; without names of unknown fields, whose places are those of single requests. */
export function sumResults(results: readonly WriteResult[]): WriteResult {
  let stored = 0;
  const rejected = new Map<RejectReason, number>();
  for (const result of results) {
    stored += result.stored;
    for (const [reason, count] of result.rejected) rejected.set(reason, (rejected.get(reason) ?? 0) + count);
  }
  return { stored, rejected };
}
