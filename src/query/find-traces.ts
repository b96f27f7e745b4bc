// Reads whole traces by id: collects the spans of a trace from every part, log block and day and from the archive, and
// returns them once each, as OTLP. The bytes depend only on the set of stored spans, not on where they are stored.
import { assert } from '../base/assert.ts';
import { StoreError } from '../base/errors.ts';
import { limits } from '../base/limits.ts';
import type { BlockReader } from '../block/block-reader.ts';
import { appendTraces } from '../block/decode-block.ts';
import { regroupByTrace } from '../block/regroup.ts';
import { ANY_SPAN, scanRequest } from '../otlp/scan-request.ts';
import { writeTraces } from '../otlp/write-spans.ts';
import { SpanBatch } from '../trace/span-batch.ts';
import type { FoundTrace } from '../trace/store.ts';
import type { BlockSource } from './block-source.ts';
import type { Deadline } from './deadline.ts';

/** Traces assembled at a time: bounds the decoded blocks in memory, while neighbours still share one decoding of a block. */
const TRACES_PER_PASS = 64;

/** Bytes of a row's own columns in a batch, without its values. */
const ROW_BYTES = 64;

/**
 * The traces among `traceIds` that exist, in the requested order. Throws LIMIT_EXCEEDED if they have more than `bytesMax`
 * bytes of OTLP together.
 */
export function findTraces(
  source: BlockSource,
  traceIds: readonly Uint8Array[],
  deadline: Deadline,
  bytesMax: number = limits.answerBytesMax,
): FoundTrace[] {
  const found: FoundTrace[] = [];
  const size = new AnswerSize(bytesMax);
  for (let from = 0; from < traceIds.length; from += TRACES_PER_PASS) {
    found.push(...findPass(source, traceIds.slice(from, from + TRACES_PER_PASS), { deadline, size }));
  }
  return found;
}

/** Which of `traceIds` exist, in the given order. */
export function existingTraces(source: BlockSource, traceIds: readonly Uint8Array[], deadline: Deadline): Uint8Array[] {
  const wanted = new WantedTraces(traceIds);
  const found = new Set<string>();
  for (const candidate of source.blocksOfTraces(traceIds)) {
    deadline.check();
    candidate.read((block) => {
      const ids = block.traceIds();
      for (const trace of tracesIn(block, wanted)) found.add(idKey(ids.subarray(trace * 16, trace * 16 + 16)));
    });
  }
  return traceIds.filter((traceId) => found.has(idKey(traceId)) || source.isArchived(traceId));
}

/**
 * Joins the pieces of one trace, TracesData each, that several stores hold: the bytes of one store with all these spans.
 * Throws INVALID_REQUEST if a piece is malformed, or of another trace.
 */
export function joinTrace(pieces: readonly Uint8Array[]): Uint8Array {
  const batch = new SpanBatch();
  for (const piece of pieces) scanRequest(batch, piece, ANY_SPAN);
  const { rows, traceEnds } = regroupByTrace(batch);
  if (traceEnds.length !== 1)
    throw new StoreError('INVALID_REQUEST', `${traceEnds.length} traces in the pieces of one`);
  return writeTraces(batch, rows);
}

/** The size of a growing answer, so that it is refused before it uses up memory. */
class AnswerSize {
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  add(bytes: number): void {
    this.#bytes += bytes;
    this.check(0);
  }

