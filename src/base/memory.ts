// Divides the memory of the process, limited by the container or the machine, into shares for requests, answers, caches
// and merges. The owner of a share enforces it. With much memory, each share stops at its useful size. Pure.
import { limits } from './limits.ts';

/** Memory limits in bytes. */
export interface MemoryShares {
  /** All requests, from socket to answer. */
  readonly intakeBytesMax: number;
  /** One request, both as received and decompressed; at most -opentelemetry.traces.maxRequestSize. */
  readonly requestBytesMax: number;
  /** One JSON request; its text and objects take five times as much, at worst ten, on two threads. */
  readonly jsonBytesMax: number;
  /** All answers being sent; one answer, which its query holds three times while reading it. */
  readonly answersBytesMax: number;
  readonly answerBytesMax: number;
  /** Cached blocks, and cached filters, of one query thread. */
  readonly queryCacheBytes: number;
  /** One merge (MergeJob.memoryBytes), and one flush. */
  readonly mergeBytes: number;
}

export interface MemoryUsers {
  /** -opentelemetry.traces.maxRequestSize */
  readonly requestBytesMax: number;
  readonly queryWorkers: number;
  readonly mergeWorkers: number;
}

/** The program itself: code, heaps of the main and the engine thread, sockets, LMDB. Measured 170 MB after startup. */
const BASE_BYTES: number = 160 << 20;
/** Another thread's code and empty heap. */
const THREAD_BYTES: number = 16 << 20;
/** A node does not work with less than this to share, so it takes more than it is allowed. */
const SHARED_BYTES_MIN: number = 64 << 20;
/** A larger share is not useful: some 64 requests, and the blocks and filters of 25 M spans. */
const USEFUL = {
  intakeBytes: limits.intakeBytesMax,
  answersBytes: limits.answersBytesMax,
  answerBytes: limits.answerBytesMax,
  queryCacheBytes: 32 << 20,
  mergeBytes: 256 << 20,
} as const;
/** A single owner gets three quarters of the intake budget (fair-budget.ts); one request must fit in. */
const ALONE = 3 / 4;

/** Memory the process may use: `bytes` if given, else `percent` of the machine's or container's, the smaller one. */
export function allowedMemory(
  given: { readonly percent: number; readonly bytes: number },
  system: SystemMemory,
): number {
  return given.bytes > 0 ? given.bytes : Math.floor((availableMemory(system) * given.percent) / 100);
}

export interface SystemMemory {
  readonly totalBytes: number;
  /** Of the container. Without a limit the system returns 0, or more than the machine has. */
  readonly constrainedBytes: number;
}

/** Memory of the machine, or of its container where that has less. */
export function availableMemory({ totalBytes, constrainedBytes }: SystemMemory): number {
  return constrainedBytes > 0 ? Math.min(totalBytes, constrainedBytes) : totalBytes;
}

/**
 * The shares of `allowedBytes`. Arrays double when they grow, and garbage stays until it is collected, so the process
 * takes up to half as much again as the shares count: the rest of -memory.allowedPercent is for that.
 */
export function shareMemory(
  allowedBytes: number,
  { requestBytesMax, queryWorkers, mergeWorkers }: MemoryUsers,
): MemoryShares {
  const base = BASE_BYTES + THREAD_BYTES * (queryWorkers + mergeWorkers + 1);
  const shared = Math.max(SHARED_BYTES_MIN, allowedBytes - base);
  const share = (part: number, useful: number): number => Math.floor(Math.min(useful, shared * part));
  // A request is held once as received, and again two times its size in the columns of the commit.
  const intakeBytesMax = share(1 / 6, USEFUL.intakeBytes);
  const requestMost = Math.min(requestBytesMax, Math.floor(intakeBytesMax * ALONE) - limits.requestOverheadBytes);
  return {
    intakeBytesMax,
    requestBytesMax: requestMost,
    jsonBytesMax: Math.min(requestMost, share(1 / 24, requestMost)),
    answersBytesMax: share(1 / 6, USEFUL.answersBytes),
    answerBytesMax: share(1 / 12, USEFUL.answerBytes),
    queryCacheBytes: share(1 / (16 * queryWorkers), USEFUL.queryCacheBytes),
    mergeBytes: share(1 / (8 * (mergeWorkers + 1)), USEFUL.mergeBytes),
  };
}
