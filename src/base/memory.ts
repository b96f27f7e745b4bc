// Memory is one budget of the process, as the container or the machine allows: what is received, asked, cached and merged
// each has a share of it that its owner enforces. Where there is plenty, shares end at what is useful. Pure.
import { limits } from './limits.ts';

/** What may be held at once, in bytes. */
export interface MemoryShares {
  /** Of all requests between their sockets and their answers. */
  readonly intakeBytesMax: number;
  /** Of one request, as it comes and decompressed; not above -opentelemetry.traces.maxRequestSize. */
  readonly requestBytesMax: number;
  /** Of one request in JSON, whose text and objects take five times as much, ten at the worst, on two threads. */
  readonly jsonBytesMax: number;
  /** Of all answers being sent, and of one, which its query holds three times while it reads it. */
  readonly answersBytesMax: number;
  readonly answerBytesMax: number;
  /** Of blocks, and of filters, kept by one query thread. */
  readonly queryCacheBytes: number;
  /** Of one merge (MergeJob.memoryBytes), and of one flush. */
  readonly mergeBytes: number;
}

export interface MemoryUsers {
  /** -opentelemetry.traces.maxRequestSize */
  readonly requestBytesMax: number;
  readonly queryWorkers: number;
  readonly mergeWorkers: number;
}

/** The program itself: code, heaps of the main and the engine thread, sockets, LMDB. Measured 170 MB after the start. */
const BASE_BYTES: number = 160 << 20;
/** Another thread's code and empty heap. */
const THREAD_BYTES: number = 16 << 20;
/** With less to share a node does not work; it then takes more than it was allowed. */
const SHARED_BYTES_MIN: number = 64 << 20;
/** Beyond it more is of no use: some 64 requests, and the blocks and filters of 25 M spans. */
const USEFUL = {
  intakeBytes: limits.intakeBytesMax,
  answersBytes: limits.answersBytesMax,
  answerBytes: limits.answerBytesMax,
  queryCacheBytes: 32 << 20,
  mergeBytes: 256 << 20,
} as const;
/** One owner of the intake's budget gets three quarters of it (fair-budget.ts), which one request must fit in. */
const ALONE = 3 / 4;

/** What the process may use: `bytes` when it is given, or else `percent` of the least of the machine's and the container's. */
export function allowedMemory(
  given: { readonly percent: number; readonly bytes: number },
  system: { readonly totalBytes: number; readonly constrainedBytes: number },
): number {
  if (given.bytes > 0) return given.bytes;
  const { totalBytes, constrainedBytes } = system;
  // Without a limit the system says 0, or more than there is.
  const bytes = constrainedBytes > 0 ? Math.min(totalBytes, constrainedBytes) : totalBytes;
  return Math.floor((bytes * given.percent) / 100);
}

/**
 * The shares of `allowedBytes`. Arrays double when they grow, and garbage lies until it is collected, so that the process
 * takes up to half as much again as what is counted: that is what the rest of -memory.allowedPercent is for.
 */
export function shareMemory(
  allowedBytes: number,
  { requestBytesMax, queryWorkers, mergeWorkers }: MemoryUsers,
): MemoryShares {
  const base = BASE_BYTES + THREAD_BYTES * (queryWorkers + mergeWorkers + 1);
  const shared = Math.max(SHARED_BYTES_MIN, allowedBytes - base);
  const share = (part: number, useful: number): number => Math.floor(Math.min(useful, shared * part));
  // What is received is held once as it came, and in the columns of the commit some two times more.
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
