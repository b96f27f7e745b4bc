// The values in one row group that a filter's references name (contract/jaeger.md §5.5, docs/decisions/0010-filters.md). Columns
// and dictionaries are decoded when a reference first needs them, and kept for the filter's other references.
import { StoreError } from '../base/errors.ts';
import * as C from '../block/block-columns.ts';
import { operationName } from '../trace/service-name.ts';
import { STATUS_WORDS, type FieldName, type FilterReference } from '../trace/filter.ts';
import { SPAN_KINDS } from '../trace/span-kinds.ts';
import * as T from '../trace/templates.ts';
import type { BlockView } from './block-view.ts';
import { hexIds, linkIds } from './filter-ids.ts';
import { fieldOfAttribute, isInErrorTag, resourceValues, scopeValues } from './filter-message.ts';
import { eachEntry, oneEntry, oneText, testRuns, type Entries, type Run, type Source } from './filter-runs.ts';
import { Times, wireTime } from './filter-times.ts';

/** Fields that are absent when empty. A name, or an id of a link, is present even when it is empty. */
const ABSENT_WHEN_EMPTY: ReadonlySet<FieldName> = new Set([
  'span.statusMessage',
  'span.traceState',
  'span.parentSpanID',
  'link.traceState',
]);

interface Column {
  readonly entries: Entries;
  readonly codes: ArrayLike<number> | undefined;
}

const NO_BYTES = new Uint8Array(0);

export class FilterBlock {
  readonly view: BlockView;
  readonly #constants = new Map<number, Entries>();
  readonly #columns = new Map<number, Column>();
  readonly #sources = new Map<string, Source>();
  #starts: Times | undefined;

  constructor(view: BlockView) {
    this.view = view;
  }

  /** The values of `reference`; if it is of a level of events or links, those of all of them. */
  source(reference: FilterReference): Source {
    const key = reference.kind === 'field' ? reference.name : `${reference.level}:${reference.key}`;
    let source = this.#sources.get(key);
    if (source === undefined) this.#sources.set(key, (source = this.#read(reference)));
    return source;
  }

