// The names a block holds, read from its dictionaries alone: what the index lists. No row is decoded.
import { WireReader } from '../bytes/wire-reader.ts';
import { parseDescriptor } from '../otlp/write-spans.ts';
import { operationName, serviceName } from '../otlp/service-name.ts';
import * as T from '../trace/templates.ts';
import * as C from './block-columns.ts';
import { BlockReader, TextArena } from './block-reader.ts';
import { SectionReader } from './read-section.ts';

export type TagLevel = 'span' | 'event' | 'link' | 'scope' | 'resource';

export interface BlockNames {
  readonly operations: readonly { readonly service: string; readonly name: string; readonly kind: number }[];
  /** Attribute keys with the level they stand at and their value type (templates.ts TYPE_*). */
  readonly tags: readonly { readonly key: string; readonly level: TagLevel; readonly type: number }[];
}

/** AnyValue's field number → TYPE_*. */
const TYPE_OF_FIELD = [T.TYPE_EMPTY, T.TYPE_STRING, T.TYPE_BOOL, T.TYPE_INT, T.TYPE_DOUBLE, T.TYPE_RAW, T.TYPE_RAW, T.TYPE_BYTES];

/** The operations and tags of the block that `bytes` begins with; the same one may be listed more than once. Throws CORRUPTION. */
export function readBlockNames(bytes: Uint8Array): BlockNames {
  const block = new BlockReader(bytes);
  const arena = new TextArena();
  const strings = readTexts(block, C.COLUMN_STRINGS, arena).map((text) => Buffer.from(text).toString('utf8'));
  const resources = readTexts(block, C.COLUMN_RESOURCES, arena).map((text) => parseDescriptor(text).message);
  const scopes = readTexts(block, C.COLUMN_SCOPES, arena).map((text) => parseDescriptor(text).message);
  const services = resources.map(serviceName);
  const tags: { key: string; level: TagLevel; type: number }[] = [];
  for (const message of resources) addDescriptorTags(tags, message, 'resource', 1);
  for (const message of scopes) addDescriptorTags(tags, message, 'scope', 3);
  const operations: { service: string; name: string; kind: number }[] = [];
  const levels: readonly TagLevel[] = ['span', 'event', 'link'];
  levels.forEach((level, section) => {
    const seen = new Set<number>();
    for (const { head, fields } of new SectionReader(block, section).templates) {
      if (level === 'span') {
        const name = operationName(strings[head[T.SPAN_NAME]!]!);
        operations.push({ service: services[head[T.SPAN_RESOURCE]!]!, name, kind: head[T.SPAN_KIND]! });
      }
      for (const { field } of fields) {
        if (T.isIntrinsic(field) || seen.has(field)) continue;
        seen.add(field);
        tags.push({ key: strings[T.fieldId(field)]!, level, type: T.fieldType(field) });
      }
    }
  });
  return { operations, tags };
}

/** The entries of a text list as views. */
export function readTexts(block: BlockReader, code: number, arena: TextArena): Uint8Array[] {
  const { a, b } = block.texts(code, arena);
  return Array.from(a, (start, i) => arena.arena.subarray(start, start + b[i]!));
}

function addDescriptorTags(tags: { key: string; level: TagLevel; type: number }[], message: Uint8Array, level: TagLevel, field: number): void {
  const reader = new WireReader(message);
  while (reader.next()) {
    if (reader.field !== field) continue;
    const attribute = new WireReader(message, reader.valueStart, reader.valueEnd);
    let key = '';
    let type: number = T.TYPE_ABSENT;
    while (attribute.next()) {
      if (attribute.field === 1) key = Buffer.from(attribute.value()).toString('utf8');
      else if (attribute.field === 2) type = TYPE_OF_FIELD[(attribute.value()[0] ?? 0) >>> 3] ?? T.TYPE_RAW;
    }
    tags.push({ key, level, type });
  }
}
