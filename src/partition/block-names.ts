// Lists a block's names for the index. The block's dictionaries hold them, so no row is decoded.
import { readBlockNames } from '../block/read-names.ts';
import type { NameSet } from '../index/names.ts';
import type { Tenant } from '../trace/tenant.ts';

/** Adds the services, operations and tags of the block `bytes`. Throws CORRUPTION. */
export function addBlockNames(names: NameSet, tenant: Tenant, bytes: Uint8Array): void {
  const { operations, tags } = readBlockNames(bytes);
  for (const { service, name, kind } of operations) names.addOperation(tenant, service, name, kind);
  for (const { key, level, type } of tags) names.addTag(tenant, key, level, type);
}
