// Reads all data of a part and compares it with its checksums: metadata, each block, each page of the trace lookup, each filter,
// each frame of the roll-ups; also checks that there are no gaps. Changes nothing; goes on after a fault.
import { join } from 'node:path';
import { isStoreError, StoreError } from '../base/errors.ts';
import { ByteReader } from '../bytes/byte-reader.ts';
import { crc32 } from '../bytes/crc32.ts';
import type { Disk, ReadFile } from '../disk/disk.ts';
import { readBlockHeader } from '../block/block-header.ts';
import {
  fileHeaderSize,
  PART_DATA_FORMAT,
  PART_FILTERS_FORMAT,
  PART_ROLLUPS_FORMAT,
  PART_TRACES_FORMAT,
  readFileHeader,
  readHeaderBytes,
  type FileFormat,
} from '../part/format-version.ts';
import type { PartMetadata } from '../part/part-metadata.ts';
import { outlinesBytes, readBlockAt, readPartMetadata } from '../part/part-reader.ts';
import { DATA_FILE, FILTERS_FILE, METADATA_FILE, ROLLUPS_FILE, TRACES_FILE } from '../part/part-writer.ts';
import { decodeOutlines } from '../part/outlines.ts';
import { RollupReader } from '../part/rollup-reader.ts';
import { PAGE_SIZE } from '../part/trace-lookup.ts';

/** Receives what a check finds. */
export interface Findings {
  /** Something is damaged: what and where, one line. */
  readonly damaged: (message: string) => void;
  readonly checked: (sizeBytes: number, file: string) => void;
}

/** Checks the part in folder `path`; returns its metadata, or undefined if that is damaged. Throws DISK. */
export function verifyPart(disk: Disk, path: string, findings: Findings): PartMetadata | undefined {
  const metadataPath = join(path, METADATA_FILE);
  let metadata: PartMetadata | undefined;
  guard(findings, () => {
    metadata = readPartMetadata(disk, path);
    findings.checked(disk.stat(metadataPath)?.sizeBytes ?? 0, metadataPath);
  });
  const known = metadata;
  if (known === undefined) return undefined;
  const files: readonly [string, FileFormat, number, (file: ReadFile) => void][] = [
    [DATA_FILE, PART_DATA_FORMAT, known.dataBytes, (file) => checkBlocks(file, known, findings)],
    [TRACES_FILE, PART_TRACES_FORMAT, known.tracesBytes, (file) => checkPages(file, known, findings)],
    [FILTERS_FILE, PART_FILTERS_FORMAT, known.filtersBytes, (file) => checkFilters(file, known, findings)],
    [ROLLUPS_FILE, PART_ROLLUPS_FORMAT, known.rollupsBytes, (file) => checkRollups(file, findings)],
  ];
  for (const [name, format, sizeBytes, check] of files) {
    if (sizeBytes === 0) continue; // a part may be without roll-ups
    guard(findings, () =>
      withFile(disk, join(path, name), (file) => {
        if (file.sizeBytes !== sizeBytes)
          findings.damaged(`${file.path}: ${file.sizeBytes} bytes where ${sizeBytes} were written`);
        guard(findings, () => readFileHeader(format, readHeaderBytes(file), file.path));
        check(file);
      }),
    );
  }
  return known;
}

/** Runs `check`; reports damage, rethrows all other errors. */
export function guard(findings: Findings, check: () => void): void {
  try {
    check();
  } catch (error) {
    if (!isStoreError(error, 'CORRUPTION') && !isStoreError(error, 'FORMAT_TOO_NEW')) throw error;
    findings.damaged(error.message);
  }
}

/** Opens `path` for `use`. A missing file is CORRUPTION. */
export function withFile(disk: Disk, path: string, use: (file: ReadFile) => void): void {
  if (disk.stat(path) === undefined) throw new StoreError('CORRUPTION', `${path}: missing`);
  const file = disk.openRead(path);
  try {
    use(file);
  } finally {
    file.close();
  }
}

function checkBlocks(file: ReadFile, { identity, blocks, rowCount, day }: PartMetadata, findings: Findings): void {
  let end = fileHeaderSize(identity);
  let rows = 0;
  for (const block of blocks) {
    guard(findings, () => {
      if (block.offset !== end) throw new StoreError('CORRUPTION', `${file.path}: a gap before byte ${block.offset}`);
      end = block.offset + block.sizeBytes;
      const header = readBlockHeader(readBlockAt(file, block));
      const isSame = header.rowCount === block.rowCount && header.tenant === block.tenant && header.day === day;
      if (!isSame || header.sizeBytes !== block.sizeBytes)
        throw new StoreError('CORRUPTION', `${file.path}: block at byte ${block.offset} is not the one in metadata`);
    });
    rows += block.rowCount;
    findings.checked(block.sizeBytes, file.path);
  }
  if (rows !== rowCount) findings.damaged(`${file.path}: ${rows} spans in blocks where metadata says ${rowCount}`);
  if (end < file.sizeBytes) findings.damaged(`${file.path}: ${file.sizeBytes - end} bytes behind the last block`);
}

function checkPages(file: ReadFile, { identity, fences }: PartMetadata, findings: Findings): void {
  for (let page = 0; page < fences.length; page++) {
    const offset = fileHeaderSize(identity) + page * PAGE_SIZE;
    guard(findings, () => {
      const bytes = file.read(offset, PAGE_SIZE);
      const sum = new ByteReader(bytes).u32();
      if (sum !== crc32(bytes.subarray(4)))
        throw new StoreError('CORRUPTION', `${file.path}: the page at byte ${offset} fails its checksum`);
    });
    findings.checked(PAGE_SIZE, file.path);
  }
}

function checkFilters(file: ReadFile, metadata: PartMetadata, findings: Findings): void {
  const start = fileHeaderSize(metadata.identity);
  let at = start + outlinesBytes(metadata);
  guard(findings, () => decodeOutlines(file.read(start, at - start), file.path));
  findings.checked(at - start, file.path);
  for (const { filterBytes } of metadata.blocks) {
    const offset = at;
    at += filterBytes + 4;
    guard(findings, () => {
      const bytes = file.read(offset, filterBytes + 4);
      if (new ByteReader(bytes, filterBytes).u32() !== crc32(bytes.subarray(0, filterBytes)))
        throw new StoreError('CORRUPTION', `${file.path}: the filter at byte ${offset} fails its checksum`);
    });
    findings.checked(filterBytes + 4, file.path);
  }
}

function checkRollups(file: ReadFile, findings: Findings): void {
  const rollups = new RollupReader(file);
  for (const frame of rollups.frames) {
    guard(findings, () => rollups.verify(frame));
    findings.checked(frame.storedBytes, file.path);
  }
}
