// Runs merges on threads of their own, so that the engine thread only ever waits for them.
import { extname } from 'node:path';
import { Piscina } from 'piscina';
import { StoreError } from '../base/errors.ts';
import type { MergeJob, MergeResult } from '../part/merge-parts.ts';
import type { MergeRunner } from '../partition/merge-runner.ts';
import type { MergeReply } from './merge-job.ts';

/** Threads end when there was nothing to merge for so long: an idle store keeps no heap for it. */
const IDLE_MS = 30_000;

/**
 * A pool for `mergeWorkers` merges at once, and one flush beside them: a flush must not wait for a long merge.
 * The caller bounds what is under way to that, so nothing queues here.
 */
export function createMergePool(mergeWorkers: number): MergeRunner {
  const pool = new Piscina<MergeJob, MergeReply>({
    filename: new URL(`./merge-worker${extname(import.meta.filename)}`, import.meta.url).href,
    name: 'runMergeJob',
    minThreads: 0,
    maxThreads: mergeWorkers + 1,
    idleTimeout: IDLE_MS,
    // A worker that waits in Atomics would not see its file calls' callbacks; merges are long, so waking is no cost.
    atomics: 'disabled',
  });
  let isClosed = false;
  return {
    run: async (job) => resultOf(await runOn(pool, job, () => isClosed)),
    close: async () => {
      isClosed = true;
      await pool.destroy();
    },
  };
}

async function runOn(pool: Piscina<MergeJob, MergeReply>, job: MergeJob, isClosed: () => boolean): Promise<MergeReply> {
  const closing = (cause?: unknown): StoreError => {
    const text = `${job.partPath}: the store is closing; this merge runs again after the next start`;
    return new StoreError('UNAVAILABLE', text, { cause });
  };
  if (isClosed()) throw closing();
  try {
    return await pool.run(job);
  } catch (cause) {
    // Ending the pool rejects what runs on it: that is no fault, the store is closing.
    throw isClosed() ? closing(cause) : cause;
  }
}

function resultOf(reply: MergeReply): MergeResult {
  if (reply.kind === 'done') return reply.result;
  throw new StoreError(reply.code, reply.message);
}
