// Builds a partition's index anew from its parts, when it is lost or damaged. A part says what it replaced, so the
// parts alone tell which of them are live and how much of the log they hold; names are read from their blocks. A part
// too many costs nothing but space: spans that are in two parts are equal, and equal spans are shown once.
import { basename, dirname, join } from 'node:path';
import { isStoreError } from '../base/errors.ts';
import { commitParts } from '../index/catalog.ts';
import { openEnvironment, type Environment } from '../index/environment.ts';
import { NameSet } from '../index/names.ts';
import { isPartId, type PartId } from '../part/identity.ts';
import type { PartMetadata } from '../part/part-metadata.ts';
import { PartReader, readPartMetadata } from '../part/part-reader.ts';
import { addBlockNames } from './block-names.ts';
import { partsPath, type PartitionPlace } from './partition-place.ts';
import { partEntry } from './part-set.ts';
import { repairPart } from './repair-part.ts';

interface FoundPart {
  readonly id: PartId;
  readonly metadata: PartMetadata;
}

/**
 * Moves what is left of the old index into quarantine and writes a new one at `indexPath`. Throws DISK, FORMAT_TOO_NEW.
 */
export function rebuildIndex(place: PartitionPlace, indexPath: string): Environment {
  const { disk } = place;
  setAside(place, indexPath);
  const parts = withoutReplaced(findParts(place));
  const names = new NameSet(place.nameBounds);
  for (const part of parts) addPartNames(place, part, names);
  // It gets its name when it is complete: an index that lists nothing would make the parts look like garbage.
  const unfinished = `${indexPath}.rebuild`;
  disk.remove(unfinished);
  const env = openEnvironment({ path: unfinished, disk });
  try {
    commitParts(env, {
      add: parts.map(({ id, metadata }) => partEntry(id, metadata.origin.partIds.length === 0 ? 1 : 2, metadata)),
      remove: [],
      flushedLogSeq: Math.max(0, ...parts.map((part) => part.metadata.origin.logSeqMax)),
      names,
    });
  } finally {
    env.close();
  }
  disk.rename(unfinished, indexPath);
  disk.syncDir(dirname(indexPath));
  place.logger.warn('index rebuilt from the parts', { partition: basename(place.path), parts: parts.length });
  return openEnvironment({ path: indexPath, disk });
}

function setAside(place: PartitionPlace, indexPath: string): void {
  const { disk, quarantinePath } = place;
  if (disk.stat(indexPath) === undefined) return;
  const prefix = `partitions-${basename(place.path)}-index-`;
  const number = disk.list(quarantinePath).filter((name) => name.startsWith(prefix)).length;
  disk.rename(indexPath, join(quarantinePath, prefix + number));
  disk.syncDir(dirname(indexPath));
  disk.syncDir(quarantinePath);
}

function findParts(place: PartitionPlace): FoundPart[] {
  const { disk, path } = place;
  const ids = disk.list(partsPath(path)).filter(isPartId);
  const found: FoundPart[] = [];
  for (const id of ids) {
    try {
      found.push({ id, metadata: readPartMetadata(disk, join(partsPath(path), id)) });
    } catch (error) {
      if (!isStoreError(error, 'CORRUPTION')) throw error;
      const repaired = repairPart(place, id);
      if (repaired !== undefined) found.push(repaired);
    }
  }
  return found;
}

function withoutReplaced(parts: readonly FoundPart[]): FoundPart[] {
  const replaced = new Set(parts.flatMap((part) => part.metadata.origin.partIds));
  return parts.filter((part) => !replaced.has(part.id));
}

function addPartNames(place: PartitionPlace, part: FoundPart, names: NameSet): void {
  using reader = new PartReader(place.disk, join(partsPath(place.path), part.id), part.metadata);
  part.metadata.blocks.forEach(({ tenant }, block) => {
    try {
      addBlockNames(names, tenant, reader.readBlock(block));
    } catch (error) {
      // A damaged block is put aside by the next merge; a rebuild only leaves its names out.
      if (!isStoreError(error, 'CORRUPTION')) throw error;
      place.logger.warn('damaged block left out of the rebuilt index', { error });
    }
  });
}
