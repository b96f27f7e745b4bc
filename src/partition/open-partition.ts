// Opens a partition: parts that the catalog lists are live; parts that it does not list are left from a crash and are
// removed; the log that is not yet in parts is read back. One damaged file never fails the opening: a part that cannot be
// read is repaired from its data, a lost or damaged index is rebuilt from the parts (rebuild-index.ts).
import { basename, dirname, join } from 'node:path';
import { isStoreError } from '../base/errors.ts';
import { readWholeFile } from '../disk/atomic-write.ts';
import type { Disk } from '../disk/disk.ts';
import { isUnreadable, readTwice } from '../disk/unreadable.ts';
import {
  acceptLosses,
  commitParts,
  listLogs,
  readCatalog,
  type CatalogState,
  type PartEntry,
} from '../index/catalog.ts';
import { openEnvironment, type Environment } from '../index/environment.ts';
import { readLosses, type Loss } from '../index/losses.ts';
import { readStrayHours } from '../index/strays.ts';
import { formatHexId } from '../part/hex-id.ts';
import { isPartId } from '../part/identity.ts';
import { readPartMetadata } from '../part/part-reader.ts';
import { DATA_FILE } from '../part/part-writer.ts';
import { moveToQuarantine, quarantine, type DamagedPlace } from '../quarantine/quarantine.ts';
import {
  begunSeq,
  isParked,
  logFileName,
  parkedName,
  parseLogFileName,
  type LogFile,
  type LogFileName,
} from './log-file.ts';
import { lossOfFile, lossOfPart, type LostPart } from './loss-records.ts';
import { MARKS_SUFFIX } from './log-marks.ts';
import { MANIFEST_BYTES_MAX, MANIFEST_FILE, parseManifest } from './manifest.ts';
import type { MergeRunner } from './merge-runner.ts';
import { livePart, partEntry, type LivePart } from './part-set.ts';
import { logPath, partsPath, type PartitionPlace } from './partition-place.ts';
import { rebuildIndex } from './rebuild-index.ts';
import { logFileOf, recoverLogFile, type ReadLog } from './recover-log.ts';
import { repairPart } from './repair-part.ts';

/** What opening a partition found and did. */
export interface RecoveryReport {
  readonly parts: number;
  readonly partRows: number;
  readonly logFiles: number;
  readonly logRows: number;
  /** Bytes of writes that were never acknowledged. */
  readonly tornBytes: number;
  /** What was damaged or lost; damaged bytes that still exist are in quarantine. */
  readonly damaged: readonly string[];
}

export interface OpenedPartition {
  readonly env: Environment;
  readonly catalog: CatalogState;
  readonly parts: readonly LivePart[];
  readonly lost: readonly LostPart[];
  /** Losses recorded in the index, and losses for which it has no space yet. */
  readonly losses: readonly Loss[];
  readonly unrecorded: readonly Loss[];
  /** As index/strays.ts says. */
  readonly strayHours: number;
  readonly logFiles: readonly LogFile[];
  readonly nextLogSeq: number;
  readonly report: RecoveryReport;
}

/** Log files that were already read, by name. */
export type ReadLogs = ReadonlyMap<string, ReadLog>;

/** Creates missing folders, opens the index, and makes folder and catalog agree. Throws DISK, FORMAT_TOO_NEW. */
export function openPartitionFiles(place: PartitionPlace, read?: ReadLogs): OpenedPartition {
  const { disk, path } = place;
  const damaged: string[] = [];
  makeFolders(disk, path);
  const env = openIndex(place, damaged);
  try {
    forgetManifest(place, env);
    const catalog = readCatalog(env);
    removeUnlisted(place, catalog);
    const found = { env, catalog, damaged };
    const { parts, lost } = openParts(place, found);
    const logs = recoverLogs(place, found, read);
    return {
      env,
      catalog: readCatalog(env),
      parts,
      lost,
      losses: [...readLosses(env), ...logs.unrecorded],
      unrecorded: logs.unrecorded,
      strayHours: readStrayHours(env),
      logFiles: logs.files,
      nextLogSeq: logs.nextSeq,
      report: {
        parts: parts.length,
        partRows: parts.reduce((sum, part) => sum + part.entry.rows, 0),
        logFiles: logs.files.length,
        logRows: logs.files.reduce((sum, file) => sum + file.rowCount, 0),
        tornBytes: logs.tornBytes,
        damaged,
      },
    };
  } catch (error) {
    env.close();
    throw error;
  }
}

