// Opening a partition: what the catalog lists is live, what it does not list is garbage of a crash and is removed, what
// the log holds beyond it is read back. Nothing here fails because of one damaged file: a part that cannot be read is
// repaired from its data, a lost or damaged index is rebuilt from the parts (rebuild-index.ts).
import { basename, dirname, join } from 'node:path';
import { isStoreError } from '../base/errors.ts';
import type { Disk } from '../disk/disk.ts';
import { commitParts, readCatalog, type CatalogState, type PartEntry } from '../index/catalog.ts';
import { openEnvironment, type Environment } from '../index/environment.ts';
import { isPartId } from '../part/identity.ts';
import { readPartMetadata } from '../part/part-reader.ts';
import { isParked, logFileName, parkedName, parseLogFileName, type LogFile } from './log-file.ts';
import { MANIFEST_FILE } from './manifest.ts';
import { livePart, partEntry, type LivePart } from './part-set.ts';
import { logPath, partsPath, type PartitionPlace } from './partition-place.ts';
import { rebuildIndex } from './rebuild-index.ts';
import { recoverLogFile } from './recover-log.ts';
import { repairPart } from './repair-part.ts';

/** What opening a partition found and did. */
export interface RecoveryReport {
  readonly parts: number;
  readonly partRows: number;
  readonly logFiles: number;
  readonly logRows: number;
  /** Bytes of writes that were never acknowledged. */
  readonly tornBytes: number;
  /** Blocks or parts that were damaged; their bytes are in quarantine. */
  readonly damaged: readonly string[];
}

export interface OpenedPartition {
  readonly env: Environment;
  readonly catalog: CatalogState;
  readonly parts: readonly LivePart[];
  readonly logFiles: readonly LogFile[];
  readonly nextLogSeq: number;
  readonly report: RecoveryReport;
}

/**
 * Creates what is missing of the folder, opens the index, and brings folder and catalog into agreement. Throws DISK,
 * FORMAT_TOO_NEW.
 */
export function openPartitionFiles(place: PartitionPlace): OpenedPartition {
  const { disk, path } = place;
  const damaged: string[] = [];
  makeFolders(disk, path);
  // A snapshot's list of its files ends to be true when the snapshot is opened as a partition.
  if (disk.stat(join(path, MANIFEST_FILE)) !== undefined) disk.remove(join(path, MANIFEST_FILE));
  const env = openIndex(place, damaged);
  try {
    const catalog = readCatalog(env);
    removeUnlisted(place, catalog);
    const parts = openParts(place, { env, catalog, damaged });
    const logs = recoverLogs(place, catalog, damaged);
    return {
      env,
      catalog: readCatalog(env),
      parts,
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
 * Every name is durable before the first acknowledgement may depend on it. Names that are there already are synced too:
 * whoever made them may have failed to.
 */
function makeFolders(disk: Disk, path: string): void {
  for (const folder of [path, partsPath(path), logPath(path)])
    if (disk.stat(folder) === undefined) disk.makeDir(folder);
  disk.syncDir(path);
  disk.syncDir(dirname(path));
}

/** An index that is lost or damaged is rebuilt; an index that never was, with no parts, is a new partition. */
function openIndex(place: PartitionPlace, damaged: string[]): Environment {
  const { disk, path } = place;
  const indexPath = join(path, 'index');
  const isNew = disk.stat(indexPath) === undefined && disk.list(partsPath(path)).length === 0;
  let env: Environment | undefined;
  try {
    if (isNew || disk.stat(indexPath) !== undefined) {
      env = openEnvironment({ path: indexPath, disk });
      readCatalog(env);
      return env;
    }
    damaged.push(`${indexPath}: missing; rebuilt from the parts`);
  } catch (error) {
    env?.close();
    if (!isStoreError(error, 'CORRUPTION')) throw error;
    damaged.push(error.message);
  }
  return rebuildIndex(place, indexPath);
}

/** What a crash left between making files and committing them, or between a commit and removing what it replaced. */
function removeUnlisted(place: PartitionPlace, catalog: CatalogState): void {
  const { disk, path } = place;
  const listed = new Set(catalog.parts.map((part) => part.id));
  for (const name of disk.list(partsPath(path))) {
    if (!listed.has(name) && isPartId(name)) disk.remove(join(partsPath(path), name));
  }
  for (const name of disk.list(logPath(path))) {
    const seq = parseLogFileName(name)?.seq;
    if (seq !== undefined && seq <= catalog.flushedLogSeq) disk.remove(join(logPath(path), name));
  }
}

function openParts(
  place: PartitionPlace,
  found: { env: Environment; catalog: CatalogState; damaged: string[] },
): LivePart[] {
  const parts: LivePart[] = [];
  for (const entry of found.catalog.parts) {
    const path = join(partsPath(place.path), entry.id);
    try {
      parts.push(livePart(place, { entry, metadata: readPartMetadata(place.disk, path) }));
    } catch (error) {
      if (!isStoreError(error, 'CORRUPTION')) throw error;
      found.damaged.push(error.message);
      const repaired = tryReplaceDamaged(place, found, entry);
      if (repaired !== undefined) parts.push(repaired);
    }
  }
  return parts;
}

/** As replaceDamaged; when the disk has no room for it the part waits, listed but not read, for the next start. */
function tryReplaceDamaged(
  place: PartitionPlace,
  found: { env: Environment; damaged: string[] },
  part: PartEntry,
): LivePart | undefined {
  try {
    return replaceDamaged(place, found.env, part);
  } catch (error) {
    if (!isStoreError(error, 'DISK')) throw error;
    found.damaged.push(error.message);
    return undefined;
  }
}

/** A part without readable metadata is written anew from the blocks that are found in its data. */
function replaceDamaged(place: PartitionPlace, env: Environment, part: PartEntry): LivePart | undefined {
  const folder = partsPath(place.path);
  const repaired = repairPart(place, part.id);
  // Nothing was found in it. It stays listed, so that restoring its folder from a snapshot brings it back.
  if (repaired === undefined) return undefined;
  const { id, metadata } = repaired;
  const entry = partEntry(id, part.level, metadata);
  commitParts(env, { add: [entry], remove: [part.id] });
  place.disk.remove(join(folder, part.id));
  return livePart(place, { entry, metadata });
}

function recoverLogs(
  place: PartitionPlace,
  catalog: CatalogState,
  damaged: string[],
): { files: LogFile[]; nextSeq: number; tornBytes: number } {
  const { disk } = place;
  const folder = logPath(place.path);
  const names = disk
    .list(folder)
    .map(parseLogFileName)
    .filter((name) => name !== undefined);
  const files: LogFile[] = [];
  let tornBytes = 0;
  for (const name of names) {
    // A crash left a parked file its old name too.
    if (!isParked(name) && names.some(({ seq }) => seq === parkedName(name).seq)) {
      disk.remove(join(folder, logFileName(name)));
      continue;
    }
    const recovered = recoverLogFile({ ...place, folder }, name);
    damaged.push(...recovered.damaged);
    tornBytes += recovered.tornBytes;
    if (recovered.logFile.blocks.length > 0) files.push(recovered.logFile);
    else disk.remove(recovered.logFile.path);
  }
  const numbers = names.filter((name) => !isParked(name)).map(({ seq }) => seq);
  const nextSeq = Math.max(catalog.flushedLogSeq, ...numbers) + 1;
  if (files.length > 0)
    place.logger.info('log read back', { partition: basename(place.path), files: files.length, tornBytes });
  return { files, nextSeq, tornBytes };
}
