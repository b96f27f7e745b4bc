// The question of a query for the log of slow queries: enough to ask it again, but no values of tags and no trace ids,
// because more people can read the log than the traces.
import type { QueryTask } from './run-query.ts';

/** Service, operation, the kinds of the other conditions, the keys of tags, but never the values they are compared with. */
export function queryShape(task: QueryTask): Record<string, unknown> {
  switch (task.kind) {
    case 'find':
    case 'exists':
      return { query: 'find', traces: task.traceIds.length };
    case 'search':
    case 'newest': {
      const { service, operation, tags, filter, durationMinNs, durationMaxNs, startMinNs, startMaxNs, limit } =
        task.query;
      const given = { filter, durationMin: durationMinNs, durationMax: durationMaxNs };
      const conditions = Object.entries(given).flatMap(([name, value]) => (value === undefined ? [] : [name]));
      const keys = tags.map(({ key }) => key);
      const rangeSeconds = secondsOf(startMinNs, startMaxNs);
      return { query: 'search', service, operation, conditions, tags: keys, rangeSeconds, limit };
    }
    case 'rows':
      return 'traceIds' in task.selection
        ? { query: 'delete', traces: task.selection.traceIds.length }
        : { ...queryShape({ kind: 'search', query: task.selection.query }), query: 'delete' };
    case 'dependencies':
      return { query: 'dependencies', rangeSeconds: secondsOf(task.startNs, task.endNs) };
    case 'metrics':
      return { query: 'metrics', rangeSeconds: secondsOf(task.query.startNs, task.query.endNs) };
    case 'digest':
      return { query: 'digest' };
    case 'services':
      return { query: 'services' };
    case 'warm':
      return { query: 'warm' };
    default:
      return task satisfies never;
  }
}

function secondsOf(startNs: bigint, endNs: bigint): number {
  return Number((endNs - startNs) / 1_000_000_000n);
}
