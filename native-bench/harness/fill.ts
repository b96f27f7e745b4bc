// Fills a store before it is queried, and remembers a sample of what is in it; a store that is kept is filled once.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Frame } from '../workload/frames.ts';
import { Rng } from '../workload/rng.ts';
import { traceIdsOf } from '../workload/wire-positions.ts';
import { HttpClient } from './http-client.ts';
import { driveLoad } from './load.ts';
import type { BenchOptions } from './options.ts';
import type { Target } from './target.ts';
import { trafficStream } from './traffic.ts';

export interface Filled {
  readonly spans: number;
  /** OTLP bytes sent. */
  readonly bytes: number;
  /** Trace ids (hex) of random requests, in random order. */
  readonly traceIds: readonly string[];
  /** The spans' starts lie about here, ms since 1970. */
  readonly fromMs: number;
  readonly toMs: number;
}

export const fillSpansDefault = 500_000;

const fillConnections = 8;
// Ids are read from this many requests at most, chosen at random; one in the thousand traces is sample enough.
const sampledRequests = 200;

export interface FillTarget extends Pick<Target, 'url' | 'insertPath'> {
  /** Sent with every request. */
  readonly headers?: Readonly<Record<string, string>>;
}

export async function fill(target: FillTarget, options: BenchOptions): Promise<Filled> {
  if (options.store === undefined) return fillNow(target, options);
  const notes = join(options.store, 'filled.json');
  if (existsSync(notes)) return JSON.parse(readFileSync(notes, 'utf8')) as Filled;
  const filled = await fillNow(target, options);
  writeFileSync(notes, JSON.stringify(filled));
  return filled;
}

async function fillNow(target: FillTarget, options: BenchOptions): Promise<Filled> {
  const toMs = Date.now();
  const spans = options.spans ?? fillSpansDefault;
  const rng = new Rng(options.seed);
  const share = Math.min(1, (sampledRequests * options.batch) / spans);
  const stream = trafficStream(options, spans);
  const traceIds = new Set<string>();
  const next = (): Frame | undefined => {
    const frame = stream.next().value;
    if (frame !== undefined && rng.chance(share)) for (const id of traceIdsOf(frame.body)) traceIds.add(id);
    return frame;
  };
  using client = new HttpClient(target.url, fillConnections, target);
  const load = await driveLoad({
    client,
    path: target.insertPath,
    connections: fillConnections,
    seconds: Infinity,
    rate: options.rate,
    next,
  });
  if (traceIds.size === 0) throw new Error('no trace ids were sampled: the traffic holds no spans');
  return {
    spans: load.spans,
    bytes: load.bytes,
    traceIds: shuffled([...traceIds], rng),
    fromMs: toMs - options.overSeconds * 1000,
    toMs,
  };
}

function shuffled<T>(list: T[], rng: Rng): T[] {
  for (let i = list.length - 1; i > 0; i--) {
    const j = rng.int(i + 1);
    const moved = list[i] as T;
    list[i] = list[j] as T;
    list[j] = moved;
  }
  return list;
}
