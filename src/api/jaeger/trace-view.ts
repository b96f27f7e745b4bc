// A trace as Jaeger sees it: columns over its OTLP bytes, 56 bytes a span, so that the adjusters can examine a trace of
// 100,000 spans without an object for each span. A span becomes an object only while it is written.
import { SpanIds } from '../../trace/span-ids.ts';
import { assert } from '../../base/assert.ts';
import { readAttributes, type Attribute } from '../../trace/attributes.ts';
import { knownResources, type KnownResource } from './known-resources.ts';

/** Rows processed before other work gets a turn: a millisecond or two. */
export const ROWS_PER_TURN = 4_096;
/** Yielded after a piece of long work, so that the caller lets other work run. It has no bytes. */
export const TURN: Buffer = Buffer.alloc(0);

/** The result of `work`, run to its end without turns. */
export function withoutTurns<T>(work: Generator<Buffer, T, undefined>): T {
  let step = work.next();
  while (step.done !== true) {
    assert(step.value === TURN, 'work that is done at once writes nothing');
    step = work.next();
  }
  return step.value;
}

export class ResourceView {
  readonly known: KnownResource;
  /** Attributes that adjusting moved here from the spans. */
  readonly moved: Attribute[] = [];
  readonly #bytes: Buffer;
  readonly #start: number;
  readonly #end: number;
  #attributes: readonly Attribute[] | undefined;

  /** The Resource message [start, end). Throws INVALID_REQUEST if it is malformed. */
  constructor(bytes: Buffer, start: number, end: number) {
    this.#bytes = bytes;
    this.#start = start;
    this.#end = end;
    this.known = knownResources.find(bytes, start, end);
  }

  get service(): string {
    return this.known.service;
  }

  /** Two spans with the same key share a clock; "" = unknown. */
  get hostKey(): string {
    return this.known.hostKey;
  }

  /** Without service.name, sanitized, in the order of the wire. Read on first use. */
  get attributes(): readonly Attribute[] {
    return (this.#attributes ??= readAttributes(this.#bytes, this.#start, this.#end, 1).filter(
      ({ key }) => key !== 'service.name',
    ));
  }
}

/** Ranges of the trace's bytes; empty when start equals end. */
export interface ScopeView {
  readonly nameStart: number;
  readonly nameEnd: number;
  readonly versionStart: number;
  readonly versionEnd: number;
}

/** One row of the view at the moment it is read. */
export interface SpanView {
  /** The Span message in the trace's bytes. */
  readonly start: number;
  readonly end: number;
  readonly resource: ResourceView;
  readonly scope: ScopeView;
  /** 16 hex digits. Adjusting may have given a server span a new one. */
  readonly spanId: string;
  /** 16 hex digits, "" for none. */
  readonly parentId: string;
  readonly kind: number;
  /** Since the epoch; endNs is always after startNs. */
  readonly startNs: bigint;
  readonly endNs: bigint;
  /** Texts in the order Jaeger adds them. */
  readonly warnings: readonly string[];
  /** Keys of attributes that were moved to the resource. */
  readonly movedKeys: ReadonlySet<string> | undefined;
}

/** Words of a row. An id is two words, zeros where there is none. */
const ROW_WORDS = 10;
const START = 0;
const END = 1;
const RESOURCE = 2;
const SCOPE = 3;
const ID_HIGH = 4;
const ID_LOW = 5;
const PARENT_HIGH = 6;
const PARENT_LOW = 7;
const KIND = 8;
const MAY_HOLD_LIBRARY_KEY = 9;

export class TraceView {
  readonly bytes: Buffer;
  /** As legacy JSON prints it: 16 hex digits when the high half is zero, else 32. */
  traceId = '';
  readonly resources: ResourceView[];
  readonly scopes: ScopeView[];
  count = 0;
  #words = new Uint32Array(16 * ROW_WORDS);
  /** Start and end of each row, ns since the epoch. */
  #times = new BigInt64Array(16 * 2);
  readonly #warnings = new Map<number, string[]>();
  readonly #movedKeys = new Map<number, Set<string>>();

  constructor(bytes: Buffer, resources: ResourceView[] = [], scopes: ScopeView[] = []) {
    this.bytes = bytes;
    this.resources = resources;
    this.scopes = scopes;
  }

