// What queries do with blocks of a merged part that nobody has read before: one trace of each, and a search of each.
import { BlockReader } from '../../src/block/block-reader.ts';
import { appendTraces } from '../../src/block/decode-block.ts';
import { regroupByTrace } from '../../src/block/regroup.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { writeTraces } from '../../src/otlp/write-spans.ts';
import { readBlockAt, readPartMetadata } from '../../src/part/part-reader.ts';
import { DATA_FILE } from '../../src/part/part-writer.ts';
import { SpanMatcher, type BlockTimes } from '../../src/query/match-block.ts';
import { compileTag } from '../../src/query/tag-condition.ts';
import { SpanBatch } from '../../src/trace/span-batch.ts';
import type { Stopwatch } from '../harness/stopwatch.ts';

const BLOCKS_MAX = 64;
const ANY_TIMES: BlockTimes = {
  startMin: -Infinity,
  startMax: Infinity,
  durationMin: -Infinity,
  durationMax: Infinity,
};

/** `partPath`: a part in the format of today. */
export function measureReads(partPath: string, watch: Stopwatch): void {
  const file = nodeDisk.openRead(`${partPath}/${DATA_FILE}`);
  try {
    for (const range of readPartMetadata(nodeDisk, partPath).blocks.slice(0, BLOCKS_MAX)) {
      const bytes = readBlockAt(file, range);
      const batch = new SpanBatch();
      const trace = range.traceCount >> 1;
      watch.time('read a trace by id', 1, () => appendTraces(batch, new BlockReader(bytes), [trace]), 'trace');
      const { rows } = regroupByTrace(batch);
      watch.time('  write it as OTLP', rows.length, () => writeTraces(batch, rows));
      const { rowCount } = range;
      watch.time('search a block: a tag', rowCount, () => search(bytes, 'http.status_code', '200'));
      watch.time('search a block: a tag value nobody has', rowCount, () => search(bytes, 'http.target', 'nobody'));
    }
  } finally {
    file.close();
  }
}

function search(bytes: Uint8Array, key: string, value: string): number {
  let found = 0;
  const matcher = new SpanMatcher({ service: undefined, operation: undefined, tags: [compileTag({ key, value })] });
  matcher.match(new BlockReader(bytes), ANY_TIMES, {
    wants: () => true,
    take: (_group, matches) => (found += matches.length),
  });
  return found;
}
