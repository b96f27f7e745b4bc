// Encodes rows of a batch as one block: self-contained, checksummed, immutable, already searchable. The rows come in
// trace-major order (regroup.ts); the block's layout is in docs/format/block.md.
import { assert } from '../base/assert.ts';
import { CODEC_LZ4, CODEC_ZSTD } from '../bytes/compression.ts';
import { scratch } from '../bytes/scratch.ts';
import { encodeNumbers } from '../codec/numbers.ts';
import type { SpanBatch } from '../trace/span-batch.ts';
import * as T from '../trace/templates.ts';
import type { Tenant } from '../trace/tenant.ts';
import * as C from './block-columns.ts';
import { BLOCK_HEADER_SIZE_MIN, encodeBlockHeader } from './block-header.ts';
import { ColumnWriter, layOutColumns, type BlockColumns, type FrameLayout } from './column-writer.ts';
import { encodeTraceColumns, encodeTraceIds, traceFirsts } from './encode-traces.ts';
import { addEventTerms } from './collect-terms.ts';
import {
  bucketRows,
  SectionEncoder,
  splitBuckets,
  type Buckets,
  type EncodeContext,
  type LocalHead,
  type SectionRows,
} from './encode-section.ts';
import { LocalIds } from './local-ids.ts';
import { outlineOf } from './outline.ts';
import { cutGroups, type GroupBounds } from './row-group.ts';
import { operationKey, type TermSet } from './terms.ts';

/** log: one LZ4 frame, no dictionaries, least CPU · merged, of parts: zstd, dictionaries, many frames. */
export type BlockProfile = 'log' | 'merged';

const LAYOUTS: Readonly<Record<BlockProfile, FrameLayout & { dictionary: boolean; hasGroups: boolean }>> = {
  // A log block is a commit's few hundred rows, read whole by recovery and flush and short-lived: one frame.
  log: { compression: { codec: CODEC_LZ4, level: 0 }, frameBytes: 1 << 30, dictionary: false, hasGroups: false },
  // Small frames keep unlike columns apart: 4 KiB would save 1 % of space (decisions/0037). But a call of zstd costs as much
  // as the bytes of a frame this large. Level 9 would save 0.2 B a span more for a third more CPU (decisions/0012).
  merged: { compression: { codec: CODEC_ZSTD, level: 5 }, frameBytes: 32 << 10, dictionary: true, hasGroups: true },
};

export interface BlockOptions {
  readonly tenant: Tenant;
  /** UTC day of every row, days since 1970-01-01. */
  readonly day: number;
  readonly profile: BlockProfile;
  /** Collects the block's terms. Not in profile log, which has no dictionaries to collect them from. */
  readonly terms?: TermSet;
  /** Rows of a row group; default GROUP_ROWS_TARGET. Not in profile log, whose blocks have one group. */
  readonly groupRowsTarget?: number;
  /** Receives the batch's templates that the block has, by section. */
  readonly onTemplates?: (section: number, templates: Int32Array) => void;
}

/** Writers used for block after block: the first for what groups share, then one for each group. */
const writers: ColumnWriter[] = [];

function emptyWriter(index: number): ColumnWriter {
  const writer = (writers[index] ??= new ColumnWriter());
  writer.clear();
  return writer;
}

