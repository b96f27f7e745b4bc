// `tracelith rebuild-index <dir>`: rebuilds the index of partitions from their parts, while no node runs. A node does this by
// itself if it finds an index damaged; this command is for operators who do not want to wait for that, or who distrust an
// index that passes its checks.
import { basename, join } from 'node:path';
import { StoreError } from '../base/errors.ts';
import { createLogger } from '../base/logger.ts';
import { nodeDisk } from '../disk/node-disk.ts';
import { readCatalog } from '../index/catalog.ts';
import { parseDay } from '../partition/day.ts';
import { MANIFEST_FILE } from '../partition/manifest.ts';
import { rebuildIndex } from '../partition/rebuild-index.ts';
import { findPlaces, lockPlaces } from './find-partitions.ts';
import { EXIT_OK, type Terminal } from './terminal.ts';

/** Rebuilds the index of the partition `path`, or of all in the data directory `path`. Throws INVALID_REQUEST, LOCKED, DISK. */
export function rebuildIndexes(path: string, terminal: Terminal): number {
  const found = findPlaces(nodeDisk, path);
  if (found.kind === 'part' || found.dataPath === undefined) {
    throw new StoreError(
      'INVALID_REQUEST',
      `${path}: not a data directory nor a partition in one; copy the day into partitions/ of a stopped node first`,
    );
  }
  using _lock = lockPlaces(found);
  const quarantinePath = join(found.dataPath, 'quarantine');
  if (nodeDisk.stat(quarantinePath) === undefined) nodeDisk.makeDir(quarantinePath);
  const logger = createLogger({ write: (line) => terminal.err(line) });
  for (const partition of found.paths) {
    const day = parseDay(basename(partition));
    if (day === undefined) throw new StoreError('INVALID_REQUEST', `${partition}: its name is no day (YYYYMMDD)`);
    // A snapshot's manifest describes the old index.
    nodeDisk.remove(join(partition, MANIFEST_FILE));
    const place = { path: partition, day, disk: nodeDisk, quarantinePath, logger };
    using env = rebuildIndex(place, join(partition, 'index'));
    const { parts, flushedLogSeq } = readCatalog(env);
    const rows = parts.reduce((sum, part) => sum + part.rows, 0);
    terminal.out(`${partition}: ${parts.length} parts, ${rows} spans, log flushed up to file ${flushedLogSeq}\n`);
  }
  terminal.out(`${found.paths.length} indexes rebuilt; what was there before is in ${quarantinePath}\n`);
  return EXIT_OK;
}
