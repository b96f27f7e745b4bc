// What a node tells others of itself without being asked: pushed metrics, and its own traces.
import type { Closing } from '../../base/closing.ts';
import type { Config } from '../../config.ts';
import { openPush } from '../metrics/push-metrics.ts';
import type { Metrics } from './metrics.ts';
import { openSelfTraces, type SelfTraces, type SelfTracesParts } from './self-traces.ts';

export interface Telling extends SelfTracesParts {
  readonly config: Config;
  readonly metrics: Metrics;
}

/** Begins what the flags ask for; `closing` ends it. Returns the traces, if there are any. */
export async function tellOfItself(closing: Closing, telling: Telling): Promise<SelfTraces | undefined> {
  const { config, metrics, logger, version } = telling;
  const push = openPush(config, { render: metrics.render, count: metrics.countPush, logger, version });
  if (push !== undefined) closing.add('push of metrics', () => push.close());
  const traces = await openSelfTraces(telling);
  if (traces !== undefined) closing.add('traces of the node', () => traces.close());
  return traces;
}
