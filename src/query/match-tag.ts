// Evaluates one tag condition on a block: first on each span template, for all its rows at once; then, for templates whose
// values differ, on each row.
import { WireReader } from '../bytes/wire-reader.ts';
import * as C from '../block/block-columns.ts';
import type { SectionReader } from '../block/read-section.ts';
import type { StoredTemplates } from '../block/read-templates.ts';
import { parseDescriptor } from '../trace/descriptor.ts';
import * as T from '../trace/templates.ts';
import type { BlockView } from './block-view.ts';
import { DescriptorMemo } from './descriptor-memo.ts';
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

/** A condition's verdict on a template: it holds for no row, for every row, or depends on the row. */
export const NEVER = 0;
export const ALWAYS = 1;
export const BY_ROW = 2;

const CHILD_LEVELS = [
  [LEVEL_EVENT, C.SECTION_EVENTS, T.HAS_EVENTS],
  [LEVEL_LINK, C.SECTION_LINKS, T.HAS_LINKS],
] as const;

type AttributeWay = Way & { readonly kind: 'attribute' };

/** A condition of one query, applied to block after block. */
export class TagMatcher {
  readonly tag: CompiledTag;
  /** By way: decisions about scopes and resources. */
  readonly #scopes: readonly DescriptorMemo[];
  readonly #resources: readonly DescriptorMemo[];

  constructor(tag: CompiledTag) {
    this.tag = tag;
    this.#scopes = tag.ways.map((way) => new DescriptorMemo((scope) => scopeHolds(scope, way, tag.value)));
    this.#resources = tag.ways.map((way) => new DescriptorMemo((resource) => resourceHolds(resource, way, tag.value)));
  }

