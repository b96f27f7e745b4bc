// Finds adjacent blocks in a log file after a crash, or in a part whose metadata is lost. Damage costs only the blocks
// it hit: the scan skips a block with damaged content by its header, and after a damaged header it searches for the
// next whole block. Reads one block at a time, writes nothing.
import { isStoreError } from '../base/errors.ts';
import { BLOCK_HEADER_SIZE_MIN, readBlockHeader, type BlockHeader } from '../block/block-header.ts';
import type { ReadFile } from '../disk/disk.ts';
import { readBlockAt } from './part-reader.ts';

export interface DamagedRange {
  readonly offset: number;
  readonly sizeBytes: number;
  /** The kind and place of the damage. */
  readonly message: string;
  /** undefined: the header is damaged too. */
  readonly header?: BlockHeader;
}

export interface BlockScan {
  /** Damaged ranges before the last intact block. */
  readonly damaged: readonly DamagedRange[];
  /** The end of the last intact block. The tail follows. */
  readonly end: number;
  /**
   * A block in the tail with an intact header; undefined if there is none. After a power loss it is an unfinished
   * write, like any other tail; otherwise it may be damage.
   */
  readonly tailFault: DamagedRange | undefined;
}

/** The first bytes of every block: "TLB". The version follows. */
const MAGIC = Buffer.from('TLB', 'latin1');
/** Bytes searched per read for the next header. */
const SEARCH_BYTES = 1 << 20;

/** Calls `visit` for each intact block of `file` from `offset` on, in file order. Throws FORMAT_TOO_NEW, DISK. */
export function scanBlocks(
  file: ReadFile,
  offset: number,
  visit: (at: number, header: BlockHeader, bytes: Uint8Array) => void,
): BlockScan {
  const damaged: DamagedRange[] = [];
  let end = Math.min(offset, file.sizeBytes);
  let at = offset;
  while (at < file.sizeBytes) {
    const header = readHeaderAt(file, at);
    if (header === undefined) {
      const next = findWholeBlock(file, at + 1);
      if (next === undefined) break;
      damaged.push({
        offset: at,
        sizeBytes: next - at,
        message: `${file.path}: a block header at byte ${at} is damaged, ${next - at} bytes are lost`,
      });
      at = next;
      continue;
    }
    const block = readWholeBlock(file, at, header);
    if (typeof block === 'string') damaged.push({ offset: at, sizeBytes: header.sizeBytes, message: block, header });
    else {
      visit(at, header, block);
      end = at + header.sizeBytes;
    }
    at += header.sizeBytes;
  }
  return {
    damaged: damaged.filter((range) => range.offset < end),
    end,
    tailFault: damaged.find((range) => range.offset >= end),
  };
}

/** The header at `at` when it is intact and its block fits into the file. */
function readHeaderAt(file: ReadFile, at: number): BlockHeader | undefined {
  if (file.sizeBytes - at < BLOCK_HEADER_SIZE_MIN) return undefined;
  try {
    const header = readBlockHeader(file.read(at, BLOCK_HEADER_SIZE_MIN));
    return header.sizeBytes <= file.sizeBytes - at ? header : undefined;
  } catch (error) {
    if (isStoreError(error, 'CORRUPTION')) return undefined;
    throw error;
  }
}

/** The block's bytes, or an error message. */
function readWholeBlock(file: ReadFile, at: number, header: BlockHeader): Uint8Array | string {
  try {
    return readBlockAt(file, { offset: at, sizeBytes: header.sizeBytes });
  } catch (error) {
    if (isStoreError(error, 'CORRUPTION')) return error.message;
    throw error;
  }
}

/** Offset of the next intact block. Skips magic bytes inside values. */
function findWholeBlock(file: ReadFile, from: number): number | undefined {
  for (let start = from; start < file.sizeBytes; start += SEARCH_BYTES) {
    // Two bytes more than the step, so that a magic across two reads is found.
    const piece = file.read(start, Math.min(SEARCH_BYTES + MAGIC.length - 1, file.sizeBytes - start));
    const buffer = Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
    for (let hit = buffer.indexOf(MAGIC); hit >= 0; hit = buffer.indexOf(MAGIC, hit + 1)) {
      const header = readHeaderAt(file, start + hit);
      if (header !== undefined && typeof readWholeBlock(file, start + hit, header) !== 'string') return start + hit;
    }
  }
  return undefined;
}
