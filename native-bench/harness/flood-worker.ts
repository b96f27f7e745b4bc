// Entry of the thread of a flood: says when it begins, and at the end what came of it.
import { setTimeout as delay } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import type { FloodOptions } from './flood.ts';
import { HttpClient, type HttpReply } from './http-client.ts';
import { TrafficPool } from './traffic.ts';

const { url, headers, traffic, poolSpans, connections, spansPerSecond, queriesPerSecond, paths } =
  workerData as FloodOptions;
const pool = new TrafficPool(traffic, poolSpans);
let isOver = false;

/** Calls `send` on each connection, `perSecond` over all of them; those that a slow server leaves behind are not made up for. */
async function repeat(perSecond: number, send: (client: HttpClient) => Promise<void>): Promise<void> {
  using client = new HttpClient(url, connections, { headers });
  let dueMs = performance.now();
  const connection = async (): Promise<void> => {
    while (!isOver) {
      dueMs = Math.max(dueMs, performance.now() - 1_000) + 1_000 / perSecond;
      const waitMs = dueMs - performance.now();
      if (waitMs > 0) await delay(waitMs);
      await send(client);
    }
  };
  await Promise.all(Array.from({ length: connections }, connection));
}

/** Throws for an answer that is neither success nor refusal. */
function isTaken({ status, body }: HttpReply, what: string): boolean {
  if (status !== 200 && status !== 429 && status !== 503)
    throw new Error(`${what}: status ${status}: ${body.toString('utf8').slice(0, 300)}`);
  return status === 200;
}

const port = parentPort;
if (port === null) throw new Error('flood-worker.ts runs as a worker only');
const totals = { spans: 0, refusedRequests: 0, answers: 0, refusedQueries: 0 };
let asked = 0;
const startMs = performance.now();
const floods = [
  repeat(spansPerSecond / traffic.batch, async (client) => {
    const { body, spans } = pool.next();
    if (isTaken(await client.post('/v1/traces', body), 'POST /v1/traces')) totals.spans += spans;
    else totals.refusedRequests++;
  }),
  repeat(queriesPerSecond, async (client) => {
    const path = paths[asked++ % paths.length] ?? '/api/services';
    if (isTaken(await client.get(path), `GET ${path}`)) totals.answers++;
    else totals.refusedQueries++;
  }),
];
port.once('message', () => {
  isOver = true;
});
port.postMessage('begun');
await Promise.all(floods);
port.postMessage({ ...totals, seconds: (performance.now() - startMs) / 1_000 });
