// Who asks, and what they may: the same for HTTP and gRPC, whatever credential they showed. The tenant of a request is one of the
// principal's; headers only choose among these.
import { StoreError } from '../base/errors.ts';
import { DEFAULT_TENANT, tenantsOfHeaders, type Tenant, type TenantHeaders } from './tenant.ts';

/** ingest: send spans. query: read them, archive and unarchive. admin: the operator's paths. None contains another. */
export const SCOPES = ['ingest', 'query', 'admin'] as const;
export type Scope = (typeof SCOPES)[number];

export interface Principal {
  /** Kind and name, for logs: `token collector-eu`. Never a secret. */
  readonly name: string;
  readonly scopes: ReadonlySet<Scope>;
  /** undefined: every tenant. */
  readonly tenants: ReadonlySet<Tenant> | undefined;
  /** From this time on it is nobody; milliseconds since the epoch. */
  readonly expiresMs: number;
}

/** A principal that may everything, under `name`. */
export function almighty(name: string): Principal {
  return { name, scopes: new Set(SCOPES), tenants: undefined, expiresMs: Infinity };
}

/** Everybody, where no way of logging in is configured. */
export const ANYONE: Principal = almighty('anyone');

/** Throws FORBIDDEN unless the principal has the scope. */
export function requireScope({ name, scopes }: Principal, scope: Scope): void {
  if (scopes.has(scope)) return;
  const has = scopes.size === 0 ? 'no scope' : [...scopes].join(', ');
  throw new StoreError('FORBIDDEN', `this needs the scope ${scope}; ${name} has ${has}`);
}

/**
 * The tenants that a request of `principal` is about, one or more: those in the headers, if all are the principal's. Without such
 * headers the only one of the principal's, or the default one. Throws FORBIDDEN, and INVALID_REQUEST for headers that name no tenant.
 */
export function tenantsFor({ name, tenants }: Principal, headers: TenantHeaders): readonly Tenant[] {
  const asked = tenantsOfHeaders(headers);
  const refused = asked.find((tenant) => tenants !== undefined && !tenants.has(tenant));
  if (tenants === undefined || refused === undefined) return asked;
  const [only] = tenants;
  const isChosen = ['accountid', 'projectid', 'x-tenant'].some((header) => headers[header] !== undefined);
  if (!isChosen && only !== undefined && tenants.size === 1) return [only];
  const its = only === undefined ? 'none' : [...tenants].slice(0, 10).join(', ');
  const wanted = isChosen ? refused : `${DEFAULT_TENANT}, which is meant without a header`;
  throw new StoreError('FORBIDDEN', `${name} has no access to tenant ${wanted}; it may name ${its}`);
}

/** The tenant of a request that can be about one only. Throws as tenantsFor, and INVALID_REQUEST for several. */
export function tenantFor(principal: Principal, headers: TenantHeaders): Tenant {
  return onlyTenant(tenantsFor(principal, headers));
}

/** The one tenant of the list. Throws INVALID_REQUEST for several. */
export function onlyTenant(tenants: readonly Tenant[]): Tenant {
  if (tenants.length === 1) return tenants[0]!;
  const named = tenants.join('|');
  throw new StoreError('INVALID_REQUEST', `${named}: several tenants can be asked, but this is about one; name one`);
}
