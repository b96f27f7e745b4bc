// A search and its whole traces in two steps, for readers that cannot do both in one.
import { isStoreError } from '../base/errors.ts';
import type { CallContext } from '../trace/call-context.ts';
import type { FoundTraces, Marked, TraceReader } from '../trace/store.ts';
import type { TraceQuery } from '../trace/trace-query.ts';

/** As TraceReader.findNewest. If the answer would be too large, traces beyond its limit (TraceQuery.lastUnit) are left out. */
export async function findPage(
  reader: Pick<TraceReader, 'searchTraces' | 'findTraces'>,
  call: CallContext,
  query: TraceQuery,
): Promise<FoundTraces> {
  const searched = await reader.searchTraces(call, query);
  const traceIds = searched.hits.map(({ traceId }) => traceId);
  try {
    return joined(await reader.findTraces(call, traceIds), searched);
  } catch (error) {
    if (traceIds.length <= query.limit || !isStoreError(error, 'LIMIT_EXCEEDED')) throw error;
    const found = await reader.findTraces(call, traceIds.slice(0, query.limit));
    const left = `${traceIds.length - query.limit} traces more begin in the last ms or us of the time range and are too large to be given with these`;
    return joined(found, { ...searched, warnings: [...searched.warnings, left] });
  }
}

function joined(found: FoundTraces, searched: Marked): FoundTraces {
  const { traces, missing = [] } = found;
  const warnings = [...new Set([...searched.warnings, ...found.warnings])];
  const all = [...(searched.missing ?? []), ...missing];
  if (all.length === 0) return { traces, warnings };
  return { traces, warnings, missing: [...new Map(all.map((one) => [one.node, one])).values()] };
}
