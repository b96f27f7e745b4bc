// Finds the rows of one block that meet every condition of a search, on one span each. Decided in order of cost: what
// the templates and dictionaries say for all their rows at once, then the value columns of templates still in question,
// last the times. A block none of whose templates can match costs its dictionaries and nothing else.
import { WireReader } from '../bytes/wire-reader.ts';
import { BlockReader, TextArena } from '../block/block-reader.ts';
import * as C from '../block/block-columns.ts';
import { readChildStarts } from '../block/read-children.ts';
import { readStored, readTexts } from '../block/read-names.ts';
import { SectionReader, type StoredField, type ValueColumn } from '../block/read-section.ts';
import { readTraceColumns } from '../block/read-traces.ts';
import { operationName, serviceName } from '../otlp/service-name.ts';
import { parseDescriptor } from '../otlp/write-spans.ts';
import * as T from '../trace/templates.ts';
import {
  LEVEL_EVENT,
  LEVEL_LINK,
  LEVEL_RESOURCE,
  LEVEL_SCOPE,
  LEVEL_SPAN,
  type CompiledTag,
  type ValueMatcher,
  type Way,
} from './tag-condition.ts';

/** A search against one block: times are the block's own, ns since its day's midnight. */
export interface BlockQuery {
  readonly service: string | undefined;
  readonly operation: string | undefined;
  readonly tags: readonly CompiledTag[];
  readonly startMin: number;
  readonly startMax: number;
  readonly durationMin: number;
  readonly durationMax: number;
}

/** A trace with a matching span, and the latest start of such a span. */
export interface BlockMatch {
  /** Index of the trace in the block. */
  readonly trace: number;
  readonly start: number;
}

/** The traces of the block that have a span meeting all of `query`. Throws CORRUPTION. */
export function matchBlock(bytes: Uint8Array, query: BlockQuery): BlockMatch[] {
  return readStored(() => {
    const matcher = new BlockMatcher(new BlockReader(bytes));
    const flags = matcher.candidates(query);
    if (flags === undefined) return [];
    for (const tag of query.tags) if (!matcher.filterByTag(flags, tag)) return [];
    return matcher.matches(flags, query);
  });
}

class BlockMatcher {
  readonly #block: BlockReader;
  readonly #spans: SectionReader;
  readonly #arena = new TextArena();
  readonly #strings: Uint8Array[];
  readonly #resources: Uint8Array[];
  readonly #scopes: Uint8Array[];
  /** Events' and links' templates, by section. */
  readonly #childTemplates: (SectionReader | undefined)[] = [];
  readonly #values = new Map<number, ValueColumn>();
  readonly #constants = new Map<number, { a: Uint32Array; b: Uint32Array }>();

  constructor(block: BlockReader) {
    this.#block = block;
    this.#spans = new SectionReader(block, C.SECTION_SPANS);
    // Their own arena: it must not move while these views are used.
    const names = new TextArena();
    this.#strings = readTexts(block, C.COLUMN_STRINGS, names);
    this.#resources = readTexts(block, C.COLUMN_RESOURCES, names).map((text) => parseDescriptor(text).message);
    this.#scopes = readTexts(block, C.COLUMN_SCOPES, names).map((text) => parseDescriptor(text).message);
  }

