// The tenants with stored data. Each costs blocks, names and catalog entries of its own, and in most networks any client may
// invent tenants, so their number is bounded. A tenant without stored data, or whose data is gone, does not count.
import type { Clock } from '../base/clock.ts';
import { StoreError } from '../base/errors.ts';
import type { Tenant } from '../trace/tenant.ts';

/** At the limit, how often the tenants with stored data are counted anew. */
const COUNT_MS = 60_000;

export interface TenantsOptions {
  readonly clock: Clock;
  /** -maxTenants */
  readonly tenantsMax: number;
  /** Tenants with stored data, unordered, with duplicates. */
  readonly listStored: () => Iterable<Tenant>;
}

export class Tenants {
  readonly #options: TenantsOptions;
  #known: Set<Tenant>;
  #countedMs: number;

  constructor(options: TenantsOptions) {
    this.#options = options;
    this.#known = new Set(options.listStored());
    this.#countedMs = options.clock.nowMs();
  }

  get count(): number {
    return this.#known.size;
  }

  /** Throws OVERLOADED if `tenant` would be one too many; never for a tenant that has data already. */
  assertWelcome(tenant: Tenant): void {
    const { clock, tenantsMax, listStored } = this.#options;
    if (this.#known.has(tenant) || this.#known.size < tenantsMax) return;
    const nowMs = clock.nowMs();
    if (nowMs < this.#countedMs || nowMs - this.#countedMs >= COUNT_MS) {
      this.#known = new Set(listStored());
      this.#countedMs = nowMs;
      if (this.#known.size < tenantsMax) return;
    }
    throw new StoreError(
      'OVERLOADED',
      `tenant ${tenant} has nothing stored yet, and ${this.#known.size} have (-maxTenants=${tenantsMax}): ` +
        'look at who invents tenants, or raise the flag; what is sent again then is stored',
    );
  }

  /** Call when spans of `tenant` were stored. */
  add(tenant: Tenant): void {
    this.#known.add(tenant);
  }
}
