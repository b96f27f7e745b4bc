// Which columns share a frame, and that what was written is what the reader opens.
import { describe, expect, test } from 'vitest';
import { BlockReader } from '../../src/block/block-reader.ts';
import { encodeBlockHeader } from '../../src/block/block-header.ts';
import { ColumnWriter, layOutColumns, type FrameLayout } from '../../src/block/column-writer.ts';
import { CODEC_LZ4, CODEC_NONE } from '../../src/bytes/compression.ts';
import { DEFAULT_TENANT } from '../../src/trace/tenant.ts';

const LZ4 = { codec: CODEC_LZ4, level: 0 };

const BOUNDS = { rowCount: 1, traceCount: 1, startMin: 0, startMax: 0, durationMin: 0, durationMax: 0 };

/** The columns as those of a block with one group. */
function finish(writer: ColumnWriter, layout: FrameLayout): ReturnType<typeof layOutColumns> {
  return layOutColumns({ shared: writer, groups: [{ ...BOUNDS, columns: writer }] }, layout);
}

/** A block whose columns are those of `writer`; the header's other numbers are of no matter here. */
function readerOf(writer: ColumnWriter, frameBytes: number): BlockReader {
  const { directory, frames } = finish(writer, { compression: LZ4, frameBytes });
  const body = Buffer.concat([directory, ...frames]);
  const header = encodeBlockHeader({
    sizeBytes: 76 + body.length,
    directoryBytes: directory.length,
    tenant: DEFAULT_TENANT,
    day: 0,
    ...BOUNDS,
  });
  return new BlockReader(Buffer.concat([header, body]));
}

function writerOf(
  ...columns: readonly (readonly [code: number, sizeBytes: number, isRandom?: boolean])[]
): ColumnWriter {
  const writer = new ColumnWriter();
  for (const [code, sizeBytes, isRandom = false] of columns) {
    writer.out.raw(new Uint8Array(sizeBytes).fill(code));
    writer.end(code, sizeBytes, { isRandom });
  }
  return writer;
}

function framesOf(reader: BlockReader): number[][] {
  const frames: number[][] = [];
  for (const { frame, code } of reader.columns) (frames[frame] ??= []).push(code);
  return frames;
}

test('a column is found by code, section and field, and opens to its bytes alone', () => {
  const writer = new ColumnWriter();
  for (const [section, field] of [
    [0, 0],
    [0, 1],
    [1, 0],
    [2, 1_000_000],
  ] as const) {
    writer.out.u8(section);
    writer.out.varint(field);
    writer.end(32, 7, { section, field });
  }
  const reader = readerOf(writer, 1 << 20);
  for (const [section, field] of [
    [0, 0],
    [0, 1],
    [1, 0],
    [2, 1_000_000],
  ] as const) {
    const entry = reader.find(32, section, field)!;
    const bytes = reader.open(entry);
    expect([entry.count, bytes.u8(), bytes.varint(), bytes.left]).toEqual([7, section, field, 0]);
  }
  expect([reader.find(32, 1, 1), reader.find(31)]).toEqual([undefined, undefined]);
});

describe('frames', () => {
  test('are closed when they have reached their size', () => {
    const columns = [
      [1, 40],
      [2, 40],
      [3, 40],
      [4, 500],
      [5, 1],
    ] as const;
    expect(framesOf(readerOf(writerOf(...columns), 100))).toEqual([[1, 2, 3], [4], [5]]);
    expect(framesOf(readerOf(writerOf(...columns), 1 << 30))).toEqual([[1, 2, 3, 4, 5]]);
  });

  test('end at seams inside a column that has reached their size, and the column opens as one', () => {
    const writer = new ColumnWriter();
    const content = Uint8Array.from({ length: 300 }, (_, i) => i);
    writer.out.raw(content.subarray(0, 10));
    writer.end(1, 10);
    writer.out.raw(Uint8Array.of(7));
    writer.end(2, 1, { isRandom: true });
    for (const [from, to] of [
      [10, 20],
      [20, 120],
      [120, 290],
      [290, 300],
    ] as const) {
      writer.out.raw(content.subarray(from, to));
      writer.out.seam();
    }
    writer.end(3, 290);
    writer.out.raw(content.subarray(0, 5));
    writer.end(4, 5);
    const reader = readerOf(writer, 100);
    expect(framesOf(reader)).toEqual([[2], [1, 3], undefined, [4]]);
    const bytesOf = (code: number): Uint8Array => reader.open(reader.find(code)!).view(reader.find(code)!.size);
    expect(Buffer.from(bytesOf(1))).toEqual(Buffer.from(content.subarray(0, 10)));
    expect(Buffer.from(bytesOf(3))).toEqual(Buffer.from(content.subarray(10)));
    expect(Buffer.from(bytesOf(4))).toEqual(Buffer.from(content.subarray(0, 5)));
    const shares = [1, 2, 3, 4].map((code) => reader.storedShare(reader.find(code)!).storedBytes);
    const { frames } = finish(writer, { compression: LZ4, frameBytes: 100 });
    const stored = frames.reduce((sum, { length }) => sum + length, 0);
    expect(shares.reduce((sum, bytes) => sum + bytes)).toBeCloseTo(stored, 6);
  });

  test('a column that runs beyond the last one is CORRUPTION', () => {
    const reader = readerOf(writerOf([1, 40], [3, 40]), 10);
    const entry = reader.find(3)!;
    expect(() => reader.open({ ...entry, size: 41 })).toThrow(expect.objectContaining({ code: 'CORRUPTION' }));
    expect(reader.open({ ...reader.find(1)!, size: 80 }).left).toBe(80);
  });

  test('of random columns are their own, uncompressed, and part no neighbours', () => {
    const reader = readerOf(writerOf([1, 200], [2, 200, true], [3, 200]), 1000);
    expect(framesOf(reader).toSorted((x, y) => x[0]! - y[0]!)).toEqual([[1, 3], [2]]);
    const { directory } = finish(writerOf([2, 200, true]), { compression: LZ4, frameBytes: 1 });
    expect(directory[3]).toBe(CODEC_NONE);
  });

  test('hold empty columns too', () => {
    const reader = readerOf(writerOf([1, 0], [2, 3], [3, 0]), 100);
    expect(reader.columns.map((entry) => reader.open(entry).left)).toEqual([0, 3, 0]);
  });
});

test('the same columns give the same bytes', () => {
  const bytes = (): Buffer => {
    const writer = writerOf([1, 300], [2, 300, true], [3, 5]);
    const { directory, frames } = finish(writer, { compression: LZ4, frameBytes: 100 });
    return Buffer.concat([directory, ...frames]);
  };
  expect(Buffer.compare(bytes(), bytes())).toBe(0);
});
