// Decodes a whole block, or selected traces of it, into a batch: for merges, recovery and assembling traces.
import { assert } from '../base/assert.ts';
import { StoreError } from '../base/errors.ts';
import type { SpanBatch } from '../trace/span-batch.ts';
import * as C from './block-columns.ts';
import { BlockReader } from './block-reader.ts';
import { decodedGroup } from './decoded-group.ts';
import type { GroupReader } from './group-reader.ts';
import type { TraceColumns } from './read-traces.ts';
import { AllValues, BlockEntries, SomeValues, type SectionValues } from './section-values.ts';

/** Appends every row of the block at the start of `source`. Throws CORRUPTION and leaves the batch as it was. */
export function appendBlock(batch: SpanBatch, source: BlockReader | Uint8Array): void {
  restoring(batch, () => {
    const block = source instanceof Uint8Array ? new BlockReader(source) : source;
    batch.reserveRows(block.header.rowCount);
    const entries = new BlockEntries(block, batch);
    for (const group of block.groups) {
      const traces = Array.from({ length: group.traceCount }, (_, trace) => trace);
      new RowCopier(entries, group, AllValues).copy(traces);
    }
  });
}

/**
 * Appends the rows of the traces whose indexes `traces` lists. Reads only their groups, and decodes only the value
 * columns that these rows have. Throws CORRUPTION and leaves the batch as it was.
 */
export function appendTraces(batch: SpanBatch, block: BlockReader, traces: readonly number[]): void {
  const { traceCount } = block.header;
  assert(
    traces.every((trace) => trace < traceCount),
    'a trace that the block has not',
  );
  restoring(batch, () => {
    const entries = new BlockEntries(block, batch);
    for (const group of block.groups) {
      const own = traces
        .map((trace) => trace - group.firstTrace)
        .filter((trace) => trace >= 0 && trace < group.traceCount);
      if (own.length === 0) continue;
      group.load();
      new RowCopier(entries, group, SomeValues).copy(own);
    }
  });
}

function restoring(batch: SpanBatch, append: () => void): void {
  const { rowCount, arenaLength } = batch;
  try {
    append();
  } catch (error) {
    batch.truncate(rowCount);
    batch.arenaLength = arenaLength;
    throw error;
  }
}

/** Copies rows of a group to the end of a batch, in block order. */
class RowCopier {
  readonly #batch: SpanBatch;
  readonly #group: GroupReader;
  readonly #spans: SectionValues;
  readonly #events: SectionValues;
  readonly #links: SectionValues;
  readonly #columns: TraceColumns;
  readonly #traceIds: IdColumn;
  readonly #spanIds: IdColumn;
  readonly #orphans: IdColumn;
  readonly #linkIds: IdColumn;
  readonly #eventTimes: Float64Array;
  readonly #eventStart: Uint32Array;
  readonly #linkStart: Uint32Array;
  /** The rank of each orphan row among the orphans. */
  readonly #orphanRank: Uint32Array;

  constructor(entries: BlockEntries, group: GroupReader, Values: typeof AllValues | typeof SomeValues) {
    this.#batch = entries.batch;
    this.#group = group;
    const decoded = decodedGroup(group);
    this.#spans = new Values(decoded.section(C.SECTION_SPANS), entries);
    this.#events = new Values(decoded.section(C.SECTION_EVENTS), entries);
    this.#links = new Values(decoded.section(C.SECTION_LINKS), entries);
    this.#columns = decoded.traceColumns();
    this.#traceIds = { bytes: group.traceIds(), words: 4 };
    this.#spanIds = { bytes: group.fixed(C.COLUMN_SPAN_IDS, 8), words: 2 };
    this.#orphans = { bytes: group.fixed(C.COLUMN_ORPHAN_PARENTS, 8), words: 2 };
    this.#linkIds = { bytes: group.fixed(C.COLUMN_LINK_IDS, 24), words: 6 };
    this.#eventTimes = group.numbers(C.COLUMN_EVENT_TIMES);
    this.#eventStart = decoded.childStarts(C.SECTION_EVENTS);
    this.#linkStart = decoded.childStarts(C.SECTION_LINKS);
    this.#orphanRank = new Uint32Array(group.rowCount);
    this.#checkIds(this.#rankOrphans());
  }

  /** Ranks the orphans; returns their number. */
  #rankOrphans(): number {
    const { parents } = this.#columns;
    let orphans = 0;
    for (let row = 0; row < parents.length; row++) if (parents[row] === -2) this.#orphanRank[row] = orphans++;
    return orphans;
  }

  #checkIds(orphans: number): void {
    const isShort =
      this.#spanIds.bytes.length !== 8 * this.#group.rowCount ||
      this.#orphans.bytes.length !== 8 * orphans ||
      this.#linkIds.bytes.length !== 24 * this.#links.reader.rows.length ||
      this.#eventTimes.length !== this.#events.reader.rows.length;
    if (isShort) throw new StoreError('CORRUPTION', 'the id columns do not fit the rows');
  }

  copy(traces: readonly number[]): void {
    const { firsts } = this.#columns;
    for (const trace of traces) {
      for (let row = firsts[trace]!; row < firsts[trace + 1]!; row++) this.#copyRow(row, trace);
    }
  }

  #copyRow(row: number, trace: number): void {
    const batch = this.#batch;
    const columns = this.#columns;
    const to = batch.beginRow();
    copyId(this.#traceIds, trace, batch.traceId, to * 4);
    copyId(this.#spanIds, row, batch.spanId, to * 2);
    const parent = columns.parents[row]!;
    if (parent >= 0) copyId(this.#spanIds, parent, batch.parentId, to * 2);
    else if (parent === -2) copyId(this.#orphans, this.#orphanRank[row]!, batch.parentId, to * 2);
    else batch.parentId[to * 2] = batch.parentId[to * 2 + 1] = 0;
    batch.day[to] = this.#group.block.header.day;
    batch.start[to] = columns.starts[row]!;
    batch.duration[to] = columns.durations[row]!;
    batch.template[to] = this.#spans.template(row);
    this.#spans.copy(row, batch.values);
    for (let event = this.#eventStart[row]!; event < this.#eventStart[row + 1]!; event++) this.#copyEvent(event);
    for (let link = this.#linkStart[row]!; link < this.#linkStart[row + 1]!; link++) this.#copyLink(link);
    batch.commitRow();
  }

  #copyEvent(event: number): void {
    const { events } = this.#batch;
    const before = events.values.count;
    this.#events.copy(event, events.values);
    events.push(this.#events.template(event), this.#eventTimes[event]!, before);
  }

  #copyLink(link: number): void {
    const { links } = this.#batch;
    const at = this.#batch.reserveLink();
    copyId(this.#linkIds, link, this.#batch.linkIds, at);
    const before = links.values.count;
    this.#links.copy(link, links.values);
    links.push(this.#links.template(link), 0, before);
  }
}

/** A column of ids, `words` × 4 bytes each. */
interface IdColumn {
  readonly bytes: Uint8Array;
  readonly words: number;
}

/** Copies id number `index` to the words at `to`. */
function copyId(ids: IdColumn, index: number, target: Uint32Array, to: number): void {
  const { bytes, words } = ids;
  for (let word = 0, i = index * words * 4; word < words; word++, i += 4) {
    target[to + word] = bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);
  }
}
