// The conditions of a query without their values: for the log of slow queries, which more people can read than the traces.
import type { QueryTask } from './run-query.ts';

/** The kinds of conditions, with the keys of tags, but never the values they are compared with. */
export function queryShape(task: QueryTask): Record<string, unknown> {
  switch (task.kind) {
    case 'find':
    case 'exists':
      return { query: 'find', traces: task.traceIds.length };
    case 'search':
    case 'newest': {
      const { service, operation, tags, filter, durationMinNs, durationMaxNs, startMinNs, startMaxNs, limit } =
        task.query;
      const given = { service, operation, filter, durationMin: durationMinNs, durationMax: durationMaxNs };
      const conditions = Object.entries(given).flatMap(([name, value]) => (value === undefined ? [] : [name]));
      const keys = tags.map(({ key }) => key);
      return { query: 'search', conditions, tags: keys, rangeSeconds: secondsOf(startMinNs, startMaxNs), limit };
    }
    case 'dependencies':
      return { query: 'dependencies', rangeSeconds: secondsOf(task.startNs, task.endNs) };
    case 'metrics':
      return { query: 'metrics', rangeSeconds: secondsOf(task.query.startNs, task.query.endNs) };
    case 'digest':
      return { query: 'digest' };
    case 'services':
      return { query: 'services' };
    default:
      return task satisfies never;
  }
}

function secondsOf(startNs: bigint, endNs: bigint): number {
  return Number((endNs - startNs) / 1_000_000_000n);
}
