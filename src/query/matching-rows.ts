// Finds the spans that a deletion takes out: the rows of the parts' blocks that meet every condition of a query, or belong to
// one of the named traces. In steps of some blocks, because a day may have thousands and other queries wait for the thread.
import type { BlockReader } from '../block/block-reader.ts';
import { readStored } from '../block/read-names.ts';
import type { SpanRows, SpanSelection } from '../trace/store.ts';
import type { BlockSource, CandidateBlock } from './block-source.ts';
import { viewsOf } from './block-view.ts';
import type { Deadline } from './deadline.ts';
import { tracesIn, WantedTraces } from './find-traces.ts';
import { blockTimes, compileQuery, missedTimes } from './search-traces.ts';

/** Blocks that one step reads at most. */
const BLOCKS_PER_STEP = 128;

export interface FoundRows {
  readonly rows: SpanRows[];
  /** Where the next step begins, in the same view; undefined: there is none. */
  readonly next: number | undefined;
}

/** The rows of `selection` in the parts of the view, from block number `from` of the view on. Blocks of the log are passed over. */
export function matchingRows(
  source: BlockSource,
  { selection, from }: { readonly selection: SpanSelection; readonly from: number },
  deadline: Deadline,
): FoundRows {
  const candidates = 'traceIds' in selection ? source.blocksOfTraces(selection.traceIds) : source.blocks();
  const flagsOf = flagger(selection, deadline);
  const rows: SpanRows[] = [];
  const end = Math.min(candidates.length, from + BLOCKS_PER_STEP);
  for (const candidate of candidates.slice(from, end)) {
    deadline.check();
    const flags = candidate.place && flagsOf(candidate);
    if (flags !== undefined) rows.push({ ...candidate.place!, flags });
  }
  return { rows, next: end < candidates.length ? end : undefined };
}

/** What flags the rows of a block that are selected; undefined: none is. */
function flagger(selection: SpanSelection, deadline: Deadline): (candidate: CandidateBlock) => Uint8Array | undefined {
  if ('traceIds' in selection) {
    const wanted = new WantedTraces(selection.traceIds);
    return (candidate) => candidate.read((block) => rowsOfTraces(block, wanted));
  }
  const { query } = selection;
  const { matcher, pruner } = compileQuery(query, () => deadline.check());
  return (candidate) => {
    const times = blockTimes(candidate.day, query);
    if (missedTimes(candidate, times) !== undefined) return undefined;
    const outlined = candidate.outlined();
    if (outlined !== undefined && pruner.reject(outlined, candidate.filter) !== undefined) return undefined;
    return candidate.read((block) => matcher.rows(block, times));
  };
}

function rowsOfTraces(block: BlockReader, wanted: WantedTraces): Uint8Array | undefined {
  const traces = tracesIn(block, wanted);
  if (traces.length === 0) return undefined;
  return readStored(() => {
    const flags = new Uint8Array(block.header.rowCount);
    let firstRow = 0;
    for (const view of viewsOf(block)) {
      const { firstTrace, rowCount, traceCount } = view.group;
      for (const trace of traces) {
        const at = trace - firstTrace;
        if (at < 0 || at >= traceCount) continue;
        const { firsts } = view.traceColumns();
        flags.fill(1, firstRow + firsts[at]!, firstRow + firsts[at + 1]!);
      }
      firstRow += rowCount;
    }
    return flags;
  });
}
