// One span and one process in Jaeger's terms, as both of its legacy forms, JSON and api_v2 protobuf, write them
// (contract/jaeger.md §1.9, §4.2): sanitized names, tags in Jaeger's order, events as logs, parent and links as references,
// and the adjusters that need only one span (sorting, IP texts, invalid links). Values stay ranges of the bytes.
import { isUtf8Range, utf8Slice } from '../../bytes/json-writer.ts';
import { WireReader, WIRE_BYTES, WIRE_FIXED64, WIRE_VARINT } from '../../bytes/wire-reader.ts';
import { DOUBLE, INT, LIST, STRING } from '../../trace/any-value.ts';
import { byKeyBytes, bytesAttribute, listItems, readAttributes, textOf } from '../../trace/attributes.ts';
import type { Attribute } from '../../trace/attributes.ts';
import { doubleOf } from '../../bytes/double-of.ts';
import { lastRange } from './jaeger-model.ts';
import { kindName } from '../../trace/span-kinds.ts';
import { readLink, referencesOf, type LinkView, type ReferenceView } from './jaeger-references.ts';
import { textAttribute } from './jaeger-tags.ts';
import type { ResourceView, SpanView, TraceView } from './trace-view.ts';

const WARNINGS_KEY = '@jaeger@warnings';
const INVALID_TEXT = 'Text that is not valid UTF-8 is shown with replacement characters';

export interface LogView {
  readonly timeNs: bigint;
  readonly fields: readonly Attribute[];
}

export interface JaegerSpan {
  /** The operation, as a string attribute without a key. */
  readonly name: Attribute;
  readonly references: readonly ReferenceView[];
  readonly tags: readonly Attribute[];
  readonly logs: readonly LogView[];
  readonly warnings: readonly string[];
}

/** `isRaw` skips Jaeger's adjusters and their warnings, but not its sanitizers. */
export function readJaegerSpan({ bytes, traceId }: TraceView, span: SpanView, isRaw: boolean): JaegerSpan {
  const parts = readParts(bytes, span);
  const attributes = readAttributes(bytes, span.start, span.end, 9);
  const warnings = [...storedWarnings(bytes, attributes), ...(isRaw ? [] : span.warnings)];
  for (const link of parts.links) if (!link.isValid && !isRaw) warnings.push('Invalid span link removed');
  const links = isRaw ? parts.links : parts.links.filter((link) => link.isValid);
  const name = readName(bytes, parts, attributes);
  const texts = new SpanTexts(bytes);
  const logs = readLogs(texts, parts.events, isRaw);
  const shown = warnings.length > 0 ? attributes.filter(({ key }) => key !== WARNINGS_KEY) : attributes;
  return {
    name,
    references: referencesOf({ traceId, parentId: span.parentId, links }),
    tags: tagsOf(texts, span, parts, ownAttributes(span, shown, isRaw)),
    logs,
    warnings: texts.areValid ? warnings : [...warnings, INVALID_TEXT],
  };
}

/** The tags of the process that stands for a resource. */
export function processTags(
  { attributes, moved }: Pick<ResourceView, 'attributes' | 'moved'>,
  isRaw: boolean,
): Attribute[] {
  return [...(isRaw ? attributes : adjusted(attributes).sort(byKeyBytes)), ...moved];
}

/** Where the parts of one Span message are; absent parts have start = end. */
interface SpanParts {
  name: readonly [number, number];
  traceState: readonly [number, number];
  status: readonly [number, number];
  /** Starts and ends of the Event messages, alternating. */
  readonly events: number[];
  readonly links: LinkView[];
}

function readParts(bytes: Uint8Array, span: SpanView): SpanParts {
  const parts: SpanParts = { name: [0, 0], traceState: [0, 0], status: [0, 0], events: [], links: [] };
  const reader = new WireReader(bytes, span.start, span.end);
  while (reader.next()) {
    switch (reader.field) {
      case 3:
        reader.expect(WIRE_BYTES, 'Span.trace_state');
        parts.traceState = [reader.valueStart, reader.valueEnd];
        break;
      case 5:
        reader.expect(WIRE_BYTES, 'Span.name');
        parts.name = [reader.valueStart, reader.valueEnd];
        break;
      case 11:
        reader.expect(WIRE_BYTES, 'Span.events');
        parts.events.push(reader.valueStart, reader.valueEnd);
        break;
      case 13:
        reader.expect(WIRE_BYTES, 'Span.links');
        parts.links.push(readLink(bytes, reader.valueStart, reader.valueEnd));
        break;
      case 15:
        reader.expect(WIRE_BYTES, 'Span.status');
        parts.status = [reader.valueStart, reader.valueEnd];
    }
  }
  return parts;
}

/** The operation name; a name that is not UTF-8 is kept as bytes in an attribute, which is added to `attributes`. */
function readName(bytes: Uint8Array, { name: [start, end] }: SpanParts, attributes: Attribute[]): Attribute {
  if (start === end) return textAttribute('', 'empty-span-name');
  if (isUtf8Range(bytes, start, end)) return rangeAttribute('', start, end);
  attributes.push(bytesAttribute('invalid-span-name', bytes.subarray(start, end)));
  return textAttribute('', 'invalid-span-name');
}

