// From what was met damaged or missing to the records of what is lost (index/losses.ts), and to the line that an answer says
// of each. Pure.
import { basename, relative } from 'node:path';
import type { BlockHeader } from '../block/block-header.ts';
import type { PartEntry } from '../index/catalog.ts';
import { WHOLE_DAY, type Loss } from '../index/losses.ts';
import type { MergeBlock, MergeInput } from '../part/merge-parts.ts';
import type { DamagedPlace } from '../quarantine/quarantine.ts';
import { DAY_NS } from '../trace/day-clock.ts';
import type { Tenant } from '../trace/tenant.ts';

/** A part that the catalog lists and that cannot be read: nothing of it was found, or the device does not give it. */
export interface LostPart {
  readonly entry: PartEntry;
  /** Why. */
  readonly message: string;
}

/** What is known of a block without reading it: of its part's table, or its header. */
export type KnownBlock = Pick<BlockHeader, 'tenant' | 'startMin' | 'startMax' | 'rowCount'>;

/** Names stand in the index, whatever happens to the part. `rows`: those of them that are lost. */
export function lossOfPart({ entry, message }: LostPart, rows: number = entry.rows): Loss {
  const { id, tenants, minStartNs, maxStartNs } = entry;
  const dayNs = minStartNs - (minStartNs % BigInt(DAY_NS));
  return {
    place: `parts/${id}`,
    ...(tenants === undefined ? {} : { tenants }),
    startMin: Number(minStartNs - dayNs),
    startMax: Number(maxStartNs - dayNs),
    rows,
    costsNames: false,
    message,
  };
}

/**
 * Of a block in the partition at `path`. Without `known` it may have held anything, with names that stand nowhere else;
 * otherwise `costsNames` says whether they do.
 */
export function lossOfBlock(path: string, place: DamagedPlace, known?: KnownBlock, costsNames = false): Loss {
  const where = { place: `${relative(path, place.path)} ${place.offset}`, message: place.message };
  if (known === undefined) return { ...where, ...WHOLE_DAY, costsNames: true };
  const { tenant, startMin, startMax, rowCount: rows } = known;
  return { ...where, tenants: [tenant], startMin, startMax, rows, costsNames };
}

/** Blocks of a merge, with what is known of them should they turn out to be damaged. */
export interface KnownInput extends MergeInput {
  readonly blocks: readonly (MergeBlock & KnownBlock)[];
}

/** What a merge of `inputs` in the partition at `path` had to leave out. Its names are known: of the log, in memory. */
export function lossesOf(path: string, damaged: readonly DamagedPlace[], inputs: readonly KnownInput[]): Loss[] {
  const byPath = new Map(inputs.map((input) => [input.path, input.blocks]));
  return damaged.map((place) =>
    lossOfBlock(
      path,
      place,
      byPath.get(place.path)?.find(({ offset }) => offset === place.offset),
    ),
  );
}

/** Of a log file of the partition, or of its index: whatever it held is in nothing else. */
export function lossOfFile(place: string, message: string): Loss {
  return { place, ...WHOLE_DAY, costsNames: true, message };
}

/** What an answer says of it. */
export function lossLine(path: string, { place, rows, message }: Loss): string {
  const spans = rows === undefined ? 'an unknown number of spans' : `${rows} spans`;
  return `partitions/${basename(path)}/${place}: ${spans} lost: ${message}`;
}

/** Tenants that the catalog lists of a part; one with more may hold spans of any, should it be lost. */
const TENANTS_LISTED_MAX = 64;

/** For a part's row in the catalog; undefined: too many. */
export function listedTenants(blocks: readonly { readonly tenant: Tenant }[]): Tenant[] | undefined {
  const tenants = [...new Set(blocks.map(({ tenant }) => tenant))];
  return tenants.length > TENANTS_LISTED_MAX ? undefined : tenants;
}
