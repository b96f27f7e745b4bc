// What a partition knows to be damaged and lost, as its answers need it: the records of the index, what is not in the index
// yet because its disk is full, the parts that are listed and cannot be read, and the blocks that were put into quarantine.
import { basename } from 'node:path';
import { assert } from '../base/assert.ts';
import { isUnreadable } from '../disk/unreadable.ts';
import { BEYOND, LOSSES_MAX, mayConcern, WHOLE_DAY, type Loss } from '../index/losses.ts';
import { quarantine, type DamagedPlace } from '../quarantine/quarantine.ts';
import type { Listed } from '../trace/store.ts';
import type { Tenant } from '../trace/tenant.ts';
import { lossLine, lossOfPart, type LostPart } from './loss-records.ts';
import type { PartitionPlace } from './partition-place.ts';

/** Of one partition: a disk that damages more is beyond bookkeeping, and what queries find of it stays in their warnings. */
const DAMAGED_BLOCKS_MAX = 10_000;

export class KnownLosses {
  readonly #place: PartitionPlace;
  readonly #counters: { corruptBlocks: number };
  /** Blocks met damaged since the partition was opened, by file and offset: each counts once, whoever meets it. */
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

  /** Until an operator accepts them. */
  get count(): number {
    return this.#records.length + this.#parts.length;
  }

  /** Listed, and not to be read. */
  get parts(): readonly LostPart[] {
    return this.#parts;
  }

  /** What an answer about the window may lack. */
  linesFor(tenant: Tenant, window: { startMin: number; startMax: number }): string[] {
    return this.#lines((loss) => mayConcern(loss, tenant, window));
  }

  /** All of them. */
  lines(): string[] {
    return this.#lines(() => true);
  }

  #lines(isWanted: (loss: Loss) => boolean): string[] {
    if (this.count === 0) return [];
    const all = [...this.#records, ...this.#parts.map((part) => lossOfPart(part))];
    return all.filter(isWanted).map((loss) => lossLine(this.#place.path, loss));
  }

  /** Names of the index and the log. An index that is damaged while it is open costs its names until the next start rebuilds it. */
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

  /** What a commit must record that loses `more`. */
  toRecord(more: readonly Loss[]): readonly Loss[] {
    return [...this.#unrecorded, ...more];
  }

  /** Follows a commit that recorded toRecord(more), within the same bounds. */
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

  /** Puts into quarantine what is damaged, once. Its file must not go meanwhile. Throws DISK. */
  putAside(place: DamagedPlace): void {
    if (this.#damaged.has(keyOf(place)) || this.#damaged.size >= DAMAGED_BLOCKS_MAX) return;
    quarantine(this.#place.disk, this.#place.quarantinePath, place);
    this.add(place);
  }

  /** Counts what is in quarantine. */
  add(place: DamagedPlace): void {
    if (this.#damaged.has(keyOf(place))) return;
    this.#damaged.add(keyOf(place));
    this.#counters.corruptBlocks++;
    const { logger, path } = this.#place;
    logger.error('damaged block put into quarantine', { partition: basename(path), what: place.message });
  }

  /** Follows the commit that forgot them. */
  clear(): void {
    this.#records = [];
    this.#unrecorded = [];
    this.#parts = [];
  }
}

function keyOf({ path, offset }: DamagedPlace): string {
  return `${path} ${offset}`;
}
