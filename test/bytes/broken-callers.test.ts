// A caller inside the program that leaves its bounds is stopped, where it would otherwise write zeros, lose an entry, or search for ever.
import { expect, test } from 'vitest';
import { FairBudget } from '../../src/base/fair-budget.ts';
import { FairQueue } from '../../src/base/fair-queue.ts';
import { ByteTable } from '../../src/bytes/byte-table.ts';
import { ByteWriter } from '../../src/bytes/byte-writer.ts';
import { compress } from '../../src/bytes/compression.ts';
import { CountTable } from '../../src/bytes/count-table.ts';
import { IdMap } from '../../src/bytes/id-map.ts';
import { placeAll } from '../../src/bytes/slots.ts';
import { WireReader } from '../../src/bytes/wire-reader.ts';
import { bucketOf } from '../../src/trace/latency-buckets.ts';
import { SpanBatch } from '../../src/trace/span-batch.ts';
import { SpanIds } from '../../src/trace/span-ids.ts';

const four = Uint8Array.of(1, 2, 3, 4);

function fullOf(count: number): SpanIds {
  const ids = new SpanIds();
  ids.begin(count);
  for (let id = 0; id < count; id++) ids.add(id, id, id);
  return ids;
}

test.each<[string, () => unknown]>([
  ['bytes behind the end of their source are written', () => new ByteWriter().rawRange(four, 2, 5)],
  ['a range that ends before it begins is written', () => new ByteWriter().rawRange(four, 3, 2)],
  ['a message ends that began elsewhere', () => new ByteWriter().endMessage(7)],
  ['an id of before clear() is read', () => new ByteTable().bytes(0)],
  ['NaN is counted', () => new CountTable().add(NaN, 1, 0)],
  ['an id above the map is set', () => new IdMap().begin(2).set(2, 0)],
  ['slots are as many as entries', () => placeAll(4, [0, 1, 2, 3], 4)],
  ['slots are no power of two', () => placeAll(6, [0, 1], 2)],
  ['an unknown compression is asked for', () => compress(new Uint8Array(100), { codec: 3, level: 1 })],
  ['a reader is sent outside of its message', () => new WireReader(four).reset(2, 5)],
  ['more ids are added than there is room for', () => fullOf(4).add(9, 9, 9)],
  ['a duration is not a number', () => bucketOf(NaN)],
  ['text behind the end of its source is appended', () => new SpanBatch().appendArena(four, 1, 5)],
  ['NaN bytes are taken', () => new FairBudget(100).take('a', NaN)],
  ['fewer than no bytes are given back', () => new FairBudget(100).giveBack('a', -1)],
  [
    'an item is queued twice',
    () => {
      const queue = new FairQueue<string>();
      for (const item of ['x', 'x']) queue.push('a', item);
    },
  ],
])('%s', (_, broken) => {
  expect(broken).toThrow(/^BUG: /);
});
