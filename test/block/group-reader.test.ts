// One group is read without the others: neither their frames nor their damage matter.
import { expect, test } from 'vitest';
import * as C from '../../src/block/block-columns.ts';
import { BlockReader, type BlockBytes } from '../../src/block/block-reader.ts';
import { appendTraces } from '../../src/block/decode-block.ts';
import { encodeBlock } from '../../src/block/encode-block.ts';
import type { GroupReader } from '../../src/block/group-reader.ts';
import { regroupByTrace } from '../../src/block/regroup.ts';
import { SpanBatch } from '../../src/trace/span-batch.ts';
import { DEFAULT_TENANT } from '../../src/trace/tenant.ts';
import { attribute, batchOf, idOf, NOON_NS, requestOf, span, spansOf } from './scanned.ts';

const TRACES = 60;
const spansOfTrace = (trace: number): ReturnType<typeof span>[] =>
  [0, 1, 2].map((i) =>
    span(3 * trace + i + 1, {
      trace: trace + 1,
      name: `op-${(trace + i) % 5}`,
      startTimeUnixNano: NOON_NS + BigInt(1_000 * trace + i),
      endTimeUnixNano: NOON_NS + BigInt(5_000 * (trace + 1)),
      attributes: [attribute('user', `user-${trace % 4}`), attribute('order', `order number ${trace * 7919} of ${i}`)],
      events: i === 0 ? [{ timeUnixNano: NOON_NS + 5n, name: 'e', attributes: [attribute('n', `${trace}`)] }] : [],
    }),
  );
const spans = Array.from({ length: TRACES }, (_, trace) => spansOfTrace(trace)).flat();
const batch = batchOf(requestOf(spans));
const block = encodeBlock(batch, regroupByTrace(batch).rows, {
  tenant: DEFAULT_TENANT,
  day: batch.day[0]!,
  profile: 'merged',
  groupRowsTarget: 45,
});

/** The groups' bytes in a block, as reads that are noted. */
class NotedBytes implements BlockBytes {
  readonly sizeBytes = block.length;
  readonly reads: [from: number, to: number][] = [];

  read(offset: number, sizeBytes: number): Uint8Array {
    this.reads.push([offset, offset + sizeBytes]);
    return block.subarray(offset, offset + sizeBytes);
  }
}

const traceOf = (trace: number, of: BlockReader): string[] => {
  const back = new SpanBatch();
  appendTraces(back, of, [trace]);
  return spansOf(back);
};
const groupOf = (reader: BlockReader, trace: number): GroupReader =>
  reader.groups.find(({ firstTrace, traceCount }) => trace >= firstTrace && trace < firstTrace + traceCount)!;

test('groups follow each other, and have the bounds of their rows', () => {
  const reader = new BlockReader(block);
  expect(reader.groups.map(({ firstTrace, traceCount, rowCount }) => [firstTrace, traceCount, rowCount])).toEqual(
    [0, 15, 30, 45].map((first) => [first, 15, 45]),
  );
  for (const { bounds, firstTrace } of reader.groups) {
    expect(bounds.startMax - bounds.startMin).toBe(14_002);
    expect(bounds.startMin - reader.header.startMin).toBe(1_000 * firstTrace);
    expect(bounds.durationMax).toBe(reader.header.durationMax - (reader.header.startMax - bounds.startMax) * 4);
  }
});

test('a trace is read from its group alone', () => {
  for (const trace of [0, 14, 15, 44, 59]) {
    const bytes = new NotedBytes();
    expect(traceOf(trace, new BlockReader(bytes))).toEqual(spansOf(batchOf(requestOf(spansOfTrace(trace)))));
    // The head, what the groups share, the trace's group.
    expect(bytes.reads.length).toBeLessThanOrEqual(4);
    expect(bytes.reads.slice(1).reduce((sum, [from, to]) => sum + to - from, 0)).toBeLessThan(block.length / 2);
  }
});

test('damage in one group leaves the others readable', () => {
  const [first, second] = [new BlockReader(block).groups[0]!, new BlockReader(block).groups[1]!];
  expect(first.find(C.COLUMN_SPAN_IDS)!.frame).toBeLessThan(second.find(C.COLUMN_SPAN_IDS)!.frame);
  let refused = 0;
  for (let at = block.length - 1; at > 0 && refused < 200; at--) {
    const bytes = block.slice();
    bytes[at]! ^= 1;
    // From the end on, all damage is in the last group until its first byte is reached.
    const reader = new BlockReader(bytes);
    try {
      groupOf(reader, 59).load();
      break;
    } catch {
      refused++;
      expect(traceOf(3, new BlockReader(bytes))).toEqual(traceOf(3, new BlockReader(block)));
    }
  }
  expect(refused).toBe(200);
});

test('a column of another group is not found', () => {
  const reader = new BlockReader(block);
  expect(reader.find(C.COLUMN_STARTS)).toBeUndefined();
  expect(reader.groups[0]!.find(C.COLUMN_STARTS)).not.toEqual(reader.groups[1]!.find(C.COLUMN_STARTS));
  expect(reader.groups[0]!.find(C.COLUMN_STRINGS)).toBeUndefined();
  expect(Buffer.from(reader.groups[1]!.traceIds().subarray(0, 16))).toEqual(Buffer.from(idOf(16, 16)));
});
