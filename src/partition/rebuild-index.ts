// Rebuilds a partition's lost or damaged index from its parts. Each part records what it replaced, so the parts alone tell
// which are live and how much of the log they hold; names are read from their blocks. A superfluous part costs only space:
// equal spans are shown once. Lost parts and other losses are known only to the old index: they are copied from it if it
// can be read; if not, that is recorded as a loss.
import { basename, dirname, join } from 'node:path';
import { isUnreadable } from '../disk/unreadable.ts';
import { commitParts, listLogs, readCatalog, type CatalogState, type PartEntry } from '../index/catalog.ts';
import { openEnvironment, type Environment } from '../index/environment.ts';
import { readLosses, type Loss } from '../index/losses.ts';
import { readStrayHours, writeStrayHours } from '../index/strays.ts';
import { NameSet } from '../index/names.ts';
import { isPartId, type PartId } from '../part/identity.ts';
import type { PartMetadata } from '../part/part-metadata.ts';
import { decodedMetadata, PartReader, readPartMetadata } from '../part/part-reader.ts';
import { DATA_FILE } from '../part/part-writer.ts';
import { moveToQuarantine } from '../quarantine/quarantine.ts';
import { addBlockNames } from './block-names.ts';
import { lossOfBlock, lossOfFile, lossOfPart } from './loss-records.ts';
import { partsPath, type PartitionPlace } from './partition-place.ts';
import { partEntry } from './part-set.ts';
import { repairPart } from './repair-part.ts';

interface FoundPart {
  readonly id: PartId;
  readonly metadata: PartMetadata;
  /** Why its data cannot be read; undefined: it can. */
  readonly fault?: string;
}

/** What only the old index knows. */
type Known = Pick<CatalogState, 'parts' | 'logSeqs'> & {
  readonly losses: readonly Loss[];
  readonly strayHours: number;
};

/** Moves the remains of the old index into quarantine and writes a new one at `indexPath`. Throws DISK, FORMAT_TOO_NEW. */
export function rebuildIndex(place: PartitionPlace, indexPath: string): Environment {
  const { disk, quarantinePath } = place;
  const known = readKnown(place, indexPath);
  const losses = [...known.losses];
  const message = 'index set aside: it was damaged, or the operator had it rebuilt';
  if (disk.stat(indexPath) !== undefined) moveToQuarantine(disk, quarantinePath, { path: indexPath, message });
  const found = withoutReplaced(findParts(place, losses));
  const names = new NameSet(place.nameBounds);
  for (const part of found) addPartNames(place, part, { names, losses });
  const entries = found.map(entryOf);
  const lost = lostParts(known.parts, found);
  // It is renamed when it is complete: with an index that lists nothing, the parts would be removed as garbage.
  const unfinished = `${indexPath}.rebuild`;
  disk.remove(unfinished);
  const env = openEnvironment({ path: unfinished, disk });
  try {
    const flushedLogSeq = Math.max(0, ...found.map((part) => part.metadata.origin.logSeqMax));
    commitParts(env, { add: [...entries, ...lost], remove: [], flushedLogSeq, names, losses });
    listLogs(env, { add: known.logSeqs.filter((seq) => seq > flushedLogSeq) });
    if (known.strayHours > 0) writeStrayHours(env, known.strayHours);
  } finally {
    env.close();
  }
  disk.rename(unfinished, indexPath);
  disk.syncDir(dirname(indexPath));
  place.logger.warn('index rebuilt from the parts', { partition: basename(place.path), parts: entries.length });
  return openEnvironment({ path: indexPath, disk });
}

