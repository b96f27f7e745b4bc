// Logs the spans that were rejected: a line for each tenant at once, then at most one an interval with what came together
// since, so that one tenant's flood hides no other tenant. The counters in /metrics are complete.
import type { Logger } from '../../base/logger.ts';
import type { WriteResult } from '../../trace/store.ts';
import type { Tenant } from '../../trace/tenant.ts';

const INTERVAL_MS = 60_000;
/** Clients may invent tenants; beyond these, one line is for all. */
const TENANTS_MAX = 1_000;
const OTHERS = 'others';

interface Told {
  readonly toldMs: number;
  /** Rejected since, by reason. */
  readonly since: Map<string, number>;
}

export class RejectionLog {
  readonly #logger: Logger;
  readonly #nowMs: () => number;
  readonly #told = new Map<string, Told>();

  constructor(logger: Logger, nowMs: () => number = () => performance.now()) {
    this.#logger = logger;
    this.#nowMs = nowMs;
  }

  add(tenant: Tenant, rejected: WriteResult['rejected']): void {
    if (rejected.size === 0) return;
    const owner = this.#told.has(tenant) || this.#told.size < TENANTS_MAX ? tenant : OTHERS;
    const { toldMs, since } = this.#told.get(owner) ?? { toldMs: -Infinity, since: new Map<string, number>() };
    for (const [reason, count] of rejected) since.set(reason, (since.get(reason) ?? 0) + count);
    const nowMs = this.#nowMs();
    const isDue = nowMs - toldMs >= INTERVAL_MS;
    if (isDue) this.#logger.warn('spans were rejected', { tenant: owner, ...Object.fromEntries(since) });
    this.#told.set(owner, isDue ? { toldMs: nowMs, since: new Map() } : { toldMs, since });
  }
}
