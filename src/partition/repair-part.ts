// Repairs a part whose metadata cannot be read: scans its data for blocks, each of which has a header and checksums, and
// writes them as a new part. Damaged blocks go to quarantine, as in any merge.
import { basename, join } from 'node:path';
import type { BlockHeader } from '../block/block-header.ts';
import { blocksStart, PART_DATA_FORMAT } from '../part/format-version.ts';
import { newIdentity, type PartId } from '../part/identity.ts';
import { mergeParts, type MergeBlock } from '../part/merge-parts.ts';
import type { PartMetadata } from '../part/part-metadata.ts';
import { DATA_FILE } from '../part/part-writer.ts';
import { quarantine, type DamagedPlace } from '../quarantine/quarantine.ts';
import { scanBlocks } from '../part/scan-blocks.ts';
import { partsPath, type PartitionPlace } from './partition-place.ts';

export interface RepairedPart {
  readonly id: PartId;
  readonly metadata: PartMetadata;
  /** Spans found; duplicates count separately. */
  readonly rowsFound: number;
  /** What was damaged: its bytes are in quarantine. */
  readonly damaged: readonly DamagedPlace[];
}

/**
 * Writes a part from the blocks of part `id`, durable but listed nowhere; undefined if there are none. Throws CORRUPTION
 * if its data is missing or another part's, DISK.
 */
export function repairPart(place: PartitionPlace, id: PartId): RepairedPart | undefined {
  const { disk, day, quarantinePath } = place;
  const folder = partsPath(place.path);
  const path = join(folder, id, DATA_FILE);
  const newId = newIdentity();
  const { blocks, damaged } = findBlocks(place, path);
  if (blocks.length === 0) return undefined;
  const origin = { logSeqMax: 0, partIds: [id] };
  const result = mergeParts(disk, {
    inputs: [{ path, blocks }],
    partPath: join(folder, newId),
    day,
    origin,
    // The part's counts stay, including those of lost blocks.
    rollups: { kind: 'sum', parts: [join(folder, id)], isWholeDay: false },
    quarantinePath,
  });
  place.logger.warn('part repaired from its data', {
    part: `${basename(place.path)}/${id}`,
    rows: result.part?.rowCount ?? 0,
  });
  if (result.part === undefined) return undefined;
  const { part: metadata, rowsRead: rowsFound } = result;
  return { id: newId, metadata, rowsFound, damaged: [...damaged, ...result.damaged] };
}

function findBlocks(place: PartitionPlace, path: string): { blocks: MergeBlock[]; damaged: DamagedPlace[] } {
  const blocks: MergeBlock[] = [];
  const file = place.disk.openRead(path);
  try {
    const scan = scanBlocks(file, blocksStart(PART_DATA_FORMAT, file), (offset, header) =>
      blocks.push(mergeBlock(offset, header)),
    );
    const damaged: DamagedPlace[] = scan.damaged.map((range) => ({ ...range, path }));
    const tail = { path, offset: scan.end, sizeBytes: file.sizeBytes - scan.end };
    if (tail.sizeBytes > 0) damaged.push({ ...tail, message: `${path}: no block was found from byte ${scan.end} on` });
    for (const range of damaged) quarantine(place.disk, place.quarantinePath, range);
    return { blocks, damaged };
  } finally {
    file.close();
  }
}

function mergeBlock(offset: number, header: BlockHeader): MergeBlock {
  return { offset, sizeBytes: header.sizeBytes, tenant: header.tenant, startMin: header.startMin };
}
