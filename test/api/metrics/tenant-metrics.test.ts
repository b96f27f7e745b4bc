// Series by tenant, and their bound.
import { expect, test } from 'vitest';
import { writePrometheus } from '../../../src/api/metrics/exposition.ts';
import { MetricRegistry } from '../../../src/api/metrics/metric-registry.ts';
import { createTenantMetrics, TENANTS_MAX } from '../../../src/api/metrics/tenant-metrics.ts';
import { parseTenant } from '../../../src/trace/tenant.ts';

test('each tenant has its own series, and those beyond the bound one together', async () => {
  const registry = new MetricRegistry();
  const stored = Array.from({ length: TENANTS_MAX + 50 }, (_, i) => [parseTenant(String(i), '7'), 10] as const);
  const { countIngest, countQuery, countRefusal } = createTenantMetrics(registry, () => new Map(stored));
  for (let i = 0; i < TENANTS_MAX + 50; i++) {
    const tenant = parseTenant(String(i), '7');
    countIngest(tenant, { stored: 2, rejected: new Map([['too_large', 1]]) }, 300);
    countQuery(tenant, 0.5);
    countRefusal(tenant, 'storedBytes');
  }
  const lines = writePrometheus(await registry.collect()).split('\n');
  for (const line of [
    'tracelith_tenant_rows_ingested_total{tenant="0:7"} 2',
    'tracelith_tenant_rows_ingested_total{tenant="99:7"} 2',
    'tracelith_tenant_rows_ingested_total{tenant="other"} 100',
    'tracelith_tenant_bytes_ingested_total{tenant="other"} 15000',
    'tracelith_tenant_rows_dropped_total{tenant="other",reason="too_large"} 50',
    'tracelith_tenant_queries_total{tenant="3:7"} 1',
    'tracelith_tenant_query_seconds_total{tenant="other"} 25',
    'tracelith_tenant_requests_refused_total{tenant="99:7",limit="storedBytes"} 1',
    'tracelith_tenant_requests_refused_total{tenant="other",limit="storedBytes"} 50',
    'tracelith_tenant_stored_bytes{tenant="99:7"} 10',
    'tracelith_tenant_stored_bytes{tenant="other"} 500',
  ]) {
    expect(lines).toContain(line);
  }
  expect(lines.filter((line) => line.startsWith('tracelith_tenant_rows_ingested_total'))).toHaveLength(TENANTS_MAX + 1);
});

test('of what is stored, the largest tenants have series of their own', async () => {
  const registry = new MetricRegistry();
  const stored = Array.from({ length: TENANTS_MAX + 2 }, (_, i) => [parseTenant(String(i), '7'), i + 1] as const);
  createTenantMetrics(registry, () => new Map(stored));
  const lines = writePrometheus(await registry.collect()).split('\n');
  expect(lines).toContain('tracelith_tenant_stored_bytes{tenant="101:7"} 102');
  expect(lines).toContain('tracelith_tenant_stored_bytes{tenant="other"} 3');
});
