// Services, operations and tag keys of one partition, by tenant: for the unflushed log in memory as a NameSet, on disk
// as entries of the environment, merged in when a part is committed. Names only grow within a day and go with the
// partition. Lists are sorted by UTF-8 bytes, so equal names give equal lists. Their length is bounded (decision 0025):
// further services and operations are listed as OTHER_NAMES, further tags not at all; both are counted.
import { StoreError } from '../base/errors.ts';
import { compareUtf8 } from '../trace/attributes.ts';
import { OTHER_NAMES } from '../trace/service-name.ts';
import type { Operation } from '../trace/store.ts';
import type { Tenant } from '../trace/tenant.ts';
import type { IndexReader, IndexTransaction } from './environment.ts';
import {
  operationKey,
  operationPrefix,
  operationRange,
  serviceKey,
  serviceRange,
  tagKey,
  tagRange,
  type KeyRange,
} from './keys.ts';
import { ATTRIBUTE_LEVELS, type AttributeLevel } from '../trace/attribute-levels.ts';
import { KIND_MAX } from '../trace/span-kinds.ts';

/** One attribute key with the level and value type it was found with. */
export interface Tag {
  readonly key: string;
  readonly level: AttributeLevel;
  /** Field number in OTLP's AnyValue (trace/any-value.ts). */
  readonly type: number;
}

/** Memory limit of one set. A thousand services with 250 operations each take 40 MB. */
const NAMES_BYTES_MAX: number = 64 << 20;

/** How many names one day lists. */
export interface NameBounds {
  readonly servicesPerTenantMax: number;
  /** Counts each pair of name and kind. */
  readonly operationsPerServiceMax: number;
  /** Counts each triple of key, level and type. */
  readonly tagsPerTenantMax: number;
  /** In UTF-16 units. A longer name counts as beyond the bounds: nobody reads a list of such names. */
  readonly nameLengthMax: number;
}

/** Ten times what is useful in a list. A service with so many takes some 2 MB of the day's index. */
export const NAME_BOUNDS: NameBounds = {
  servicesPerTenantMax: 10_000,
  operationsPerServiceMax: 10_000,
  tagsPerTenantMax: 10_000,
  nameLengthMax: 4_096,
};

interface ServiceNames {
  /** Kinds by operation name. */
  readonly kinds: Map<string, number[]>;
  /** Number of pairs of name and kind. */
  count: number;
}

interface TenantNames {
  readonly services: Map<string, ServiceNames>;
  /** Keyed by level, type and key in one string. */
  readonly tags: Map<string, Tag>;
}

/** Cost of an entry besides its text: map slot, string header, array or object. Node 24, 270,000 entries: 105. */
const ENTRY_OVERHEAD_BYTES = 112;

/** A NameSet as plain data that can cross threads. */
export interface ListedNames {
  readonly operations: readonly { readonly tenant: Tenant; readonly service: string; readonly operation: Operation }[];
  readonly tags: readonly { readonly tenant: Tenant; readonly tag: Tag }[];
  readonly foldedCount: number;
}

/** Names in memory, within bounds. */
export class NameSet {
  readonly bounds: NameBounds;
  readonly #tenants = new Map<Tenant, TenantNames>();
  #sizeBytes = 0;
  /** Number of names found beyond the bounds. */
  foldedCount = 0;

  constructor(bounds: NameBounds = NAME_BOUNDS) {
    this.bounds = bounds;
  }

  /** Estimate of the heap that the set retains, in bytes. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  get isEmpty(): boolean {
    return this.#tenants.size === 0;
  }

  /** True when it is new. `kind` as in OTLP, any int32. */
  addOperation(tenant: Tenant, service: string, name: string, kind: number): boolean {
    const names = this.#serviceOf(this.#namesOf(tenant).services, service);
    if (names.kinds.get(name)?.includes(kind) === true) return false;
    // A client may use this name itself, with any number of kinds.
    if (name === OTHER_NAMES) return this.#addKind(names, OTHER_NAMES, kindOfOther(kind));
    if (this.#fits(name, names.count, this.bounds.operationsPerServiceMax)) return this.#addKind(names, name, kind);
    this.foldedCount++;
    return this.#addKind(names, OTHER_NAMES, kindOfOther(kind));
  }

  #fits(name: string, count: number, max: number): boolean {
    return count < max && name.length <= this.bounds.nameLengthMax && this.#sizeBytes < NAMES_BYTES_MAX;
  }

