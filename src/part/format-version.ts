// The 16 bytes every file of ours begins with: what it is and which version of its layout. A version is raised when
// bytes change meaning; only the newest is written, and what a newer program wrote is refused before a byte of it is
// believed.
//
//   0   8  magic, ASCII, padded with zeros
//   8   4  version, uint32 little-endian
//  12   4  CRC-32 of the 12 bytes before
import { StoreError } from '../base/errors.ts';
import { crc32 } from '../bytes/crc32.ts';

export interface FileFormat {
  /** For messages: "part metadata". */
  readonly name: string;
  /** At most 8 ASCII characters. */
  readonly magic: string;
  readonly version: number;
}

export const PART_DATA_FORMAT: FileFormat = { name: 'part data', magic: 'TLdata', version: 1 };
export const PART_TRACES_FORMAT: FileFormat = { name: 'part traces', magic: 'TLtraces', version: 1 };
export const PART_FILTERS_FORMAT: FileFormat = { name: 'part filters', magic: 'TLfilter', version: 1 };
export const PART_ROLLUPS_FORMAT: FileFormat = { name: 'part roll-ups', magic: 'TLrollup', version: 1 };
export const PART_METADATA_FORMAT: FileFormat = { name: 'part metadata', magic: 'TLmeta', version: 1 };
export const LOG_FORMAT: FileFormat = { name: 'log', magic: 'TLlog', version: 1 };

export const FILE_HEADER_SIZE = 16;

/** The header a new file of `format` begins with. */
export function encodeFileHeader(format: FileFormat): Uint8Array<ArrayBuffer> {
  const header = new Uint8Array(FILE_HEADER_SIZE);
  for (let i = 0; i < format.magic.length; i++) header[i] = format.magic.charCodeAt(i);
  const view = new DataView(header.buffer);
  view.setUint32(8, format.version, true);
  view.setUint32(12, crc32(header.subarray(0, 12)), true);
  return header;
}

/**
 * Throws CORRUPTION unless `bytes` begins with an intact header of `format`, FORMAT_TOO_NEW when its version is newer.
 */
export function checkFileHeader(format: FileFormat, bytes: Uint8Array, path: string): void {
  const expected = encodeFileHeader(format);
  const isWhole = bytes.length >= FILE_HEADER_SIZE;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const isIntact = isWhole && view.getUint32(12, true) === crc32(bytes.subarray(0, 12));
  if (!isIntact || Buffer.compare(bytes.subarray(0, 8), expected.subarray(0, 8)) !== 0) {
    throw new StoreError(
      'CORRUPTION',
      `${path}: does not begin with a ${format.name} header; restore it from a snapshot or a replica`,
    );
  }
  const version = view.getUint32(8, true);
  if (version > format.version) {
    throw new StoreError(
      'FORMAT_TOO_NEW',
      `${path}: ${format.name} format ${version}, newest known ${format.version}; upgrade this node`,
    );
  }
}
