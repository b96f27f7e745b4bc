// The count is a function of the set of spans: however they are cut into blocks, and into what was counted before and what
// is new, the sums are those of all spans at once.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BlockReader } from '../../src/block/block-reader.ts';
import { CallColumns } from '../../src/block/call-columns.ts';
import {
  bucketOfKey,
  CallCounts,
  CallNames,
  minuteOfKey,
  numberOfKey,
  slotOfKey,
} from '../../src/block/call-counts.ts';
import { CallCounter, type CountedSpans, type PieceVisitor } from '../../src/block/count-calls.ts';
import type { TraceIndex } from '../../src/block/trace-index.ts';
import type { OtlpSpan } from '../support/otlp-proto.ts';
import { batchOf, blockOf, idOf, NOON_NS, requestOf, span } from './scanned.ts';

/** A span as few small numbers, so that ids, parents and times often meet. */
const anySpan = fc.record({
  trace: fc.integer({ min: 1, max: 3 }),
  id: fc.integer({ min: 1, max: 6 }),
  parent: fc.integer({ min: 0, max: 6 }),
  service: fc.constantFrom('a', 'b', 'c'),
  name: fc.constantFrom('x', 'y', ''),
  kind: fc.integer({ min: 0, max: 2 }),
  code: fc.constantFrom(0, 0, 2),
  minute: fc.integer({ min: 0, max: 2 }),
  lasts: fc.constantFrom(1n, 2_000n),
});
type AnySpan = Parameters<Parameters<typeof anySpan.map>[0]>[0];

function otlpOf({ trace, id, parent, name, kind, code, minute, lasts }: AnySpan): OtlpSpan {
  const startTimeUnixNano = NOON_NS + BigInt(minute) * 60_000_000_000n;
  const parentSpanId = parent === 0 ? {} : { parentSpanId: idOf(parent, 8) };
  const times = { startTimeUnixNano, endTimeUnixNano: startTimeUnixNano + lasts };
  return span(id, { trace, name, kind, status: { code }, ...parentSpanId, ...times });
}

function columnsOf(spans: readonly AnySpan[], names: CallNames): CallColumns {
  const requests = spans.map((one) => requestOf([otlpOf(one)], one.service));
  return new CallColumns(new BlockReader(blockOf(batchOf(...requests))), names);
}

/** Every piece of the traces asked for in `blocks`. */
class CountedBlocks implements CountedSpans {
  readonly #blocks: readonly CallColumns[];

  constructor(blocks: readonly CallColumns[]) {
    this.#blocks = blocks;
  }

  findPieces(traces: TraceIndex, _names: CallNames, visit: PieceVisitor): void {
    for (const block of this.#blocks) {
      for (let trace = 0; trace < block.traceCount; trace++) {
        const number = traces.find(block.traceIds, 4 * trace);
        if (number >= 0) visit(number, block, trace);
      }
    }
  }
}

/** Totals that are not zero, in words. */
function show(counts: CallCounts, names: CallNames): Record<string, number[]> {
  const out: [string, number[]][] = [];
  const name = (key: number): string => {
    const series = numberOfKey(key);
    const service = names.services.text(names.serviceOf(series));
    const operation = names.operations.text(names.operationOf(series));
    return `${minuteOfKey(key)} ${service} ${operation} ${names.kindOf(series)}`;
  };
  const { nodes, edges, buckets } = counts;
  for (let i = 0; i < nodes.count; i++) out.push([name(nodes.keys[i]!), [nodes.calls[i]!, nodes.errors[i]!]]);
  for (let i = 0; i < edges.count; i++) {
    const edge = numberOfKey(edges.keys[i]!);
    const [caller, callee] = [names.callerOf(edge), names.calleeOf(edge)].map((id) => names.services.text(id));
    out.push([`${minuteOfKey(edges.keys[i]!)} ${caller} > ${callee}`, [edges.calls[i]!, edges.errors[i]!]]);
  }
  for (let i = 0; i < buckets.count; i++) {
    const key = nodes.keys[slotOfKey(buckets.keys[i]!)]!;
    out.push([`${name(key)} bucket ${bucketOfKey(buckets.keys[i]!)}`, [buckets.calls[i]!]]);
  }
  return Object.fromEntries(
    out.filter(([, totals]) => totals.some((total) => total !== 0)).sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}

test('counts of pieces, each over what came before it, add up to the count of all', { timeout: 30_000 }, () => {
  const anyBlock = fc.array(anySpan, { minLength: 1, maxLength: 6 });
  const anyBatch = fc.array(anyBlock, { minLength: 1, maxLength: 3 });
  fc.assert(
    fc.property(fc.array(anyBatch, { minLength: 1, maxLength: 4 }), (batches) => {
      const names = new CallNames();
      const whole = new CallCounts();
      const counter = new CallCounter(names, whole);
      counter.addBlock(columnsOf(batches.flat(2), names));
      counter.count();
      const pieces = new CallCounts();
      const piecewise = new CallCounter(names, pieces);
      const before: CallColumns[] = [];
      for (const batch of batches) {
        const blocks = batch.map((spans) => columnsOf(spans, names));
        for (const block of blocks) piecewise.addBlock(block);
        piecewise.count(new CountedBlocks(before));
        before.push(...blocks);
      }
      expect(show(pieces, names)).toEqual(show(whole, names));
    }),
    { numRuns: 200 },
  );
});

test('an unnamed operation has its name, an error is seen', () => {
  const names = new CallNames();
  const columns = columnsOf(
    [{ trace: 1, id: 1, parent: 0, service: 'a', name: '', kind: 2, code: 2, minute: 0, lasts: 1n }],
    names,
  );
  expect([columns.traceCount, [...columns.isError], names.operations.text(0)]).toEqual([1, [1], 'empty-span-name']);
});
