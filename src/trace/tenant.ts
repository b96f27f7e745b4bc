// The isolation key of all data and queries: VictoriaTraces' pair of 32-bit numbers in the headers AccountID and
// ProjectID (contract/victoriatraces.md §2), or Jaeger's x-tenant. Inside the store it is text, by default "0:0".
import { StoreError } from '../base/errors.ts';
import { limits } from '../base/limits.ts';

/** `${accountId}:${projectId}`, both decimal uint32. */
export type Tenant = string & { readonly __tenant: unique symbol };

export const DEFAULT_TENANT = '0:0' as Tenant;

/** Headers of an HTTP request or a gRPC call by lower-case name. */
export type TenantHeaders = Readonly<Record<string, string | readonly string[] | undefined>>;

/**
 * The tenants that a request over HTTP or gRPC names, each once: AccountID and ProjectID (absent: 0), or Jaeger's x-tenant with
 * ACCOUNT or ACCOUNT:PROJECT. Several stand in AccountID or x-tenant with | between, as in Tempo. Throws INVALID_REQUEST for
 * anything else, and when the two disagree: an unclear tenant must not become the default one.
 */
export function tenantsOfHeaders(headers: TenantHeaders): Tenant[] {
  const [account, project, combined] = ['accountid', 'projectid', 'x-tenant'].map((name) => textOf(headers[name]));
  const others = [...new Set(splitTenants('AccountID', account).map((one) => parseTenant(one, project)))];
  if (combined === undefined) return others;
  const found = JSON.stringify(combined.slice(0, 40));
  const tenants = splitTenants('x-tenant', combined).map((one = '') => {
    const [, oneAccount, oneProject] = /^(\d+)(?::(\d+))?$/.exec(one) ?? [];
    if (oneAccount !== undefined) return parseTenant(oneAccount, oneProject);
    const expected = 'x-tenant: expected ACCOUNT or ACCOUNT:PROJECT in decimal';
    throw new StoreError('INVALID_REQUEST', `${expected}, got ${found}`);
  });
  const named = [...new Set(tenants)];
  if ((account === undefined && project === undefined) || named.join('|') === others.join('|')) return named;
  throw new StoreError(
    'INVALID_REQUEST',
    `x-tenant ${found} and AccountID:ProjectID ${others.join('|')} differ: send one of them`,
  );
}

function splitTenants(header: string, text: string | undefined): (string | undefined)[] {
  if (text === undefined || !text.includes('|')) return [text];
  const texts = text.split('|');
  if (texts.includes('')) throw new StoreError('INVALID_REQUEST', `header ${header}: a tenant is missing beside a |`);
  if (texts.length <= limits.tenantsAskedMax) return texts;
  const most = `${limits.tenantsAskedMax} tenants can be asked at once`;
  throw new StoreError('INVALID_REQUEST', `header ${header}: ${texts.length} tenants; ${most}`);
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