/**
 * Makes every folder name durable before the first acknowledgement may depend on it. Existing names are synced too: the
 * process that created them may have failed before its sync.
 */
function makeFolders(disk: Disk, path: string): void {
  for (const folder of [path, partsPath(path), logPath(path)])
    if (disk.stat(folder) === undefined) disk.makeDir(folder);
  disk.syncDir(path);
  disk.syncDir(dirname(path));
}

/**
 * A snapshot's manifest is outdated once the snapshot is opened as a partition. Log files begun while the snapshot was
 * taken are listed in its index but are not part of it, so they must not count as lost.
 */
function forgetManifest({ disk, path }: PartitionPlace, env: Environment): void {
  const file = join(path, MANIFEST_FILE);
  if (disk.stat(file) === undefined) return;
  const names = linkedFiles(disk, file);
  const isLinked = (seq: number): boolean => names.some((name) => name.startsWith(missingPlace(seq)));
  if (names.length > 0) listLogs(env, { gone: readCatalog(env).logSeqs.filter((seq) => !isLinked(seq)) });
  disk.remove(file);
}

/** A damaged manifest is ignored: []. */
function linkedFiles(disk: Disk, file: string): string[] {
  try {
    return parseManifest(readWholeFile(disk, file, MANIFEST_BYTES_MAX), file).files.map(({ name }) => name);
  } catch (error) {
    if (!isUnreadable(error)) throw error;
    return [];
  }
}

/** What opening has found so far. */
interface Found {
  readonly env: Environment;
  readonly catalog: CatalogState;
  readonly damaged: string[];
}

/** Rebuilds a lost or damaged index. A folder without index, parts and log is a new partition. */
function openIndex(place: PartitionPlace, damaged: string[]): Environment {
  const { disk, path } = place;
  const indexPath = join(path, 'index');
  const isEmpty = [partsPath(path), logPath(path)].every((folder) => disk.list(folder).length === 0);
  const isNew = disk.stat(indexPath) === undefined && isEmpty;
  let env: Environment | undefined;
  try {
    if (isNew || disk.stat(indexPath) !== undefined) {
      env = readTwice(() => openEnvironment({ path: indexPath, disk }));
      readCatalog(env);
      return env;
    }
    damaged.push(`${indexPath}: missing; rebuilt from the parts`);
  } catch (error) {
    env?.close();
    if (!isUnreadable(error)) throw error;
    damaged.push(error.message);
  }
  return rebuildIndex(place, indexPath);
}

/** Removes files that a crash left before they were committed, and files that a commit replaced but a crash kept. */
function removeUnlisted(place: PartitionPlace, catalog: CatalogState): void {
  const { disk, path } = place;
  const listed = new Set(catalog.parts.map((part) => part.id));
  for (const name of disk.list(partsPath(path))) {
    if (!listed.has(name) && isPartId(name)) disk.remove(join(partsPath(path), name));
  }
  for (const name of disk.list(logPath(path))) {
    const seq = parseLogFileName(basename(name, MARKS_SUFFIX))?.seq;
    if (seq !== undefined && seq <= catalog.flushedLogSeq) disk.remove(join(logPath(path), name));
  }
}

/** Forgets the recorded losses and `parts`, whose remains go to quarantine. Throws DISK. */
export function forgetLosses(place: PartitionPlace, env: Environment, parts: readonly LostPart[]): void {
  acceptLosses(
    env,
    parts.map(({ entry }) => entry.id),
  );
  for (const { entry, message } of parts) {
    const path = join(partsPath(place.path), entry.id);
    if (place.disk.stat(path) !== undefined) moveToQuarantine(place.disk, place.quarantinePath, { path, message });
  }
}

