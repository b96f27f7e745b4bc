// Columns on demand: only what is asked for is checked and decompressed, and damage stays where it is.
import { describe, expect, test } from 'vitest';
import * as C from '../../src/block/block-columns.ts';
import { BlockReader, readBlockTraceIds, TextArena, verifyBlock } from '../../src/block/block-reader.ts';
import { attribute, batchOf, blockOf, idOf, requestOf, span } from './scanned.ts';

/** Several frames: ids apart, and a text column larger than one frame. */
const spans = Array.from({ length: 600 }, (_, i) =>
  span(i + 1, { trace: 1 + Math.floor(i / 3), attributes: [attribute('k', `value number ${i * 7919} of many`)] }),
);
const block = blockOf(batchOf(requestOf(spans)));
const corruption: unknown = expect.objectContaining({ code: 'CORRUPTION' });

test('trace ids are in block order, 16 bytes each', () => {
  const ids = readBlockTraceIds(block);
  expect(ids.length).toBe(16 * 200);
  expect(Array.from({ length: 200 }, (_, i) => ids.subarray(16 * i, 16 * i + 16))).toEqual(
    Array.from({ length: 200 }, (_, i) => idOf(i + 1, 16)),
  );
});

test('columns a block does not have are empty, or CORRUPTION where every block has them', () => {
  const reader = new BlockReader(block);
  expect(reader.find(C.COLUMN_LINK_IDS)).toBeUndefined();
  const group = reader.groups[0]!;
  expect(group.numbers(C.COLUMN_EVENT_TIMES).length).toBe(0);
  expect(group.fixed(C.COLUMN_LINK_IDS, 24).length).toBe(0);
  expect(reader.list(C.COLUMN_CONSTANTS + C.SECTION_LINKS).a.length).toBe(0);
  expect(() => group.require(C.COLUMN_LINK_IDS)).toThrow('a block without column 24');
});

test('what lies behind the block is not read', () => {
  const reader = new BlockReader(Buffer.concat([block, Buffer.from('the next block')]));
  reader.verify();
  expect(reader.header.rowCount).toBe(600);
});

describe('damage', () => {
  /** The block with one byte of the frame of `code` flipped. */
  function damaged(code: number): Uint8Array {
    const bytes = block.slice();
    const reader = new BlockReader(block);
    // The last byte of the file belongs to the last frame; find the wanted frame by trying.
    for (let at = block.length - 1; at > 0; at--) {
      bytes[at]! ^= 1;
      const broken = new BlockReader(bytes);
      try {
        broken.open(reader.find(code)!);
      } catch {
        return bytes;
      }
      bytes[at]! ^= 1;
    }
    throw new Error(`no byte of column ${code} found`);
  }

  test('in one frame leaves the columns of the others readable', () => {
    const reader = new BlockReader(damaged(C.COLUMN_SPAN_IDS));
    expect(() => reader.groups[0]!.fixed(C.COLUMN_SPAN_IDS, 8)).toThrow(corruption);
    expect(reader.traceIds().length).toBe(16 * 200);
    expect(reader.list(C.COLUMN_STRINGS).a.length).toBeGreaterThan(0);
    expect(() => reader.verify()).toThrow(/frame \d+ of a block fails its checksum/);
  });

  test('in the directory is found when the block is opened', () => {
    const bytes = block.slice();
    bytes[80]! ^= 1;
    expect(() => new BlockReader(bytes)).toThrow('a block directory fails its checksum');
    expect(() => verifyBlock(bytes)).toThrow(corruption);
  });

  test('a block cut at its end is CORRUPTION at once', () => {
    expect(() => new BlockReader(block.subarray(0, -1))).toThrow(
      `a block of ${block.length} bytes has only ${block.length - 1}`,
    );
  });
});

test('a text arena returns where each text begins', () => {
  const arena = new TextArena();
  const long = new Uint8Array(10_000).fill(65);
  expect([arena.appendArena(Buffer.from('abc'), 1), arena.appendArena(long), arena.appendArena(long, 5, 7)]).toEqual([
    0, 2, 10_002,
  ]);
  expect(Buffer.from(arena.arena.subarray(0, 4)).toString()).toBe('bcAA');
  expect(arena.arenaLength).toBe(10_004);
});
