// Calls between services, and calls, errors and latencies of a service minute by minute: what Jaeger's dependency graph
// and Monitor show. block/count-calls.ts says what a call is.
import { CallColumns } from '../block/call-columns.ts';
import { CallCounts, CallNames } from '../block/call-counts.ts';
import { CallCounter } from '../block/count-calls.ts';
import type { CallSeries, Dependency, MetricsQuery } from '../trace/store.ts';
import type { BlockSource } from './block-source.ts';
import { DependencyTotals, minutesOf, SeriesTotals } from './call-totals.ts';
import type { Deadline } from './deadline.ts';

/** Links of spans starting in [startNs, endNs] rounded out to whole minutes, sorted by (parent, child). */
export function listDependencies(
  source: BlockSource,
  startNs: bigint,
  endNs: bigint,
  deadline: Deadline,
): Dependency[] {
  const totals = new DependencyTotals(minutesOf(startNs, endNs));
  countDays(source, deadline, (counts, names) => totals.addCounts(counts, names));
  return totals.result();
}

/** Series of the services and kinds of `query`, sorted by (service, operation). */
export function listCallSeries(source: BlockSource, query: MetricsQuery, deadline: Deadline): CallSeries[] {
  const totals = new SeriesTotals(query);
  countDays(source, deadline, (counts, names) => totals.addCounts(counts, names));
  return totals.result();
}

/** Counts all spans of each day. */
function countDays(source: BlockSource, deadline: Deadline, add: (counts: CallCounts, names: CallNames) => void): void {
  const blocks = Map.groupBy(source.blocks(), ({ day }) => day);
  for (const candidates of blocks.values()) {
    const names = new CallNames();
    const counts = new CallCounts();
    const counter = new CallCounter(names, counts);
    for (const candidate of candidates) {
      deadline.check();
      const columns = candidate.read((block) => new CallColumns(block, names));
      if (columns !== undefined) counter.addBlock(columns);
    }
    counter.count();
    add(counts, names);
  }
}