function readKnown(place: PartitionPlace, indexPath: string): Known {
  const { disk } = place;
  const forgotten = `${indexPath}: lost or damaged, and rebuilt from the parts; a part or a log file that is lost as well, and losses known before, cannot be told`;
  const nothing = { parts: [], logSeqs: [], losses: [lossOfFile('index', forgotten)], strayHours: 0 };
  if (disk.stat(indexPath) === undefined) return nothing;
  try {
    using env = openEnvironment({ path: indexPath, disk });
    return { ...readCatalog(env), losses: readLosses(env), strayHours: readStrayHours(env) };
  } catch (error) {
    if (!isUnreadable(error)) throw error;
    return nothing;
  }
}

function entryOf({ id, metadata }: FoundPart): PartEntry {
  return partEntry(id, metadata.origin.partIds.length === 0 ? 1 : 2, metadata);
}

/** Listed parts that have no folder and that no other part replaced. They stay listed. */
function lostParts(listed: readonly PartEntry[], found: readonly FoundPart[]): PartEntry[] {
  const known = new Set(found.flatMap(({ id, metadata }) => [id, ...metadata.origin.partIds]));
  return listed.filter(({ id }) => !known.has(id));
}

function findParts(place: PartitionPlace, losses: Loss[]): FoundPart[] {
  const { disk, path } = place;
  return disk
    .list(partsPath(path))
    .filter(isPartId)
    .flatMap((id) => {
      try {
        return [{ id, metadata: readPartMetadata(disk, join(partsPath(path), id)) }];
      } catch (error) {
        if (!isUnreadable(error)) throw error;
        return salvage(place, id, { losses, fault: error.message });
      }
    });
}

/** The part, rewritten from its data; or unchanged, if its metadata is readable but its data is not. */
function salvage(place: PartitionPlace, id: PartId, found: { losses: Loss[]; fault: string }): FoundPart[] {
  const { disk, path, quarantinePath } = place;
  const folder = join(partsPath(path), id);
  const metadata = decodedMetadata(disk, folder);
  const repaired = tryRepair(place, id);
  const { losses, fault } = found;
  if (repaired === undefined && metadata !== undefined) return [{ id, metadata, fault }];
  if (repaired === undefined) {
    losses.push(lossOfFile(`parts/${id}`, fault));
    moveToQuarantine(disk, quarantinePath, { path: folder, message: fault });
    return [];
  }
  if (metadata === undefined) losses.push(...repaired.damaged.map((one) => lossOfBlock(path, one)));
  else if (repaired.rowsFound < metadata.rowCount)
    losses.push(
      lossOfPart({ entry: entryOf({ id, metadata }), message: fault }, metadata.rowCount - repaired.rowsFound),
    );
  return [repaired];
}

function tryRepair(place: PartitionPlace, id: PartId): ReturnType<typeof repairPart> {
  try {
    return repairPart(place, id);
  } catch (error) {
    if (!isUnreadable(error)) throw error;
    return undefined;
  }
}

function withoutReplaced(parts: readonly FoundPart[]): FoundPart[] {
  const replaced = new Set(parts.flatMap((part) => part.metadata.origin.partIds));
  return parts.filter((part) => !replaced.has(part.id));
}

function addPartNames(place: PartitionPlace, part: FoundPart, found: { names: NameSet; losses: Loss[] }): void {
  const { path, disk } = place;
  if (part.fault !== undefined) {
    const loss = lossOfPart({ entry: entryOf(part), message: part.fault });
    found.losses.push({ ...loss, place: `names of ${loss.place}`, costsNames: true });
    return;
  }
  using reader = new PartReader(disk, join(partsPath(path), part.id), part.metadata);
  part.metadata.blocks.forEach((block, number) => {
    try {
      addBlockNames(found.names, block.tenant, reader.readBlock(number));
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      // The next merge quarantines the block; its names are lost here.
      const { offset, sizeBytes } = block;
      const damaged = { path: join(reader.path, DATA_FILE), offset, sizeBytes, message: error.message };
      found.losses.push(lossOfBlock(path, damaged, block, true));
      place.logger.warn('damaged block left out of the rebuilt index', { error });
    }
  });
}
