// Snapshots that queries hold. Each pins its files until it is released; whoever takes one must release it, also when
// the query fails.
import type { Partition } from '../partition/partition.ts';
import type { Pinned } from '../partition/pinned.ts';
import type { PartitionView, ViewFilter } from '../partition/view.ts';
import type { Tenant } from '../trace/tenant.ts';

/** Plain data, so that it can be sent to other threads. */
export interface StoreView {
  readonly id: number;
  readonly tenant: Tenant;
  /** Newest day first. */
  readonly partitions: readonly PartitionView[];
}

export class Views {
  readonly #pins = new Map<number, readonly Pinned[]>();
  #nextId = 1;

  /** Snapshots held now. */
  get count(): number {
    return this.#pins.size;
  }

  take(partitions: readonly Partition[], tenant: Tenant, filter: ViewFilter): StoreView {
    const id = this.#nextId++;
    const pins: Pinned[] = [];
    const taken: PartitionView[] = [];
    for (const partition of [...partitions].sort((a, b) => b.day - a.day)) {
      const one = partition.takeView(tenant, filter);
      if (one === undefined) continue;
      pins.push(...one.pins);
      taken.push(one.view);
    }
    this.#pins.set(id, pins);
    return { id, tenant, partitions: taken };
  }

  /** Releasing twice is not an error: a query that is cancelled may race its own end. */
  release(id: number): void {
    const pins = this.#pins.get(id) ?? [];
    this.#pins.delete(id);
    for (const pin of pins) pin.unpin();
  }
}
