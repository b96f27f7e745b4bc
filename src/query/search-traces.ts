// Finds the newest traces that match: blocks newest first, until no block left can hold a newer match than the ones
// found. Exact: the answer is the `limit` traces with the latest matching span start, ties by trace id
// (contract/jaeger.md §7.1), whatever block, part or day their spans lie in.
import { DAY_NS } from '../otlp/day-clock.ts';
import type { TraceQuery } from '../trace/trace-query.ts';
import type { BlockSource, CandidateBlock } from './block-source.ts';
import type { Deadline } from './deadline.ts';
import { idKey } from './find-traces.ts';
import { SpanMatcher, type BlockTimes } from './match-block.ts';
import { mayMatch, queryTerms } from './query-terms.ts';
import { compileTag } from './tag-condition.ts';

const DAY_NS_BIG = BigInt(DAY_NS);

/** The latest matching span of a trace. */
interface Hit {
  readonly traceId: Uint8Array;
  readonly day: number;
  readonly start: number;
}

/** Ids of the newest matching traces, newest matching span first. */
export function searchTraceIds(source: BlockSource, query: TraceQuery, deadline: Deadline): Uint8Array[] {
  const tags = query.tags.map(compileTag);
  const conditions = queryTerms(query, tags);
  const matcher = new SpanMatcher({ service: query.service, operation: query.operation, tags });
  const blocks = source.blocks().filter((block) => overlaps(block, query));
  blocks.sort((x, y) => y.day - x.day || y.startMax - x.startMax);
  let hits: Hit[] = [];
  for (const block of blocks) {
    deadline.check();
    const last = hits.length >= query.limit ? hits[query.limit - 1]! : undefined;
    // Not >=: a match as late as the last hit may still win by its trace id.
    if (last !== undefined && (last.day - block.day || last.start - block.startMax) > 0) break;
    const filter = conditions.length > 0 ? block.filter() : undefined;
    if (filter !== undefined && !mayMatch(filter, conditions)) continue;
    hits = mergeHits(hits, matchCandidate(block, matcher, blockTimes(block.day, query)));
    hits.length = Math.min(hits.length, query.limit);
  }
  return hits.map((hit) => hit.traceId);
}

function matchCandidate(candidate: CandidateBlock, matcher: SpanMatcher, times: BlockTimes): Hit[] {
  const hits = candidate.read((block) => {
    const { matches } = matcher.match(block, times);
    if (matches.length === 0) return [];
    // Damage elsewhere in the block would leave a hit whose trace cannot be read.
    block.verify();
    const ids = block.traceIds();
    return matches.map(({ trace, start }) => ({
      traceId: ids.slice(trace * 16, trace * 16 + 16),
      day: candidate.day,
      start,
    }));
  });
  return hits ?? [];
}

/** One hit a trace, its latest; sorted newest first. */
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
function blockTimes(day: number, query: TraceQuery): BlockTimes {
  const midnight = BigInt(day) * DAY_NS_BIG;
  return {
    startMin: Number(query.startMinNs - midnight),
    startMax: Number(query.startMaxNs - midnight),
    durationMin: query.durationMinNs === undefined ? -Infinity : Number(query.durationMinNs),
    durationMax: query.durationMaxNs === undefined ? Infinity : Number(query.durationMaxNs),
  };
}

function overlaps(block: CandidateBlock, query: TraceQuery): boolean {
  const times = blockTimes(block.day, query);
  return (
    block.startMax >= times.startMin &&
    block.startMin <= times.startMax &&
    block.durationMax >= times.durationMin &&
    block.durationMin <= times.durationMax
  );
}
