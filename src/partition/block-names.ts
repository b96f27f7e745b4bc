// Lists a block's names for the index. The block's dictionaries hold them, so no row is decoded.
import { readBlockNames, type TagName, type TemplateNames } from '../block/read-names.ts';
import type { NameSet } from '../index/names.ts';
import type { Tenant } from '../trace/tenant.ts';

/** Adds the services, operations and tags of the block `bytes`. Throws CORRUPTION. */
export function addBlockNames(names: NameSet, tenant: Tenant, bytes: Uint8Array): void {
  const { operations, tags } = readBlockNames(bytes);
  for (const { service, name, kind } of operations) names.addOperation(tenant, service, name, kind);
  for (const { key, level, type } of tags) names.addTag(tenant, key, level, type);
}

/** Adds names of templates that are not in `listed`, and puts them there. */
export function addTemplateNames(
  names: NameSet,
  tenant: Tenant,
  { templates, listed }: { templates: readonly TemplateNames[]; listed: WeakSet<object> },
): void {
  const addTags = (tags: readonly TagName[]): void => {
    if (listed.has(tags)) return;
    listed.add(tags);
    for (const { key, level, type } of tags) names.addTag(tenant, key, level, type);
  };
  for (const template of templates) {
    if (listed.has(template)) continue;
    listed.add(template);
    const { operation, tags, shared } = template;
    if (operation !== undefined) names.addOperation(tenant, operation.service, operation.name, operation.kind);
    addTags(tags);
    shared.forEach(addTags);
  }
}