  #read(reference: FilterReference): Source {
    if (reference.kind === 'field') return this.#field(reference.name);
    const { level } = reference;
    const field = fieldOfAttribute(reference);
    if (field !== undefined) return this.#field(field);
    if (isInErrorTag(reference)) return ofSpans(this.#errors());
    const key = Buffer.from(reference.key, 'utf8');
    switch (level) {
      case '':
        return ofSpans([...this.#attribute(C.SECTION_SPANS, key), ...this.#ofResources(reference)]);
      case 'span':
        return ofSpans(this.#attribute(C.SECTION_SPANS, key));
      case 'resource':
        return ofSpans(this.#ofResources(reference));
      case 'scope':
        return ofSpans(this.#ofScopes(reference));
      case 'event':
        return { section: C.SECTION_EVENTS, runs: this.#attribute(C.SECTION_EVENTS, key) };
      default:
        return { section: C.SECTION_LINKS, runs: this.#attribute(C.SECTION_LINKS, key) };
    }
  }

  #field(name: FieldName): Source {
    const isEmptyAbsent = ABSENT_WHEN_EMPTY.has(name);
    if (name.startsWith('event.')) return { section: C.SECTION_EVENTS, runs: this.#eventField(name), isEmptyAbsent };
    if (name.startsWith('link.')) return { section: C.SECTION_LINKS, runs: this.#linkField(name), isEmptyAbsent };
    return { section: C.SECTION_SPANS, runs: this.#spanField(name), isEmptyAbsent };
  }

  #spanField(name: FieldName): Run[] {
    switch (name) {
      case 'span.name':
        return this.#ofHeads(C.SECTION_SPANS, T.SPAN_NAME, (id) => [textEntry(operationName(this.#name(id)))]);
      case 'span.kind':
        return this.#ofHeads(C.SECTION_SPANS, T.SPAN_KIND, (kind) => [textEntry(SPAN_KINDS[kind] ?? SPAN_KINDS[0]!)]);
      case 'span.status':
        return this.#ofHeads(C.SECTION_SPANS, T.SPAN_STATUS, (code) => [
          textEntry(STATUS_WORDS[code] ?? STATUS_WORDS[0]!),
        ]);
      case 'span.statusMessage':
        return this.#intrinsic(C.SECTION_SPANS, T.FIELD_STATUS_MESSAGE);
      case 'span.traceState':
        return this.#intrinsic(C.SECTION_SPANS, T.FIELD_TRACE_STATE);
      case 'span.startTime':
        return everyRow(this.#startTimes);
      case 'span.endTime':
        return everyRow(this.#endTimes());
      case 'span.duration':
        return everyRow(this.#durations());
      case 'span.traceID':
      case 'span.spanID':
      case 'span.parentSpanID':
        return this.#ids(name);
      case 'resource.service':
      case 'resource.schemaURL':
        return this.#ofResources({ kind: 'field', name });
      default:
        return this.#ofScopes({ kind: 'field', name });
    }
  }

  #eventField(name: FieldName): Run[] {
    const { rowCount } = this.view.group;
    if (name === 'event.name') {
      return this.#ofHeads(C.SECTION_EVENTS, T.EVENT_NAME, (id) => [oneText(entryOf(this.view.strings(), id))]);
    }
    const offsets = this.view.group.numbers(C.COLUMN_EVENT_TIMES);
    const rows = ownersOf(this.view.childStarts(C.SECTION_EVENTS), rowCount);
    const times = name === 'event.time' ? Times.sums(this.#startTimes, offsets, rows) : Times.of(offsets);
    this.#eachWords(C.SECTION_EVENTS, T.FIELD_TIME, (event, time) =>
      times.set(event, name === 'event.time' ? time : time - this.#startTimes.at(rows[event]!)),
    );
    return everyRow(times);
  }

  #linkField(name: FieldName): Run[] {
    if (name === 'link.traceState') return this.#intrinsic(C.SECTION_LINKS, T.FIELD_TRACE_STATE);
    const isTrace = name === 'link.traceID';
    const field = isTrace ? T.FIELD_LINK_TRACE_ID : T.FIELD_LINK_SPAN_ID;
    const odd = this.#intrinsic(C.SECTION_LINKS, field);
    return everyRow(linkIds(this.view.group.fixed(C.COLUMN_LINK_IDS, 24), isTrace, odd));
  }

  #name(id: number): string {
    return Buffer.from(entryOf(this.view.strings(), id)).toString('utf8');
  }

  /** The values of `key` on spans, events or links. */
  #attribute(section: number, key: Buffer): Run[] {
    const id = this.view.keyId(key);
    if (id < 0) return [];
    return this.#ofFields(section, (field) => !T.isIntrinsic(field) && T.fieldId(field) === id);
  }

  /** If such a field occurs several times, the last one counts, as in proto3. */
  #intrinsic(section: number, intrinsic: number): Run[] {
    const isAsked = (field: number): boolean => T.isIntrinsic(field) && T.fieldId(field) === intrinsic;
    return this.#ofFields(section, isAsked, true);
  }

  /** A run for each field of a template that has rows and `isAsked` of; `isLastOnly`: of the last one in each template. */
  #ofFields(section: number, isAsked: (field: number) => boolean, isLastOnly = false): Run[] {
    const reader = this.view.rows(section);
    const { templates, starts, rows } = reader;
    const runs: Run[] = [];
    for (let id = 0; id < templates.count; id++) {
      const place = { rows, from: starts[id]!, to: starts[id + 1]! };
      if (place.from === place.to) continue;
      const found = templates.fieldsOf(id, isAsked);
      for (const at of isLastOnly ? found.slice(-1) : found) {
        const first = templates.isConstant(at) ? 0 : reader.valueStart(id, at - templates.starts[id]!);
        const run = templates.isConstant(at)
          ? this.#constantRun(section, at, place)
          : this.#columnRun(section, templates.field(at), { ...place, first });
        runs.push(run);
      }
    }
    return runs;
  }

  #constantRun(section: number, at: number, place: Pick<Run, 'rows' | 'from' | 'to'>): Run {
    const templates = this.view.templates(section);
    const [a, b] = [templates.a(at), templates.b(at)];
    const type = T.fieldType(templates.field(at));
    if (!T.isArenaType(type)) return { ...place, entries: oneEntry(type, a, b), first: 0, isConstant: true };
    // Each type has its own entries, but the text is shared.
    const key = section * 8 + type;
    let entries = this.#constants.get(key);
    if (entries === undefined) {
      this.#constants.set(key, (entries = { type, ...this.view.constants(section) }));
    }
    if (a >= entries.a.length) throw new StoreError('CORRUPTION', `constant ${a} of ${entries.a.length}`);
    return { ...place, entries, first: a, isConstant: true };
  }

  #columnRun(section: number, field: number, place: Pick<Run, 'rows' | 'from' | 'to' | 'first'>): Run {
    const key = field * 4 + section;
    let column = this.#columns.get(key);
    if (column === undefined) {
      const values = this.view.column(section, field);
      const type = T.fieldType(field);
      column =
        values.kind === 'texts'
          ? { entries: { type, ...values }, codes: values.codes }
          : { entries: { type, a: values.a, b: values.b, bytes: NO_BYTES }, codes: undefined };
      this.#columns.set(key, column);
    }
    const { entries, codes } = column;
    const run = { ...place, entries };
    return codes === undefined ? run : { ...run, codes };
  }

  /** Calls `visit` for each row of the section that has the intrinsic integer. */
  #eachWords(section: number, intrinsic: number, visit: (row: number, time: bigint) => void): void {
    eachEntry(this.#intrinsic(section, intrinsic), (row, { a, b }, entry) =>
      visit(row, wireTime(a[entry]!, b[entry]!)),
    );
  }

  /** Values for the number at `at` in a template's head; each number is read once. */
  #ofHeads(section: number, at: number, read: (head: number) => readonly Entries[]): Run[] {
    const { templates, starts, rows } = this.view.rows(section);
    const known = new Map<number, readonly Entries[]>();
    const runs: Run[] = [];
    for (let id = 0; id < templates.count; id++) {
      const head = templates.head(id, at);
      let values = known.get(head);
      if (values === undefined) known.set(head, (values = read(head)));
      const place = { rows, from: starts[id]!, to: starts[id + 1]!, first: 0, isConstant: true };
      for (const entries of values) runs.push({ entries, ...place });
    }
    return runs;
  }