  /** A flag per row, set where service and operation fit; undefined when no template fits. */
  candidates(query: BlockQuery): Uint8Array | undefined {
    const { service, operation } = query;
    const services =
      service === undefined ? undefined : this.#resources.map((message) => serviceName(message) === service);
    const names =
      operation === undefined
        ? undefined
        : this.#strings.map((text) => operationName(Buffer.from(text).toString('utf8')) === operation);
    let flags: Uint8Array | undefined;
    this.#spans.templates.forEach(({ head }, id) => {
      if (services !== undefined && !services[head[T.SPAN_RESOURCE]!]) return;
      if (names !== undefined && !names[head[T.SPAN_NAME]!]) return;
      flags ??= new Uint8Array(this.#block.header.rowCount);
      this.#setRows(this.#spans, id, flags);
    });
    return flags;
  }

  /** Clears the flags of rows that do not meet `tag`; false when none is left. */
  filterByTag(flags: Uint8Array, tag: CompiledTag): boolean {
    const met = new Uint8Array(flags.length);
    for (const way of tag.ways) this.#applyWay(met, way, tag.value);
    let left = 0;
    for (let row = 0; row < flags.length; row++) {
      flags[row] = flags[row]! & (tag.isNegated ? 1 - met[row]! : met[row]!);
      left |= flags[row]!;
    }
    return left !== 0;
  }

  /** The traces with flagged rows inside the query's times. */
  matches(flags: Uint8Array, query: BlockQuery): BlockMatch[] {
    const { starts, durations, firsts } = readTraceColumns(this.#block, this.#spans);
    const out: BlockMatch[] = [];
    for (let trace = 0; trace + 1 < firsts.length; trace++) {
      let latest = -1;
      for (let row = firsts[trace]!; row < firsts[trace + 1]!; row++) {
        if (flags[row] === 0) continue;
        const start = starts[row]!;
        const duration = durations[row]!;
        if (
          start < query.startMin ||
          start > query.startMax ||
          duration < query.durationMin ||
          duration > query.durationMax
        )
          continue;
        if (start > latest) latest = start;
      }
      if (latest >= 0) out.push({ trace, start: latest });
    }
    return out;
  }

  #setRows(section: SectionReader, template: number, flags: Uint8Array): void {
    for (let i = section.starts[template]!; i < section.starts[template + 1]!; i++) flags[section.rows[i]!] = 1;
  }

  #applyWay(met: Uint8Array, way: Way, value: ValueMatcher): void {
    switch (way.kind) {
      case 'span-kind':
        this.#applyHead(met, T.SPAN_KIND, way.value);
        break;
      case 'status':
        this.#applyHead(met, T.SPAN_STATUS, way.value);
        break;
      case 'intrinsic':
        this.#applyFields(met, this.#spans, (field) => T.isIntrinsic(field) && T.fieldId(field) === way.field, value);
        break;
      case 'scope-text':
        this.#applyDescriptors(
          met,
          T.SPAN_SCOPE,
          this.#scopes.map((message) => hasText(message, way.field, value)),
        );
        break;
      case 'event-name':
        this.#applyChildren(met, C.SECTION_EVENTS, (events, flags) => this.#applyEventNames(events, flags, value));
        break;
      default:
        this.#applyAttribute(met, way, value);
    }
  }

  #applyHead(met: Uint8Array, at: number, value: number): void {
    this.#spans.templates.forEach(({ head }, id) => {
      if (head[at] === value) this.#setRows(this.#spans, id, met);
    });
  }

  #applyDescriptors(met: Uint8Array, at: number, holds: readonly boolean[]): void {
    this.#spans.templates.forEach(({ head }, id) => {
      if (holds[head[at]!]) this.#setRows(this.#spans, id, met);
    });
  }

  #applyAttribute(met: Uint8Array, way: Way & { kind: 'attribute' }, value: ValueMatcher): void {
    const { key, levels } = way;
    if ((levels & LEVEL_RESOURCE) !== 0) {
      this.#applyDescriptors(
        met,
        T.SPAN_RESOURCE,
        this.#resources.map((message) => hasAttribute(message, 1, key, value)),
      );
    }
    if ((levels & LEVEL_SCOPE) !== 0) {
      this.#applyDescriptors(
        met,
        T.SPAN_SCOPE,
        this.#scopes.map((message) => hasAttribute(message, 3, key, value)),
      );
    }
    const keyId = this.#strings.findIndex((text) => key.equals(text));
    if (keyId < 0) return;
    const isField = (field: number): boolean => !T.isIntrinsic(field) && T.fieldId(field) === keyId;
    if ((levels & LEVEL_SPAN) !== 0) this.#applyFields(met, this.#spans, isField, value);
    for (const [level, section] of [
      [LEVEL_EVENT, C.SECTION_EVENTS],
      [LEVEL_LINK, C.SECTION_LINKS],
    ] as const) {
      if ((levels & level) === 0) continue;
      // Most keys stand on spans alone: the templates of events and links say so without their rows.
      if (!this.#hasField(section, isField)) continue;
      this.#applyChildren(met, section, (children, flags) => this.#applyFields(flags, children, isField, value));
    }
  }

  #hasField(section: number, isField: (field: number) => boolean): boolean {
    let children = this.#childTemplates[section];
    if (children === undefined) {
      children = this.#childTemplates[section] = new SectionReader(this.#block, section, 'templates');
    }
    return children.templates.some(({ fields }) => fields.some(({ field }) => isField(field)));
  }

  /** Sets the flag of each row of `section` one of whose chosen fields has the value. */
  #applyFields(
    flags: Uint8Array,
    section: SectionReader,
    isField: (field: number) => boolean,
    value: ValueMatcher,
  ): void {
    section.templates.forEach(({ fields }, id) => {
      for (const field of fields) {
        if (!isField(field.field)) continue;
        if (field.isConstant) {
          if (this.#constantMatches(section, field, value)) this.#setRows(section, id, flags);
        } else this.#applyColumn(flags, section, { id, field }, value);
      }
    });
  }

  #constantMatches(section: SectionReader, { field, a, b }: StoredField, value: ValueMatcher): boolean {
    const type = T.fieldType(field);
    if (!T.isArenaType(type)) return value.matches(type, a, b, this.#arena.arena);
    let constants = this.#constants.get(section.section);
    if (constants === undefined) this.#constants.set(section.section, (constants = section.constants(this.#arena)));
    return value.matches(type, constants.a[a]!, constants.b[a]!, this.#arena.arena);
  }

  #applyColumn(
    flags: Uint8Array,
    section: SectionReader,
    slot: { id: number; field: StoredField },
    value: ValueMatcher,
  ): void {
    const { field, valueStart } = slot.field;
    const type = T.fieldType(field);
    const columnKey = field * 4 + section.section;
    let column = this.#values.get(columnKey);
    if (column === undefined) this.#values.set(columnKey, (column = section.values(field, this.#arena)));
    const { arena } = this.#arena;
    const codes = column.kind === 'texts' ? column.codes : undefined;
    let from = valueStart;
    for (let i = section.starts[slot.id]!; i < section.starts[slot.id + 1]!; i++, from++) {
      const entry = codes === undefined ? from : codes[from]!;
      if (value.matches(type, column.a[entry]!, column.b[entry]!, arena)) flags[section.rows[i]!] = 1;
    }
  }

  #applyEventNames(events: SectionReader, flags: Uint8Array, value: ValueMatcher): void {
    events.templates.forEach(({ head }, id) => {
      const name = this.#strings[head[T.EVENT_NAME]!]!;
      if (value.matchesBytes(name, 0, name.length)) this.#setRows(events, id, flags);
    });
  }

  /** Evaluates events or links and hands what they meet to their rows. */
  #applyChildren(met: Uint8Array, section: number, apply: (children: SectionReader, flags: Uint8Array) => void): void {
    if (this.#block.find(C.COLUMN_TEMPLATES + section) === undefined) return;
    const children = new SectionReader(this.#block, section);
    const flags = new Uint8Array(children.rows.length);
    apply(children, flags);
    if (!flags.includes(1)) return;
    const starts = readChildStarts(this.#block, this.#spans, children);
    for (let row = 0; row < met.length; row++) {
      for (let child = starts[row]!; child < starts[row + 1]!; child++) if (flags[child] === 1) met[row] = 1;
    }
  }
}

/** Name (field 1) or version (field 2) of a canonical Scope message. */
function hasText(message: Uint8Array, field: number, value: ValueMatcher): boolean {
  const reader = new WireReader(message);
  while (reader.next())
    if (reader.field === field) return value.matchesBytes(message, reader.valueStart, reader.valueEnd);
  return false;
}

/** True when a canonical Resource or Scope message has the attribute with the value. */
function hasAttribute(message: Uint8Array, field: number, key: Buffer, value: ValueMatcher): boolean {
  const reader = new WireReader(message);
  const attribute = new WireReader(message);
  while (reader.next()) {
    if (reader.field !== field) continue;
    attribute.reset(reader.valueStart, reader.valueEnd);
    let isKey = key.length === 0; // an empty key is not on the wire
    let any: Uint8Array | undefined;
    while (attribute.next()) {
      if (attribute.field === 1) isKey = key.equals(attribute.value());
      else if (attribute.field === 2) any = attribute.value();
    }
    if (isKey && value.matchesAnyValue(any ?? new Uint8Array(0))) return true;
  }
  return false;
}
