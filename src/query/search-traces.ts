// Finds the newest matching traces: reads blocks newest first, until no remaining block can hold a newer match than those
// found. Exact: the answer is the `limit` traces with the latest matching span start, ties by trace id (contract/jaeger.md
// §7.1), whatever block, part or day holds their spans; it has more only if a page would otherwise have no end.
import { assert } from '../base/assert.ts';
import { DAY_NS } from '../trace/day-clock.ts';
import type { BlockFate } from '../trace/search-explanation.ts';
import type { ViewFilter } from '../partition/view.ts';
import type { SearchHit } from '../trace/store.ts';
import { answerSize, type TraceQuery } from '../trace/trace-query.ts';
import type { BlockSource, CandidateBlock } from './block-source.ts';
import type { Deadline } from './deadline.ts';
import { idKey } from './find-traces.ts';
import { FilterPruner } from './prune-by-filter.ts';
import { SpanMatcher, type BlockTimes } from './match-block.ts';
import { BlockPruner } from './prune-blocks.ts';
import { compileTag } from './tag-condition.ts';

const DAY_NS_BIG = BigInt(DAY_NS);

/** The latest matching span of a trace. */
interface Hit {
  readonly traceId: Uint8Array;
  readonly day: number;
  readonly start: number;
}

/** The newest matching traces, newest matching span first. `window`: the query's, if the view has more than that. */
export function searchTraces(
  source: BlockSource,
  query: TraceQuery,
  deadline: Deadline,
  window: ViewFilter = {},
): SearchHit[] {
  const { matcher, pruner } = compileQuery(query, () => deadline.check());
  const { fates } = source.work;
  const blocks = source.newestFirst(window);
  let hits: readonly Hit[] = [];
  for (let block = blocks.next(); block !== undefined; block = blocks.next()) {
    deadline.check();
    if (isCertain(hits, query, block)) {
      fates.limit += 1 + blocks.passRest();
      break;
    }
    const times = blockTimes(block.day, query);
    const missed = missedTimes(block, times);
    if (missed !== undefined) {
      fates[missed]++;
      continue;
    }
    const outlined = block.outlined();
    const prunedBy = outlined === undefined ? undefined : pruner.reject(outlined, block.filter);
    if (prunedBy !== undefined) {
      fates[prunedBy]++;
      continue;
    }
    const found = matchCandidate(block, { matcher, times, query, hits });
    fates[found.fate]++;
    ({ hits } = found);
  }
  assert(
    hits.length <= Math.max(query.limit, query.lastUnit?.tracesMax ?? 0),
    'a search found more than an answer has',
  );
  return hits.map(({ traceId, day, start }) => ({
    traceId,
    matchedStartNs: BigInt(day) * DAY_NS_BIG + BigInt(start),
  }));
}

/** What judges the spans of a block, and what judges a block by its part's outlines and filter. */
export function compileQuery(
  query: TraceQuery,
  check: () => void,
): { matcher: SpanMatcher; pruner: Pick<BlockPruner, 'reject'> } {
  const matcher = new SpanMatcher({ ...query, tags: query.tags.map((tag) => compileTag(tag, check)), check });
  const pruner =
    matcher.filter === undefined
      ? new BlockPruner(query, matcher.tags, Number(query.durationMinNs ?? -1n))
      : new FilterPruner(matcher.filter);
  return { matcher, pruner };
}

/** As answerSize, of these hits. */
function sizeOf(hits: readonly Hit[], query: TraceQuery): number | undefined {
  const { startNs } = query.lastUnit ?? { startNs: 0n };
  const unit = { day: Number(startNs / DAY_NS_BIG), start: Number(startNs % DAY_NS_BIG) };
  return answerSize(query, hits.length, (i) => (hits[i]!.day - unit.day || hits[i]!.start - unit.start) < 0);
}

/** Whether no span that starts at `startMax` or before can change the answer. */
function isCertain(
  hits: readonly Hit[],
  query: TraceQuery,
  { day, startMax }: Pick<CandidateBlock, 'day' | 'startMax'>,
): boolean {
  const size = sizeOf(hits, query);
  if (size === undefined) return false;
  const last = hits[size - 1]!;
  // Not >=: a match that starts together with the last hit may still win by its trace id.
  return (last.day - day || last.start - startMax) > 0;
}

/** Which of the query's times no span of a block or group can meet, if any. */
export function missedTimes(bounds: BlockTimes, times: BlockTimes): 'time' | 'duration' | undefined {
  if (bounds.startMax < times.startMin || bounds.startMin > times.startMax) return 'time';
  return bounds.durationMax < times.durationMin || bounds.durationMin > times.durationMax ? 'duration' : undefined;
}

interface Found {
  /** The hits before, and those of the block. */
  readonly hits: readonly Hit[];
  readonly fate: BlockFate;
}

interface Search {
  readonly matcher: SpanMatcher;
  readonly times: BlockTimes;
  readonly query: TraceQuery;
  readonly hits: readonly Hit[];
}

function matchCandidate(candidate: CandidateBlock, { matcher, times, query, ...before }: Search): Found {
  const { day } = candidate;
  const found = candidate.read((block): Found => {
    let { hits } = before;
    let isMatched = false;
    const decidedBy = matcher.match(block, times, {
      wants: (bounds) =>
        missedTimes(bounds, times) === undefined && !isCertain(hits, query, { day, startMax: bounds.startMax }),
      take: (group, matches) => {
        isMatched = true;
        // Read whole: damage elsewhere in the group would leave a hit whose trace cannot be read.
        group.load();
        const ids = group.traceIds();
        const more = matches.map(({ trace, start }) => ({
          traceId: ids.slice(trace * 16, trace * 16 + 16),
          day,
          start,
        }));
        const merged = mergeHits(hits, more);
        hits = merged.slice(0, sizeOf(merged, query));
      },
    });
    return { hits, fate: isMatched ? 'matched' : decidedBy };
  });
  return found ?? { hits: before.hits, fate: 'damaged' };
}

/** One hit per trace, its latest; sorted newest first. */
function mergeHits(hits: readonly Hit[], more: readonly Hit[]): Hit[] {
  if (more.length === 0) return [...hits];
  const byId = new Map<string, Hit>();
  for (const hit of [...hits, ...more]) {
    const known = byId.get(idKey(hit.traceId));
    if (known === undefined || (hit.day - known.day || hit.start - known.start) > 0) byId.set(idKey(hit.traceId), hit);
  }
  return [...byId.values()].sort((x, y) => y.day - x.day || y.start - x.start || Buffer.compare(x.traceId, y.traceId));
}

/** The query's window on a block's day, in the block's own numbers. */
export function blockTimes(day: number, query: TraceQuery): BlockTimes {
  const midnight = BigInt(day) * DAY_NS_BIG;
  return {
    startMin: Number(query.startMinNs - midnight),
    startMax: Number(query.startMaxNs - midnight),
    durationMin: query.durationMinNs === undefined ? -Infinity : Number(query.durationMinNs),
    durationMax: query.durationMaxNs === undefined ? Infinity : Number(query.durationMaxNs),
  };
}
