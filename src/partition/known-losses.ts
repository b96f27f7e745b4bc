// What a partition knows of its damage and losses, for its answers: loss records of the index, losses not yet recorded
// because the disk is full, listed parts that cannot be read, and quarantined blocks.
import { basename } from 'node:path';
import { assert } from '../base/assert.ts';
import { isUnreadable } from '../disk/unreadable.ts';
import { BEYOND, LOSSES_MAX, mayConcern, WHOLE_DAY, type Loss } from '../index/losses.ts';
import { quarantine, type DamagedPlace } from '../quarantine/quarantine.ts';
import type { Listed } from '../trace/store.ts';
import type { Tenant } from '../trace/tenant.ts';
import { lossLine, lossOfPart, type LostPart } from './loss-records.ts';
import type { PartitionPlace } from './partition-place.ts';

/** Per partition. Blocks beyond this are not quarantined or counted; queries that meet them still warn. */
const DAMAGED_BLOCKS_MAX = 10_000;

export class KnownLosses {
  readonly #place: PartitionPlace;
  readonly #counters: { corruptBlocks: number };
  /** Damaged blocks found since the partition was opened, by file and offset: each is counted once. */
  readonly #damaged = new Set<string>();
  #records: Loss[];
  #unrecorded: readonly Loss[];
  #parts: LostPart[];

  /** Counts damaged blocks in `counters`. */
  constructor(
    place: PartitionPlace,
    found: {
      readonly losses: readonly Loss[];
      readonly unrecorded: readonly Loss[];
      readonly lost: readonly LostPart[];
    },
    counters: { corruptBlocks: number },
  ) {
    this.#place = place;
    this.#counters = counters;
    this.#records = [...found.losses];
    this.#unrecorded = found.unrecorded;
    this.#parts = [...found.lost];
  }

  /** Losses that no operator has accepted yet. */
  get count(): number {
    return this.#records.length + this.#parts.length;
  }

  /** Parts that are listed but cannot be read. */
  get parts(): readonly LostPart[] {
    return this.#parts;
  }

  /** Losses that may concern an answer about `window`, one line each. */
  linesFor(tenant: Tenant, window: { startMin: number; startMax: number }): string[] {
    return this.#lines((loss) => mayConcern(loss, tenant, window));
  }

  /** All losses, one line each. */
  lines(): string[] {
    return this.#lines(() => true);
  }

  #lines(isWanted: (loss: Loss) => boolean): string[] {
    if (this.count === 0) return [];
    const all = [...this.#records, ...this.#parts.map((part) => lossOfPart(part))];
    return all.filter(isWanted).map((loss) => lossLine(this.#place.path, loss));
  }

  /** Names of the index and the log. Names of a damaged index are missing until the next start rebuilds it. */
  listed<T>(tenant: Tenant, inLog: readonly T[], read: () => readonly T[]): Listed<T> {
    const losses = this.#records.filter((loss) => loss.costsNames && mayConcern(loss, tenant, WHOLE_DAY));
    const warnings = losses.map((loss) => lossLine(this.#place.path, loss));
    try {
      return { items: [...read(), ...inLog], warnings };
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      return { items: [...inLog], warnings: [...warnings, error.message] };
    }
  }

  /** The losses that a commit must record if it loses `more`. */
  toRecord(more: readonly Loss[]): readonly Loss[] {
    return [...this.#unrecorded, ...more];
  }

  /** Call after a commit that recorded toRecord(more). Keeps the same bounds as the index. */
  recorded(more: readonly Loss[]): void {
    this.#unrecorded = [];
    const known = new Set(this.#records.map(({ place }) => place));
    for (const loss of more) {
      const kept = this.#records.length < LOSSES_MAX ? loss : BEYOND;
      if (known.has(kept.place)) continue;
      known.add(kept.place);
      this.#records.push(kept);
    }
  }

  losePart(part: LostPart): void {
    assert(!this.#parts.some(({ entry }) => entry.id === part.entry.id), `part ${part.entry.id} was lost twice`);
    this.#parts.push(part);
  }

  /** Puts a damaged block into quarantine, once. The caller keeps its file from being removed. Throws DISK. */
  putAside(place: DamagedPlace): void {
    if (this.#damaged.has(keyOf(place)) || this.#damaged.size >= DAMAGED_BLOCKS_MAX) return;
    quarantine(this.#place.disk, this.#place.quarantinePath, place);
    this.add(place);
  }

  /** Counts a block that is in quarantine. */
  add(place: DamagedPlace): void {
    if (this.#damaged.has(keyOf(place))) return;
    this.#damaged.add(keyOf(place));
    this.#counters.corruptBlocks++;
    const { logger, path } = this.#place;
    logger.error('damaged block put into quarantine', { partition: basename(path), what: place.message });
  }

  /** Call after the commit that forgot the losses. */
  clear(): void {
    this.#records = [];
    this.#unrecorded = [];
    this.#parts = [];
  }
}

function keyOf({ path, offset }: DamagedPlace): string {
  return `${path} ${offset}`;
}
