// Blocks taken apart into columns and put together again, with every checksum right: what only a bug or a forger writes.
import { encodeBlockHeader, type BlockHeader } from '../../src/block/block-header.ts';
import { BlockReader } from '../../src/block/block-reader.ts';
import { ColumnWriter } from '../../src/block/column-writer.ts';
import { CODEC_NONE } from '../../src/bytes/compression.ts';

interface LooseColumn {
  readonly code: number;
  readonly section: number;
  readonly field: number;
  count: number;
  bytes: Uint8Array;
}

export interface LooseBlock {
  header: BlockHeader;
  readonly columns: LooseColumn[];
}

export function takeApart(block: Uint8Array): LooseBlock {
  const reader = new BlockReader(block);
  const columns = reader.columns.map((entry) => {
    const bytes = reader.open(entry);
    return { ...entry, bytes: bytes.view(bytes.left).slice() };
  });
  return { header: reader.header, columns };
}

/** A block again, with every checksum right. */
export function putTogether({ header, columns }: LooseBlock): Uint8Array {
  const writer = new ColumnWriter();
  for (const { code, section, field, count, bytes } of columns) {
    writer.out.raw(bytes);
    writer.end(code, count, { section, field });
  }
  const { directory, frames } = writer.finish({ compression: { codec: CODEC_NONE, level: 0 }, frameBytes: 1 << 30 });
  const body = Buffer.concat([directory, ...frames]);
  const fixed = encodeBlockHeader({ ...header, sizeBytes: 76 + body.length, directoryBytes: directory.length });
  return Buffer.concat([fixed, body]);
}
