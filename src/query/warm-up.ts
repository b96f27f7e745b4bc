// Runs what queries do on made-up spans in memory, so that a node that says ready has compiled it: the first trace by id took
// 100 to 500 ms without.
import { BlockReader } from '../block/block-reader.ts';
import { appendTraces } from '../block/decode-block.ts';
import { encodeBlock } from '../block/encode-block.ts';
import { regroupByTrace } from '../block/regroup.ts';
import { TermSet } from '../block/terms.ts';
import { assert } from '../base/assert.ts';
import { sampleRequest } from '../otlp/sample-request.ts';
import { scanRequest } from '../otlp/scan-request.ts';
import { writeTraces } from '../otlp/write-spans.ts';
import { SpanBatch } from '../trace/span-batch.ts';
import { DEFAULT_TENANT } from '../trace/tenant.ts';
import { SpanMatcher, type BlockTimes, type SpanConditions } from './match-block.ts';
import { compileTag } from './tag-condition.ts';

/** Rows of a group in the made-up block, so that it has several. */
const GROUP_ROWS = 160;

const ANY_TIMES: BlockTimes = {
  startMin: -Infinity,
  startMax: Infinity,
  durationMin: -Infinity,
  durationMax: Infinity,
};

const SEARCHES: readonly SpanConditions[] = [
  { service: 'cart', operation: undefined, tags: [] },
  { service: 'cart', operation: 'operation 1', tags: [] },
  ...[
    ['http.request.method', 'POST'],
    ['session.id', 'nobody has this'],
    ['http.response.status_code', '500'],
    ['cached', 'true'],
    ['attempt', '4'],
  ].map(([key = '', value = '']) => ({ service: 'cart', operation: undefined, tags: [compileTag({ key, value })] })),
];

let madeBlock: Uint8Array | undefined;

function makeBlock(): Uint8Array {
  const batch = new SpanBatch();
  scanRequest(batch, sampleRequest(), { startMinNs: 0n, startMaxNs: 2n ** 63n - 1n });
  const day = batch.day[0]!;
  const options = { tenant: DEFAULT_TENANT, day, profile: 'merged', groupRowsTarget: GROUP_ROWS } as const;
  return encodeBlock(batch, regroupByTrace(batch).rows, { ...options, terms: new TermSet() });
}

/** One pass: each kind of search, and reading what it finds. Takes some milliseconds once it is compiled. */
export function warmUp(): void {
  const bytes = (madeBlock ??= makeBlock());
  const block = new BlockReader(bytes);
  let found = 0;
  for (const conditions of SEARCHES) {
    new SpanMatcher(conditions).match(block, ANY_TIMES, {
      wants: ({ rowCount }) => rowCount > 0,
      take: (group, matches) => {
        group.load();
        found += matches.length;
      },
    });
  }
  assert(found > 0, 'the made-up spans match no search');
  const { traceCount } = block.header;
  // From a block not read yet, as the first trace after a start is; then several traces of one that is.
  for (const source of [new BlockReader(bytes), block]) {
    const batch = new SpanBatch();
    appendTraces(batch, source, [0, traceCount >> 1, traceCount - 1]);
    const { rows } = regroupByTrace(batch);
    assert(writeTraces(batch, rows).length > 0, 'the made-up traces have no spans');
  }
}