/** Encodes `rows` (at least one, whole traces together, all of options.day) as one block. */
export function encodeBlock(batch: SpanBatch, rows: Uint32Array, options: BlockOptions): Uint8Array<ArrayBuffer> {
  assert(rows.length > 0, 'a block without rows');
  const layout = LAYOUTS[options.profile];
  scratch.giveBack(0);
  using ids = new LocalIds(batch);
  const firsts = traceFirsts(batch, rows);
  const ends = (layout.hasGroups ? cutGroups(firsts, options.groupRowsTarget) : [firsts.length - 1]).map(
    (trace) => firsts[trace]!,
  );
  const spans = spanRows(batch, rows);
  const { buckets, local } = bucketRows(spans);
  const groupBuckets = splitBuckets(buckets, ends);
  const shared = emptyWriter(0);
  const groups = groupBuckets.map((own, group) => {
    const columns = ends.length === 1 ? shared : emptyWriter(1 + group);
    const groupRows = rows.subarray(own.firstRow, own.firstRow + own.rows.length);
    return { columns, ...encodeTraceColumns(batch, groupRows, own, columns) };
  });
  const columns: BlockColumns = { shared, groups };
  encodeTraceIds(batch, rows, firsts, shared);
  const { terms, onTemplates } = options;
  onTemplates?.(C.SECTION_SPANS, buckets.templates);
  const context: EncodeContext = { columns, ids, dictionary: layout.dictionary, terms, onTemplates };
  const encoder = new SectionEncoder(spans, outlined(batch, rows, { context, buckets }));
  assert(batch.day[rows[0]!] === options.day && batch.day[rows.at(-1)!] === options.day, 'a row of another day');
  const localHead: LocalHead = (int, position) => {
    if (position === T.SPAN_RESOURCE) return ids.resources.id(int);
    if (position === T.SPAN_SCOPE) return ids.scopes.id(int);
    return position === T.SPAN_NAME ? ids.strings.id(int) : int;
  };
  encoder.encodeTemplates(buckets, { local, ends, localHead });
  encoder.encodeValues(groupBuckets);
  encodeEvents(batch, { rows, ends }, context);
  encodeLinks(batch, { rows, ends }, context);
  shared.end(C.COLUMN_STRINGS, ids.strings.write(shared.out));
  shared.end(C.COLUMN_RESOURCES, ids.resources.write(shared.out));
  shared.end(C.COLUMN_SCOPES, ids.scopes.write(shared.out));
  const { directory, frames } = layOutColumns(columns, layout);
  scratch.giveBack(0);
  return assemble(directory, frames, { ...boundsOf(groups), ...options });
}

function boundsOf(groups: readonly GroupBounds[]): GroupBounds {
  const sum = (of: (group: GroupBounds) => number): number => groups.reduce((all, group) => all + of(group), 0);
  return {
    rowCount: sum((group) => group.rowCount),
    traceCount: sum((group) => group.traceCount),
    startMin: Math.min(...groups.map(({ startMin }) => startMin)),
    startMax: Math.max(...groups.map(({ startMax }) => startMax)),
    durationMin: Math.min(...groups.map(({ durationMin }) => durationMin)),
    durationMax: Math.max(...groups.map(({ durationMax }) => durationMax)),
  };
}

/** Adds the block's outline to its terms. */
function outlined(
  batch: SpanBatch,
  rows: Uint32Array,
  { context, buckets }: { context: EncodeContext; buckets: Buckets },
): EncodeContext {
  if (context.terms === undefined) return context;
  const { outline, operationOf } = outlineOf(batch, rows, buckets);
  context.terms.outline = outline;
  // One key object per operation name, shared by all its kinds and statuses.
  const keys = new Map<string, Buffer>();
  const operations = operationOf.map(({ service, name }) => {
    const key = operationKey(service, name);
    const text = key.toString('latin1');
    const known = keys.get(text) ?? key;
    keys.set(text, known);
    return known;
  });
  return { ...context, operations };
}

function assemble(
  directory: Uint8Array,
  frames: readonly Uint8Array[],
  header: Omit<Parameters<typeof encodeBlockHeader>[0], 'sizeBytes' | 'directoryBytes'>,
): Uint8Array<ArrayBuffer> {
  let sizeBytes = BLOCK_HEADER_SIZE_MIN + directory.length;
  for (const frame of frames) sizeBytes += frame.length;
  const block = new Uint8Array(sizeBytes);
  block.set(encodeBlockHeader({ ...header, sizeBytes, directoryBytes: directory.length }));
  let at = BLOCK_HEADER_SIZE_MIN;
  for (const piece of [directory, ...frames]) {
    block.set(piece, at);
    at += piece.length;
  }
  assert(at === sizeBytes, 'a block of another size than its header says');
  assert(header.traceCount <= header.rowCount, 'a block of more traces than rows');
  return block;
}

function spanRows(batch: SpanBatch, rows: Uint32Array): SectionRows {
  const template = scratch.int32(rows.length);
  const valueStart = scratch.uint32(rows.length);
  for (let i = 0; i < rows.length; i++) {
    template[i] = batch.template[rows[i]!]!;
    valueStart[i] = batch.valueStart[rows[i]!]!;
  }
  return {
    section: C.SECTION_SPANS,
    headInts: T.SPAN_HEAD,
    templates: batch.spanTemplates,
    count: rows.length,
    template,
    valueStart,
    values: batch.values,
    arena: batch.arena,
  };
}

/** The rows of a block, and for each group the row after its last. */
interface GroupedRows {
  readonly rows: Uint32Array;
  readonly ends: readonly number[];
}

/**
 * The events (or links) of the rows, in order, as batch indexes, and for each group the index after its last. Writes to
 * each group how many each of its rows has that has any.
 */
