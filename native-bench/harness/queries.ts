// Drives queries: N connections, one request after the other on each, every answer checked, for a number of seconds.
import type { HttpClient, HttpReply } from './http-client.ts';
import { Latencies } from './latencies.ts';

export interface QueryLoad {
  readonly client: HttpClient;
  readonly connections: number;
  readonly seconds: number;
  /** Path of the i-th query. */
  path(i: number): string;
  /** Throws when the answer is not what it must be. */
  check(reply: HttpReply, i: number): void;
}

// The first queries meet cold code and cold caches; they are sent and checked but not counted.
const warmupQueries = 50;

export async function driveQueries(load: QueryLoad): Promise<Latencies> {
  const latencies = new Latencies();
  const endMs = performance.now() + load.seconds * 1000;
  let sent = 0;
  const connection = async (): Promise<void> => {
    while (performance.now() < endMs) {
      const i = sent++;
      const reply = await load.client.get(load.path(i));
      load.check(reply, i);
      if (i >= warmupQueries) latencies.add(reply.ms);
    }
  };
  await Promise.all(Array.from({ length: load.connections }, connection));
  return latencies;
}

/** The `data` array of a Jaeger answer; throws when the reply is not a 200 with one. */
export function jaegerData(reply: HttpReply, path: string): readonly unknown[] {
  const text = reply.body.toString('utf8');
  if (reply.status !== 200) throw new Error(`GET ${path}: status ${reply.status}: ${text.slice(0, 300)}`);
  const envelope: unknown = JSON.parse(text);
  const data = typeof envelope === 'object' && envelope !== null && 'data' in envelope ? envelope.data : undefined;
  if (!Array.isArray(data)) throw new Error(`GET ${path}: no data array in ${text.slice(0, 300)}`);
  return data;
}