function openParts(place: PartitionPlace, found: Found): { parts: LivePart[]; lost: LostPart[] } {
  const parts: LivePart[] = [];
  const lost: LostPart[] = [];
  for (const entry of found.catalog.parts) {
    const opened = openListed(place, found, entry);
    if ('metadata' in opened) parts.push(opened);
    else lost.push(opened);
  }
  for (const { entry, message } of lost) {
    note(place, { path: join(partsPath(place.path), entry.id, DATA_FILE), offset: 0, sizeBytes: 0, message });
  }
  return { parts, lost };
}

/** Rethrows when the process lacks a resource, such as file descriptors: the part may be whole. */
function openListed(place: PartitionPlace, found: Found, entry: PartEntry): LivePart | LostPart {
  const folder = partsPath(place.path);
  try {
    const metadata = readTwice(() => readPartMetadata(place.disk, join(folder, entry.id)));
    return livePart(place, { entry, metadata });
  } catch (error) {
    if (!isUnreadable(error)) throw error;
    found.damaged.push(error.message);
    return repairListed(place, found.env, { entry, message: error.message });
  }
}

/**
 * Rewrites a part without readable metadata from the blocks in its data. If there are none, or the disk is full, the part
 * stays listed: a later start, or its folder restored from a snapshot, brings it back.
 */
function repairListed(place: PartitionPlace, env: Environment, lost: LostPart): LivePart | LostPart {
  const folder = partsPath(place.path);
  try {
    const repaired = repairPart(place, lost.entry.id);
    if (repaired === undefined) return lost;
    const { id, metadata, rowsFound } = repaired;
    const entry = partEntry(id, lost.entry.level, metadata);
    const rowsLost = Math.max(0, lost.entry.rows - rowsFound);
    const losses = rowsLost > 0 ? [lossOfPart(lost, rowsLost)] : [];
    commitParts(env, { add: [entry], remove: [lost.entry.id], losses });
    place.disk.remove(join(folder, lost.entry.id));
    return livePart(place, { entry, metadata });
  } catch (error) {
    if (!isStoreError(error, 'CORRUPTION') && !isStoreError(error, 'DISK')) throw error;
    return { entry: lost.entry, message: error.message };
  }
}

interface RecoveredLogs {
  readonly files: readonly LogFile[];
  readonly nextSeq: number;
  readonly tornBytes: number;
  /** Losses not yet in the index, because its disk is full. */
  readonly unrecorded: readonly Loss[];
}

/** Reads the log back and notices missing files and blocks. */
function recoverLogs(place: PartitionPlace, { env, catalog, damaged }: Found, read?: ReadLogs): RecoveredLogs {
  const { disk } = place;
  const folder = logPath(place.path);
  const names = [...logFileNames(disk, folder), ...givenUp(read, catalog)];
  const hasParked = (seq: number): boolean => !isParked({ seq }) && names.some((name) => name.seq === parkedSeq(seq));
  const parkedFiles = new Set(names.filter(isParked).map(logFileName));
  const isTwice = (name: LogFileName): boolean => !isParked(name) && parkedFiles.has(logFileName(parkedName(name)));
  // A crash while a file was being parked leaves it both names.
  for (const name of names.filter(isTwice)) disk.remove(join(folder, logFileName(name)));
  const present = names.filter((name) => !isTwice(name));
  const recovered = present.map((name) => {
    const early = read?.get(logFileName(name));
    const at = { ...place, folder };
    return { name, ...(early === undefined ? recoverLogFile(at, name) : logFileOf(at, name, early)) };
  });
  damaged.push(...recovered.flatMap((one) => one.damaged));
  const files = recovered.map(({ logFile }) => logFile).filter((file) => file !== undefined);
  const filled = files.filter(({ blocks }) => blocks.length > 0);
  const gone = catalog.logSeqs.filter((seq) => !filled.some((file) => file.seq === seq));
  const missed = gone.filter((seq) => !hasParked(seq));
  const losses = [...recovered.flatMap((one) => one.losses), ...missingLogs(place, missed, recovered)];
  damaged.push(...losses.filter(({ place: name }) => missed.some((seq) => name === missingPlace(seq))).map(messageOf));
  const add = filled.map(({ seq }) => seq).filter((seq) => !catalog.logSeqs.includes(seq));
  const isRecorded = tryRecord(place, env, { add, gone, losses });
  // Their damaged ranges are recorded now, and they hold nothing else.
  for (const { blocks, pinned } of files) if (blocks.length === 0 && isRecorded) pinned.doom();
  const tornBytes = recovered.reduce((sum, one) => sum + one.tornBytes, 0);
  if (filled.length > 0)
    place.logger.info('log read back', { partition: basename(place.path), files: filled.length, tornBytes });
  const numbers = [...catalog.logSeqs, ...names.map(({ seq }) => seq)].map((seq) => begunSeq({ seq }));
  const nextSeq = Math.max(catalog.flushedLogSeq, ...numbers) + 1;
  return { files: filled, nextSeq, tornBytes, unrecorded: isRecorded ? [] : losses };
}

