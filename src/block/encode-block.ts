// Encodes rows of a batch as one block: self-contained, checksummed, immutable, already searchable. The rows come in
// trace-major order (regroup.ts); the block's layout is in docs/format/block.md.
import { assert } from '../base/assert.ts';
import { CODEC_LZ4, CODEC_ZSTD } from '../bytes/compression.ts';
import { encodeNumbers } from '../codec/numbers.ts';
import type { SpanBatch } from '../trace/span-batch.ts';
import * as T from '../trace/templates.ts';
import type { Tenant } from '../trace/tenant.ts';
import * as C from './block-columns.ts';
import { BLOCK_HEADER_SIZE_MIN, encodeBlockHeader } from './block-header.ts';
import { ColumnWriter, type FrameLayout } from './column-writer.ts';
import { encodeTraceColumns } from './encode-traces.ts';
import { addEventTerms } from './collect-terms.ts';
import { bucketRows, SectionEncoder, type Buckets, type EncodeContext, type SectionRows } from './encode-section.ts';
import { LocalIds } from './local-ids.ts';
import { outlineOf } from './outline.ts';
import { operationKey, type TermSet } from './terms.ts';

/** log: one LZ4 frame, no dictionaries, least CPU · young: LZ4 · merged: zstd; both with dictionaries, many frames. */
export type BlockProfile = 'log' | 'young' | 'merged';

const LAYOUTS: Readonly<Record<BlockProfile, FrameLayout & { dictionary: boolean }>> = {
  // A log block is a commit's few hundred rows, read whole by recovery and flush and short-lived: one frame.
  log: { compression: { codec: CODEC_LZ4, level: 0 }, frameBytes: 1 << 30, dictionary: false },
  young: { compression: { codec: CODEC_LZ4, level: 0 }, frameBytes: 16 << 10, dictionary: true },
  // Measured on the shop workload, one run: level 3 and 16 KiB 25.91 B a span, level 5 and 4 KiB 25.66, at the same CPU
  // within noise; level 9 would save 0.2 more for a third more CPU. Small frames keep unlike columns apart.
  merged: { compression: { codec: CODEC_ZSTD, level: 5 }, frameBytes: 4 << 10, dictionary: true },
};

export interface BlockOptions {
  readonly tenant: Tenant;
  /** UTC day of every row, days since 1970-01-01. */
  readonly day: number;
  readonly profile: BlockProfile;
  /** Collects the block's terms. Not in profile log, which has no dictionaries to collect them from. */
  readonly terms?: TermSet;
}

/** Encodes `rows` (at least one, whole traces together, all of options.day) as one block. */
export function encodeBlock(batch: SpanBatch, rows: Uint32Array, options: BlockOptions): Uint8Array<ArrayBuffer> {
  assert(rows.length > 0, 'a block without rows');
  const layout = LAYOUTS[options.profile];
  const columns = new ColumnWriter();
  using ids = new LocalIds(batch);
  const spans = spanRows(batch, rows);
  const { buckets, local } = bucketRows(spans);
  const context: EncodeContext = { columns, ids, dictionary: layout.dictionary, terms: options.terms };
  const encoder = new SectionEncoder(spans, outlined(batch, rows, { context, buckets }));
  assert(batch.day[rows[0]!] === options.day && batch.day[rows.at(-1)!] === options.day, 'a row of another day');
  encoder.encodeTemplates(buckets, local, (int, position) => {
    if (position === T.SPAN_RESOURCE) return ids.resources.id(int);
    if (position === T.SPAN_SCOPE) return ids.scopes.id(int);
    return position === T.SPAN_NAME ? ids.strings.id(int) : int;
  });
  const traces = encodeTraceColumns(batch, rows, buckets, columns);
  encoder.encodeValues(buckets);
  encodeEvents(batch, rows, context);
  encodeLinks(batch, rows, context);
  columns.end(C.COLUMN_STRINGS, ids.strings.write(columns.out));
  columns.end(C.COLUMN_RESOURCES, ids.resources.write(columns.out));
  columns.end(C.COLUMN_SCOPES, ids.scopes.write(columns.out));
  const { directory, frames } = columns.finish(layout);
  return assemble(directory, frames, { ...traces, ...options, rowCount: rows.length });
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
  const template = new Int32Array(rows.length);
  const valueStart = new Uint32Array(rows.length);
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

/** The events (or links) of the rows, in order, as batch indexes; and the count of each row that has any. */
function childIndexes(rows: Uint32Array, starts: Uint32Array): { children: Uint32Array; counts: Float64Array } {
  let total = 0;
  let parents = 0;
  for (let i = 0; i < rows.length; i++) {
    const count = starts[rows[i]! + 1]! - starts[rows[i]!]!;
    total += count;
    if (count > 0) parents++;
  }
  const children = new Uint32Array(total);
  const counts = new Float64Array(parents);
  let to = 0;
  parents = 0;
  for (let i = 0; i < rows.length; i++) {
    const from = starts[rows[i]!]!;
    const end = starts[rows[i]! + 1]!;
    if (end > from) counts[parents++] = end - from;
    for (let child = from; child < end; child++) children[to++] = child;
  }
  return { children, counts };
}

function encodeEvents(batch: SpanBatch, rows: Uint32Array, context: EncodeContext): void {
  const { children, counts } = childIndexes(rows, batch.eventStart);
  if (children.length === 0) return;
  const { columns, ids } = context;
  encodeNumbers(columns.out, counts, counts.length);
  columns.end(C.COLUMN_CHILD_COUNTS + C.SECTION_EVENTS, counts.length);
  const { events } = batch;
  const times = new Float64Array(children.length);
  for (let i = 0; i < children.length; i++) times[i] = events.time[children[i]!]!;
  const section = childRows(C.SECTION_EVENTS, T.EVENT_HEAD, {
    rows: events,
    templates: batch.eventTemplates,
    children,
    arena: batch.arena,
  });
  const { buckets, local } = bucketRows(section);
  const encoder = new SectionEncoder(section, context);
  encoder.encodeTemplates(buckets, local, (name) => ids.strings.id(name));
  encodeNumbers(columns.out, times, times.length);
  columns.end(C.COLUMN_EVENT_TIMES, times.length);
  if (context.terms !== undefined) addEventTerms(context.terms, batch, buckets.templates);
  encoder.encodeValues(buckets);
}

function encodeLinks(batch: SpanBatch, rows: Uint32Array, context: EncodeContext): void {
  const { children, counts } = childIndexes(rows, batch.linkStart);
  if (children.length === 0) return;
  const { columns } = context;
  encodeNumbers(columns.out, counts, counts.length);
  columns.end(C.COLUMN_CHILD_COUNTS + C.SECTION_LINKS, counts.length);
  const { links } = batch;
  const section = childRows(C.SECTION_LINKS, T.LINK_HEAD, {
    rows: links,
    templates: batch.linkTemplates,
    children,
    arena: batch.arena,
  });
  const { buckets, local } = bucketRows(section);
  const encoder = new SectionEncoder(section, context);
  encoder.encodeTemplates(buckets, local, (int) => int);
  const linkIds = new Uint8Array(batch.linkIds.buffer);
  for (const link of children) columns.out.rawRange(linkIds, link * 24, link * 24 + 24);
  columns.end(C.COLUMN_LINK_IDS, children.length, { isRandom: true });
  encoder.encodeValues(buckets);
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
  const template = new Int32Array(children.length);
  const valueStart = new Uint32Array(children.length);
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
