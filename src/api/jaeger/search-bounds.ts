// What the bounds of a search mean, whichever API spells them (docs/SEARCH.md): a time covers the whole unit it was given in,
// so that a span is found by the start it was shown with and windows that follow each other lose nothing; a limit above
// the node's own is that one, and the answer says so. Pure.
import type { TraceQuery } from '../../trace/trace-query.ts';

/** A time as it was given: from `ns`, since the epoch, to the end of its unit. */
export interface GivenTime {
  readonly ns: bigint;
  readonly unitNs: bigint;
}

export const UNIT_NS = { s: 1_000_000_000n, ms: 1_000_000n, us: 1_000n, ns: 1n } as const;

/** The end of time: what is stored ends before it. */
export const TIME_MAX_NS: bigint = 2n ** 63n - 1n;

/** The last ns that a time covers. */
export function lastNsOf({ ns, unitNs }: GivenTime): bigint {
  const last = ns + unitNs - 1n;
  return last > TIME_MAX_NS ? TIME_MAX_NS : last;
}

/**
 * The end of a search's window. Starts are shown in µs, and browsers make ms of them: who pages by them needs
 * TraceQuery.lastUnit. A second is more than a page: nobody is shown one.
 */
export function windowEnd(end: GivenTime, tracesMax: number): Pick<TraceQuery, 'startMaxNs' | 'lastUnit'> {
  const lastUnit = end.unitNs > UNIT_NS.ms ? {} : { lastUnit: { startNs: end.ns, tracesMax } };
  return { startMaxNs: lastNsOf(end), ...lastUnit };
}

/** `asked`, at most `maxTraces`, and what to tell a client that gets less than it asked for. */
export function clampLimit(asked: number, maxTraces: number): { limit: number; warnings: readonly string[] } {
  if (asked <= maxTraces) return { limit: asked, warnings: [] };
  const warning = `${asked} traces were asked for, at most ${maxTraces} are given (-search.maxTraces)`;
  return { limit: maxTraces, warnings: [warning] };
}

/** What to tell a client whose answer has more traces than it asked for: see TraceQuery.lastUnit. */
export function overfullWarnings({ limit }: TraceQuery, count: number): string[] {
  if (count <= limit) return [];
  return [
    `${count} traces instead of ${limit}: all that begin in the last ms or us of the time range are given, as far as ` +
      '-search.maxTraces allows, so that the next page can begin before it',
  ];
}
