// Writes a snapshot of a partition to disk: hard links to all immutable files, a copy of the index, and a manifest. It has
// the layout of a partition, so it can be copied back into `partitions/` and attached. No file that either of them would
// write to is shared.
import { basename, join } from 'node:path';
import { writeWholeFile } from '../disk/atomic-write.ts';
import type { Disk } from '../disk/disk.ts';
import type { FoundFile } from '../disk/walk-files.ts';
import { readCatalog } from '../index/catalog.ts';
import type { Environment } from '../index/environment.ts';
import type { LogFile } from './log-file.ts';
import { encodeManifest, MANIFEST_FILE } from './manifest.ts';
import { logPath, partsPath } from './partition-place.ts';

export interface SnapshotSource {
  readonly disk: Disk;
  readonly day: number;
  /** The partition's folder. */
  readonly path: string;
  readonly env: Environment;
  /** Sealed log files that are not yet in a part. */
  readonly logFiles: readonly LogFile[];
  readonly nowMs: number;
}

/**
 * Writes the snapshot as the new folder `target`; a syncDir of its parent makes its name durable. The links are made
 * synchronously, the index is copied afterwards: until the promise settles, no commit may change the catalog, so that both
 * show the same moment. Throws DISK, leaving an unfinished `target`.
 */
export async function writeSnapshot(source: SnapshotSource, target: string): Promise<void> {
  const { disk, env, logFiles, day, nowMs } = source;
  const catalog = readCatalog(env);
  const files: FoundFile[] = [];
  for (const folder of [target, partsPath(target), logPath(target), join(target, 'index')]) disk.makeDir(folder);
  for (const { id } of catalog.parts) files.push(...linkPart(source, target, id));
  for (const { path } of logFiles) files.push(linkFile(source, target, join('log', basename(path))));
  await env.copyTo(join(target, 'index'));
  files.push(fileOf(disk, target, join('index', 'data.mdb')));
  for (const folder of ['parts', 'log', 'index']) disk.syncDir(join(target, folder));
  const rows =
    catalog.parts.reduce((sum, part) => sum + part.rows, 0) + logFiles.reduce((sum, file) => sum + file.rowCount, 0);
  files.sort((a, b) => (a.name < b.name ? -1 : 1));
  writeWholeFile(disk, join(target, MANIFEST_FILE), encodeManifest({ day, takenMs: nowMs, rows, files }));
  disk.syncDir(target);
}

/** A lost part that is still listed stays listed in the snapshot too: restoring its folder restores it. */
function linkPart(source: SnapshotSource, target: string, id: string): FoundFile[] {
  const { disk, path } = source;
  const folder = join(partsPath(path), id);
  if (disk.stat(folder) === undefined) return [];
  disk.makeDir(join(partsPath(target), id));
  const linked = disk.list(folder).map((name) => linkFile(source, target, join('parts', id, name)));
  disk.syncDir(join(partsPath(target), id));
  return linked;
}

function linkFile({ disk, path }: SnapshotSource, target: string, name: string): FoundFile {
  disk.link(join(path, name), join(target, name));
  return fileOf(disk, target, name);
}

function fileOf(disk: Disk, target: string, name: string): FoundFile {
  return { name, sizeBytes: disk.stat(join(target, name))!.sizeBytes };
}