  /** Throws if the bytes written so far plus `bytes` exceed the limit. */
  check(bytes: number): void {
    if (this.#bytes + bytes <= this.#bytesMax) return;
    throw new StoreError(
      'LIMIT_EXCEEDED',
      `the traces asked for have more than ${this.#bytesMax} bytes as OTLP; ask for fewer (limit), or for one by its id`,
    );
  }
}

/** The batch of this thread's last pass. To make its arrays and tables anew would be a tenth of reading a trace by id. */
let spareBatch: SpanBatch | undefined;
/** A larger one is not kept. */
const SPARE_BYTES_MAX: number = 4 << 20;

interface PassBounds {
  readonly deadline: Deadline;
  readonly size: AnswerSize;
}

function findPass(source: BlockSource, traceIds: readonly Uint8Array[], { deadline, size }: PassBounds): FoundTrace[] {
  const wanted = new WantedTraces(traceIds);
  const batch = spareBatch ?? new SpanBatch();
  // A pass that fails leaves none.
  spareBatch = undefined;
  batch.clear();
  for (const candidate of source.blocksOfTraces(traceIds)) {
    deadline.check();
    candidate.read((block) => {
      const traces = tracesIn(block, wanted);
      if (traces.length > 0) appendTraces(batch, block, traces);
    });
    size.check(batch.arenaBytes + batch.rowCount * ROW_BYTES);
  }
  const readMs = performance.now();
  for (const otlp of source.archivedTraces(traceIds)) scanRequest(batch, otlp, ANY_SPAN);
  const { rows, traceEnds } = regroupByTrace(batch);
  const byId = new Map<string, Uint8Array>();
  let from = 0;
  for (const end of traceEnds) {
    assert(end > from, 'a trace without spans');
    const traceRows = rows.subarray(from, end);
    from = end;
    deadline.check();
    const otlp = writeTraces(batch, traceRows);
    size.add(otlp.length);
    byId.set(idKey(new Uint8Array(batch.traceId.buffer, traceRows[0]! * 16, 16)), otlp);
  }
  assert(from === rows.length, `${rows.length - from} spans belong to no trace`);
  source.work.times.answerMs += performance.now() - readMs;
  if (batch.capacityBytes + batch.dictionaryBytes <= SPARE_BYTES_MAX) spareBatch = batch;
  return traceIds.flatMap((traceId) => {
    const otlp = byId.get(idKey(traceId));
    return otlp === undefined ? [] : [{ traceId, otlp }];
  });
}

/** A trace id as a map key. */
export function idKey(traceId: Uint8Array): string {
  return Buffer.from(traceId.buffer, traceId.byteOffset, 16).toString('latin1');
}

/** Finds wanted ids among many without an object for each: by their last four bytes, which are random in all common kinds of ids. */
export class WantedTraces {
  readonly #ids: Uint8Array;
  /** Number + 1 of an id, 0: free. */
  readonly #slots: Int32Array;

  constructor(traceIds: readonly Uint8Array[]) {
    this.#ids = new Uint8Array(16 * traceIds.length);
    this.#slots = new Int32Array(2 ** Math.ceil(Math.log2(4 * traceIds.length + 1)));
    traceIds.forEach((id, i) => {
      this.#ids.set(id, 16 * i);
      if (!this.has(id, 0)) this.#slots[this.#slotOf(id, 0)] = i + 1;
    });
  }

  /** Whether the id at `at` is wanted. */
  has(ids: Uint8Array, at: number): boolean {
    return this.#slots[this.#slotOf(ids, at)] !== 0;
  }

  /** The slot of the id at `at`, or the free one where it would be. */
  #slotOf(ids: Uint8Array, at: number): number {
    const slots = this.#slots;
    let slot = tailOf(ids, at) & (slots.length - 1);
    while (slots[slot] !== 0 && !this.#equals(slots[slot]! - 1, ids, at)) slot = (slot + 1) & (slots.length - 1);
    return slot;
  }

  #equals(wanted: number, ids: Uint8Array, at: number): boolean {
    for (let i = 15; i >= 0; i--) if (this.#ids[16 * wanted + i] !== ids[at + i]) return false;
    return true;
  }
}

function tailOf(ids: Uint8Array, at: number): number {
  return ids[at + 12]! | (ids[at + 13]! << 8) | (ids[at + 14]! << 16) | (ids[at + 15]! << 24);
}

/** The numbers of the traces of `block` that are wanted. */
export function tracesIn(block: BlockReader, wanted: WantedTraces): number[] {
  const ids = block.traceIds();
  const traces: number[] = [];
  for (let trace = 0; trace < block.header.traceCount; trace++) if (wanted.has(ids, trace * 16)) traces.push(trace);
  return traces;
}
