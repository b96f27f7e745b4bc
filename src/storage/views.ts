// Snapshots that queries hold. Each pins its files until it is released; its taker must release it, also if the query fails.
import type { Pinned } from '../partition/pinned.ts';
import { dayFilter, type PartitionView, type ViewFilter } from '../partition/view.ts';
import type { Tenant } from '../trace/tenant.ts';
import type { PartitionSet } from './partition-set.ts';

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

  get count(): number {
    return this.#pins.size;
  }

  /** A day that cannot be read gets a view that says so. */
  take({ all, outages }: Pick<PartitionSet, 'all' | 'outages'>, tenant: Tenant, filter: ViewFilter): StoreView {
    const id = this.#nextId++;
    const pins: Pinned[] = [];
    const taken: PartitionView[] = [];
    for (const { day, path, message } of outages) {
      if (dayFilter(tenant, day, filter) === undefined) continue;
      taken.push({ day, path, parts: [], logBlocks: [], losses: [message] });
    }
    for (const partition of [...all].sort((a, b) => b.day - a.day)) {
      const one = partition.takeView(tenant, filter);
      if (one === undefined) continue;
      pins.push(...one.pins);
      taken.push(one.view);
    }
    this.#pins.set(id, pins);
    return { id, tenant, partitions: taken.sort((a, b) => b.day - a.day) };
  }

  /** Releasing twice is no error: a query's cancellation may race its own end. */
  release(id: number): void {
    const pins = this.#pins.get(id) ?? [];
    this.#pins.delete(id);
    for (const pin of pins) pin.unpin();
  }
}
