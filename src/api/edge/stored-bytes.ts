// Counts what each tenant has stored, while some tenant may store only so much, and tells TenantLimits, which refuses spans by it.
// What arrives between two counts may go above the limit.
import { isStoreError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { StoreAdmin } from '../../trace/store.ts';
import type { Tenant } from '../../trace/tenant.ts';
import type { TenantLimits } from './tenant-limits.ts';

/** A count goes through the tables of all parts' blocks: a few milliseconds of the engine thread for millions of spans. */
const COUNT_MS = 5_000;

export interface StoredBytesOptions {
  readonly admin: Pick<StoreAdmin, 'tenantBytes'>;
  readonly limits: TenantLimits;
  readonly logger: Logger;
}

/** Counts at once, then every few seconds and when the limits change, until the result is disposed of. */
export function watchStoredBytes({ admin, limits, logger }: StoredBytesOptions): Disposable {
  let full: ReadonlySet<Tenant> = new Set();
  let isCounting = false;
  const count = async (): Promise<void> => {
    const stored = limits.hasStoredLimits ? await admin.tenantBytes() : new Map<Tenant, number>();
    const now = new Set(limits.countStored(stored));
    for (const tenant of now) {
      if (full.has(tenant)) continue;
      const { storedBytes } = limits.of(tenant);
      logger.warn('a tenant stores as much as it may, its spans are refused', {
        tenant,
        bytes: stored.get(tenant),
        storedBytes,
      });
    }
    for (const tenant of full) if (!now.has(tenant)) logger.info('a tenant may store spans again', { tenant });
    full = now;
  };
  const look = (): void => {
    if (isCounting) return;
    isCounting = true;
    count()
      // The store is closing, or has ended; whoever watches it ends the process.
      .catch((error: unknown) => isStoreError(error, 'UNAVAILABLE') || Promise.reject(error))
      .finally(() => (isCounting = false));
  };
  limits.onChange(look);
  look();
  const timer = setInterval(look, COUNT_MS).unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
