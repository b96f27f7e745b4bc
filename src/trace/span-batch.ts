// Spans in memory, columnar: the scan appends to it, blocks are encoded from it and decoded into it, and queries
// assemble traces in it. No object per span, no string per attribute: rows are typed arrays, text is byte ranges of one
// arena, repeated properties are template ids. A batch holds rows of one tenant and any number of days. Row r has the
// values [valueStart[r], valueStart[r+1]), one per field of its template; its events and links, which are rows of their
// own sections, are stored the same way.
import { copyInto } from '../bytes/slots.ts';
import { assert } from '../base/assert.ts';
import { ByteTable } from '../bytes/byte-table.ts';
import { SequenceTable } from '../bytes/sequence-table.ts';

/** Values in two uint32 words each; templates.ts defines the words of each type. */
export class ValueList {
  a = new Uint32Array(1024);
  b = new Uint32Array(1024);
  count = 0;

  push(a: number, b: number): void {
    if (this.count === this.a.length) this.reserve(1);
    this.a[this.count] = a;
    this.b[this.count++] = b;
  }

  /** Makes room for `more` values. */
  reserve(more: number): void {
    if (this.count + more <= this.a.length) return;
    const size = Math.max(this.count + more, this.a.length * 2);
    this.a = copyInto(new Uint32Array(size), this.a);
    this.b = copyInto(new Uint32Array(size), this.b);
  }
}

/** Child rows of spans: events or links, in the order of their spans. */
export class ChildRows {
  count = 0;
  template = new Int32Array(256);
  /** Events: ns after the span's start (0 if FIELD_TIME has the time). Links: unused. */
  time = new Float64Array(256);
  valueStart = new Uint32Array(257);
  readonly values = new ValueList();

  /** Adds a row after its values were pushed; `valuesBefore` was values.count before them. */
  push(template: number, time: number, valuesBefore: number): void {
    if (this.count + 1 >= this.template.length) this.#grow();
    assert(valuesBefore <= this.values.count, 'an event or link with fewer values than none');
    this.template[this.count] = template;
    this.time[this.count] = time;
    this.valueStart[this.count] = valuesBefore;
    this.valueStart[++this.count] = this.values.count;
  }

  #grow(): void {
    const size = this.template.length * 2;
    this.template = copyInto(new Int32Array(size), this.template);
    this.time = copyInto(new Float64Array(size), this.time);
    this.valueStart = copyInto(new Uint32Array(size + 1), this.valueStart);
  }

  truncate(count: number): void {
    assert(count <= this.count, `${this.count} events or links are cut to ${count}`);
    this.count = count;
    this.values.count = this.valueStart[count]!;
  }
}

/** Bytes of a row in the arrays below, without its values. */
const ROW_BYTES = 68;
const EVENT_BYTES = 16;
const LINK_BYTES = 40;

export class SpanBatch {
  /** Keys and names. */
  readonly strings = new ByteTable();
  /** Descriptors: presence byte, varint length of the schema URL, schema URL, canonical Resource (or Scope) message. */
  readonly resources = new ByteTable();
  readonly scopes = new ByteTable();
  readonly spanTemplates = new SequenceTable();
  readonly eventTemplates = new SequenceTable();
  readonly linkTemplates = new SequenceTable();

  rowCount = 0;
  /** Ids as words of their bytes in memory order: 4, 2 and 2 words a row. Byte views: idBytes(). */
  traceId = new Uint32Array(4 * 256);
  spanId = new Uint32Array(2 * 256);
  parentId = new Uint32Array(2 * 256);
  /** UTC day of the start, days since 1970-01-01; and ns since that day's midnight, an exact integer. */
  day = new Int32Array(256);
  start = new Float64Array(256);
  /** end - start in ns, exact; if that does not fit, ±2^53, and FIELD_END_TIME holds the end. */
  duration = new Float64Array(256);
  template = new Int32Array(256);
  valueStart = new Uint32Array(257);
  eventStart = new Uint32Array(257);
  linkStart = new Uint32Array(257);
  readonly values = new ValueList();
  readonly events = new ChildRows();
  readonly links = new ChildRows();
  /** Links' ids, 6 words each: trace id, span id. */
  linkIds = new Uint32Array(6 * 256);

  arena = new Uint8Array(1 << 16);
  arenaLength = 0;
  /** Increases with every clear(), which makes the ids interned before invalid. */
  generation = 0;

  get arenaBytes(): number {
    return this.arenaLength;
  }

  /** As rowBytes, but of all memory allocated for rows. */
  get capacityBytes(): number {
    const { events, links } = this;
    const values = this.values.a.length + events.values.a.length + links.values.a.length;
    const children = EVENT_BYTES * events.template.length + LINK_BYTES * links.template.length;
    return this.arena.length + ROW_BYTES * this.template.length + children + 8 * values;
  }

  /** Starts a row at the end; the caller fills its columns and values, then calls commitRow(). */
  beginRow(): number {
    if (this.rowCount + 1 >= this.template.length) this.#growRows(this.rowCount + 2);
    return this.rowCount;
  }

