// One merge with its second attempt. If the cause lies in the merge itself (its thread died or met a bug), it is tried once
// more, alone, because other merges may have used up the memory. There is never a third attempt here.
import { isStoreError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { Disk } from '../disk/disk.ts';
import type { MergeJob, MergeResult } from '../part/merge-parts.ts';
import { parkReasonOf, type MergeRunner } from './merge-runner.ts';

export interface MergeContext {
  readonly runner: Pick<MergeRunner, 'run'>;
  readonly disk: Disk;
  readonly logger: Logger;
  /** Aborted when the partition closes. */
  readonly signal: AbortSignal;
}

/** `makeJob` gives each attempt a folder of its own. Throws as MergeRunner.run. */
export async function runMerge(context: MergeContext, makeJob: () => MergeJob): Promise<MergeResult> {
  try {
    return await runOnce(context, makeJob(), false);
  } catch (error) {
    if (parkReasonOf(error) === undefined || context.signal.aborted) throw error;
    context.logger.warn('a merge failed, tried once more with nothing beside it', { error });
    return await runOnce(context, makeJob(), true);
  }
}

async function runOnce({ runner, disk, signal }: MergeContext, job: MergeJob, isAlone: boolean): Promise<MergeResult> {
  try {
    return await runner.run(job, { signal, isAlone });
  } catch (error) {
    // mergeParts removes its own files when it throws.
    const isOfThread = (['CANCELLED', 'WORKER_FAILED', 'UNAVAILABLE'] as const).some((code) =>
      isStoreError(error, code),
    );
    if (isOfThread) tryRemove(disk, job.partPath);
    throw error;
  }
}

/** Removes a part left by a dead thread. It is listed nowhere: if the disk refuses, the next opening removes it. */
function tryRemove(disk: Disk, partPath: string): void {
  try {
    disk.remove(partPath);
  } catch (error) {
    if (!isStoreError(error, 'DISK')) throw error;
  }
}