  /** NEVER, ALWAYS or BY_ROW for each span template. */
  verdicts(view: BlockView): Uint8Array {
    const verdicts = new Uint8Array(view.templates(C.SECTION_SPANS).count);
    this.tag.ways.forEach((way, index) => this.#judge(view, verdicts, { way, index }));
    // NEVER and ALWAYS swap; BY_ROW stays BY_ROW.
    if (this.tag.isNegated)
      for (let id = 0; id < verdicts.length; id++) if (verdicts[id] !== BY_ROW) verdicts[id] = 1 - verdicts[id]!;
    return verdicts;
  }

  #judge(view: BlockView, verdicts: Uint8Array, { way, index }: { way: Way; index: number }): void {
    const { value } = this.tag;
    const judge = judgeOfWay(view, way, value);
    const scopes = isOfScope(way) ? view.scopes().map((scope) => this.#scopes[index]!.holds(scope)) : [];
    const resources = isOfResource(way) ? view.resources().map((one) => this.#resources[index]!.holds(one)) : [];
    const templates = view.templates(C.SECTION_SPANS);
    for (let id = 0; id < templates.count; id++) {
      if (verdicts[id] === ALWAYS) continue;
      const isDescribed =
        scopes[templates.head(id, T.SPAN_SCOPE)] === true || resources[templates.head(id, T.SPAN_RESOURCE)] === true;
      const verdict = isDescribed ? ALWAYS : judge(templates, id);
      if (verdict !== NEVER) verdicts[id] = verdict;
    }
  }

  /** True when every span of this kind and status meets the condition. */
  operationHolds(kind: number, status: number): boolean {
    return this.tag.ways.some(
      (way) => (way.kind === 'span-kind' && way.value === kind) || (way.kind === 'status' && way.value === status),
    );
  }

  /** True when every span of this scope meets the condition. */
  scopeHolds(descriptor: Uint8Array): boolean {
    return this.tag.ways.some((way, index) => isOfScope(way) && this.#scopes[index]!.holds(descriptor));
  }

  /** True when every span of this resource meets the condition. */
  resourceHolds(descriptor: Uint8Array): boolean {
    return this.tag.ways.some((way, index) => isOfResource(way) && this.#resources[index]!.holds(descriptor));
  }

  /** A flag per row that meets the condition; valid only for rows of templates whose verdict is BY_ROW. */
  rowFlags(view: BlockView, verdicts: Uint8Array): Uint8Array {
    const spans = view.rows(C.SECTION_SPANS);
    const flags = new Uint8Array(spans.rows.length);
    const { value } = this.tag;
    for (const way of this.tag.ways) applyWay(view, { way, value, verdicts }, flags);
    if (this.tag.isNegated) for (let row = 0; row < flags.length; row++) flags[row] = 1 - flags[row]!;
    return flags;
  }
}

/** Judges a template of the block's spans. */
type Judge = (templates: StoredTemplates, id: number) => number;

function never(): number {
  return NEVER;
}

/** Judges a template by a way, ignoring scope and resource. */
function judgeOfWay(view: BlockView, way: Way, value: ValueMatcher): Judge {
  switch (way.kind) {
    case 'span-kind':
      return (templates, id) => Number(templates.head(id, T.SPAN_KIND) === way.value);
    case 'status':
      return (templates, id) => Number(templates.head(id, T.SPAN_STATUS) === way.value);
    case 'intrinsic':
      return (_, id) => judgeFields(view, C.SECTION_SPANS, { id, isAsked: isAskedBy(way, -1), value });
    case 'event-name': {
      const events = view.templates(C.SECTION_EVENTS);
      let isNamed = false;
      for (let id = 0; id < events.count && !isNamed; id++) isNamed = isEventName(view, id, value);
      return isNamed
        ? (templates, id) => ((templates.head(id, T.SPAN_PRESENCE) & T.HAS_EVENTS) !== 0 ? BY_ROW : NEVER)
        : never;
    }
    case 'attribute':
      return judgeOfAttribute(view, way, value);
    default:
      return never;
  }
}

function judgeOfAttribute(view: BlockView, way: AttributeWay, value: ValueMatcher): Judge {
  const keyId = view.keyId(way.key);
  if (keyId < 0) return never;
  const isAsked = isAskedBy(way, keyId);
  let childBits = 0;
  for (const [level, section, bit] of CHILD_LEVELS) {
    if ((way.levels & level) === 0) continue;
    const templates = view.templates(section);
    const isMet = (field: number, at: number): boolean =>
      isAsked(field) && (!templates.isConstant(at) || view.constantMatches(section, at, value));
    if (templates.some(isMet)) childBits |= bit;
  }
  const isOnSpans = (way.levels & LEVEL_SPAN) !== 0;
  return (templates, id) => {
    const verdict = isOnSpans ? judgeFields(view, C.SECTION_SPANS, { id, isAsked, value }) : NEVER;
    if (verdict !== NEVER) return verdict;
    return (templates.head(id, T.SPAN_PRESENCE) & childBits) !== 0 ? BY_ROW : NEVER;
  };
}

type IsAsked = (field: number) => boolean;

function isAskedBy(way: Way, keyId: number): IsAsked {
  return way.kind === 'intrinsic'
    ? (field) => T.isIntrinsic(field) && T.fieldId(field) === way.field
    : (field) => !T.isIntrinsic(field) && T.fieldId(field) === keyId;
}

interface AskedFields {
  /** The template. */
  readonly id: number;
  readonly isAsked: IsAsked;
  readonly value: ValueMatcher;
}

function judgeFields(view: BlockView, section: number, { id, isAsked, value }: AskedFields): number {
  let verdict = NEVER;
  const templates = view.templates(section);
  for (let at = templates.starts[id]!; at < templates.starts[id + 1]!; at++) {
    if (!isAsked(templates.field(at))) continue;
    if (!templates.isConstant(at)) verdict = BY_ROW;
    else if (view.constantMatches(section, at, value)) return ALWAYS;
  }
  return verdict;
}

interface AskedWay {
  readonly way: Way;
  readonly value: ValueMatcher;
  readonly verdicts: Uint8Array;
}

/** Sets the flags of rows that meet the way by their own value, or by one of their events or links. */
function applyWay(view: BlockView, { way, value, verdicts }: AskedWay, flags: Uint8Array): void {
  if (way.kind === 'event-name') {
    applyChildren(view, C.SECTION_EVENTS, flags, (events, met) => {
      for (let id = 0; id < events.templates.count; id++) if (isEventName(view, id, value)) setRows(events, id, met);
    });
    return;
  }
  if (way.kind !== 'attribute' && way.kind !== 'intrinsic') return;
  const keyId = way.kind === 'attribute' ? view.keyId(way.key) : 0;
  if (keyId < 0) return;
  const asked = { isAsked: isAskedBy(way, keyId), value };
  if (way.kind === 'intrinsic' || (way.levels & LEVEL_SPAN) !== 0) {
    applyFields(view, view.rows(C.SECTION_SPANS), { ...asked, verdicts }, flags);
  }
  if (way.kind === 'intrinsic') return;
  for (const [level, section] of CHILD_LEVELS) {
    if ((way.levels & level) === 0) continue;
    // Most keys are on spans only: the templates of events and links tell this without reading their rows.
    if (!view.templates(section).some(asked.isAsked)) continue;
    applyChildren(view, section, flags, (children, met) => applyFields(view, children, asked, met));
  }
}

interface AskedRows {
  readonly isAsked: IsAsked;
  readonly value: ValueMatcher;
  /** Only templates with BY_ROW are examined; undefined: all. */
  readonly verdicts?: Uint8Array;
}

function applyFields(view: BlockView, section: SectionReader, asked: AskedRows, flags: Uint8Array): void {
  const { isAsked, value, verdicts } = asked;
  const columns = new Map<number, Uint8Array | undefined>();
  const { templates } = section;
  for (let id = 0; id < templates.count; id++) {
    if (verdicts !== undefined && verdicts[id] !== BY_ROW) continue;
    if (section.starts[id] === section.starts[id + 1]) continue;
    const fields = templates.fieldsOf(id, isAsked);
    const isMet = (at: number): boolean => templates.isConstant(at) && view.constantMatches(section.section, at, value);
    if (fields.some(isMet)) setRows(section, id, flags);
    for (const at of fields) {
      if (templates.isConstant(at)) continue;
      const field = templates.field(at);
      if (!columns.has(field)) columns.set(field, view.columnMatches(section.section, field, value));
      const matches = columns.get(field);
      const from = section.valueStart(id, at - templates.starts[id]!);
      if (matches !== undefined) copyFlags(section, { id, from }, matches, flags);
    }
  }
}

function copyFlags(
  { starts, rows }: SectionReader,
  slot: { id: number; from: number },
  matches: Uint8Array,
  flags: Uint8Array,
): void {
  let { from } = slot;
  for (let i = starts[slot.id]!; i < starts[slot.id + 1]!; i++, from++) if (matches[from] === 1) flags[rows[i]!] = 1;
}

export function setRows({ starts, rows }: SectionReader, template: number, flags: Uint8Array): void {
  for (let i = starts[template]!; i < starts[template + 1]!; i++) flags[rows[i]!] = 1;
}

/** Evaluates events or links and sets the flags of the rows that own them. */
function applyChildren(
  view: BlockView,
  section: number,
  flags: Uint8Array,
  apply: (children: SectionReader, met: Uint8Array) => void,
): void {
  const children = view.rows(section);
  const met = new Uint8Array(children.rows.length);
  apply(children, met);
  if (!met.includes(1)) return;
  const starts = view.childStarts(section);
  for (let row = 0; row < flags.length; row++) {
    for (let child = starts[row]!; child < starts[row + 1]!; child++) if (met[child] === 1) flags[row] = 1;
  }
}

/** Whether the name in event template `id` matches. */
function isEventName(view: BlockView, id: number, value: ValueMatcher): boolean {
  const name = view.strings()[view.templates(C.SECTION_EVENTS).head(id, T.EVENT_NAME)];
  return name !== undefined && value.matchesBytes(name, 0, name.length);
}

function isOfScope(way: Way): boolean {
  return way.kind === 'scope-text' || (way.kind === 'attribute' && (way.levels & LEVEL_SCOPE) !== 0);
}

function isOfResource(way: Way): boolean {
  return way.kind === 'attribute' && (way.levels & LEVEL_RESOURCE) !== 0;
}

function scopeHolds(scope: Uint8Array, way: Way, value: ValueMatcher): boolean {
  const { message } = parseDescriptor(scope);
  if (way.kind === 'scope-text') return hasText(message, way.field, value);
  return way.kind === 'attribute' && hasAttribute(message, 3, way.key, value);
}

function resourceHolds(resource: Uint8Array, way: Way, value: ValueMatcher): boolean {
  return way.kind === 'attribute' && hasAttribute(parseDescriptor(resource).message, 1, way.key, value);
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
  for (const any of attributeValues(message, field, key)) if (value.matchesAnyValue(any)) return true;
  return false;
}

/** The AnyValue (empty if absent) of each attribute `key` in the KeyValue field `field` of a canonical message. */
export function* attributeValues(message: Uint8Array, field: number, key: Buffer): Generator<Uint8Array> {
  const reader = new WireReader(message);
  const attribute = new WireReader(message);
  while (reader.next()) {
    if (reader.field !== field) continue;
    attribute.reset(reader.valueStart, reader.valueEnd);
    let isKey = key.length === 0; // an empty key is not on the wire
    // Views are made of values that are asked for, not of every value of a resource.
    let start = 0;
    let end = 0;
    while (attribute.next()) {
      if (attribute.field === 1) isKey = attribute.isValue(key);
      else if (attribute.field === 2) [start, end] = [attribute.valueStart, attribute.valueEnd];
    }
    if (isKey) yield message.subarray(start, end);
  }
}