/** The span's own attributes as shown: without moved ones; adjusted and sorted unless raw. */
function ownAttributes(
  { movedKeys }: SpanView,
  attributes: readonly Attribute[],
  isRaw: boolean,
): readonly Attribute[] {
  const staying = movedKeys === undefined ? attributes : attributes.filter(({ key }) => !movedKeys.has(key));
  return isRaw ? staying : adjusted(staying).sort(byKeyBytes);
}

/** The texts of one span as attributes. Invalid UTF-8 is replaced by U+FFFD. */
class SpanTexts {
  readonly bytes: Uint8Array;
  /** False after a text had to be changed. */
  areValid = true;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  push(tags: Attribute[], key: string, start: number, end: number): void {
    if (end === start) return;
    const isValid = isUtf8Range(this.bytes, start, end);
    tags.push(isValid ? rangeAttribute(key, start, end) : textAttribute(key, utf8Slice(this.bytes, start, end)));
    this.areValid &&= isValid;
  }
}

/** Scope, attributes, kind, status, trace state. */
function tagsOf(
  texts: SpanTexts,
  { scope, kind }: SpanView,
  parts: SpanParts,
  attributes: readonly Attribute[],
): Attribute[] {
  const tags: Attribute[] = [];
  texts.push(tags, 'otel.scope.name', scope.nameStart, scope.nameEnd);
  texts.push(tags, 'otel.scope.version', scope.versionStart, scope.versionEnd);
  for (const attribute of attributes) tags.push(attribute);
  if (kindName(kind) !== '') tags.push(textAttribute('span.kind', kindName(kind)));
  pushStatus(tags, texts, parts.status);
  texts.push(tags, 'w3c.tracestate', parts.traceState[0], parts.traceState[1]);
  return tags;
}

function pushStatus(tags: Attribute[], texts: SpanTexts, [start, end]: readonly [number, number]): void {
  const reader = new WireReader(texts.bytes, start, end);
  let code = 0;
  while (reader.next()) {
    if (reader.field !== 3) continue;
    reader.expect(WIRE_VARINT, 'Status.code');
    code = reader.lo;
  }
  if (code === 1) tags.push(textAttribute('otel.status_code', 'OK'));
  if (code === 2)
    tags.push(textAttribute('otel.status_code', 'ERROR'), { key: 'error', type: 2, lo: 1, hi: 0, own: undefined });
  const [messageStart, messageEnd] = lastRange(texts.bytes, start, end, 2);
  texts.push(tags, 'otel.status_description', messageStart, messageEnd);
}

function readLogs(texts: SpanTexts, ranges: readonly number[], isRaw: boolean): LogView[] {
  const logs: LogView[] = [];
  for (let i = 0; i < ranges.length; i += 2) logs.push(readEvent(texts, ranges[i]!, ranges[i + 1]!, isRaw));
  return isRaw ? logs : logs.sort((a, b) => (a.timeNs < b.timeNs ? -1 : a.timeNs > b.timeNs ? 1 : 0));
}

function readEvent(texts: SpanTexts, start: number, end: number, isRaw: boolean): LogView {
  const { bytes } = texts;
  const attributes = readAttributes(bytes, start, end, 3);
  if (!isRaw) attributes.sort(byKeyBytes);
  const [nameStart, nameEnd] = lastRange(bytes, start, end, 2);
  const fields: Attribute[] = [];
  if (!attributes.some(({ key }) => key === 'event')) texts.push(fields, 'event', nameStart, nameEnd);
  for (const attribute of attributes) fields.push(attribute);
  const reader = new WireReader(bytes, start, end);
  let timeNs = 0n;
  while (reader.next()) {
    if (reader.field !== 1) continue;
    reader.expect(WIRE_FIXED64, 'Event.time_unix_nano');
    timeNs = reader.uint64();
  }
  return { timeNs, fields };
}

function rangeAttribute(key: string, start: number, end: number): Attribute {
  return { key, type: STRING, lo: start, hi: end, own: undefined };
}

/** Warnings stored in the span: a list of strings, or any other value as one text. */
function storedWarnings(bytes: Uint8Array, attributes: readonly Attribute[]): string[] {
  const attribute = attributes.find(({ key }) => key === WARNINGS_KEY);
  if (attribute === undefined) return [];
  if (attribute.type !== LIST) return [textOf(bytes, attribute)];
  return listItems(bytes, attribute).map((item) => (item.type === STRING ? textOf(bytes, item) : ''));
}

/** A copy of the attributes with numeric `ip` and `peer.ipv4` as dotted text. */
function adjusted(attributes: readonly Attribute[]): Attribute[] {
  return attributes.map((attribute) => {
    const { key, type, lo, hi } = attribute;
    if ((key !== 'ip' && key !== 'peer.ipv4') || (type !== INT && type !== DOUBLE)) return attribute;
    const value = type === INT ? lo : doubleOf(lo, hi) >>> 0;
    return textAttribute(key, `${value >>> 24}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 255}`);
  });
}
