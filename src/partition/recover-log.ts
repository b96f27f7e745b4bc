// Reads a log file back after a restart: finds every acknowledged block, whatever a crash or the disk did to the rest. The
// file is never written again, so a torn tail may stay in it until the next flush removes the file. Reading a few million
// spans takes seconds, so another thread reads the log of a day that opens while the node runs.
import { basename, dirname, join } from 'node:path';
import { isStoreError } from '../base/errors.ts';
import type { Disk, ReadFile } from '../disk/disk.ts';
import { isUnreadable, readTwice } from '../disk/unreadable.ts';
import type { Loss } from '../index/losses.ts';
import { blocksStart, fileHeaderSize, LOG_FORMAT, readFileHeader, readHeaderBytes } from '../part/format-version.ts';
import { moveToQuarantine, quarantine, type DamagedPlace } from '../quarantine/quarantine.ts';
import { scanBlocks, type BlockScan, type DamagedRange } from '../part/scan-blocks.ts';
import { LogFile, logFileName, type LogContent, type LogFileName, type LogPlace } from './log-file.ts';
import { readMarks } from './log-marks.ts';
import { lossOfBlock, lossOfFile } from './loss-records.ts';

export interface RecoveredLogFile {
  /** undefined: nothing of the file is readable. It is in quarantine. */
  readonly logFile: LogFile | undefined;
  /** One message for each damaged range; all of them are in quarantine. */
  readonly damaged: readonly string[];
  /** What the file has lost. */
  readonly losses: readonly Loss[];
  /** Bytes after the last whole block: a write that was never acknowledged. */
  readonly tornBytes: number;
}

/** Plain data, to cross threads. */
export interface ReadLog extends Omit<RecoveredLogFile, 'logFile'> {
  readonly content: LogContent | undefined;
}

export interface ReadLogJob extends Omit<Place, 'disk' | 'forget'> {
  readonly name: LogFileName;
}

/** As recoverLogFile, on any thread; logFileOf turns the result into a log file. */
export function readLog(disk: Disk, job: ReadLogJob): ReadLog {
  const { logFile, ...found } = recoverLogFile({ ...job, disk }, job.name);
  return { ...found, content: logFile?.content };
}

export function logFileOf(place: LogPlace, name: LogFileName, { content, ...found }: ReadLog): RecoveredLogFile {
  if (content === undefined) return { ...found, logFile: undefined };
  const logFile = new LogFile(place, name);
  logFile.publishAll(content);
  return { ...found, logFile };
}

type Place = LogPlace & { readonly quarantinePath: string };

/** Throws FORMAT_TOO_NEW, DISK. Damage is not an error: the result reports it. */
export function recoverLogFile(place: Place, name: LogFileName): RecoveredLogFile {
  const start = fileHeaderSize(name.identity);
  try {
    return readTwice(() => readLogFile(place, new LogFile(place, name), start));
  } catch (error) {
    if (!isUnreadable(error)) throw error;
    return giveUp(place, join(place.folder, logFileName(name)), error.message);
  }
}

/** The device cannot read the file, or it is another file: moves it from the log into quarantine, for people to look at. */
function giveUp({ disk, quarantinePath }: Place, path: string, message: string): RecoveredLogFile {
  moveToQuarantine(disk, quarantinePath, { path, message });
  const losses = [lossOfFile(`log/${basename(path)}`, message)];
  return { logFile: undefined, damaged: [message], losses, tornBytes: 0 };
}

function readLogFile(place: Place, logFile: LogFile, start: number): RecoveredLogFile {
  const file = place.disk.openRead(logFile.path);
  try {
    // Throws CORRUPTION if the file belongs to another log.
    blocksStart(LOG_FORMAT, file);
    const scan = scanBlocks(file, start, (at, _header, bytes) => logFile.publish(at, bytes));
    const headerFault = file.sizeBytes >= start ? faultOfHeader(file) : undefined;
    // Without a block after it, a damaged header is the torn tail of the first write.
    const isHeaderDamaged = headerFault !== undefined && logFile.blocks.length > 0;
    const lost = [...scan.damaged, ...lostTail(scan, file, readMarks(place.disk, file.path, logFile.identity))];
    for (const range of lost) putAside(place, logFile, { ...range, path: file.path });
    return {
      logFile,
      damaged: [...(isHeaderDamaged ? [headerFault] : []), ...lost.map(({ message }) => message)],
      losses: lost.map((range) => lossOf(range, file.path)),
      tornBytes: file.sizeBytes - scan.end,
    };
  } finally {
    file.close();
  }
}

/** The block's header tells what the block held; its names are nowhere else. */
function lossOf({ header, ...range }: DamagedRange, path: string): Loss {
  return lossOfBlock(dirname(dirname(path)), { ...range, path }, header, true);
}

/**
 * The acknowledged bytes after the last intact block: those up to `acked`. Without marks, a block with an intact header
 * counts as acknowledged, and anything else as the torn end of a write that was not.
 */
function lostTail({ end, tailFault }: BlockScan, file: ReadFile, acked: number | undefined): DamagedRange[] {
  if (acked === undefined ? tailFault === undefined : acked <= end) return [];
  const sizeBytes = file.sizeBytes - end;
  const what = acked === undefined ? sizeBytes : acked - end;
  const message = `${file.path}: ${what} bytes behind byte ${end} are damaged or gone, with spans that were acknowledged`;
  // More than one block may have been there.
  const header = tailFault?.offset === end && tailFault.header?.sizeBytes === what ? tailFault.header : undefined;
  return [{ offset: end, sizeBytes, message, ...(header === undefined ? {} : { header }) }];
}

/** A damaged file header costs nothing: each block has its own header. Throws FORMAT_TOO_NEW. */
function faultOfHeader(file: ReadFile): string | undefined {
  try {
    readFileHeader(LOG_FORMAT, readHeaderBytes(file), file.path);
    return undefined;
  } catch (error) {
    if (!isStoreError(error, 'CORRUPTION')) throw error;
    return error.message;
  }
}

/**
 * A start does not fail if a full disk has no space for a copy of the damaged bytes. Instead, the file itself goes to
 * quarantine when a flush has taken the rest of it.
 */
function putAside({ disk, quarantinePath }: Place, logFile: LogFile, damaged: DamagedPlace): void {
  try {
    quarantine(disk, quarantinePath, damaged);
  } catch (error) {
    if (!isStoreError(error, 'DISK')) throw error;
    logFile.keepIn(quarantinePath, damaged.message);
  }
}
