// Takes names out of a partition's index that no span of its parts has any more, after spans were deleted: a name may be what
// had to go. Names of the log are not in the index.
import type { Disk } from '../disk/disk.ts';
import type { Environment } from '../index/environment.ts';
import { eraseNames, NameSet, type NameBounds } from '../index/names.ts';
import { ANY_NAME, isUnknown, type PartOutlines } from '../part/outlines.ts';
import { openPart, type PartReader } from '../part/part-reader.ts';
import type { Tenant } from '../trace/tenant.ts';
import type { LivePart } from './part-set.ts';

/** A name left out of the set would be erased although spans have it. */
const UNBOUNDED: NameBounds = {
  servicesPerTenantMax: Infinity,
  operationsPerServiceMax: Infinity,
  tagsPerTenantMax: Infinity,
  nameLengthMax: Infinity,
};

/**
 * Removes the unused services and operations of `tenants`, and all names of those without a span here, and writes the index
 * anew, so that no byte of them is left in it.
 * Leaves those of a tenant for which the outlines of `parts`, all of the partition's, do not tell every name. Throws DISK.
 */
export function eraseUnusedNames(
  disk: Disk,
  env: Environment,
  { tenants, parts }: { readonly tenants: readonly Tenant[]; readonly parts: readonly LivePart[] },
): void {
  const used = new Map(tenants.map((tenant) => [tenant, new NameSet(UNBOUNDED)]));
  for (const { path } of parts) {
    const part = openPart(disk, path);
    try {
      const unknown = [...used].filter(([tenant, names]) => !addNames(names, tenant, part));
      for (const [tenant] of unknown) used.delete(tenant);
    } finally {
      part.close();
    }
  }
  let erased = 0;
  for (const [tenant, names] of used) {
    if (names.foldedCount === 0) erased += env.transaction('erase names', (txn) => eraseNames(txn, tenant, names));
  }
  if (erased > 0) env.rewrite();
}

/** False if the part's outlines do not tell every name of the tenant. */
function addNames(names: NameSet, tenant: Tenant, part: PartReader): boolean {
  const own = part.metadata.blocks.flatMap((block, number) => (block.tenant === tenant ? [number] : []));
  if (own.length === 0) return true;
  const outlines = part.outlines();
  return (
    outlines !== undefined &&
    own.every((block) => !isUnknown(outlines, block) && addOfBlock(names, tenant, { outlines, block }))
  );
}

function addOfBlock(
  names: NameSet,
  tenant: Tenant,
  { outlines, block }: { readonly outlines: PartOutlines; readonly block: number },
): boolean {
  const { starts, ids } = outlines.operationIds;
  for (const id of ids.subarray(starts[block], starts[block + 1])) {
    const { service, name, kind } = outlines.operations[id]!;
    if (name === ANY_NAME) return false;
    names.addOperation(tenant, service, name, kind);
  }
  return true;
}
