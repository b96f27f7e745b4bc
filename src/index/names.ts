// Services, operations and tag keys of one partition, by tenant: in memory as a NameSet (what the unflushed log holds),
// on disk as entries of the environment, merged in when a part is committed. Names only ever grow within a day; they go
// with the partition. Lists are sorted by UTF-8 bytes, so the same names give the same list wherever they came from.
import { StoreError } from '../base/errors.ts';
import { compareUtf8 } from '../trace/attributes.ts';
import type { Operation } from '../trace/store.ts';
import type { Tenant } from '../trace/tenant.ts';
import type { IndexReader, IndexTransaction } from './environment.ts';
import { operationKey, operationPrefix, operationRange, serviceKey, serviceRange, tagKey, tagRange } from './keys.ts';

/** Where an attribute stands. Position in this list + 1 is the byte stored: append only. */
export const TAG_LEVELS = ['resource', 'scope', 'span', 'event', 'link'] as const;
export type TagLevel = (typeof TAG_LEVELS)[number];

/** One attribute key, as found at one level with one type of value. */
export interface Tag {
  readonly key: string;
  readonly level: TagLevel;
  /**
   * Field number in OTLP's AnyValue: 1 string, 2 bool, 3 int, 4 double, 5 array, 6 key-value list, 7 bytes; 0
   * empty.
   */
  readonly type: number;
}

/** Kinds by operation name, operations by service. */
type Services = Map<string, Map<string, number[]>>;

interface TenantNames {
  readonly services: Services;
  /** Keyed by level, type and key in one string. */
  readonly tags: Map<string, Tag>;
}

/** What an entry costs besides its text: map slot, string header, array or object. Node 24, 270,000 entries: 105. */
const ENTRY_OVERHEAD_BYTES = 112;

/** Names in memory. Its owner enforces the limit: it flushes before `sizeBytes` grows too large. */
export class NameSet {
  readonly #tenants = new Map<Tenant, TenantNames>();
  #sizeBytes = 0;

  /** About what the set holds on to, in bytes of heap. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  get isEmpty(): boolean {
    return this.#tenants.size === 0;
  }

  /** True when it was not there yet. `kind` as in OTLP, any int32. */
  addOperation(tenant: Tenant, service: string, name: string, kind: number): boolean {
    const { services } = this.#namesOf(tenant);
    let operations = services.get(service);
    if (operations === undefined) {
      services.set(service, (operations = new Map()));
      this.#sizeBytes += ENTRY_OVERHEAD_BYTES + 2 * service.length;
    }
    const kinds = operations.get(name);
    if (kinds === undefined) {
      operations.set(name, [kind]);
      this.#sizeBytes += ENTRY_OVERHEAD_BYTES + 2 * name.length;
      return true;
    }
    if (kinds.includes(kind)) return false;
    kinds.push(kind);
    this.#sizeBytes += 8;
    return true;
  }

  /** True when it was not there yet. */
  addTag(tenant: Tenant, key: string, level: TagLevel, type: number): boolean {
    const { tags } = this.#namesOf(tenant);
    const id = `${level} ${type} ${key}`;
    if (tags.has(id)) return false;
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
    for (const [name, kinds] of this.#tenants.get(tenant)?.services.get(service) ?? []) {
      for (const kind of kinds) found.push({ name, kind });
    }
    return found.sort(compareOperations);
  }

  /** Sorted by key, then level, then type. */
  tags(tenant: Tenant): Tag[] {
    return [...(this.#tenants.get(tenant)?.tags.values() ?? [])].sort(compareTags);
  }

  /** Adds everything `other` holds. */
  merge(other: NameSet): void {
    for (const tenant of other.tenants()) {
      for (const service of other.services(tenant)) {
        for (const { name, kind } of other.operations(tenant, service)) this.addOperation(tenant, service, name, kind);
      }
      for (const { key, level, type } of other.tags(tenant)) this.addTag(tenant, key, level, type);
    }
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

/**
 * Merges `names` into the environment. Entries go in key order, which LMDB takes three times faster and packs
 * denser.
 */
export function writeNames(txn: IndexTransaction, names: NameSet): void {
  const entries: { key: Uint8Array; payload: Uint8Array }[] = [];
  for (const tenant of names.tenants()) {
    for (const service of names.services(tenant)) {
      entries.push({ key: serviceKey(tenant, service), payload: Buffer.from(service, 'utf8') });
      const prefix = operationPrefix(tenant, service);
      for (const { name, kind } of names.operations(tenant, service)) {
        entries.push({ key: operationKey(prefix, name, kind), payload: encodeOperation(name, kind) });
      }
    }
    for (const tag of names.tags(tenant)) {
      const level = TAG_LEVELS.indexOf(tag.level) + 1;
      entries.push({ key: tagKey(tenant, tag.key, level, tag.type), payload: encodeTag(tag.key, level, tag.type) });
    }
  }
  entries.sort((a, b) => Buffer.compare(a.key, b.key));
  for (const { key, payload } of entries) if (!txn.has(key)) txn.put(key, payload);
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

/** By key, then level as in TAG_LEVELS, then type. */
export function compareTags(a: Tag, b: Tag): number {
  return compareUtf8(a.key, b.key) || TAG_LEVELS.indexOf(a.level) - TAG_LEVELS.indexOf(b.level) || a.type - b.type;
}

const KIND_BYTES = 4;

function encodeOperation(name: string, kind: number): Uint8Array {
  const text = Buffer.from(name, 'utf8');
  const payload = Buffer.alloc(KIND_BYTES + text.length);
  payload.writeInt32LE(kind, 0);
  payload.set(text, KIND_BYTES);
  return payload;
}

function decodeOperation(payload: Uint8Array): Operation {
  if (payload.length < KIND_BYTES) throw tooShort('operation');
  const kind = Buffer.from(payload.buffer, payload.byteOffset, KIND_BYTES).readInt32LE(0);
  return { name: textOf(payload, KIND_BYTES), kind };
}

function encodeTag(key: string, level: number, type: number): Uint8Array {
  return Buffer.concat([Uint8Array.of(level, type), Buffer.from(key, 'utf8')]);
}

function decodeTag(payload: Uint8Array): Tag {
  const level = TAG_LEVELS[(payload[0] ?? 0) - 1];
  if (level === undefined || payload.length < 2) throw tooShort('tag');
  return { key: textOf(payload, 2), level, type: payload[1]! };
}

function textOf(payload: Uint8Array, start: number): string {
  return Buffer.from(payload.buffer, payload.byteOffset + start, payload.length - start).toString('utf8');
}

/** Reached only by an entry whose checksum is right: a program that was not this one wrote it. */
function tooShort(what: string): StoreError {
  return new StoreError('CORRUPTION', `index: ${what} entry is malformed; rebuild the index from the parts`);
}
