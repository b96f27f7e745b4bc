// Reads a part whose metadata was damaged while the store was open, until the next start repairs it
// (partition/repair-part.ts). It finds the blocks by scanning the data, so that a query misses only the damaged blocks.
// Slow: each thread that opens the part reads all its data once, and no block can be pruned.
import { basename, join } from 'node:path';
import type { FuseFilter } from '../codec/fuse-filter.ts';
import type { DiskReads } from '../disk/disk.ts';
import { blocksStart, PART_DATA_FORMAT } from './format-version.ts';
import { parseIdentity } from './identity.ts';
import type { PartOutlines } from './outlines.ts';
import type { PartBlock } from './part-metadata.ts';
import { PartReader } from './part-reader.ts';
import { DATA_FILE } from './part-writer.ts';
import type { DamagedPlace } from '../quarantine/quarantine.ts';
import { scanBlocks } from './scan-blocks.ts';
import type { TraceProbes } from './trace-lookup.ts';

/**
 * Opens the part in folder `path`; `fault` says what is wrong with its metadata or a file length. Throws CORRUPTION
 * when its data is another part's, FORMAT_TOO_NEW, DISK.
 */
export function scanPart(disk: DiskReads, path: string, fault: string): ScannedPart {
  const data = join(path, DATA_FILE);
  if (disk.stat(data) === undefined) {
    const lost = [{ path: data, offset: 0, sizeBytes: 0, message: `${data}: missing; restore it from a snapshot` }];
    return new ScannedPart(disk, path, { day: 0, blocks: [], sizeBytes: 0, fault, lost });
  }
  const file = disk.openRead(data);
  try {
    const blocks: PartBlock[] = [];
    let day = 0;
    const { damaged, end } = scanBlocks(file, blocksStart(PART_DATA_FORMAT, file), (offset, header) => {
      ({ day } = header);
      blocks.push({ ...header, offset, filterBytes: 0 });
    });
    const lost: DamagedPlace[] = damaged.map((range) => ({ ...range, path: file.path }));
    const tail = { path: file.path, offset: end, sizeBytes: file.sizeBytes - end };
    if (end < file.sizeBytes) lost.push({ ...tail, message: `${file.path}: no block was found from byte ${end} on` });
    else if (fault.startsWith(file.path)) lost.push({ ...tail, message: fault }); // the file was cut between two blocks
    return new ScannedPart(disk, path, { day, blocks, sizeBytes: file.sizeBytes, fault, lost });
  } finally {
    file.close();
  }
}

interface Scanned {
  readonly day: number;
  readonly blocks: readonly PartBlock[];
  readonly sizeBytes: number;
  readonly fault: string;
  readonly lost: readonly DamagedPlace[];
}

/** A part without filters: no block can be excluded. */
export class ScannedPart extends PartReader {
  /** Why the part was scanned. */
  readonly fault: string;
  /** The places without a block or with a damaged one. */
  readonly lost: readonly DamagedPlace[];

  constructor(disk: DiskReads, path: string, { day, blocks, sizeBytes, fault, lost }: Scanned) {
    super(disk, path, {
      identity: parseIdentity(basename(path)),
      day,
      origin: { logSeqMax: 0, partIds: [] },
      rowCount: blocks.reduce((sum, { rowCount }) => sum + rowCount, 0),
      dataBytes: sizeBytes,
      tracesBytes: 0,
      filtersBytes: 0,
      rollupsBytes: 0,
      blocks,
      fences: new Uint32Array(0),
    });
    this.fault = fault;
    this.lost = lost;
  }

  override findTrace(_traceId: Uint8Array): number[] {
    return this.metadata.blocks.map((_, block) => block);
  }

  override findTraces(_probes: TraceProbes): number[] {
    return this.metadata.blocks.map((_, block) => block);
  }

  override filter(_block: number): FuseFilter | undefined {
    return undefined;
  }

  override outlines(): PartOutlines | undefined {
    return undefined;
  }
}