  #ofResources(reference: FilterReference): Run[] {
    const all = this.view.resources();
    return this.#ofHeads(C.SECTION_SPANS, T.SPAN_RESOURCE, (id) => resourceValues(reference, entryOf(all, id)));
  }

  #ofScopes(reference: FilterReference): Run[] {
    const all = this.view.scopes();
    return this.#ofHeads(C.SECTION_SPANS, T.SPAN_SCOPE, (id) => scopeValues(reference, entryOf(all, id)));
  }

  get #startTimes(): Times {
    return (this.#starts ??= Times.ofDay(this.view.group.block.header.day, this.view.traceColumns().starts));
  }

  #endTimes(): Times {
    const times = Times.sums(this.#startTimes, this.view.traceColumns().durations);
    this.#eachWords(C.SECTION_SPANS, T.FIELD_END_TIME, (row, end) => times.set(row, end));
    return times;
  }

  #durations(): Times {
    const times = Times.of(this.view.traceColumns().durations);
    this.#eachWords(C.SECTION_SPANS, T.FIELD_END_TIME, (row, end) => times.set(row, end - this.#startTimes.at(row)));
    return times;
  }

  #ids(name: 'span.traceID' | 'span.spanID' | 'span.parentSpanID'): Run[] {
    const { rowCount } = this.view.group;
    const { firsts, parents } = this.view.traceColumns();
    const rows = { rows: countUp(rowCount), from: 0, to: rowCount, first: 0 };
    if (name === 'span.traceID') {
      return [{ ...rows, entries: hexIds(this.view.group.traceIds(), 16), codes: ownersOf(firsts, firsts.length - 1) }];
    }
    const spanIds = this.view.group.fixed(C.COLUMN_SPAN_IDS, 8);
    if (name === 'span.spanID') return [{ ...rows, entries: hexIds(spanIds, 8) }];
    const orphanIds = this.view.group.fixed(C.COLUMN_ORPHAN_PARENTS, 8);
    // Ids of rows, then of parents outside the block, then eight zero bytes for no parent.
    const entries = hexIds(Buffer.concat([spanIds, orphanIds, Buffer.alloc(8)]), 8);
    let orphan = rowCount;
    const codes = Uint32Array.from(parents, (parent) =>
      parent >= 0 ? parent : parent === -2 ? orphan++ : entries.a.length - 1,
    );
    return [{ ...rows, entries, codes }];
  }

  /** Whether a span is in error, as in tags: by its status, or by an attribute `error` that is true. */
  #errors(): Run[] {
    const { rowCount } = this.view.group;
    const flags = testRuns(this.#attribute(C.SECTION_SPANS, ERROR_KEY), rowCount, isTrue);
    const statuses = this.#ofHeads(C.SECTION_SPANS, T.SPAN_STATUS, (code) => [oneEntry(T.TYPE_INT, code, 0)]);
    const failed = testRuns(statuses, rowCount, (_type, code) => code === STATUS_ERROR);
    for (let row = 0; row < rowCount; row++) flags[row]! |= failed[row]!;
    const entries = { type: T.TYPE_BOOL, a: [0, 1], b: [0, 0], bytes: new Uint8Array(0) };
    return [{ entries, rows: countUp(rowCount), from: 0, to: rowCount, first: 0, codes: flags }];
  }
}

const ERROR_KEY = Buffer.from('error');
const STATUS_ERROR = 2;
const TRUE_TEXT = Buffer.from('true');

function isTrue(type: number, a: number, b: number, bytes: Uint8Array): boolean {
  return type === T.TYPE_BOOL ? a === 1 : type === T.TYPE_STRING && TRUE_TEXT.equals(bytes.subarray(a, a + b));
}

function ofSpans(runs: readonly Run[]): Source {
  return { section: C.SECTION_SPANS, runs };
}

function textEntry(text: string): Entries {
  return oneText(Buffer.from(text, 'utf8'));
}

/** One entry per row, in row order. */
function everyRow(entries: Entries): Run[] {
  return [{ entries, rows: countUp(entries.a.length), from: 0, to: entries.a.length, first: 0 }];
}

function countUp(count: number): Uint32Array {
  return Uint32Array.from({ length: count }, (_, i) => i);
}

function entryOf<E>(entries: readonly E[], id: number): E {
  const entry = entries[id];
  if (entry === undefined) throw new StoreError('CORRUPTION', `dictionary entry ${id} of ${entries.length}`);
  return entry;
}

/** The owner of each child; owner o has the children starts[o] … starts[o + 1] - 1. */
function ownersOf(starts: Uint32Array, owners: number): Uint32Array {
  const out = new Uint32Array(starts[owners]!);
  for (let owner = 0; owner < owners; owner++) out.fill(owner, starts[owner]!, starts[owner + 1]!);
  return out;
}
