// Ingest and queries by tenant. Clients may invent tenants, so only the first TENANTS_MAX have series of their own; the others
// are summed as `other`.
import type { WriteResult } from '../../trace/store.ts';
import type { Tenant } from '../../trace/tenant.ts';
import type { MetricRegistry } from './metric-registry.ts';

/** Two numbers a tenant and scrape, and as many more as it has reasons of rejection. */
export const TENANTS_MAX = 100;
const OTHER = 'other';

export interface TenantCounters {
  countIngest(tenant: Tenant, result: WriteResult, bytes: number): void;
  countQuery(tenant: Tenant, seconds: number): void;
  /** A request that was refused because of a limit of its tenant. */
  countRefusal(tenant: Tenant, limit: string): void;
}

/** `readBytes`: what each tenant has stored; undefined: that is elsewhere. */
export function createTenantMetrics(
  registry: MetricRegistry,
  readBytes?: () => ReadonlyMap<Tenant, number> | Promise<ReadonlyMap<Tenant, number>>,
): TenantCounters {
  const counter = (name: string, unit: string, help: string, more: readonly string[] = []) =>
    registry.counter({ name: `tracelith_tenant_${name}_total`, unit, help, labels: ['tenant', ...more] });
  const first = `; \`other\`: beyond the first ${TENANTS_MAX} tenants since start`;
  const rows = counter('rows_ingested', 'spans', `Spans stored, by tenant${first}`);
  const bytes = counter('bytes_ingested', 'bytes', `OTLP bytes of the requests they came in, by tenant${first}`);
  const dropped = counter('rows_dropped', 'spans', `Spans rejected, by tenant and reason${first}`, ['reason']);
  const queries = counter('queries', 'queries', `Queries that ran on the store, by tenant${first}`);
  const seconds = counter('query_seconds', 'seconds', `Time of these queries, waiting included${first}`);
  const refused = counter('requests_refused', 'requests', `Requests refused for a limit of the tenant, by it${first}`, [
    'limit',
  ]);
  const labels = new Map<Tenant, string>();
  const labelOf = (tenant: Tenant): string => {
    const known = labels.get(tenant);
    if (known !== undefined) return known;
    if (labels.size >= TENANTS_MAX) return OTHER;
    labels.set(tenant, tenant);
    return tenant;
  };
  if (readBytes !== undefined) {
    const name = 'tracelith_tenant_stored_bytes';
    const help = `Bytes in logs and parts, by tenant: what storedBytes of -tenants.config limits${first}`;
    registry.source(readBytes).gauge({ name, unit: 'bytes', help, labels: ['tenant'] }, (stored) => {
      const sums = new Map<string, number>();
      const largestFirst = [...stored].toSorted(([, a], [, b]) => b - a);
      for (const [tenant, size] of largestFirst) sums.set(labelOf(tenant), (sums.get(labelOf(tenant)) ?? 0) + size);
      return [...sums].map(([tenant, value]) => ({ labels: { tenant }, value }));
    });
  }
  return {
    countIngest: (owner, { stored, rejected }, size) => {
      const tenant = labelOf(owner);
      rows.inc({ tenant }, stored);
      bytes.inc({ tenant }, size);
      for (const [reason, count] of rejected) dropped.inc({ tenant, reason }, count);
    },
    countQuery: (owner, took) => {
      const tenant = labelOf(owner);
      queries.inc({ tenant });
      seconds.inc({ tenant }, took);
    },
    countRefusal: (owner, limit) => refused.inc({ tenant: labelOf(owner), limit }),
  };
}
