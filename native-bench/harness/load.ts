// Drives ingest: N connections, each sending the next body as soon as its last one is acknowledged, or at a fixed rate.
// With a rate, latency counts from when a body was due, so a stalled server cannot hide behind a waiting client.
import { setTimeout as delay } from 'node:timers/promises';
import type { Frame } from '../workload/frames.ts';
import type { HttpClient, HttpReply } from './http-client.ts';
import { Latencies } from './latencies.ts';

export interface LoadOptions {
  readonly client: HttpClient;
  readonly path: string;
  readonly connections: number;
  /** Stop after this long; Infinity: when `next` has no more. */
  readonly seconds: number;
  /** Spans per second over all connections; 0: as fast as acknowledgements come. */
  readonly rate: number;
  /** The next body, or undefined when there are no more. */
  next(): Frame | undefined;
  /** Told of every acknowledged body. */
  readonly onAck?: (ms: number, frame: Frame) => void;
}

export interface LoadResult {
  /** Spans in acknowledged requests. */
  readonly spans: number;
  readonly requests: number;
  readonly bytes: number;
  /** Times a server asked us to come back (429, 503); the body was sent again. */
  readonly refusals: number;
  readonly seconds: number;
  readonly latencies: Latencies;
}

// A server that refuses the same body this often, a second apart at most, is down rather than busy.
const refusalsPerBodyMax = 60;
const retryDelayMsMax = 1000;

interface Progress {
  spans: number;
  requests: number;
  bytes: number;
  refusals: number;
  dueMs: number;
}

/** Throws when a body is answered with anything but 2xx, 429 or 503. */
export async function driveLoad(options: LoadOptions): Promise<LoadResult> {
  const startMs = performance.now();
  const progress: Progress = { spans: 0, requests: 0, bytes: 0, refusals: 0, dueMs: startMs };
  const latencies = new Latencies();
  const endMs = startMs + options.seconds * 1000;
  const connection = async (): Promise<void> => {
    while (performance.now() < endMs) {
      const frame = options.next();
      if (frame === undefined) return;
      const dueMs = await waitForTurn(options.rate, progress, frame.spans);
      await sendUntilAccepted(options, frame, progress);
      const ms = performance.now() - dueMs;
      latencies.add(ms);
      options.onAck?.(ms, frame);
      progress.spans += frame.spans;
      progress.bytes += frame.body.length;
      progress.requests++;
    }
  };
  await Promise.all(Array.from({ length: options.connections }, connection));
  const { spans, requests, bytes, refusals } = progress;
  return { spans, requests, bytes, refusals, seconds: (performance.now() - startMs) / 1000, latencies };
}

async function waitForTurn(rate: number, progress: Progress, spans: number): Promise<number> {
  if (rate === 0) return performance.now();
  const dueMs = progress.dueMs;
  progress.dueMs += (spans / rate) * 1000;
  const waitMs = dueMs - performance.now();
  if (waitMs > 0) await delay(waitMs);
  return dueMs;
}

async function sendUntilAccepted({ client, path }: LoadOptions, frame: Frame, progress: Progress): Promise<void> {
  for (let refusals = 0; refusals <= refusalsPerBodyMax; refusals++) {
    const reply = await client.post(path, frame.body);
    if (reply.status >= 200 && reply.status < 300) return;
    if (reply.status !== 429 && reply.status !== 503) throw refused(path, reply);
    progress.refusals++;
    await delay(Math.min(retryDelayMsMax, (reply.retryAfterSeconds ?? 0.1) * 1000));
  }
  throw new Error(`POST ${path}: refused ${refusalsPerBodyMax} times in a row; is the server read-only or full?`);
}

function refused(path: string, reply: HttpReply): Error {
  return new Error(`POST ${path}: status ${reply.status}: ${reply.body.toString('utf8').slice(0, 300)}`);
}
