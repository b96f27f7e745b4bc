// A merge thread: reads files, writes a part, answers. It never opens LMDB: a part becomes visible only through the
// commit of the thread that owns the partition.
import { isStoreError } from '../base/errors.ts';
import { Pulse } from '../base/pulse.ts';
import { nodeDisk } from '../disk/node-disk.ts';
import { pulsingDisk } from '../disk/pulsing-disk.ts';
import { mergeParts } from '../part/merge-parts.ts';
import type { MergeReply, PulsingMergeJob } from './merge-job.ts';

/** Piscina's task. A bug is thrown: it is an error of this one merge, which is then parked. */
export function runMergeJob({ pulse: shared, ...job }: PulsingMergeJob): MergeReply {
  const pulse = new Pulse(shared);
  pulse.beat();
  try {
    return { kind: 'done', result: mergeParts(pulsingDisk(nodeDisk, pulse), job) };
  } catch (error) {
    if (!isStoreError(error)) throw error;
    return { kind: 'failed', code: error.code, message: error.message };
  }
}
