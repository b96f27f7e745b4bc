// Tenants for the operator: which have something stored and on which days, what they may, and how many spans each has.
import type { FastifyInstance } from 'fastify';
import { parseTenant, type Tenant } from '../../trace/tenant.ts';
import type { StoreInventory } from '../../trace/inventory.ts';
import type { StoreAdmin } from '../../trace/store.ts';
import type { Intake } from '../edge/intake.ts';
import type { Limits } from '../edge/tenant-limits.ts';

export interface TenantRoutesOptions {
  readonly admin: Pick<StoreAdmin, 'listPartitions' | 'listTenants' | 'tenantBytes'>;
  /** Counts spans; absent: they are stored elsewhere. */
  readonly inventory?: Pick<StoreInventory, 'countServices'> | undefined;
  readonly intake: Pick<Intake, 'limitsOf'>;
}

/** Tenants whose spans one request counts: each costs a pass over the roll-ups of its days. */
const COUNTED_MAX = 100;

interface ShownTenant {
  readonly tenant: string;
  /** YYYYMMDD */
  readonly days: string[];
  /** As StoreAdmin.tenantBytes: what `storedBytes` limits. */
  readonly bytes: number;
  readonly limits: Partial<Limits>;
  /** Of the newest ones asked for, with usage=1: spans by day. */
  readonly spans?: Readonly<Record<string, number>>;
  readonly warnings?: readonly string[];
}

export function registerTenantRoutes(app: FastifyInstance, options: TenantRoutesOptions): void {
  app.get('/internal/tenants', async (request, reply) => {
    const { usage } = request.query as Readonly<Record<string, unknown>>;
    const tenants = await listTenants(options);
    const shown = usage === '1' ? await withUsage(tenants, options) : tenants;
    return reply.type('application/json').send(JSON.stringify(shown));
  });
}

async function listTenants({ admin, intake }: TenantRoutesOptions): Promise<ShownTenant[]> {
  const daysOf = new Map<string, string[]>();
  for (const day of await admin.listPartitions()) {
    for (const tenant of await admin.listTenants(day)) daysOf.set(tenant, [...(daysOf.get(tenant) ?? []), day]);
  }
  const bytesOf: ReadonlyMap<string, number> = await admin.tenantBytes();
  return [...daysOf].map(([tenant, days]) => {
    const all = Object.entries(intake.limitsOf(asTenant(tenant))) as [keyof Limits, number][];
    const bytes = bytesOf.get(tenant) ?? 0;
    return { tenant, days, bytes, limits: Object.fromEntries(all.filter(([, limit]) => limit !== Infinity)) };
  });
}

/** Spans that were sent repeatedly count once. One tenant after the other: it must not take the turns of users. */
async function withUsage(tenants: ShownTenant[], { inventory }: TenantRoutesOptions): Promise<ShownTenant[]> {
  if (inventory === undefined) return tenants;
  const shown: ShownTenant[] = [];
  for (const one of tenants.slice(0, COUNTED_MAX)) {
    const { services, warnings } = await inventory.countServices({ tenant: asTenant(one.tenant) });
    const spans: Record<string, number> = {};
    for (const counted of services.flatMap(({ days }) => days)) {
      spans[counted.day] = (spans[counted.day] ?? 0) + counted.spans;
    }
    shown.push({ ...one, spans, ...(warnings.length === 0 ? {} : { warnings }) });
  }
  return [...shown, ...tenants.slice(COUNTED_MAX)];
}

function asTenant(text: string): Tenant {
  const [account, project] = text.split(':');
  return parseTenant(account, project);
}