/** Reads the log of the partition on the threads of `runner`, so that opening it blocks nothing else. */
export async function readLogs(place: PartitionPlace, runner: Pick<MergeRunner, 'readLog'>): Promise<ReadLogs> {
  const { path, quarantinePath, nameBounds } = place;
  const read = new Map<string, ReadLog>();
  const folder = logPath(path);
  if (place.disk.stat(folder) === undefined) return read;
  for (const name of logFileNames(place.disk, folder))
    read.set(logFileName(name), await runner.readLog({ folder, name, quarantinePath, nameBounds }));
  return read;
}

/** Files that are not in the log any more, because the reader put them into quarantine. */
function givenUp(read: ReadLogs | undefined, { flushedLogSeq }: CatalogState): LogFileName[] {
  const gone = [...(read ?? [])].filter(([, { content }]) => content === undefined);
  return gone.map(([name]) => parseLogFileName(name)!).filter(({ seq }) => seq > flushedLogSeq);
}

function logFileNames(disk: Disk, folder: string): LogFileName[] {
  return disk
    .list(folder)
    .map(parseLogFileName)
    .filter((name) => name !== undefined);
}

/** Log files that had acknowledged spans and have none now: the file is missing, or was cut to nothing. */
function missingLogs(
  place: PartitionPlace,
  gone: readonly number[],
  recovered: readonly { readonly name: LogFileName; readonly losses: readonly Loss[] }[],
): Loss[] {
  const known = new Set(recovered.filter(({ losses }) => losses.length > 0).map(({ name }) => name.seq));
  return gone
    .filter((seq) => !known.has(seq))
    .map((seq) => {
      const message = `${join(place.path, missingPlace(seq))}: missing, or nothing is left in it; restore the day from a snapshot or a replica`;
      note(place, { path: join(place.path, missingPlace(seq)), offset: 0, sizeBytes: 0, message });
      return lossOfFile(missingPlace(seq), message);
    });
}

function parkedSeq(seq: number): number {
  return parkedName({ seq, identity: undefined }).seq;
}

function missingPlace(seq: number): string {
  return `log/${formatHexId(seq)}`;
}

function messageOf({ message }: Loss): string {
  return message;
}

/** False: the disk is full. The start still succeeds: the next one finds again what was not recorded. */
function tryRecord(place: PartitionPlace, env: Environment, change: Parameters<typeof listLogs>[1]): boolean {
  try {
    listLogs(env, change);
    return true;
  } catch (error) {
    if (!isStoreError(error, 'DISK')) throw error;
    place.logger.warn('what was lost of the log could not be recorded', { partition: basename(place.path), error });
    return false;
  }
}

/** Notes in quarantine that there are no bytes to keep. The report says so too, so a full disk does not matter. */
function note(place: PartitionPlace, damaged: DamagedPlace): void {
  try {
    quarantine(place.disk, place.quarantinePath, damaged);
  } catch (error) {
    if (!isStoreError(error, 'DISK')) throw error;
  }
}
