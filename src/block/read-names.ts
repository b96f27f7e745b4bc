// Reads the names in a block, for the index, from the block's dictionaries alone. No row is decoded.
import { isStoreError, StoreError } from '../base/errors.ts';
import { ByteTable } from '../bytes/byte-table.ts';
import { WireReader } from '../bytes/wire-reader.ts';
import type { Texts } from '../codec/text-forms.ts';
import { BOOL, BYTES, DOUBLE, EMPTY, INT, LIST, MAP, STRING } from '../trace/any-value.ts';
import { SECTION_LEVELS, type AttributeLevel } from '../trace/attribute-levels.ts';
import { parseDescriptor } from '../trace/descriptor.ts';
import { operationName, serviceName } from '../trace/service-name.ts';
import type { SpanBatch } from '../trace/span-batch.ts';
import * as T from '../trace/templates.ts';
import * as C from './block-columns.ts';
import { BlockReader } from './block-reader.ts';

export interface TagName {
  readonly key: string;
  readonly level: AttributeLevel;
  /** Field number in OTLP's AnyValue (trace/any-value.ts); LIST for a list or map, EMPTY for an absent value. */
  readonly type: number;
}

export interface BlockNames {
  readonly operations: readonly { readonly service: string; readonly name: string; readonly kind: number }[];
  readonly tags: readonly TagName[];
}

/** TYPE_* → AnyValue's field number. */
const FIELD_OF_TYPE = [EMPTY, EMPTY, STRING, BOOL, INT, DOUBLE, BYTES, LIST];

/** The operations and tags of the block at the start of `bytes`; one may be listed twice. Throws CORRUPTION. */
export function readBlockNames(bytes: Uint8Array): BlockNames {
  const block = new BlockReader(bytes);
  const strings = textsOf(block.list(C.COLUMN_STRINGS)).map((text) =>
    Buffer.from(text.buffer, text.byteOffset, text.length).toString('utf8'),
  );
  // Known descriptors share tag objects: a hundred resources then give twenty keys, not two thousand.
  const tags = new Set<TagName>();
  const addAll = (names: readonly TagName[]): void => names.forEach((name) => tags.add(name));
  for (const text of textsOf(block.list(C.COLUMN_SCOPES))) addAll(knownDescriptors.find(text, 'scope').tags);
  const services = textsOf(block.list(C.COLUMN_RESOURCES)).map((text) => {
    const known = knownDescriptors.find(text, 'resource');
    addAll(known.tags);
    return known.service;
  });
  const operations: { service: string; name: string; kind: number }[] = [];
  SECTION_LEVELS.forEach((level, section) => {
    const seen = new Set<number>();
    const templates = block.templates(section);
    for (let id = 0; id < templates.count; id++) {
      if (level === 'span') {
        const name = operationName(entryOf(strings, templates.head(id, T.SPAN_NAME)));
        const service = entryOf(services, templates.head(id, T.SPAN_RESOURCE));
        operations.push({ service, name, kind: templates.head(id, T.SPAN_KIND) });
      }
      for (let at = templates.starts[id]!; at < templates.starts[id + 1]!; at++) {
        const field = templates.field(at);
        if (T.isIntrinsic(field) || seen.has(field)) continue;
        seen.add(field);
        tags.add({ key: entryOf(strings, T.fieldId(field)), level, type: FIELD_OF_TYPE[T.fieldType(field)]! });
      }
    }
  });
  return { operations, tags: [...tags] };
}

function entryOf(entries: readonly string[], index: number): string {
  const entry = entries[index];
  if (entry === undefined) throw new StoreError('CORRUPTION', `dictionary entry ${index} of ${entries.length}`);
  return entry;
}

/** The service of each of the block's resources. */
export function readServices(block: BlockReader): string[] {
  return textsOf(block.list(C.COLUMN_RESOURCES)).map((text) => knownDescriptors.find(text, 'resource').service);
}

/** Views of the texts of a list. */
export function textsOf({ bytes, a, b }: Texts): Uint8Array[] {
  return Array.from(a, (start, i) => bytes.subarray(start, start + b[i]!));
}

/** Names of one template of a batch. */
export interface TemplateNames {
  /** Of a span. */
  readonly operation: BlockNames['operations'][number] | undefined;
  readonly tags: readonly TagName[];
  /** The tags of its resource and scope, which other templates share. */
  readonly shared: readonly (readonly TagName[])[];
}

/** Templates whose names are kept: those of a busy tenant. With more, nearly each span has its own, and keeping them is no gain. */
const KNOWN_TEMPLATES_MAX = 1 << 14;

/** The names of a batch's templates, each read once while its rows come and go. Equal templates have the same object. */
export class BatchNames {
  readonly #batch: SpanBatch;
  readonly #known: (TemplateNames | undefined)[][] = SECTION_LEVELS.map(() => []);
  readonly #keys: string[] = [];
  #generation = -1;

  constructor(batch: SpanBatch) {
    this.#batch = batch;
  }

