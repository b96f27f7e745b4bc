// Entry of a query worker thread (piscina): reads blocks of a view, never the index, never writes. Answers cross the
// thread boundary as transferred bytes. Errors are returned as values: piscina drops an error's own properties.
import { move, transferableSymbol, valueSymbol, workerData } from 'piscina';
import { BugError } from '../base/assert.ts';
import { StoreError, type StoreErrorCode } from '../base/errors.ts';
import { collectWhenIdle, SpentBuffers } from '../base/idle-memory.ts';
import { startMeter, type MeteredThread } from '../base/thread-meter.ts';
import { nodeDisk } from '../disk/node-disk.ts';
import type { Identity } from '../part/identity.ts';
import { ForgetListener } from '../partition/forget-channel.ts';
import { PartCache } from './part-cache.ts';
import { newWork, type QueryWork } from './query-work.ts';
import { runQuery, type QueryJob, type QueryResult } from './run-query.ts';

export type QueryReply =
  | { readonly kind: 'done'; readonly result: QueryResult; readonly work: QueryWork }
  | {
      readonly kind: 'failed';
      readonly code: StoreErrorCode;
      readonly message: string;
      readonly work: QueryWork;
    };

export interface QueryThread extends MeteredThread {
  readonly cacheBytes: number | undefined;
}

const { cacheBytes, meter } = workerData as QueryThread;
if (meter !== undefined) startMeter(meter);
const forgotten = new ForgetListener((identities) => identities.forEach((identity) => cache.drop(identity)));
const takeGone = (): readonly Identity[] => forgotten.take();
const cache = new PartCache(nodeDisk, { filterBytesMax: cacheBytes, blockBytesMax: cacheBytes, takeGone });
const spent = new SpentBuffers();
const idle = collectWhenIdle();

export function run(job: QueryJob): unknown {
  idle.refresh();
  const work = newWork(job.view);
  const startMs = performance.now();
  let reply: QueryReply;
  try {
    reply = { kind: 'done', result: runQuery(cache, job, work), work };
  } catch (error) {
    if (error instanceof StoreError) reply = { kind: 'failed', code: error.code, message: error.message, work };
    else if (error instanceof BugError || error instanceof Error)
      reply = { kind: 'failed', code: 'BUG', message: error.stack ?? error.message, work };
    else throw error;
  }
  work.times.ranMs = performance.now() - startMs;
  const buffers = buffersOf(reply);
  // The answer leaves with its reply; what it was assembled from stays until it is collected.
  spent.add(buffers.reduce((sum, { byteLength }) => sum + byteLength, 0));
  return move(new MovedReply(reply, buffers));
}

/** Each buffer once: a trace that was requested twice is one buffer. */
function buffersOf(reply: QueryReply): ArrayBuffer[] {
  if (reply.kind !== 'done') return [];
  if (reply.result.kind === 'digest') return [reply.result.records.buffer as ArrayBuffer];
  if (reply.result.kind !== 'traces') return [];
  return [...new Set(reply.result.traces.map(({ otlp }) => otlp.buffer as ArrayBuffer))];
}

/** A reply whose buffers are transferred to the asking thread, not copied. */
class MovedReply {
  readonly #reply: QueryReply;
  readonly #buffers: ArrayBuffer[];

  constructor(reply: QueryReply, buffers: ArrayBuffer[]) {
    this.#reply = reply;
    this.#buffers = buffers;
  }

  get [transferableSymbol](): ArrayBuffer[] {
    return this.#buffers;
  }

  get [valueSymbol](): QueryReply {
    return this.#reply;
  }
}
