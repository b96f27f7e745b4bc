// Checks a partition, or a snapshot or backup of one, in place: manifest, index, every part that the catalog lists, every log
// file. No process may write to it meanwhile. Changes nothing; goes on after a fault.
import { basename, join } from 'node:path';
import { isStoreError } from '../base/errors.ts';
import { readWholeFile } from '../disk/atomic-write.ts';
import type { Disk } from '../disk/disk.ts';
import { walkFiles } from '../disk/walk-files.ts';
import { verifyCatalog, type CatalogState } from '../index/catalog.ts';
import { blocksStart, LOG_FORMAT, readFileHeader, readHeaderBytes } from '../part/format-version.ts';
import { isPartId, type PartId } from '../part/identity.ts';
import { scanBlocks } from '../part/scan-blocks.ts';
import { parseLogFileName } from '../partition/log-file.ts';
import { lossLine } from '../partition/loss-records.ts';
import {
  compareWithManifest,
  MANIFEST_BYTES_MAX,
  MANIFEST_FILE,
  parseManifest,
  type Manifest,
} from '../partition/manifest.ts';
import { logPath, partsPath } from '../partition/partition-place.ts';
import { guard, verifyPart, withFile, type Findings } from './verify-part.ts';

type VerifiedCatalog = ReturnType<typeof verifyCatalog>;

/** What was found intact. */
export interface PartitionSummary {
  readonly parts: number;
  readonly logFiles: number;
  readonly rows: number;
}

/** Prints a line about something that is not a fault by itself. */
export type Note = (message: string) => void;

/** Checks the partition in folder `path`. Throws DISK, INVALID_REQUEST if it contains links. */
export function verifyPartition(disk: Disk, path: string, findings: Findings, note: Note): PartitionSummary {
  const manifest = checkManifest(disk, path, findings);
  const catalog = checkIndex(disk, path, findings);
  const ids = catalog?.parts.map(({ id }) => id) ?? idsOnDisk(disk, path);
  let rows = 0;
  for (const id of ids) rows += verifyPart(disk, join(partsPath(path), id), findings)?.rowCount ?? 0;
  if (catalog !== undefined) checkCatalogRows(path, catalog, rows, findings);
  const { losses = [], logSeqs = [], flushedLogSeq = 0 } = catalog ?? {};
  for (const loss of losses) note(`lost, not accepted: ${lossLine(path, loss)}`);
  // A snapshot's index may list log files that were begun while it was taken; its manifest names those that it contains.
  if (manifest === undefined) checkListedLogs(disk, path, logSeqs, findings);
  const logs = checkLogs(disk, path, { flushedLogSeq, findings, note });
  rows += logs.rows;
  if (manifest !== undefined && manifest.rows !== rows) {
    findings.damaged(`${path}: ${rows} spans found where the manifest says ${manifest.rows}`);
  }
  return { parts: ids.length, logFiles: logs.files, rows };
}

function checkManifest(disk: Disk, path: string, findings: Findings): Manifest | undefined {
  const file = join(path, MANIFEST_FILE);
  if (disk.stat(file) === undefined) return undefined;
  let manifest: Manifest | undefined;
  guard(findings, () => {
    manifest = parseManifest(readWholeFile(disk, file, MANIFEST_BYTES_MAX), file);
    for (const fault of compareWithManifest(manifest, walkFiles(path))) findings.damaged(join(path, fault));
  });
  return manifest;
}

function checkIndex(disk: Disk, path: string, findings: Findings): VerifiedCatalog | undefined {
  const folder = join(path, 'index');
  const file = join(folder, 'data.mdb');
  let catalog: VerifiedCatalog | undefined;
  guard(findings, () => {
    withFile(disk, file, (opened) => {
      catalog = verifyCatalog(disk, folder);
      findings.checked(opened.sizeBytes, file);
    });
  });
  return catalog;
}

/** Without a catalog, every part on disk is checked. */
function idsOnDisk(disk: Disk, path: string): PartId[] {
  if (disk.stat(partsPath(path)) === undefined) return [];
  return disk.list(partsPath(path)).filter(isPartId);
}

/** Only if every part was readable: otherwise the parts themselves were reported already. */
function checkCatalogRows(path: string, catalog: CatalogState, rows: number, findings: Findings): void {
  const listed = catalog.parts.reduce((sum, part) => sum + part.rows, 0);
  if (rows !== listed) findings.damaged(`${path}: ${rows} spans in readable parts where the catalog lists ${listed}`);
}

function checkListedLogs(disk: Disk, path: string, seqs: readonly number[], findings: Findings): void {
  const names = disk.stat(logPath(path)) === undefined ? [] : disk.list(logPath(path));
  const found = new Set(names.map((name) => parseLogFileName(name)?.seq));
  for (const seq of seqs) if (!found.has(seq)) findings.damaged(`${logPath(path)}: log file ${seq} is missing`);
}

function checkLogs(
  disk: Disk,
  path: string,
  to: { flushedLogSeq: number; findings: Findings; note: Note },
): { files: number; rows: number } {
  const folder = logPath(path);
  if (disk.stat(folder) === undefined) return { files: 0, rows: 0 };
  const names = disk.list(folder).filter((name) => (parseLogFileName(name)?.seq ?? 0) > to.flushedLogSeq);
  let rows = 0;
  for (const name of names) {
    guard(to.findings, () =>
      withFile(disk, join(folder, name), (file) => {
        guard(to.findings, () => readFileHeader(LOG_FORMAT, readHeaderBytes(file), file.path));
        const { damaged, end, tailFault } = scanBlocks(file, blocksStart(LOG_FORMAT, file), (_at, header) => {
          rows += header.rowCount;
          to.findings.checked(header.sizeBytes, file.path);
        });
        for (const { message } of damaged) to.findings.damaged(message);
        if (tailFault !== undefined) to.findings.damaged(tailFault.message);
        else if (end < file.sizeBytes)
          to.note(`${file.path}: ${file.sizeBytes - end} bytes behind the last block, of a write never acknowledged`);
      }),
    );
  }
  return { files: names.length, rows };
}

/** Whether folder `path` looks like a partition or a copy of one. */
export function isPartitionFolder(disk: Disk, path: string): boolean {
  return ['index', 'parts', 'log', MANIFEST_FILE].some((name) => disk.stat(join(path, name)) !== undefined);
}

/** Whether `path` is one part. */
export function isPartFolder(disk: Disk, path: string): boolean {
  return isPartId(basename(path)) && disk.stat(join(path, 'data')) !== undefined;
}

/** Bytes below `path`; 0 if it cannot be walked: the check itself reports that. */
export function sizeOf(path: string): number {
  try {
    return walkFiles(path).reduce((sum, file) => sum + file.sizeBytes, 0);
  } catch (error) {
    if (!isStoreError(error, 'INVALID_REQUEST')) throw error;
    return 0;
  }
}
