// The isolation key of all data and queries: VictoriaTraces' pair of 32-bit numbers, sent in the headers AccountID and
// ProjectID (contract/victoriatraces.md §2). Inside the store it is its text form, "0:0" when no header was sent.
import { StoreError } from '../base/errors.ts';

/** `${accountId}:${projectId}`, both decimal uint32. */
export type Tenant = string & { readonly __tenant: unique symbol };

export const DEFAULT_TENANT = '0:0' as Tenant;

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
