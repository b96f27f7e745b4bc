// Blocks taken apart into columns and put together again, with every checksum right: what only a bug or a forger writes.
import { encodeBlockHeader, type BlockHeader } from '../../src/block/block-header.ts';
import { BlockReader } from '../../src/block/block-reader.ts';
import { ColumnWriter, layOutColumns } from '../../src/block/column-writer.ts';
import type { ColumnEntry } from '../../src/block/group-reader.ts';
import type { GroupBounds } from '../../src/block/row-group.ts';
import { CODEC_NONE } from '../../src/bytes/compression.ts';

interface LooseColumn {
  readonly code: number;
  readonly section: number;
  readonly field: number;
  count: number;
  bytes: Uint8Array;
  /** The number of its group; -1 if the groups share it. */
  readonly group: number;
}

export interface LooseBlock {
  header: BlockHeader;
  readonly groups: GroupBounds[];
  readonly columns: LooseColumn[];
}

export function takeApart(block: Uint8Array): LooseBlock {
  const reader = new BlockReader(block);
  const loose = (entry: ColumnEntry, group: number): LooseColumn => {
    const bytes = reader.open(entry);
    return { ...entry, group, bytes: bytes.view(bytes.left).slice() };
  };
  const groups = reader.groups.map(({ bounds }) => ({ ...bounds }));
  const ofGroups =
    groups.length === 1 ? [] : reader.groups.flatMap(({ entries }, i) => entries.map((e) => loose(e, i)));
  return {
    header: reader.header,
    groups,
    columns: [...reader.sharedEntries.map((entry) => loose(entry, -1)), ...ofGroups],
  };
}

/** A block again, with every checksum right. */
export function putTogether({ header, groups, columns }: LooseBlock): Uint8Array {
  const shared = new ColumnWriter();
  const writers = groups.map((bounds) => ({ ...bounds, columns: groups.length === 1 ? shared : new ColumnWriter() }));
  for (const { code, section, field, count, bytes, group } of columns) {
    const writer = group < 0 ? shared : writers[group]!.columns;
    writer.out.raw(bytes);
    writer.end(code, count, { section, field });
  }
  const layout = { compression: { codec: CODEC_NONE, level: 0 }, frameBytes: 1 << 30 };
  const { directory, frames } = layOutColumns({ shared, groups: writers }, layout);
  const body = Buffer.concat([directory, ...frames]);
  const fixed = encodeBlockHeader({ ...header, sizeBytes: 76 + body.length, directoryBytes: directory.length });
  return Buffer.concat([fixed, body]);
}