  /** Of a template of section `section` (block-columns.ts). */
  of(section: number, template: number): TemplateNames {
    if (this.#generation !== this.#batch.generation) this.#forget();
    const known = this.#known[section]!;
    if (template >= KNOWN_TEMPLATES_MAX) return this.#read(section, template);
    return (known[template] ??= this.#read(section, template));
  }

  #forget(): void {
    this.#generation = this.#batch.generation;
    for (const known of this.#known) known.length = 0;
    this.#keys.length = 0;
  }

  #read(section: number, template: number): TemplateNames {
    const { resources, scopes, spanTemplates, eventTemplates, linkTemplates } = this.#batch;
    const [table, headInts] = [
      [spanTemplates, T.SPAN_HEAD] as const,
      [eventTemplates, T.EVENT_HEAD] as const,
      [linkTemplates, T.LINK_HEAD] as const,
    ][section]!;
    const ints = table.ints.subarray(table.start(template), table.end(template));
    const tags = this.#tagsOf(ints.subarray(headInts), SECTION_LEVELS[section]!);
    if (section !== C.SECTION_SPANS) return { operation: undefined, tags, shared: [] };
    const resource = knownDescriptors.find(resources.bytes(ints[T.SPAN_RESOURCE]!), 'resource');
    const scope = knownDescriptors.find(scopes.bytes(ints[T.SPAN_SCOPE]!), 'scope');
    const name = operationName(this.#text(ints[T.SPAN_NAME]!));
    const operation = { service: resource.service, name, kind: ints[T.SPAN_KIND]! };
    return { operation, tags, shared: [resource.tags, scope.tags] };
  }

  #tagsOf(fields: Int32Array, level: AttributeLevel): TagName[] {
    const attributes = Array.from(fields).filter((field) => !T.isIntrinsic(field));
    return attributes.map((field) => ({
      key: this.#text(T.fieldId(field)),
      level,
      type: FIELD_OF_TYPE[T.fieldType(field)]!,
    }));
  }

  #text(id: number): string {
    return (this.#keys[id] ??= this.#batch.strings.text(id));
  }
}

interface DescriptorNames {
  /** The service of a resource; '' for a scope. */
  readonly service: string;
  readonly tags: readonly TagName[];
}

/** Bytes of remembered descriptors. Above it the cache is cleared: a flood of new descriptors is not worth keeping. */
const KNOWN_BYTES_MAX: number = 4 << 20;

/**
 * Caches the names read from descriptors: the same resources recur in every block, and reading one takes as long as a
 * hundred spans of a commit.
 */
class KnownDescriptors {
  readonly #resources = { table: new ByteTable(), names: [] as DescriptorNames[] };
  readonly #scopes = { table: new ByteTable(), names: [] as DescriptorNames[] };
  readonly #tags = new Map<string, TagName>();

  find(descriptor: Uint8Array, level: 'resource' | 'scope'): DescriptorNames {
    const known = level === 'resource' ? this.#resources : this.#scopes;
    if (known.table.sizeBytes > KNOWN_BYTES_MAX) {
      known.table.clear();
      known.names.length = 0;
      this.#tags.clear();
    }
    const id = known.table.intern(descriptor, 0, descriptor.length);
    return (known.names[id] ??= this.#read(descriptor, level));
  }

  #read(descriptor: Uint8Array, level: 'resource' | 'scope'): DescriptorNames {
    const { service, tags } = readStored(() => readDescriptor(descriptor, level));
    return { service, tags: tags.map((tag) => this.#shared(tag)) };
  }

  #shared(tag: TagName): TagName {
    const id = `${tag.level} ${tag.type} ${tag.key}`;
    const known = this.#tags.get(id);
    if (known === undefined) this.#tags.set(id, tag);
    return known ?? tag;
  }
}

const knownDescriptors = new KnownDescriptors();

/** Runs a reader of stored protobuf. INVALID_REQUEST becomes CORRUPTION: the bytes were valid on intake. */
export function readStored<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!isStoreError(error, 'INVALID_REQUEST')) throw error;
    throw new StoreError('CORRUPTION', `stored bytes are ${error.message}`, { cause: error });
  }
}

function readDescriptor(descriptor: Uint8Array, level: 'resource' | 'scope'): DescriptorNames {
  const { message } = parseDescriptor(descriptor);
  const attributesField = level === 'resource' ? 1 : 3;
  const tags: TagName[] = [];
  const reader = new WireReader(message);
  while (reader.next()) {
    if (reader.field !== attributesField) continue;
    const attribute = new WireReader(message, reader.valueStart, reader.valueEnd);
    let key = '';
    let type = 0;
    while (attribute.next()) {
      if (attribute.field === 1) key = Buffer.from(attribute.value()).toString('utf8');
      else if (attribute.field === 2) type = (attribute.value()[0] ?? 0) >>> 3;
    }
    tags.push({ key, level, type: type === MAP ? LIST : type });
  }
  return { service: level === 'resource' ? serviceName(message) : '', tags };
}