  commitRow(): void {
    const next = ++this.rowCount;
    this.valueStart[next] = this.values.count;
    this.eventStart[next] = this.events.count;
    this.linkStart[next] = this.links.count;
  }

  /** Removes all rows from `row` on, including a row being filled. Interned entries stay: they cost only memory. */
  truncate(row: number): void {
    assert(row <= this.rowCount, `${this.rowCount} rows are cut to ${row}`);
    this.rowCount = row;
    this.values.count = this.valueStart[row]!;
    this.events.truncate(this.eventStart[row]!);
    this.links.truncate(this.linkStart[row]!);
  }

  /** Makes room for `more` rows. */
  reserveRows(more: number): void {
    if (this.rowCount + more + 1 >= this.template.length) this.#growRows(this.rowCount + more + 2);
  }

  #growRows(need: number): void {
    const size = Math.max(need, this.template.length * 2);
    this.traceId = copyInto(new Uint32Array(4 * size), this.traceId);
    this.spanId = copyInto(new Uint32Array(2 * size), this.spanId);
    this.parentId = copyInto(new Uint32Array(2 * size), this.parentId);
    this.day = copyInto(new Int32Array(size), this.day);
    this.start = copyInto(new Float64Array(size), this.start);
    this.duration = copyInto(new Float64Array(size), this.duration);
    this.template = copyInto(new Int32Array(size), this.template);
    this.valueStart = copyInto(new Uint32Array(size + 1), this.valueStart);
    this.eventStart = copyInto(new Uint32Array(size + 1), this.eventStart);
    this.linkStart = copyInto(new Uint32Array(size + 1), this.linkStart);
  }

  /** Makes room for the next link's ids. */
  reserveLink(): number {
    const at = 6 * this.links.count;
    if (at + 6 > this.linkIds.length) this.linkIds = copyInto(new Uint32Array(2 * this.linkIds.length), this.linkIds);
    return at;
  }

  /** Appends bytes[start, end) to the arena; returns its offset. An empty arena takes over the first `bytes`. */
  appendArena(bytes: Uint8Array, start = 0, end: number = bytes.length): number {
    const at = this.arenaLength;
    const size = end - start;
    assert(at + size <= 0xffffffff, 'a batch arena beyond 4 GiB');
    assert(start >= 0 && size >= 0 && end <= bytes.length, 'text outside of its source is appended');
    if (this.arena.length === 0 && size === bytes.length) {
      this.arena = bytes as Uint8Array<ArrayBuffer>;
      this.arenaLength = size;
      return 0;
    }
    if (at + size > this.arena.length) {
      this.arena = copyInto(new Uint8Array(Math.max(at + size, this.arena.length * 2)), this.arena.subarray(0, at));
    }
    this.arena.set(size === bytes.length ? bytes : bytes.subarray(start, end), at);
    // Sizes that came out of a sum with a double must not make it one: every text's place is counted from it.
    this.arenaLength = (at + size) >>> 0;
    return at;
  }

  /** Removes the rows but keeps memory and interned entries, which the next rows will use again. */
  clearRows(): void {
    this.truncate(0);
    this.arenaLength = 0;
  }

  /** Removes everything but keeps the memory. */
  clear(): void {
    this.generation++;
    this.clearRows();
    for (const table of [
      this.strings,
      this.resources,
      this.scopes,
      this.spanTemplates,
      this.eventTemplates,
      this.linkTemplates,
    ]) {
      table.clear();
    }
  }

  /** Bytes of interned entries: the owner of a long-lived batch decides by it when to clear(). */
  get dictionaryBytes(): number {
    return (
      this.strings.usedBytes +
      this.resources.usedBytes +
      this.scopes.usedBytes +
      this.spanTemplates.usedBytes +
      this.eventTemplates.usedBytes +
      this.linkTemplates.usedBytes
    );
  }

  get rowBytes(): number {
    const values = this.values.count + this.events.values.count + this.links.values.count;
    const rows = ROW_BYTES * this.rowCount + EVENT_BYTES * this.events.count + LINK_BYTES * this.links.count;
    return rows + 8 * values + this.arenaLength;
  }

  /** Bytes of rows, values, text and interned entries. Arrays double, so at most twice as much is allocated. */
  get usedBytes(): number {
    return this.rowBytes + this.dictionaryBytes;
  }
}

/** The rows of each day, in row order. Keys: days since 1970-01-01 UTC. */
export function rowsByDay(batch: SpanBatch): Map<number, Uint32Array> {
  const counts = new Map<number, number>();
  const { day, rowCount } = batch;
  // Nearly every batch is of one day: count runs, not rows.
  for (let row = 0; row < rowCount;) {
    const key = day[row]!;
    const from = row;
    while (row < rowCount && day[row] === key) row++;
    counts.set(key, (counts.get(key) ?? 0) + row - from);
  }
  const out = new Map<number, Uint32Array>();
  for (const [key, count] of counts) {
    const rows = new Uint32Array(count);
    let at = 0;
    for (let row = 0; row < rowCount; row++) if (day[row] === key) rows[at++] = row;
    out.set(key, rows);
  }
  return out;
}
