// A part whose metadata cannot be read still has its blocks, each with a header and checksums of its own: they are
// found by scanning its data and written as a new part. Damaged blocks go to quarantine, as in any merge.
import { basename, join } from 'node:path';
import type { BlockHeader } from '../block/block-header.ts';
import { FILE_HEADER_SIZE } from '../part/format-version.ts';
import { formatHexId } from '../part/hex-id.ts';
import { mergeParts, type MergeBlock } from '../part/merge-parts.ts';
import type { PartMetadata } from '../part/part-metadata.ts';
import { DATA_FILE } from '../part/part-writer.ts';
import { quarantine } from '../part/quarantine.ts';
import { scanBlocks } from '../part/scan-blocks.ts';
import { partsPath, type PartitionPlace } from './partition-place.ts';

/**
 * Writes part `newId` from the blocks of part `id`, durable but listed nowhere; undefined when it has none. Throws
 * DISK.
 */
export function repairPart(place: PartitionPlace, id: number, newId: number): PartMetadata | undefined {
  const { disk, day, quarantinePath } = place;
  const folder = partsPath(place.path);
  const path = join(folder, formatHexId(id), DATA_FILE);
  if (disk.stat(path) === undefined) return undefined;
  const partPath = join(folder, formatHexId(newId));
  // A repair that a crash cut short.
  disk.remove(partPath);
  const blocks = findBlocks(place, path);
  const origin = { logSeqMax: 0, partIds: [id] };
  const result = mergeParts(disk, {
    inputs: [{ path, blocks }],
    partPath,
    day,
    profile: 'merged',
    origin,
    // What the part had counted stays counted, also of blocks that are lost.
    rollups: { kind: 'sum', parts: [join(folder, formatHexId(id))], isWholeDay: false },
    quarantinePath,
  });
  place.logger.warn('part repaired from its data', {
    part: `${basename(place.path)}/${formatHexId(id)}`,
    rows: result.part?.rowCount ?? 0,
  });
  return result.part;
}

function findBlocks(place: PartitionPlace, path: string): MergeBlock[] {
  const blocks: MergeBlock[] = [];
  const file = place.disk.openRead(path);
  try {
    const { damaged, end } = scanBlocks(file, FILE_HEADER_SIZE, (offset, header) =>
      blocks.push(mergeBlock(offset, header)),
    );
    for (const { offset, sizeBytes, message } of damaged) {
      quarantine(place.disk, place.quarantinePath, {
        path,
        offset,
        bytes: file.read(offset, sizeBytes),
        note: message,
      });
    }
    if (end < file.sizeBytes) {
      const bytes = file.read(end, file.sizeBytes - end);
      quarantine(place.disk, place.quarantinePath, {
        path,
        offset: end,
        bytes,
        note: `${path}: no block was found from byte ${end} on`,
      });
    }
  } finally {
    file.close();
  }
  return blocks;
}

function mergeBlock(offset: number, header: BlockHeader): MergeBlock {
  return { offset, sizeBytes: header.sizeBytes, tenant: header.tenant, startMin: header.startMin };
}
