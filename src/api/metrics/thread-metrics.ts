// The threads of the process by kind: how late their event loops run, and how long garbage collections stop them. Threads of a pool
// (query, merge, body) do each job in one piece: their delay is how long their longest job took.
import { PAUSE_BOUNDS, PAUSE_KINDS, readMeter, type SharedMeter, type ThreadFigures } from '../../base/thread-meter.ts';
import { bucketSamples, type MetricRegistry } from './metric-registry.ts';

const POOLS: ReadonlySet<string> = new Set(['query', 'merge', 'body']);

/** Registers the figures of threads by what they do: main, engine, query, merge, body. */
export function createThreadMetrics(registry: MetricRegistry, meters: Readonly<Record<string, SharedMeter>>): void {
  const threads = registry.source((): [string, ThreadFigures][] =>
    Object.entries(meters).map(([thread, meter]) => [thread, readMeter(meter, { isPool: POOLS.has(thread) })]),
  );
  const ofPools =
    'of query, merge and body threads the length of their jobs, none if no such thread has told for a minute';
  const delay = (name: string, help: string, read: (figures: ThreadFigures) => number | undefined): void =>
    threads.gauge({ name, unit: 'seconds', help: `${help}; ${ofPools}`, labels: ['thread'] }, (all) =>
      all.flatMap(([thread, figures]) => {
        const value = read(figures);
        return value === undefined ? [] : [{ labels: { thread }, value }];
      }),
    );
  const p99 = 'How late timers of the thread ran, 99th percentile of the last 30 to 60 seconds';
  delay('tracelith_event_loop_delay_p99_seconds', p99, (figures) => figures.delayP99Seconds);
  const max = 'How late timers of the thread ran at most in the last 30 to 60 seconds';
  delay('tracelith_event_loop_delay_max_seconds', max, (figures) => figures.delayMaxSeconds);
  const name = 'tracelith_gc_pause_seconds';
  const help = 'Time that garbage collections stopped the thread, by kind of collection';
  threads.histogram({ name, unit: 'seconds', help, labels: ['thread', 'kind'] }, (all) =>
    all.flatMap(([thread, { pauses }]) =>
      PAUSE_KINDS.flatMap((kind) => {
        const { counts, sumSeconds: sum } = pauses[kind];
        return bucketSamples(name, { thread, kind }, { bounds: PAUSE_BOUNDS, counts, sum });
      }),
    ),
  );
}