  /** Appends a row for the Span message [start, end), which belongs to the last resource and scope; returns its number. */
  add(start: number, end: number): number {
    const row = this.count++;
    const at = row * ROW_WORDS;
    if (at === this.#words.length) this.#grow();
    this.#words[at + START] = start;
    this.#words[at + END] = end;
    this.#words[at + RESOURCE] = this.resources.length - 1;
    this.#words[at + SCOPE] = this.scopes.length - 1;
    return row;
  }

  #grow(): void {
    const words = new Uint32Array(this.#words.length * 2);
    words.set(this.#words);
    this.#words = words;
    const times = new BigInt64Array(this.#times.length * 2);
    times.set(this.#times);
    this.#times = times;
  }

  /** A view of only these rows, not yet adjusted; resources and scopes are shared. */
  only(rows: readonly number[], traceId: string): TraceView {
    const view = new TraceView(this.bytes, this.resources, this.scopes);
    view.traceId = traceId;
    for (const row of rows) {
      const to = view.add(0, 0);
      view.#words.set(this.#words.subarray(row * ROW_WORDS, (row + 1) * ROW_WORDS), to * ROW_WORDS);
      view.setTimes(to, this.startNs(row), this.endNs(row));
      for (const warning of this.#warnings.get(row) ?? []) view.addWarning(to, warning);
    }
    return view;
  }

  /** Sets the row's id to the last eight of the trace's bytes [start, end). */
  readId(row: number, start: number, end: number): void {
    this.setId(row, this.#wordBefore(start, end - 4), this.#wordBefore(start, end));
  }

  readParentId(row: number, start: number, end: number): void {
    this.setParentId(row, this.#wordBefore(start, end - 4), this.#wordBefore(start, end));
  }

  /** The four bytes before `end`; bytes before `start` count as zeros. */
  #wordBefore(start: number, end: number): number {
    let word = 0;
    for (let at = Math.max(start, end - 4); at < end; at++) word = (word << 8) | this.bytes[at]!;
    return word >>> 0;
  }

  setId(row: number, high: number, low: number): void {
    this.#words[row * ROW_WORDS + ID_HIGH] = high;
    this.#words[row * ROW_WORDS + ID_LOW] = low;
  }

  setParentId(row: number, high: number, low: number): void {
    this.#words[row * ROW_WORDS + PARENT_HIGH] = high;
    this.#words[row * ROW_WORDS + PARENT_LOW] = low;
  }

  setKind(row: number, kind: number): void {
    this.#words[row * ROW_WORDS + KIND] = kind;
  }

  setTimes(row: number, startNs: bigint, endNs: bigint): void {
    this.#times[row * 2] = startNs;
    this.#times[row * 2 + 1] = endNs;
  }

  /** Marks that a key of the row may be a library attribute and must be examined. */
  markLibraryKey(row: number): void {
    this.#words[row * ROW_WORDS + MAY_HOLD_LIBRARY_KEY] = 1;
  }

  mayHoldLibraryKey(row: number): boolean {
    return this.#words[row * ROW_WORDS + MAY_HOLD_LIBRARY_KEY] === 1;
  }

  startOf(row: number): number {
    return this.#words[row * ROW_WORDS + START]!;
  }

  endOf(row: number): number {
    return this.#words[row * ROW_WORDS + END]!;
  }

  idHigh(row: number): number {
    return this.#words[row * ROW_WORDS + ID_HIGH]!;
  }

  idLow(row: number): number {
    return this.#words[row * ROW_WORDS + ID_LOW]!;
  }

  parentHigh(row: number): number {
    return this.#words[row * ROW_WORDS + PARENT_HIGH]!;
  }

  parentLow(row: number): number {
    return this.#words[row * ROW_WORDS + PARENT_LOW]!;
  }

  hasParent(row: number): boolean {
    return this.parentHigh(row) !== 0 || this.parentLow(row) !== 0;
  }

  kind(row: number): number {
    return this.#words[row * ROW_WORDS + KIND]! | 0;
  }

  startNs(row: number): bigint {
    return this.#times[row * 2]!;
  }

  endNs(row: number): bigint {
    return this.#times[row * 2 + 1]!;
  }

  resource(row: number): ResourceView {
    return this.resources[this.#words[row * ROW_WORDS + RESOURCE]!]!;
  }

  addWarning(row: number, text: string): void {
    const warnings = this.#warnings.get(row);
    if (warnings === undefined) this.#warnings.set(row, [text]);
    else warnings.push(text);
  }

  /** Shows the attribute `key` with the resource instead. */
  moveKey(row: number, key: string): void {
    const keys = this.#movedKeys.get(row);
    if (keys === undefined) this.#movedKeys.set(row, new Set([key]));
    else keys.add(key);
  }

  spanId(row: number): string {
    return formatSpanId(this.idHigh(row), this.idLow(row));
  }

  /** "" for a root. */
  parentId(row: number): string {
    return this.hasParent(row) ? formatSpanId(this.parentHigh(row), this.parentLow(row)) : '';
  }

  span(row: number): SpanView {
    const scope = this.#words[row * ROW_WORDS + SCOPE]!;
    return {
      start: this.startOf(row),
      end: this.endOf(row),
      resource: this.resource(row),
      scope: this.scopes[scope]!,
      spanId: this.spanId(row),
      parentId: this.parentId(row),
      kind: this.kind(row),
      startNs: this.startNs(row),
      endNs: this.endNs(row),
      warnings: this.#warnings.get(row) ?? [],
      movedKeys: this.#movedKeys.get(row),
    };
  }

  /** The spans in order, each made when it is requested. */
  *spans(): Generator<SpanView, void, undefined> {
    for (let row = 0; row < this.count; row++) yield this.span(row);
  }
}

/** 16 hex digits of an id given as two uint32. */
export function formatSpanId(high: number, low: number): string {
  return high.toString(16).padStart(8, '0') + low.toString(16).padStart(8, '0');
}

/** The first row of each span id. Valid until ids change. */
export class SpanIdIndex {
  readonly #trace: TraceView;
  readonly #ids = new SpanIds();

  constructor(trace: TraceView) {
    this.#trace = trace;
    this.#ids.begin(trace.count);
  }

  /** Adds `row` unless its id exists already; returns the row that has the id. */
  add(row: number): number {
    const known = this.#ids.add(this.#trace.idLow(row), this.#trace.idHigh(row), row);
    return known < 0 ? row : known;
  }

  /** The row with this id, or -1. */
  find(high: number, low: number): number {
    return this.#ids.find(low, high);
  }
}
