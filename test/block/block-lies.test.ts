// A block whose checksums are right and whose content is not, as only a bug or a forger writes it: decoding gives spans or
// CORRUPTION, in bounded time and memory, and leaves the batch as it was. Checksums find all else (block-damage.test.ts).
import { expect, test } from 'vitest';
import { BlockReader } from '../../src/block/block-reader.ts';
import { readBlockNames } from '../../src/block/read-names.ts';
import { SpanBatch } from '../../src/trace/span-batch.ts';
import { appendBlock, appendTraces } from '../../src/block/decode-block.ts';
import { StoreError } from '../../src/base/errors.ts';
import { createRandom, printedSeed, randomRequest, type Random } from '../support/random-request.ts';
import { putTogether, takeApart, type LooseBlock } from './loose-block.ts';
import { batchOf, blockOf, BLOCK_KINDS, NOON_NS, spansOf } from './scanned.ts';

const COUNTS = [0, 1, 2, 1000, 2 ** 31, 2 ** 32 - 1];
const NUMBERS = [-1, 0.5, NaN, Infinity, 2 ** 31, 2 ** 32, 2 ** 53, -(2 ** 53), 1e300];

function pick<T>(random: Random, items: readonly T[]): T {
  return items[Math.floor(random() * items.length)]!;
}

/** One lie: a byte, a length, a number put over others, a count, or a number of the header or of a group. */
function lie(random: Random, block: LooseBlock): void {
  const column = pick(random, block.columns);
  const { bytes } = column;
  const at = Math.floor(random() * bytes.length);
  const kind = Math.floor(random() * 8);
  if (kind === 0) column.count = pick(random, [...COUNTS, 2 ** 53]);
  else if (kind === 1) column.bytes = bytes.slice(0, at);
  else if (kind === 2) block.columns.splice(block.columns.indexOf(column), 1);
  else if (kind === 3)
    block.header = { ...block.header, [pick(random, ['rowCount', 'traceCount'])]: pick(random, COUNTS) };
  else if (kind === 4 && bytes.length > 9) {
    // A number column that is one constant: base of planes, or the constant itself, lies in bytes 1 to 9 or 2 to 10.
    column.bytes = Uint8Array.from([0, ...new Uint8Array(Float64Array.of(pick(random, NUMBERS)).buffer)]);
  } else if (kind === 7) {
    const group = Math.floor(random() * block.groups.length);
    const bound = pick(random, ['rowCount', 'traceCount', 'startMin', 'startMax', 'durationMin', 'durationMax']);
    block.groups[group] = { ...block.groups[group]!, [bound]: pick(random, COUNTS) };
  } else if (kind === 5 && bytes.length > 18) {
    new DataView(bytes.buffer).setFloat64(2 + 8 * Math.floor(random() * 2), pick(random, NUMBERS), true);
  } else if (bytes.length > 0) bytes[at] = Math.floor(random() * 256);
}

/** Runs `decode`; true when it was refused as CORRUPTION. */
function isRefused(decode: () => void): boolean {
  try {
    decode();
    return false;
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    expect(error.code).toBe('CORRUPTION');
    return true;
  }
}

test('taken apart and put together, a block is the same spans', () => {
  const batch = batchOf(randomRequest(createRandom(5), NOON_NS), randomRequest(createRandom(6), NOON_NS));
  const back = new SpanBatch();
  appendBlock(back, putTogether(takeApart(blockOf(batch))));
  expect(spansOf(back)).toEqual(spansOf(batch));
});

test.each(BLOCK_KINDS)('lies in a %s block', (profile) => {
  const random = createRandom(printedSeed(`lies, ${profile}`));
  let refused = 0;
  for (let round = 0; round < 400; round++) {
    const source = batchOf(...Array.from({ length: 3 }, () => randomRequest(random, NOON_NS)));
    if (source.rowCount === 0) continue;
    const loose = takeApart(blockOf(source, profile));
    lie(random, loose);
    const forged = putTogether(loose);
    const batch = new SpanBatch();
    if (isRefused(() => appendBlock(batch, forged))) {
      refused++;
      expect([batch.rowCount, batch.values.count, batch.arenaLength]).toEqual([0, 0, 0]);
    }
    isRefused(() => appendTraces(new SpanBatch(), new BlockReader(forged), [0]));
    isRefused(() => void readBlockNames(forged));
  }
  expect(refused).toBeGreaterThan(100);
});
