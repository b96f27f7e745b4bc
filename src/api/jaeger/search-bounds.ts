// The meaning of a search's bounds, for every API (docs/SEARCH.md): a time covers its whole unit, so that a span is found by the
// start with which it is shown, and consecutive windows lose nothing; a limit above the node's own is lowered to it, and the
// answer says so. Pure.
import type { TagCondition, TraceQuery } from '../../trace/trace-query.ts';

/** A time as given: from `ns`, since the epoch, to the end of its unit. */
export interface GivenTime {
  readonly ns: bigint;
  readonly unitNs: bigint;
}

export const UNIT_NS = { s: 1_000_000_000n, ms: 1_000_000n, us: 1_000n, ns: 1n } as const;

/** The latest time: everything stored ends before it. */
export const TIME_MAX_NS: bigint = 2n ** 63n - 1n;

/** The last ns that a time covers. */
export function lastNsOf({ ns, unitNs }: GivenTime): bigint {
  const last = ns + unitNs - 1n;
  return last > TIME_MAX_NS ? TIME_MAX_NS : last;
}

/**
 * The end of a search's window. Starts are shown in µs, which browsers round to ms; clients that page by them need
 * TraceQuery.lastUnit. A whole second could hold more than a page, and no start is shown in seconds.
 */
export function windowEnd(end: GivenTime, tracesMax: number): Pick<TraceQuery, 'startMaxNs' | 'lastUnit'> {
  const lastUnit = end.unitNs > UNIT_NS.ms ? {} : { lastUnit: { startNs: end.ns, tracesMax } };
  return { startMaxNs: lastNsOf(end), ...lastUnit };
}

/** A search as passed to the reader. */
export interface Search {
  readonly query: TraceQuery;
  /** True if no span can match, because the window or the durations are empty. The reader need not be called. */
  readonly isHopeless: boolean;
  /** How the request was changed. */
  readonly warnings: readonly string[];
}

/** The parts of a search, the same for every API. */
export interface SearchParts {
  readonly service: string | undefined;
  readonly operation: string | undefined;
  readonly tags: readonly TagCondition[];
  readonly startNs: bigint;
  readonly end: Pick<TraceQuery, 'startMaxNs' | 'lastUnit'>;
  /** Durations in ns; 0 for none. */
  readonly min: bigint;
  readonly max: bigint;
  readonly limit: number;
}

export function makeSearch({ startNs, end, min, max, ...parts }: SearchParts, maxTraces: number): Search {
  const { limit, warnings } = clampLimit(parts.limit, maxTraces);
  const query = {
    ...parts,
    startMinNs: startNs < 0n ? 0n : startNs,
    ...end,
    durationMinNs: min > 0n ? min : undefined,
    durationMaxNs: max !== 0n ? max : undefined,
    limit,
  };
  const isEmpty = startNs > end.startMaxNs || end.startMaxNs < 0n;
  return { query, isHopeless: isEmpty || max < 0n || (max !== 0n && max < min), warnings };
}

/** `asked`, at most `maxTraces`, and a warning for a client that gets less than it asked for. */
export function clampLimit(asked: number, maxTraces: number): { limit: number; warnings: readonly string[] } {
  if (asked <= maxTraces) return { limit: asked, warnings: [] };
  const warning = `${asked} traces were asked for, at most ${maxTraces} are given (-search.maxTraces)`;
  return { limit: maxTraces, warnings: [warning] };
}

/** A warning for a client whose answer has more traces than it asked for: see TraceQuery.lastUnit. */
export function overfullWarnings({ limit }: TraceQuery, count: number): string[] {
  if (count <= limit) return [];
  return [
    `${count} traces instead of ${limit}: all that begin in the last ms or us of the time range are given, as far as ` +
      '-search.maxTraces allows, so that the next page can begin before it',
  ];
}
