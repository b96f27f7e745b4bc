// explain=1 on a search, of either API generation: returns, instead of traces, what the search reads and what it skips and
// why (docs/operations/queries.md). Not part of Jaeger's API.
import { StoreError } from '../../base/errors.ts';
import type { SearchExplainer } from '../../trace/search-explanation.ts';
import type { CallContext } from '../../trace/call-context.ts';
import type { TraceQuery } from '../../trace/trace-query.ts';
import type { JaegerRequest } from './jaeger-http.ts';

/** The fates of blocks that were opened. */
const OPENED = new Set(['templates', 'values', 'spanTimes', 'matched']);

export function isExplain({ params }: Pick<JaegerRequest, 'params'>): boolean {
  return params.first('explain') === '1';
}

/** The explanation as JSON. Throws INVALID_REQUEST if there is no `explainer`. */
export async function explainSearch(
  explainer: SearchExplainer | undefined,
  call: CallContext,
  query: TraceQuery,
): Promise<Buffer[]> {
  if (explainer === undefined) {
    throw new StoreError('INVALID_REQUEST', 'explain=1 is answered by a node that stores traces; ask that one');
  }
  const { fates, blocks, logBlocks, waitedMs, tookMs, ...rest } = await explainer.explainSearch(call, query);
  const { damaged, ...others } = fates;
  const of = (isOpened: boolean): Record<string, number> =>
    Object.fromEntries(Object.entries(others).filter(([fate]) => OPENED.has(fate) === isOpened));
  const shown = {
    ...rest,
    waitedMs: Math.round(waitedMs * 1000) / 1000,
    tookMs: Math.round(tookMs * 1000) / 1000,
    blocks: { considered: blocks, ofLog: logBlocks, pruned: of(false), opened: of(true), damaged },
  };
  return [Buffer.from(JSON.stringify(shown))];
}
