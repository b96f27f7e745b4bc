// A part whose metadata cannot be read still has its blocks, each with a header and checksums of its own: they are
// found by scanning its data and written as a new part. Damaged blocks go to quarantine, as in any merge.
import { basename, join } from 'node:path';
import type { BlockHeader } from '../block/block-header.ts';
import { blocksStart, PART_DATA_FORMAT } from '../part/format-version.ts';
import { newIdentity, type PartId } from '../part/identity.ts';
import { mergeParts, type MergeBlock } from '../part/merge-parts.ts';
import type { PartMetadata } from '../part/part-metadata.ts';
import { DATA_FILE } from '../part/part-writer.ts';
import { quarantine } from '../part/quarantine.ts';
import { scanBlocks } from '../part/scan-blocks.ts';
import { partsPath, type PartitionPlace } from './partition-place.ts';

/**
 * Writes a part from the blocks of part `id`, durable but listed nowhere, and gives its id; undefined when there are
 * none. Throws DISK.
 */
export function repairPart(place: PartitionPlace, id: PartId): { id: PartId; metadata: PartMetadata } | undefined {
  const { disk, day, quarantinePath } = place;
  const folder = partsPath(place.path);
  const path = join(folder, id, DATA_FILE);
  if (disk.stat(path) === undefined) return undefined;
  const newId = newIdentity();
  const blocks = findBlocks(place, path);
  const origin = { logSeqMax: 0, partIds: [id] };
  const result = mergeParts(disk, {
    inputs: [{ path, blocks }],
    partPath: join(folder, newId),
    day,
    profile: 'merged',
    origin,
    // What the part had counted stays counted, also of blocks that are lost.
    rollups: { kind: 'sum', parts: [join(folder, id)], isWholeDay: false },
    quarantinePath,
  });
  place.logger.warn('part repaired from its data', {
    part: `${basename(place.path)}/${id}`,
    rows: result.part?.rowCount ?? 0,
  });
  return result.part === undefined ? undefined : { id: newId, metadata: result.part };
}

function findBlocks(place: PartitionPlace, path: string): MergeBlock[] {
  const blocks: MergeBlock[] = [];
  const file = place.disk.openRead(path);
  try {
    const { damaged, end } = scanBlocks(file, blocksStart(PART_DATA_FORMAT, file), (offset, header) =>
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
