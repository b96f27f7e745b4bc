// Retention of tenants that keep their spans for a shorter time than the node: their part of a day goes when the whole day is
// older than that, by writing the day again without it. The clock is believed as for whole days (storage/age-gate.ts). What is archived
// stays. It works alone, day by day, every quarter of an hour, and what fails is tried again at the next look.
import { assert } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';
import { isStoreError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { AgeGate } from '../storage/age-gate.ts';
import type { SpanSelection, StoreAdmin } from '../trace/store.ts';
import type { Tenant } from '../trace/tenant.ts';
import { deleteFromDay, namedDays, type DayEraser, type NamedDay } from './delete-from-day.ts';

export interface TenantRetentionOptions extends DayEraser {
  readonly admin: Pick<StoreAdmin, 'forceFlush' | 'listPartitions' | 'listTenants' | 'deleteRows'>;
  /** How long the tenant's spans are kept, ms; Infinity: as long as the node keeps them. */
  readonly retentionMsOf: (tenant: Tenant) => number;
  readonly clock: Clock;
  readonly logger: Logger;
  /** -retention.clockJumpGracePeriod */
  readonly clockJumpGraceMs: number;
}

/** Late spans of a day that has gone before cost a rewrite of the day at each look. */
const LOOK_MS = 15 * 60_000;
/** Distinct retentions that have a gate; all begin anew above it. */
const GATES_MAX = 1_000;

const EVERYTHING: SpanSelection = {
  query: {
    service: undefined,
    operation: undefined,
    tags: [],
    startMinNs: -(2n ** 63n),
    startMaxNs: 2n ** 63n - 1n,
    durationMinNs: undefined,
    durationMaxNs: undefined,
    limit: 1,
  },
};

export class TenantRetention {
  readonly #options: TenantRetentionOptions;
  /** By retention in ms: each remembers when the clock was believed. */
  readonly #gates = new Map<number, AgeGate>();
  readonly #timer: NodeJS.Timeout;
  #isClosed = false;
  #work: Promise<void> | undefined;

  constructor(options: TenantRetentionOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.look(), LOOK_MS).unref();
  }

  /** Removes what is due, as it does by itself; resolves when that has ended. Failures are logged. */
  look(): Promise<void> {
    return (this.#work ??= this.#look()
      .catch((error: unknown) => this.#tell(error))
      .finally(() => (this.#work = undefined)));
  }

  /** Stops after the day under way. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#timer);
    await this.#work;
  }

  async #look(): Promise<void> {
    if (this.#isClosed) return;
    const { admin } = this.#options;
    const due = await this.#due();
    if (due.length > 0) await admin.forceFlush();
    for (const { day, tenants } of due) {
      if (this.#isClosed) return;
      await this.#drop(day, tenants).catch((error: unknown) => this.#tell(error, day.name));
    }
  }

  async #drop(day: NamedDay, tenants: readonly Tenant[]): Promise<void> {
    assert(tenants.length > 0, `day ${day.name} goes for no tenant`);
    const spans = await deleteFromDay(this.#options, day, { tenants, selection: EVERYTHING });
    this.#options.logger.info('a day has gone for tenants whose retention is over', {
      partition: day.name,
      spans,
      tenants: tenants.length,
      first: tenants.slice(0, 10).join(', '),
    });
  }

  /** A day that fails holds up no other; the next look tries it again. Throws what is not a StoreError. */
  #tell(error: unknown, partition?: string): void {
    if (!isStoreError(error)) throw error;
    const place = partition === undefined ? {} : { partition };
    this.#options.logger.error('spans beyond the retention of their tenants stay for now', { ...place, error });
  }

  /** Days with the tenants that keep them no longer. */
  async #due(): Promise<{ readonly day: NamedDay; readonly tenants: readonly Tenant[] }[]> {
    const { admin, retentionMsOf } = this.#options;
    const days = namedDays(await admin.listPartitions());
    const dueFor = this.#gateOf(days.map(({ day }) => day));
    const due = [];
    for (const day of days) {
      const tenants = ((await admin.listTenants(day.name)) as Tenant[]).filter((tenant) =>
        dueFor(retentionMsOf(tenant)).has(day.day),
      );
      if (tenants.length > 0) due.push({ day, tenants });
    }
    return due;
  }

  /** For a retention in ms, the days among `days` that are due now. */
  #gateOf(days: readonly number[]): (retentionMs: number) => ReadonlySet<number> {
    const due = new Map<number, ReadonlySet<number>>();
    if (this.#gates.size > GATES_MAX) this.#gates.clear();
    return (retentionMs) => {
      if (retentionMs === Infinity) return new Set();
      const known = due.get(retentionMs);
      if (known !== undefined) return known;
      const gate =
        this.#gates.get(retentionMs) ?? new AgeGate({ ...this.#options, retentionMs, futureRetentionMs: 0 }, days);
      this.#gates.set(retentionMs, gate);
      const found = new Set(gate.daysToDrop(days));
      due.set(retentionMs, found);
      return found;
    };
  }
}
