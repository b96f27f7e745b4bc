// The header of every file: file type, layout version and identity. A version is raised when bytes change meaning. The
// program writes only the newest version and refuses a newer one before it reads anything else of the file.
//
//   0   8  magic, ASCII, padded with zeros
//   8   4  version, uint32 little-endian
//  12   4  CRC-32 of the 12 bytes before
//  16  16  identity, if the version is 2 or more
//  32   4  CRC-32 of the 32 bytes before
import { assert } from '../base/assert.ts';
import { StoreError } from '../base/errors.ts';
import { crc32 } from '../bytes/crc32.ts';
import type { ReadFile } from '../disk/disk.ts';
import { identityByPath, type Identity } from './identity.ts';

export interface FileFormat {
  /** For messages: "part metadata". */
  readonly name: string;
  /** At most 8 ASCII characters. */
  readonly magic: string;
  readonly version: number;
}

export const PART_DATA_FORMAT: FileFormat = { name: 'part data', magic: 'TLdata', version: 2 };
export const PART_TRACES_FORMAT: FileFormat = { name: 'part traces', magic: 'TLtraces', version: 2 };
export const PART_FILTERS_FORMAT: FileFormat = { name: 'part filters', magic: 'TLfilter', version: 2 };
export const PART_ROLLUPS_FORMAT: FileFormat = { name: 'part roll-ups', magic: 'TLrollup', version: 2 };
export const PART_METADATA_FORMAT: FileFormat = { name: 'part metadata', magic: 'TLmeta', version: 2 };
export const LOG_FORMAT: FileFormat = { name: 'log', magic: 'TLlog', version: 2 };
export const CONSUMED_FORMAT: FileFormat = { name: 'consumed offsets', magic: 'TLofs', version: 1 };

/** A header without identity (format 1). */
export const PLAIN_HEADER_SIZE = 16;
export const FILE_HEADER_SIZE = 36;
const IDENTITY_SINCE = 2;

/** Size of the header of a file with this `identity`; undefined: a file of format 1. */
export function fileHeaderSize(identity: Identity | undefined): number {
  return identity === undefined ? PLAIN_HEADER_SIZE : FILE_HEADER_SIZE;
}

/** The header of a new file of `format`. */
export function encodeFileHeader(format: FileFormat, identity?: Identity): Uint8Array<ArrayBuffer> {
  assert((identity !== undefined) === format.version >= IDENTITY_SINCE, `a ${format.name} header and its identity`);
  const header = new Uint8Array(fileHeaderSize(identity));
  for (let i = 0; i < format.magic.length; i++) header[i] = format.magic.charCodeAt(i);
  const view = new DataView(header.buffer);
  view.setUint32(8, format.version, true);
  view.setUint32(12, crc32(header.subarray(0, 12)), true);
  if (identity === undefined) return header;
  header.set(Buffer.from(identity, 'hex'), PLAIN_HEADER_SIZE);
  view.setUint32(header.length - 4, crc32(header.subarray(0, header.length - 4)), true);
  return header;
}

/**
 * The identity in the header at the start of `bytes`, from the file at `path`; undefined in format 1. Throws CORRUPTION
 * unless the header is intact, of `format` and of the identity in `path`; FORMAT_TOO_NEW when its version is newer.
 */
export function readFileHeader(format: FileFormat, bytes: Uint8Array, path: string): Identity | undefined {
  const header = parseFileHeader(format, bytes, path);
  if (header === undefined) throw faultyHeader(path, `does not begin with a ${format.name} header`);
  return header.identity;
}

/**
 * The offset of the first block of `file`. A damaged header does not matter, because blocks have headers and checksums
 * of their own; an intact header of another file is CORRUPTION. Throws FORMAT_TOO_NEW.
 */
export function blocksStart(format: FileFormat, file: ReadFile): number {
  const header = parseFileHeader(format, readHeaderBytes(file), file.path);
  if (header !== undefined) return fileHeaderSize(header.identity);
  return identityByPath(file.path) === 'none' ? PLAIN_HEADER_SIZE : FILE_HEADER_SIZE;
}

/** The first bytes of `file`, as many as the longest header has. */
export function readHeaderBytes(file: ReadFile): Uint8Array {
  return file.read(0, Math.min(file.sizeBytes, FILE_HEADER_SIZE));
}

/** undefined: cut off or damaged. Throws CORRUPTION when it is intact but of another file; FORMAT_TOO_NEW. */
function parseFileHeader(
  format: FileFormat,
  bytes: Uint8Array,
  path: string,
): { readonly identity: Identity | undefined } | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const isIntact = (end: number): boolean =>
    bytes.length >= end + 4 && view.getUint32(end, true) === crc32(bytes.subarray(0, end));
  if (!isIntact(PLAIN_HEADER_SIZE - 4)) return undefined;
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (text.toString('latin1', 0, 8).replace(/\0+$/, '') !== format.magic)
    throw faultyHeader(path, `does not begin with a ${format.name} header`);
  const version = view.getUint32(8, true);
  if (version > format.version) {
    throw new StoreError(
      'FORMAT_TOO_NEW',
      `${path}: ${format.name} format ${version}, newest known ${format.version}; upgrade this node`,
    );
  }
  if (version >= IDENTITY_SINCE && !isIntact(FILE_HEADER_SIZE - 4)) return undefined;
  const hex = text.toString('hex', PLAIN_HEADER_SIZE, FILE_HEADER_SIZE - 4);
  const identity = version < IDENTITY_SINCE ? undefined : (hex as Identity);
  const found = identity ?? 'none';
  if (found !== (identityByPath(path) ?? found))
    throw faultyHeader(path, `lies in the place of another file; its own identity is ${found}`);
  return { identity };
}

function faultyHeader(path: string, what: string): StoreError {
  return new StoreError('CORRUPTION', `${path}: ${what}; restore it from a snapshot or a replica`);
}
