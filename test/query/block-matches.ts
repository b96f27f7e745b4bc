// What a matcher finds in a block, as if a search wanted all of it.
import { BlockReader } from '../../src/block/block-reader.ts';
import type { BlockMatch, BlockTimes, SpanMatcher } from '../../src/query/match-block.ts';

/** The matching traces, numbered by their index in the block, ascending. */
export function blockMatches(matcher: SpanMatcher, block: Uint8Array, times: BlockTimes): BlockMatch[] {
  const found: BlockMatch[] = [];
  matcher.match(new BlockReader(block), times, {
    wants: () => true,
    take: ({ firstTrace }, matches) =>
      found.push(...matches.map(({ trace, start }) => ({ trace: firstTrace + trace, start }))),
  });
  return found.sort((x, y) => x.trace - y.trace);
}