  #serviceOf(services: TenantNames['services'], service: string): ServiceNames {
    const known = services.get(service);
    if (known !== undefined) return known;
    if (service !== OTHER_NAMES && !this.#fits(service, services.size, this.bounds.servicesPerTenantMax)) {
      this.foldedCount++;
      return this.#serviceOf(services, OTHER_NAMES);
    }
    const added = { kinds: new Map<string, number[]>(), count: 0 };
    services.set(service, added);
    this.#sizeBytes += ENTRY_OVERHEAD_BYTES + 2 * service.length;
    return added;
  }

  #addKind(names: ServiceNames, name: string, kind: number): boolean {
    const kinds = names.kinds.get(name);
    if (kinds?.includes(kind) === true) return false;
    names.count++;
    if (kinds === undefined) {
      names.kinds.set(name, [kind]);
      this.#sizeBytes += ENTRY_OVERHEAD_BYTES + 2 * name.length;
    } else {
      kinds.push(kind);
      this.#sizeBytes += 8;
    }
    return true;
  }

  /** True when it is new. */
  addTag(tenant: Tenant, key: string, level: AttributeLevel, type: number): boolean {
    const { tags } = this.#namesOf(tenant);
    const id = `${level} ${type} ${key}`;
    if (tags.has(id)) return false;
    if (!this.#fits(key, tags.size, this.bounds.tagsPerTenantMax)) {
      this.foldedCount++;
      return false;
    }
    tags.set(id, { key, level, type });
    this.#sizeBytes += ENTRY_OVERHEAD_BYTES + 4 * key.length;
    return true;
  }

  tenants(): Tenant[] {
    return [...this.#tenants.keys()];
  }

  /** Sorted by UTF-8 bytes. */
  services(tenant: Tenant): string[] {
    return [...(this.#tenants.get(tenant)?.services.keys() ?? [])].sort(compareUtf8);
  }

  /** Sorted by name, then kind; [] for an unknown service. */
  operations(tenant: Tenant, service: string): Operation[] {
    const found: Operation[] = [];
    for (const [name, kinds] of this.#tenants.get(tenant)?.services.get(service)?.kinds ?? []) {
      for (const kind of kinds) found.push({ name, kind });
    }
    return found.sort(compareOperations);
  }

  /** Sorted by key, then level, then type. */
  tags(tenant: Tenant): Tag[] {
    return [...(this.#tenants.get(tenant)?.tags.values() ?? [])].sort(compareTags);
  }

  merge(other: NameSet): void {
    this.addListed(other.list());
  }

  /** All names, by tenant, service, name. */
  list(): ListedNames {
    const tenants = this.tenants();
    const operations = tenants.flatMap((tenant) =>
      this.services(tenant).flatMap((service) =>
        this.operations(tenant, service).map((operation) => ({ tenant, service, operation })),
      ),
    );
    const tags = tenants.flatMap((tenant) => this.tags(tenant).map((tag) => ({ tenant, tag })));
    return { operations, tags, foldedCount: this.foldedCount };
  }

  addListed({ operations, tags, foldedCount }: ListedNames): void {
    this.foldedCount += foldedCount;
    for (const { tenant, service, operation } of operations)
      this.addOperation(tenant, service, operation.name, operation.kind);
    for (const { tenant, tag } of tags) this.addTag(tenant, tag.key, tag.level, tag.type);
  }

  clear(): void {
    this.#tenants.clear();
    this.#sizeBytes = 0;
  }

  #namesOf(tenant: Tenant): TenantNames {
    let names = this.#tenants.get(tenant);
    if (names === undefined) {
      this.#tenants.set(tenant, (names = { services: new Map(), tags: new Map() }));
      this.#sizeBytes += ENTRY_OVERHEAD_BYTES;
    }
    return names;
  }
}

interface Entry {
  readonly key: Uint8Array;
  readonly payload: Uint8Array;
}

/**
 * Puts the new ones of `entries` into `range` until it holds `max`; returns those that do not fit. Sorts by key, which
 * LMDB writes three times faster and packs denser. Counts the range only for a new entry: usually there is none.
 */
function putWithin<T extends Entry>(txn: IndexTransaction, range: KeyRange, max: number, entries: T[]): T[] {
  const left: T[] = [];
  let room: number | undefined;
  for (const entry of entries.sort((a, b) => Buffer.compare(a.key, b.key))) {
    if (txn.has(entry.key)) continue;
    room ??= max - txn.count(range, max);
    if (room <= 0) left.push(entry);
    else txn.put(entry.key, entry.payload);
    room--;
  }
  return left;
}

/** Merges `names` into the environment, within bounds; counts those beyond the bounds on `names`. */
export function writeNames(txn: IndexTransaction, names: NameSet): void {
  const { servicesPerTenantMax, tagsPerTenantMax } = names.bounds;
  for (const tenant of names.tenants()) {
    const all = names.services(tenant);
    const services = all.filter(isListed).map((service) => ({ ...serviceEntry(tenant, service), service }));
    const left = putWithin(txn, serviceRange(tenant), servicesPerTenantMax, services);
    const unlisted = new Set(left.map(({ service }) => service));
    if (left.length > 0 || services.length < all.length) putOther(txn, serviceEntry(tenant, OTHER_NAMES));
    // In key order; OTHER_NAMES comes last.
    for (const service of new Set([...services.map((one) => one.service), ...all])) {
      const listed = unlisted.has(service) ? OTHER_NAMES : service;
      writeOperations(txn, names, { tenant, service, listed });
    }
    const tags = names.tags(tenant).map((tag) => tagEntry(tenant, tag));
    names.foldedCount += left.length + putWithin(txn, tagRange(tenant), tagsPerTenantMax, tags).length;
  }
}

/** Writes the operations of `service` under the service that it is listed as. */
function writeOperations(
  txn: IndexTransaction,
  names: NameSet,
  { tenant, service, listed }: { tenant: Tenant; service: string; listed: string },
): void {
  const prefix = operationPrefix(tenant, listed);
  const all = names.operations(tenant, service);
  const own = all.filter(({ name }) => isListed(name));
  const entries = own.map((one) => ({ ...operationEntry(prefix, one), kind: one.kind }));
  const left = putWithin(txn, operationRange(tenant, listed), names.bounds.operationsPerServiceMax, entries);
  names.foldedCount += left.length;
  const others = [...left, ...all.filter(({ name }) => !isListed(name))];
  for (const kind of new Set(others.map((one) => kindOfOther(one.kind)))) {
    putOther(txn, operationEntry(prefix, { name: OTHER_NAMES, kind }));
  }
}

/** False for OTHER_NAMES, which does not count as a name. */
function isListed(name: string): boolean {
  return name !== OTHER_NAMES;
}

/** Puts an OTHER_NAMES entry, regardless of the bounds. */
function putOther(txn: IndexTransaction, { key, payload }: Entry): void {
  if (!txn.has(key)) txn.put(key, payload);
}

function kindOfOther(kind: number): number {
  return kind >= 0 && kind <= KIND_MAX ? kind : 0;
}

/**
 * Removes the services and operations of `tenant` that `kept` does not have. OTHER_NAMES and the tags stay while `kept` has
 * any: without a service the tenant has no span, and all of its names go. Returns how many went. Throws CORRUPTION.
 */
export function eraseNames(txn: IndexTransaction, tenant: Tenant, kept: NameSet): number {
  const services = new Set(kept.services(tenant));
  const hasSpans = services.size > 0;
  const gone: Uint8Array[] = [];
  for (const { key, payload } of txn.scan(serviceRange(tenant))) {
    const service = textOf(payload, 0);
    const isGone = !hasSpans || (isListed(service) && !services.has(service));
    if (isGone) gone.push(key);
    const operations = new Set(
      isGone ? [] : kept.operations(tenant, service).map(({ name, kind }) => `${kind} ${name}`),
    );
    for (const one of txn.scan(operationRange(tenant, service))) {
      const { name, kind } = decodeOperation(one.payload);
      if (isGone || (isListed(name) && isListed(service) && !operations.has(`${kind} ${name}`))) gone.push(one.key);
    }
  }
  if (!hasSpans) for (const { key } of txn.scan(tagRange(tenant))) gone.push(key);
  for (const key of gone) txn.remove(key);
  return gone.length;
}

/** Sorted by UTF-8 bytes. Throws CORRUPTION. */
export function listServices(index: IndexReader, tenant: Tenant): string[] {
  const names: string[] = [];
  for (const { payload } of index.scan(serviceRange(tenant))) names.push(textOf(payload, 0));
  return names.sort(compareUtf8);
}

/** Sorted by name, then kind; [] for an unknown service. Throws CORRUPTION. */
export function listOperations(index: IndexReader, tenant: Tenant, service: string): Operation[] {
  const found: Operation[] = [];
  for (const { payload } of index.scan(operationRange(tenant, service))) found.push(decodeOperation(payload));
  return found.sort(compareOperations);
}

/** Sorted by key, then level, then type. Throws CORRUPTION. */
export function listTags(index: IndexReader, tenant: Tenant): Tag[] {
  const found: Tag[] = [];
  for (const { payload } of index.scan(tagRange(tenant))) found.push(decodeTag(payload));
  return found.sort(compareTags);
}

/** By name, then kind. */
export function compareOperations(a: Operation, b: Operation): number {
  return compareUtf8(a.name, b.name) || a.kind - b.kind;
}

/** By key, then level as in ATTRIBUTE_LEVELS, then type. */
export function compareTags(a: Tag, b: Tag): number {
  return (
    compareUtf8(a.key, b.key) ||
    ATTRIBUTE_LEVELS.indexOf(a.level) - ATTRIBUTE_LEVELS.indexOf(b.level) ||
    a.type - b.type
  );
}

const KIND_BYTES = 4;

function serviceEntry(tenant: Tenant, service: string): Entry {
  return { key: serviceKey(tenant, service), payload: Buffer.from(service, 'utf8') };
}

function operationEntry(prefix: Uint8Array, { name, kind }: Operation): Entry {
  const text = Buffer.from(name, 'utf8');
  const payload = Buffer.alloc(KIND_BYTES + text.length);
  payload.writeInt32LE(kind, 0);
  payload.set(text, KIND_BYTES);
  return { key: operationKey(prefix, name, kind), payload };
}

function decodeOperation(payload: Uint8Array): Operation {
  if (payload.length < KIND_BYTES) throw tooShort('operation');
  const kind = Buffer.from(payload.buffer, payload.byteOffset, KIND_BYTES).readInt32LE(0);
  return { name: textOf(payload, KIND_BYTES), kind };
}

function tagEntry(tenant: Tenant, { key, level, type }: Tag): Entry {
  const number = ATTRIBUTE_LEVELS.indexOf(level) + 1;
  const payload = Buffer.concat([Uint8Array.of(number, type), Buffer.from(key, 'utf8')]);
  return { key: tagKey(tenant, key, number, type), payload };
}

function decodeTag(payload: Uint8Array): Tag {
  const level = ATTRIBUTE_LEVELS[(payload[0] ?? 0) - 1];
  if (level === undefined || payload.length < 2) throw tooShort('tag');
  return { key: textOf(payload, 2), level, type: payload[1]! };
}

function textOf(payload: Uint8Array, start: number): string {
  return Buffer.from(payload.buffer, payload.byteOffset + start, payload.length - start).toString('utf8');
}

/** The entry's checksum is right, so another program must have written it. */
function tooShort(what: string): StoreError {
  return new StoreError('CORRUPTION', `index: ${what} entry is malformed; rebuild the index from the parts`);
}
