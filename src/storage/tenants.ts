// The tenants that have something stored. Each costs blocks, names and lines in catalogs of its own, and over most networks
// anyone may invent one: their number is bounded. A tenant of which nothing is stored, or nothing any more, is none.
import type { Clock } from '../base/clock.ts';
import { StoreError } from '../base/errors.ts';
import type { Tenant } from '../trace/tenant.ts';

/** How often it is looked which tenants are gone, while one too many asks. */
const COUNT_MS = 60_000;

export interface TenantsOptions {
  readonly clock: Clock;
  /** -maxTenants */
  readonly tenantsMax: number;
  /** Those that have something stored, in no order, with repeats. */
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

  /** Throws OVERLOADED when `tenant` would be one too many; those that are there already are never refused. */
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

  /** Something of `tenant` was stored. */
  add(tenant: Tenant): void {
    this.#known.add(tenant);
  }
}
