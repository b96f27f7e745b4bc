// A merge thread reads files, writes a part and answers; a thread of the same module reads the log of a day that opens. It
// never opens LMDB: a part becomes visible only through the commit of the thread that owns the partition.
import { workerData } from 'piscina';
import { isStoreError } from '../base/errors.ts';
import { Pulse } from '../base/pulse.ts';
import { startMeter, type MeteredThread } from '../base/thread-meter.ts';
import type { PulsingJob } from '../base/thread-pool.ts';
import type { Disk } from '../disk/disk.ts';
import { nodeDisk } from '../disk/node-disk.ts';
import { pulsingDisk } from '../disk/pulsing-disk.ts';
import { ownThreadId } from '../disk/thread-state.ts';
import { mergeParts } from '../part/merge-parts.ts';
import { readLog } from '../partition/recover-log.ts';
import type { MergeReply, PulsingMergeJob, PulsingReadLogJob, ReadLogReply, WorkerReply } from './merge-job.ts';

const { meter } = workerData as MeteredThread;
if (meter !== undefined) startMeter(meter);

/** Piscina's task. It throws on a bug: then only this merge fails, and its parts are parked. */
export function runMergeJob({ pulse, ...job }: PulsingMergeJob): MergeReply {
  return replyOf(pulse, (disk) => mergeParts(disk, job));
}

/** Piscina's task to read a log. */
export function runReadLogJob({ pulse, ...job }: PulsingReadLogJob): ReadLogReply {
  return replyOf(pulse, (disk) => readLog(disk, job));
}

function replyOf<T>(shared: PulsingJob['pulse'], work: (disk: Disk) => T): WorkerReply<T> {
  const pulse = new Pulse(shared);
  pulse.begin(ownThreadId());
  try {
    return { kind: 'done', result: work(pulsingDisk(nodeDisk, pulse)) };
  } catch (error) {
    if (!isStoreError(error)) throw error;
    return { kind: 'failed', code: error.code, message: error.message };
  }
}
