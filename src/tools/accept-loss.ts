// `tracelith accept-loss <dir>`: prints and forgets the losses of a stopped node's days, so that answers no longer mention
// them. It opens each day as a start does, repairs included, so only data that is still missing then is accepted.
import { basename, join } from 'node:path';
import { StoreError } from '../base/errors.ts';
import { createLogger } from '../base/logger.ts';
import { nodeDisk } from '../disk/node-disk.ts';
import { parseDay } from '../partition/day.ts';
import { KnownLosses } from '../partition/known-losses.ts';
import { forgetLosses, openPartitionFiles } from '../partition/open-partition.ts';
import { findPlaces, lockPlaces } from './find-partitions.ts';
import { EXIT_OK, type Terminal } from './terminal.ts';

/** Accepts the losses of the partition `path`, or of all in the data directory `path`. Throws INVALID_REQUEST, LOCKED, DISK. */
export function acceptLoss(path: string, terminal: Terminal): number {
  const found = findPlaces(nodeDisk, path);
  if (found.kind === 'part' || found.dataPath === undefined)
    throw new StoreError('INVALID_REQUEST', `${path}: not a data directory nor a partition in one`);
  using _lock = lockPlaces(found);
  const quarantinePath = join(found.dataPath, 'quarantine');
  const logger = createLogger({ write: (line) => terminal.err(line) });
  let accepted = 0;
  for (const partition of found.paths) {
    const day = parseDay(basename(partition));
    if (day === undefined) throw new StoreError('INVALID_REQUEST', `${partition}: its name is no day (YYYYMMDD)`);
    const place = { path: partition, day, disk: nodeDisk, quarantinePath, logger };
    const opened = openPartitionFiles(place);
    using env = opened.env;
    const losses = new KnownLosses(place, opened, { corruptBlocks: 0 });
    for (const line of losses.lines()) terminal.out(`accepted: ${line}\n`);
    accepted += losses.count;
    forgetLosses(place, env, losses.parts);
  }
  terminal.out(`${found.paths.length} days: ${accepted} losses accepted\n`);
  return EXIT_OK;
}