function takeChildren(
  { rows, ends }: GroupedRows,
  starts: Uint32Array,
  { groups }: BlockColumns,
  section: number,
): { children: Uint32Array; childEnds: number[] } {
  let total = 0;
  for (let i = 0; i < rows.length; i++) total += starts[rows[i]! + 1]! - starts[rows[i]!]!;
  const children = scratch.uint32(total);
  let to = 0;
  let row = 0;
  const childEnds = ends.map((end, group) => {
    const counts: number[] = [];
    for (; row < end; row++) {
      const from = starts[rows[row]!]!;
      const stop = starts[rows[row]! + 1]!;
      if (stop > from) counts.push(stop - from);
      for (let child = from; child < stop; child++) children[to++] = child;
    }
    if (counts.length > 0) {
      const { columns } = groups[group]!;
      encodeNumbers(columns.out, Float64Array.from(counts), counts.length);
      columns.end(C.COLUMN_CHILD_COUNTS + section, counts.length);
    }
    return to;
  });
  return { children, childEnds };
}

function encodeEvents(batch: SpanBatch, rows: GroupedRows, context: EncodeContext): void {
  const { columns, ids } = context;
  const { children, childEnds: ends } = takeChildren(rows, batch.eventStart, columns, C.SECTION_EVENTS);
  if (children.length === 0) return;
  const { events } = batch;
  const section = childRows(C.SECTION_EVENTS, T.EVENT_HEAD, {
    rows: events,
    templates: batch.eventTemplates,
    children,
    arena: batch.arena,
  });
  const { buckets, local } = bucketRows(section);
  context.onTemplates?.(section.section, buckets.templates);
  const encoder = new SectionEncoder(section, context);
  encoder.encodeTemplates(buckets, { local, ends, localHead: (name) => ids.strings.id(name) });
  eachGroup(columns, ends, (group, from, end) => {
    const { used } = scratch;
    const times = scratch.float64(end - from);
    for (let i = 0; i < times.length; i++) times[i] = events.time[children[from + i]!]!;
    encodeNumbers(group.out, times, times.length);
    scratch.giveBack(used);
    group.end(C.COLUMN_EVENT_TIMES, times.length);
  });
  if (context.terms !== undefined) addEventTerms(context.terms, batch, buckets.templates);
  encoder.encodeValues(splitBuckets(buckets, ends));
}

function encodeLinks(batch: SpanBatch, rows: GroupedRows, context: EncodeContext): void {
  const { columns } = context;
  const { children, childEnds: ends } = takeChildren(rows, batch.linkStart, columns, C.SECTION_LINKS);
  if (children.length === 0) return;
  const { links } = batch;
  const section = childRows(C.SECTION_LINKS, T.LINK_HEAD, {
    rows: links,
    templates: batch.linkTemplates,
    children,
    arena: batch.arena,
  });
  const { buckets, local } = bucketRows(section);
  context.onTemplates?.(section.section, buckets.templates);
  const encoder = new SectionEncoder(section, context);
  encoder.encodeTemplates(buckets, { local, ends, localHead: (int) => int });
  const linkIds = new Uint8Array(batch.linkIds.buffer);
  eachGroup(columns, ends, (group, from, end) => {
    for (let i = from; i < end; i++) group.out.rawRange(linkIds, children[i]! * 24, children[i]! * 24 + 24);
    group.end(C.COLUMN_LINK_IDS, end - from, { isRandom: true });
  });
  encoder.encodeValues(splitBuckets(buckets, ends));
}

/** Calls `write` for each group that has entries, with their range. */
function eachGroup(
  { groups }: BlockColumns,
  ends: readonly number[],
  write: (columns: ColumnWriter, from: number, end: number) => void,
): void {
  groups.forEach(({ columns }, group) => {
    const from = group === 0 ? 0 : ends[group - 1]!;
    if (ends[group]! > from) write(columns, from, ends[group]!);
  });
}

function childRows(
  section: number,
  headInts: number,
  source: {
    rows: SpanBatch['events'];
    templates: SpanBatch['eventTemplates'];
    children: Uint32Array;
    arena: Uint8Array;
  },
): SectionRows {
  const { children, rows } = source;
  const template = scratch.int32(children.length);
  const valueStart = scratch.uint32(children.length);
  for (let i = 0; i < children.length; i++) {
    template[i] = rows.template[children[i]!]!;
    valueStart[i] = rows.valueStart[children[i]!]!;
  }
  return {
    section,
    headInts,
    templates: source.templates,
    count: children.length,
    template,
    valueStart,
    values: rows.values,
    arena: source.arena,
  };
}
