// A block's fixed header: what recovery, planning and pruning need without reading the block. Byte layout:
// docs/format/block.md. The header has its own checksum, so a reader can skip a block whose content is damaged.
import { assert } from '../base/assert.ts';
import { StoreError } from '../base/errors.ts';
import { crc32 } from '../bytes/crc32.ts';
import type { Tenant } from '../trace/tenant.ts';

/** "TLB" and the format's version. */
export const BLOCK_MAGIC = 0x424c54;
export const BLOCK_VERSION = 2;
/** Fixed header: 72 bytes and their CRC. */
export const BLOCK_HEADER_SIZE_MIN = 76;
/** A block holds at most the rows of one commit or one merge target; a larger size in a header is damage. */
export const BLOCK_SIZE_BYTES_MAX = 1 << 30;

export interface BlockHeader {
  /** Format version that the block was written in. */
  readonly version: number;
  readonly sizeBytes: number;
  /** Size of the directory of frames and columns that follows the fixed header. */
  readonly directoryBytes: number;
  readonly tenant: Tenant;
  /** UTC day, days since 1970-01-01. */
  readonly day: number;
  readonly rowCount: number;
  readonly traceCount: number;
  /** First and last span start, ns since the day's midnight. */
  readonly startMin: number;
  readonly startMax: number;
  /** Shortest and longest span, ns. */
  readonly durationMin: number;
  readonly durationMax: number;
}

/** The fixed header's bytes, checksum included. */
export function encodeBlockHeader(header: Omit<BlockHeader, 'version'>): Uint8Array<ArrayBuffer> {
  // Never write a header that readers reject.
  assert(header.sizeBytes <= BLOCK_SIZE_BYTES_MAX, `a block of ${header.sizeBytes} bytes`);
  const bytes = new Uint8Array(BLOCK_HEADER_SIZE_MIN);
  const view = new DataView(bytes.buffer);
  const [accountId, projectId] = header.tenant.split(':').map(Number);
  view.setUint32(0, BLOCK_MAGIC | (BLOCK_VERSION << 24), true);
  view.setUint32(4, header.sizeBytes, true);
  view.setUint32(8, header.directoryBytes, true);
  view.setUint32(12, accountId!, true);
  view.setUint32(16, projectId!, true);
  view.setInt32(20, header.day, true);
  view.setUint32(24, header.rowCount, true);
  view.setUint32(28, header.traceCount, true);
  view.setFloat64(32, header.startMin, true);
  view.setFloat64(40, header.startMax, true);
  view.setFloat64(48, header.durationMin, true);
  view.setFloat64(56, header.durationMax, true);
  view.setUint32(72, crc32(bytes.subarray(0, 72)), true);
  return bytes;
}

/**
 * Reads the fixed header at `offset`; `bytes` needs only BLOCK_HEADER_SIZE_MIN bytes from there.
 * Throws CORRUPTION when it is not a block header, FORMAT_TOO_NEW when a newer version wrote it.
 */
export function readBlockHeader(bytes: Uint8Array, offset = 0): BlockHeader {
  if (bytes.length - offset < BLOCK_HEADER_SIZE_MIN)
    throw new StoreError('CORRUPTION', 'a block is shorter than its header');
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, BLOCK_HEADER_SIZE_MIN);
  const magic = view.getUint32(0, true);
  if ((magic & 0xffffff) !== BLOCK_MAGIC) throw new StoreError('CORRUPTION', 'no block begins here: wrong magic');
  if (view.getUint32(72, true) !== crc32(bytes.subarray(offset, offset + 72))) {
    throw new StoreError('CORRUPTION', 'a block header fails its checksum');
  }
  const version = magic >>> 24;
  if (version > BLOCK_VERSION) {
    throw new StoreError('FORMAT_TOO_NEW', `block format ${version}, newest known ${BLOCK_VERSION}; upgrade this node`);
  }
  const header: BlockHeader = {
    version,
    sizeBytes: view.getUint32(4, true),
    directoryBytes: view.getUint32(8, true),
    tenant: `${view.getUint32(12, true)}:${view.getUint32(16, true)}` as Tenant,
    day: view.getInt32(20, true),
    rowCount: view.getUint32(24, true),
    traceCount: view.getUint32(28, true),
    startMin: view.getFloat64(32, true),
    startMax: view.getFloat64(40, true),
    durationMin: view.getFloat64(48, true),
    durationMax: view.getFloat64(56, true),
  };
  if (header.sizeBytes > BLOCK_SIZE_BYTES_MAX || header.sizeBytes < BLOCK_HEADER_SIZE_MIN + header.directoryBytes) {
    throw new StoreError('CORRUPTION', `a block header claims ${header.sizeBytes} bytes`);
  }
  return header;
}
