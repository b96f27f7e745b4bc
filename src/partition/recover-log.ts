// Reads a log file back after a restart: every block that was acknowledged is found again, whatever the crash or the
// disk did to the rest. The file is never written again, so a torn tail may stay in it: it goes with the next flush.
import { isStoreError } from '../base/errors.ts';
import type { Disk, ReadFile } from '../disk/disk.ts';
import { fileHeaderSize, LOG_FORMAT, readFileHeader, readHeaderBytes } from '../part/format-version.ts';
import { quarantine, type DamagedPiece } from '../part/quarantine.ts';
import { scanBlocks } from '../part/scan-blocks.ts';
import { LogFile, type LogFileName, type LogPlace } from './log-file.ts';

export interface RecoveredLogFile {
  readonly logFile: LogFile;
  /** One message for each damaged range, which is in quarantine now. */
  readonly damaged: readonly string[];
  /** Bytes behind the last whole block: a write that was never acknowledged. */
  readonly tornBytes: number;
}

/** Throws FORMAT_TOO_NEW, DISK. Damage is not an error: it is reported in the result. */
export function recoverLogFile(
  place: LogPlace & { readonly quarantinePath: string },
  name: LogFileName,
): RecoveredLogFile {
  const { disk } = place;
  const logFile = new LogFile(place, name);
  const start = fileHeaderSize(name.identity);
  const file = disk.openRead(logFile.path);
  try {
    const damaged: string[] = [];
    const headerFault = file.sizeBytes >= start ? faultOfHeader(file) : undefined;
    const scan = scanBlocks(file, start, (at, _header, bytes) => logFile.publish(at, bytes));
    // In front of nothing it is the torn tail of the first write.
    if (headerFault !== undefined && logFile.blocks.length > 0) damaged.push(headerFault);
    for (const { offset, sizeBytes, message } of scan.damaged) {
      damaged.push(message);
      putAside(disk, place.quarantinePath, {
        path: file.path,
        offset,
        bytes: file.read(offset, sizeBytes),
        note: message,
      });
    }
    const tornBytes = file.sizeBytes - scan.end;
    if (scan.tailFault !== undefined) {
      const note = `${scan.tailFault}; nothing follows it: a write that a power loss cut short, or damage`;
      putAside(disk, place.quarantinePath, {
        path: file.path,
        offset: scan.end,
        bytes: file.read(scan.end, tornBytes),
        note,
      });
    }
    return { logFile, damaged, tornBytes };
  } finally {
    file.close();
  }
}

/** A damaged header costs nothing: the blocks behind it have headers of their own. Throws FORMAT_TOO_NEW. */
function faultOfHeader(file: ReadFile): string | undefined {
  try {
    readFileHeader(LOG_FORMAT, readHeaderBytes(file), file.path);
    return undefined;
  } catch (error) {
    if (!isStoreError(error, 'CORRUPTION')) throw error;
    return error.message;
  }
}

/** A start does not fail because a full disk has no room for a copy of what is damaged: the report still names it. */
function putAside(disk: Disk, quarantinePath: string, piece: DamagedPiece): void {
  try {
    quarantine(disk, quarantinePath, piece);
  } catch (error) {
    if (!isStoreError(error, 'DISK')) throw error;
  }
}
