// The isolation key of all data and queries: VictoriaTraces' pair of 32-bit numbers in the headers AccountID and
// ProjectID (contract/victoriatraces.md §2), or Jaeger's x-tenant. Inside the store it is text, by default "0:0".
import { StoreError } from '../base/errors.ts';

/** `${accountId}:${projectId}`, both decimal uint32. */
export type Tenant = string & { readonly __tenant: unique symbol };

export const DEFAULT_TENANT = '0:0' as Tenant;

/** Headers of an HTTP request or a gRPC call by lower-case name. */
export type TenantHeaders = Readonly<Record<string, string | readonly string[] | undefined>>;

/**
 * The tenant of a request over HTTP or gRPC: AccountID and ProjectID (absent: 0), or Jaeger's x-tenant with ACCOUNT or
 * ACCOUNT:PROJECT. Throws INVALID_REQUEST for anything else, and when the two disagree: an unclear tenant must not
 * become the default one.
 */
export function tenantOfHeaders(headers: TenantHeaders): Tenant {
  const [account, project, combined] = ['accountid', 'projectid', 'x-tenant'].map((name) => textOf(headers[name]));
  if (combined === undefined) return parseTenant(account, project);
  const [, combinedAccount, combinedProject] = /^(\d+)(?::(\d+))?$/.exec(combined) ?? [];
  const found = JSON.stringify(combined.slice(0, 40));
  if (combinedAccount === undefined) {
    const expected = 'x-tenant: expected ACCOUNT or ACCOUNT:PROJECT in decimal';
    throw new StoreError('INVALID_REQUEST', `${expected}, got ${found}`);
  }
  const tenant = parseTenant(combinedAccount, combinedProject);
  if (account === undefined && project === undefined) return tenant;
  const other = parseTenant(account, project);
  if (other === tenant) return tenant;
  throw new StoreError(
    'INVALID_REQUEST',
    `x-tenant ${found} and AccountID:ProjectID ${other} differ: send one of them`,
  );
}

/** Joins the values of a repeated header, so that parsing fails: two tenants are refused, none is picked. */
function textOf(value: string | readonly string[] | undefined): string | undefined {
  return value === undefined || typeof value === 'string' ? value : value.join(',');
}

/** Reads the two header values; absent means 0. Throws INVALID_REQUEST for anything but a decimal uint32. */
export function parseTenant(accountId: string | undefined, projectId: string | undefined): Tenant {
  return `${parseUint32('AccountID', accountId)}:${parseUint32('ProjectID', projectId)}` as Tenant;
}

function parseUint32(header: string, text: string | undefined): number {
  if (text === undefined || text === '') return 0;
  const value = /^\d{1,10}$/.test(text) ? Number(text) : NaN;
  if (!(value <= 0xffffffff)) {
    throw new StoreError(
      'INVALID_REQUEST',
      `header ${header}: expected a decimal number from 0 to 4294967295, got ${JSON.stringify(text.slice(0, 40))}`,
    );
  }
  return value;
}
