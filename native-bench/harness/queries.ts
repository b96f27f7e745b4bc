// Drives queries with autocannon: N connections, one request after the other on each, every answer checked, for a number of seconds.
// Its own histogram counts whole milliseconds, so the durations are taken from its responses, which are exact.
import { autocannon } from './autocannon.ts';
import { Latencies } from './latencies.ts';

export interface QueryReply {
  readonly status: number;
  readonly body: string | Buffer;
}

export interface QueryLoad {
  readonly url: string;
  readonly connections: number;
  readonly seconds: number;
  /** Path of the i-th query. */
  path(i: number): string;
  /** Throws when the answer is not what it must be. */
  check(reply: QueryReply, i: number): void;
}

// The first queries meet cold code and cold caches; they are sent and checked but not counted (of a short run: half of it).
const warmupQueries = 50;
// A server that does not answer for this long has failed the run.
const replyTimeoutSeconds = 60;
const clockLookMs = 50;

/** Throws what `check` threw first, or when a connection failed. */
export async function driveQueries(load: QueryLoad): Promise<Latencies> {
  const prefix = new URL(load.url).pathname.replace(/\/$/, '');
  const waiting = new Map<number, number>();
  const answered: number[] = [];
  let failure: Error | undefined;
  let sent = 0;
  const run = autocannon({
    url: load.url,
    connections: load.connections,
    duration: load.seconds,
    sampleInt: clockLookMs,
    timeout: replyTimeoutSeconds,
    // One entry for all connections: each request asks it for its path, so no list of them is walked in step.
    requests: [
      {
        setupRequest: (request, context) => {
          const i = sent++;
          context['i'] = i;
          waiting.set(i, performance.now());
          return { ...request, path: `${prefix}${load.path(i)}` };
        },
        onResponse: (status, body, context) => {
          const i = Number(context['i']);
          waiting.delete(i);
          try {
            load.check({ status, body }, i);
          } catch (error) {
            fail(error);
          }
        },
      },
    ],
  });
  const fail = (error: unknown): void => {
    failure ??= error instanceof Error ? error : new Error(String(error));
    run.stop();
  };
  run.on('response', (_client, _status, _bytes, ms) => void answered.push(ms));
  run.on('reqError', fail);
  const { errors, timeouts } = await run;
  if (failure !== undefined) throw failure;
  if (errors + timeouts > 0)
    throw new Error(`${load.url}: ${errors} connections failed, ${timeouts} queries had no answer`);
  return counted(answered, waiting.values());
}

/**
 * The durations that count. autocannon drops what is unanswered at the end, and a query that hangs would be in no figure: it counts
 * with its age when it is slower already than half of the others.
 */
function counted(answered: readonly number[], sentMs: Iterable<number>): Latencies {
  const latencies = new Latencies();
  const skipped = Math.min(warmupQueries, answered.length >> 1);
  for (const ms of answered.slice(skipped)) latencies.add(ms);
  const { p50Ms } = latencies.summary();
  const endMs = performance.now();
  for (const ms of sentMs) if (endMs - ms > p50Ms) latencies.add(endMs - ms);
  return latencies;
}

/** The `data` array of a Jaeger answer; throws when the reply is not a 200 with one. */
export function jaegerData(reply: QueryReply, path: string): readonly unknown[] {
  const text = typeof reply.body === 'string' ? reply.body : reply.body.toString('utf8');
  if (reply.status !== 200) throw new Error(`GET ${path}: status ${reply.status}: ${text.slice(0, 300)}`);
  const envelope: unknown = JSON.parse(text);
  const data = typeof envelope === 'object' && envelope !== null && 'data' in envelope ? envelope.data : undefined;
  if (!Array.isArray(data)) throw new Error(`GET ${path}: no data array in ${text.slice(0, 300)}`);
  return data;
}
