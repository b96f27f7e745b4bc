// Digests of the spans in blocks, for the comparison of two nodes. A digest covers every field of a span, its resource and its
// scope: nodes with the same digests of a trace give the same bytes for it.
import { hash } from 'node:crypto';
import { appendBlock } from '../block/decode-block.ts';
import type { BlockReader } from '../block/block-reader.ts';
import { ByteWriter } from '../bytes/byte-writer.ts';
import { writeTraces } from '../otlp/write-spans.ts';
import { SpanBatch } from '../trace/span-batch.ts';
import { SPAN_DIGEST_BYTES } from '../trace/span-digests.ts';
import type { PartitionView } from '../partition/view.ts';
import type { BlockSource, ViewFiles } from './block-source.ts';
import type { Deadline } from './deadline.ts';

/** A page of so many spans takes a query thread some 200 ms; then other queries get their turn. */
const PAGE_SPANS = 16_384;

/** Log blocks of one piece: each is sent to a query thread with every page. */
const LOG_BLOCKS = 256;

/** Pages of a view's blocks. */
export interface DigestedBlocks {
  /** As DigestPage.records. */
  readonly records: Uint8Array;
  readonly spans: number;
  /** The block to go on with; undefined: there are no more. */
  readonly next: number | undefined;
}

/** `view` in pieces whose blocks keep their numbers: a part each, then some log blocks each. */
export function piecesOf({ partitions }: ViewFiles): ViewFiles[] {
  return partitions.flatMap(({ day, path, parts, logBlocks, losses = [] }) => {
    const pieces: PartitionView[] = parts.map((part) => ({ day, path, parts: [part], logBlocks: [] }));
    for (let at = 0; at < logBlocks.length; at += LOG_BLOCKS) {
      pieces.push({ day, path, parts: [], logBlocks: logBlocks.slice(at, at + LOG_BLOCKS) });
    }
    if (losses.length > 0) pieces.push({ day, path, parts: [], logBlocks: [], losses });
    return pieces.map((piece) => ({ partitions: [piece] }));
  });
}

/** Digests the blocks of `source` from number `from`. Its view is one of piecesOf. */
export function digestSpans(source: BlockSource, from: number, deadline: Deadline): DigestedBlocks {
  const blocks = source.blocks();
  const out = new ByteWriter();
  let spans = 0;
  let at = from;
  for (; at < blocks.length && spans < PAGE_SPANS; at++) {
    deadline.check();
    spans += blocks[at]!.read((block) => writeDigests(out, block)) ?? 0;
  }
  return { records: out.take(), spans, next: at < blocks.length ? at : undefined };
}

function writeDigests(out: ByteWriter, block: BlockReader): number {
  block.verify();
  const batch = new SpanBatch();
  appendBlock(batch, block);
  const ids = new Uint8Array(batch.traceId.buffer);
  const row = new Uint32Array(1);
  for (let first = 0, end = 0; first < batch.rowCount; first = end) {
    const id = ids.subarray(first * 16, first * 16 + 16);
    while (end < batch.rowCount && isSame(id, ids, end * 16)) end++;
    out.raw(id);
    out.u32(end - first);
    for (row[0] = first; row[0] < end; row[0]++) {
      out.raw(hash('sha1', writeTraces(batch, row), 'buffer').subarray(0, SPAN_DIGEST_BYTES));
    }
  }
  return batch.rowCount;
}

function isSame(id: Uint8Array, ids: Uint8Array, at: number): boolean {
  for (let i = 0; i < 16; i++) if (id[i] !== ids[at + i]) return false;
  return true;
}
