// A tenant that sends and asks on and on, at rates that do not wait for answers to become faster; on a thread of its own, so that it
// does not make late what is measured beside it. Whatever is refused is dropped and counted.
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { BenchOptions } from './options.ts';

export interface FloodOptions {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly traffic: Pick<BenchOptions, 'profile' | 'frames' | 'seed' | 'batch' | 'overSeconds'>;
  /** Spans of traffic kept ready. */
  readonly poolSpans: number;
  readonly connections: number;
  readonly spansPerSecond: number;
  readonly queriesPerSecond: number;
  /** Asked in turn. */
  readonly paths: readonly string[];
}

/** Of the whole flood. */
export interface Flooded {
  /** Acknowledged. */
  readonly spans: number;
  readonly refusedRequests: number;
  readonly answers: number;
  readonly refusedQueries: number;
  readonly seconds: number;
}

/** Resolves when the flood has begun. A flood that fails ends the process. */
export async function startFlood(options: FloodOptions): Promise<{ stop(): Promise<Flooded> }> {
  const worker = new Worker(new URL('./flood-worker.ts', import.meta.url), { workerData: options });
  await once(worker, 'message');
  return {
    stop: async () => {
      worker.postMessage('stop');
      const [flooded] = (await once(worker, 'message')) as [Flooded];
      await worker.terminate();
      return flooded;
    },
  };
}
