// Converts damaged or missing data into loss records (index/losses.ts), and each record into the line that answers show. Pure.
import { basename, relative } from 'node:path';
import type { BlockHeader } from '../block/block-header.ts';
import type { PartEntry } from '../index/catalog.ts';
import { WHOLE_DAY, type Loss } from '../index/losses.ts';
import type { MergeBlock, MergeInput } from '../part/merge-parts.ts';
import type { DamagedPlace } from '../quarantine/quarantine.ts';
import { DAY_NS } from '../trace/day-clock.ts';
import type { Tenant } from '../trace/tenant.ts';

/** A part that the catalog lists and that cannot be read: it is missing, or the device reports an error. */
export interface LostPart {
  readonly entry: PartEntry;
  /** The reason. */
  readonly message: string;
}

/** What is known of a block without reading it, from its part's table or from its header. */
export type KnownBlock = Pick<BlockHeader, 'tenant' | 'startMin' | 'startMax' | 'rowCount'>;

/** The part's names are in the index, so they are not lost. `rows`: how many of its rows are lost. */
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
 * The loss of a block in the partition at `path`. Without `known`, the block may have held anything, including names that
 * are nowhere else; with it, `costsNames` says whether names are lost.
 */
export function lossOfBlock(path: string, place: DamagedPlace, known?: KnownBlock, costsNames = false): Loss {
  const where = { place: `${relative(path, place.path)} ${place.offset}`, message: place.message };
  if (known === undefined) return { ...where, ...WHOLE_DAY, costsNames: true };
  const { tenant, startMin, startMax, rowCount: rows } = known;
  return { ...where, tenants: [tenant], startMin, startMax, rows, costsNames };
}

/** Blocks that a merge reads, with what is known of each in case it is damaged. */
export interface KnownInput extends MergeInput {
  readonly blocks: readonly (MergeBlock & KnownBlock)[];
}

/** The blocks that a merge of `inputs` in the partition at `path` left out. Their names are known: those of the log, in memory. */
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

/** The loss of a log file of the partition, or of its index: nothing else holds its content. */
export function lossOfFile(place: string, message: string): Loss {
  return { place, ...WHOLE_DAY, costsNames: true, message };
}

/** The line that an answer shows for the loss. */
export function lossLine(path: string, { place, rows, message }: Loss): string {
  const spans = rows === undefined ? 'an unknown number of spans' : `${rows} spans`;
  return `partitions/${basename(path)}/${place}: ${spans} lost: ${message}`;
}

/** A catalog row lists at most this many tenants. A part with more, if lost, counts as a loss for every tenant. */
const TENANTS_LISTED_MAX = 64;

/** The tenants for a part's row in the catalog; undefined: too many. */
export function listedTenants(blocks: readonly { readonly tenant: Tenant }[]): Tenant[] | undefined {
  const tenants = [...new Set(blocks.map(({ tenant }) => tenant))];
  return tenants.length > TENANTS_LISTED_MAX ? undefined : tenants;
}
