// What a node does before it says that it is ready, and a little while after: it runs each kind of query on made-up spans, so that
// no user's query waits for code to be loaded and compiled (docs/decisions/0038-warm-before-ready.md).
import { setTimeout as delay } from 'node:timers/promises';
import { sampleRequest } from '../../otlp/sample-request.ts';
import { jaegerTraceToJson, newJaegerJson } from '../jaeger/jaeger-json.ts';
import { readTraceViews } from '../jaeger/jaeger-model.ts';

/** Compiles on the query threads what queries run; LocalReader implements it. */
export interface WarmedReader {
  warmUp(): Promise<void>;
  /** Queries that run or wait. */
  readonly turns: { readonly running: number; readonly waiting: number };
}

/** Passes after the node is ready: with fewer, V8 has not optimised what every query runs. */
const PASSES = 40;
/** Between two passes, so that they take a small share of a core. */
const PAUSE_MS = 50;
/** Traces written as JSON in a pass: a millisecond of the main thread. */
const TRACES_PER_PASS = 4;

/** Resolves when each kind of query has run once; further passes follow until close(). `onBug`: a pass failed. */
export async function openWarmUp(
  reader: WarmedReader,
  onBug: (error: unknown) => void,
): Promise<{ close(): Promise<void> }> {
  await warmUp(reader);
  const leaving = new AbortController();
  const warming = keepWarming(reader, leaving.signal).catch(onBug);
  return {
    close: async () => {
      leaving.abort();
      await warming;
    },
  };
}

/** The passes that a node runs before it is ready: one. */
async function warmUp(reader: WarmedReader): Promise<void> {
  // @fastify/compress asks of each answer whether it is one of these; the first time, Node loads all of fetch.
  void globalThis.Response;
  writeSample(Infinity);
  await reader.warmUp();
}

/** Runs further passes while no query runs or waits. `signal` ends them. Throws only for a bug. */
async function keepWarming(reader: WarmedReader, signal: AbortSignal): Promise<void> {
  for (let pass = 0; pass < PASSES && !signal.aborted;) {
    await delay(PAUSE_MS, undefined, { signal, ref: false }).catch(() => undefined);
    const { running, waiting } = reader.turns;
    if (signal.aborted || running + waiting > 0) continue;
    pass++;
    writeSample(TRACES_PER_PASS);
    await reader.warmUp();
  }
}

function writeSample(tracesMax: number): void {
  const out = newJaegerJson();
  for (const view of readTraceViews(sampleRequest()).slice(0, tracesMax)) {
    for (const _chunk of jaegerTraceToJson(out, view, { isRaw: false })) continue;
  }
}
