// The live parts of a partition, as the catalog lists them. The set changes in one step right after a catalog commit, so
// a view has either the parts before a merge or the part after it, never both or neither.
import { join } from 'node:path';
import { assert } from '../base/assert.ts';
import type { PartEntry } from '../index/catalog.ts';
import { DAY_NS } from '../trace/day-clock.ts';
import type { PartBlock, PartMetadata } from '../part/part-metadata.ts';
import { newIdentity, type Identity, type PartId } from '../part/identity.ts';
import type { Tenant } from '../trace/tenant.ts';
import { listedTenants } from './loss-records.ts';
import { partsPath, type PartitionPlace } from './partition-place.ts';
import { Pinned } from './pinned.ts';

export interface LivePart {
  /** Readers know the part by it. A part of format 1 gets a new one each time it is opened. */
  readonly identity: Identity;
  readonly entry: PartEntry;
  readonly metadata: PartMetadata;
  readonly path: string;
  /** Bytes of the part's files by tenant: files that they share are counted by the size of their blocks. */
  readonly tenants: ReadonlyMap<Tenant, number>;
  /** Dooming it deletes the folder once no view reads it. */
  readonly pinned: Pinned;
}

/** The part `entry`, whose files are durable in the partition at `place`. */
export function livePart(place: PartitionPlace, source: { entry: PartEntry; metadata: PartMetadata }): LivePart {
  const path = join(partsPath(place.path), source.entry.id);
  const identity = source.metadata.identity ?? newIdentity();
  return {
    ...source,
    identity,
    path,
    tenants: shareOut(source.entry.sizeBytes, source.metadata.blocks),
    pinned: new Pinned(() => {
      place.forget?.([identity]);
      place.disk.remove(path);
    }),
  };
}

/** `partBytes` by tenant, in proportion to the bytes of the tenants' blocks. */
function shareOut(partBytes: number, blocks: readonly PartBlock[]): ReadonlyMap<Tenant, number> {
  const shares = new Map<Tenant, number>();
  let sum = 0;
  for (const { tenant, sizeBytes, filterBytes } of blocks) {
    shares.set(tenant, (shares.get(tenant) ?? 0) + sizeBytes + filterBytes);
    sum += sizeBytes + filterBytes;
  }
  for (const [tenant, bytes] of shares) shares.set(tenant, Math.round((partBytes * bytes) / sum));
  return shares;
}

/** The catalog's row for a part with `metadata`. */
export function partEntry(id: PartId, level: number, metadata: PartMetadata): PartEntry {
  let startMin = Infinity;
  let startMax = -Infinity;
  for (const block of metadata.blocks) {
    startMin = Math.min(startMin, block.startMin);
    startMax = Math.max(startMax, block.startMax);
  }
  const dayNs = BigInt(metadata.day) * BigInt(DAY_NS);
  const tenants = listedTenants(metadata.blocks);
  return {
    id,
    level,
    rows: metadata.rowCount,
    blocks: metadata.blocks.length,
    sizeBytes: metadata.dataBytes + metadata.tracesBytes + metadata.filtersBytes + metadata.rollupsBytes,
    minStartNs: dayNs + BigInt(startMin),
    maxStartNs: dayNs + BigInt(startMax),
    ...(tenants === undefined ? {} : { tenants }),
    ...(metadata.origin.partIds.length === 0 ? {} : { replaces: metadata.origin.partIds }),
  };
}

/** Orders parts by the log files in them: ids say nothing of time. */
function compareAges(a: LivePart, b: LivePart): number {
  return a.metadata.origin.logSeqMax - b.metadata.origin.logSeqMax;
}

/** Keeps the files of `parts` until the result is disposed of. */
export function pinAll(parts: readonly LivePart[]): Disposable {
  for (const { pinned } of parts) pinned.pin();
  return {
    [Symbol.dispose]: () => {
      for (const { pinned } of parts) pinned.unpin();
    },
  };
}

export class PartSet {
  /** In the order in which they were made; `all` and `idle` have the same order. */
  readonly #parts = new Map<PartId, LivePart>();
  /** Inputs of merges under way. */
  readonly #busy = new Set<PartId>();

  constructor(parts: readonly LivePart[]) {
    for (const part of parts.toSorted(compareAges)) this.#parts.set(part.entry.id, part);
  }

  get all(): LivePart[] {
    return [...this.#parts.values()];
  }

  get count(): number {
    return this.#parts.size;
  }

  get idle(): LivePart[] {
    return this.all.filter((part) => !this.#busy.has(part.entry.id));
  }

  /** Whether all of `parts` are still live: dropped parts are not. */
  hasAll(parts: readonly LivePart[]): boolean {
    return parts.every(({ entry }) => this.#parts.has(entry.id));
  }

  /** Reserves and pins `parts` for a merge; `using` on the result frees them however the merge ends. */
  reserve(parts: readonly LivePart[]): Disposable {
    for (const { entry } of parts) {
      assert(this.#parts.has(entry.id) && !this.#busy.has(entry.id), `part ${entry.id} is not free to merge`);
      this.#busy.add(entry.id);
    }
    for (const { pinned } of parts) pinned.pin();
    return {
      [Symbol.dispose]: () => {
        for (const { entry, pinned } of parts) {
          this.#busy.delete(entry.id);
          pinned.unpin();
        }
      },
    };
  }

  /** Call after a catalog commit that changed `entries` of live parts. */
  update(entries: readonly PartEntry[]): void {
    for (const entry of entries) {
      const part = this.#parts.get(entry.id);
      assert(part !== undefined, `part ${entry.id} is not live`);
      this.#parts.set(entry.id, { ...part, entry });
    }
  }

  /** Takes out a part that cannot be read any more. It stays listed, and its files stay in place. */
  withdraw({ entry }: LivePart): void {
    assert(!this.#busy.has(entry.id) && this.#parts.delete(entry.id), `part ${entry.id} is not free to go`);
  }

  /** Call after a catalog commit that removed `removed` and added `added`. */
  replace(removed: readonly LivePart[], added: LivePart | undefined): void {
    if (added !== undefined) {
      assert(!this.#parts.has(added.entry.id), `part ${added.entry.id} was added twice`);
      this.#parts.set(added.entry.id, added);
    }
    for (const { entry } of removed) assert(this.#parts.delete(entry.id), `part ${entry.id} was replaced twice`);
    for (const part of removed) part.pinned.doom();
  }
}
