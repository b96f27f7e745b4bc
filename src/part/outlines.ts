// The outlines of a part's blocks (block/outline.ts), at the start of its `filters` file: resources, scopes and
// operations, each listed once per part, and which of them each block has. Byte layout: docs/format/part.md, "filters".
// Their size is bounded. If a block has too many span names, its outline has ANY_NAME with the services, kinds and
// statuses of its spans; if even that does not fit, its outline is empty (isUnknown).
import { assert } from '../base/assert.ts';
import { StoreError } from '../base/errors.ts';
import type { BlockOutline, OutlineOperation } from '../block/outline.ts';
import { ByteReader } from '../bytes/byte-reader.ts';
import { ByteTable } from '../bytes/byte-table.ts';
import { ByteWriter } from '../bytes/byte-writer.ts';
import { CODEC_ZSTD, compress, decompress } from '../bytes/compression.ts';
import { crc32 } from '../bytes/crc32.ts';
import { SequenceTable } from '../bytes/sequence-table.ts';

/**
 * Steps of durations: a quarter of a power of two. One byte then covers durations from below 1 ns to 2^63, and a block
 * is opened in vain only for spans within 19 % of the searched duration. The steps are part of the format.
 */
const STEPS_PER_DOUBLING = 4;
const STEP_MAX = 255;

/** The step of a duration in ns. It never decreases as the duration grows. */
export function durationStep(durationNs: number): number {
  if (!(durationNs > 0)) return 0;
  return Math.min(STEP_MAX, 1 + Math.floor(STEPS_PER_DOUBLING * Math.log2(Math.max(1, durationNs))));
}

/** The content is ascending ids and equal steps: a higher level saves nothing. */
const LEVEL = 3;
/** Codec, raw length and stored length before the content, CRC after it. */
const FRAME_BYTES = 13;
/** A larger length is damage: a day of 10^9 spans has some 20 MB. */
const RAW_BYTES_MAX: number = 1 << 28;

/**
 * Replaces the names of a service that has too many to list: its spans in the block may have any name. It never
 * collides with a listed name, because a span with an empty name has a substitute (service-name.ts).
 */
export const ANY_NAME = '';
/** Default size limit of a part's outlines. Its readers keep them in memory: a thousand services take 8 MB. */
const OUTLINES_BYTES_MAX: number = 16 << 20;
/** If a block's operations take a larger share of the limit, their names are left out. 16,384 names alone take more. */
const BLOCK_SHARE = 1 / 32;
/** Upper bound for an operation or a descriptor without its text, including its place in a block's list. */
const ENTRY_BYTES = 72;
/** Zero operations, resources and scopes: a block has at least one of each, so this means "unknown". */
const UNKNOWN_BLOCK = new Uint8Array(3);

/** Collects the outlines of blocks, in the order of the part. */
export class OutlinesBuilder {
  readonly #bytesMax: number;
  readonly #texts = new ByteTable();
  readonly #resources = new ByteTable();
  readonly #scopes = new ByteTable();
  /** [service, name, kind, status], both names in #texts. */
  readonly #operations = new SequenceTable();
  readonly #scratch = new Int32Array(4);
  readonly #blocks = new ByteWriter(1 << 12);
  #blockCount = 0;

  constructor(bytesMax: number = OUTLINES_BYTES_MAX) {
    this.#bytesMax = bytesMax;
  }

  /** At most the limit plus three bytes a block. */
  get usedBytes(): number {
    const tables = this.#texts.usedBytes + this.#resources.usedBytes + this.#scopes.usedBytes;
    return tables + this.#operations.usedBytes + this.#blocks.length;
  }

  /** Adds the next block. Leaves out names, then the whole outline, if the limit would be exceeded. */
  addBlock({ operations, resources, scopes }: BlockOutline): void {
    // Steps keep the order of durations, so the longest of equal names has the greatest step.
    const steps = Array.from(operations, ([operation, longest]) => [operation, durationStep(longest)] as const);
    this.addSteps({ operations: new Map(steps), resources, scopes });
  }

  /** As addBlock, of an outline whose durations are steps already (outlineAt). */
  addSteps({ resources, scopes, ...outline }: BlockOutline): void {
    this.#blockCount++;
    const left = this.#bytesMax - this.usedBytes;
    let { operations } = outline;
    let size = sizeOf(operations);
    if (size > this.#bytesMax * BLOCK_SHARE || size > left) {
      operations = withoutNames(operations);
      size = sizeOf(operations);
    }
    for (const descriptor of [...resources, ...scopes]) size += descriptor.length + ENTRY_BYTES;
    if (size > left) this.#blocks.raw(UNKNOWN_BLOCK);
    else this.#add({ operations, resources, scopes });
    const rest = UNKNOWN_BLOCK.length * this.#blockCount;
    assert(this.usedBytes <= this.#bytesMax + rest, 'outlines above their bound');
  }

  #add({ operations, resources, scopes }: BlockOutline): void {
    const steps = new Map<number, number>();
    for (const [operation, step] of operations) {
      const id = this.#operation(operation);
      // Names that differ as bytes may have the same listed form: an empty name, or invalid UTF-8.
      steps.set(id, Math.max(steps.get(id) ?? 0, step));
    }
    const ids = [...steps.keys()].sort((x, y) => x - y);
    this.#writeIds(ids);
    for (const id of ids) this.#blocks.u8(steps.get(id)!);
    this.#writeIds(idsIn(this.#resources, resources));
    this.#writeIds(idsIn(this.#scopes, scopes));
  }

  #operation({ service, name, kind, status }: OutlineOperation): number {
    [service, name].forEach((text, i) => {
      const bytes = Buffer.from(text, 'utf8');
      this.#scratch[i] = this.#texts.intern(bytes, 0, bytes.length);
    });
    this.#scratch[2] = kind;
    this.#scratch[3] = status;
    return this.#operations.intern(this.#scratch, 4);
  }

  /** Ascending ids, stored as differences. */
  #writeIds(ids: readonly number[]): void {
    this.#blocks.varint(ids.length);
    let before = -1;
    for (const id of ids) {
      this.#blocks.varint(id - before - 1);
      before = id;
    }
  }

  /** The frame that follows the header of a `filters` file. */
  encode(): Uint8Array<ArrayBuffer> {
    const raw = this.#encodeRaw();
    const { codec, stored } = compress(raw, { codec: CODEC_ZSTD, level: LEVEL });
    const out = new ByteWriter(stored.length + FRAME_BYTES);
    out.u8(codec);
    out.u32(raw.length);
    out.u32(stored.length);
    out.raw(stored);
    out.u32(crc32(out.view()));
    return out.take();
  }

  #encodeRaw(): Uint8Array {
    const out = new ByteWriter(this.#blocks.length + this.#resources.sizeBytes + 4096);
    for (const table of [this.#texts, this.#resources, this.#scopes]) {
      out.varint(table.count);
      for (let id = 0; id < table.count; id++) {
        out.varint(table.end(id) - table.start(id));
        out.rawRange(table.arena, table.start(id), table.end(id));
      }
    }
    const { ints, count } = this.#operations;
    out.varint(count);
    for (let i = 0; i < 4 * count; i++) out.varint(ints[i]! >>> 0);
    out.varint(this.#blockCount);
    out.raw(this.#blocks.view());
    return out.view();
  }
}

function sizeOf(operations: BlockOutline['operations']): number {
  let size = 0;
  for (const { service, name } of operations.keys()) size += 3 * (service.length + name.length) + ENTRY_BYTES;
  return size;
}

/** One operation for each service, kind and status, with any name. */
function withoutNames(operations: BlockOutline['operations']): BlockOutline['operations'] {
  const merged = new Map<string, [OutlineOperation, number]>();
  for (const [{ service, kind, status }, longest] of operations) {
    const key = `${kind} ${status} ${service}`;
    const known = merged.get(key)?.[1] ?? -Infinity;
    merged.set(key, [{ service, name: ANY_NAME, kind, status }, Math.max(known, longest)]);
  }
  return new Map(merged.values());
}

function idsIn(table: ByteTable, entries: readonly Uint8Array[]): number[] {
  return entries.map((bytes) => table.intern(bytes, 0, bytes.length)).sort((x, y) => x - y);
}

/** The entries of one list that each block has: block b has ids[starts[b]] … ids[starts[b + 1] - 1], ascending. */
export interface BlockIds {
  readonly starts: Uint32Array;
  readonly ids: Uint32Array;
}

export interface PartOutlines {
  readonly operations: readonly OutlineOperation[];
  readonly resources: readonly Uint8Array[];
  readonly scopes: readonly Uint8Array[];
  readonly operationIds: BlockIds;
  /** durationStep of the longest span of each entry of operationIds. */
  readonly durationSteps: Uint8Array;
  readonly resourceIds: BlockIds;
  readonly scopeIds: BlockIds;
}

/** The outline of block number `block`, with the durationStep of each operation in place of its longest span. */
export function outlineAt(outlines: PartOutlines, block: number): BlockOutline {
  const { operationIds, durationSteps } = outlines;
  const operations = new Map<OutlineOperation, number>();
  for (let i = operationIds.starts[block]!; i < operationIds.starts[block + 1]!; i++)
    operations.set(outlines.operations[operationIds.ids[i]!]!, durationSteps[i]!);
  const entries = (list: readonly Uint8Array[], { starts, ids }: BlockIds): Uint8Array[] =>
    Array.from(ids.subarray(starts[block]!, starts[block + 1]!), (id) => list[id]!);
  return {
    operations,
    resources: entries(outlines.resources, outlines.resourceIds),
    scopes: entries(outlines.scopes, outlines.scopeIds),
  };
}

/** True when the block has no outline. */
export function isUnknown({ operationIds: { starts } }: PartOutlines, block: number): boolean {
  return starts[block] === starts[block + 1];
}

/** True when the spans of the entry `listed` may have the name `name`. */
export function mayBeNamed(listed: string, name: string | undefined): boolean {
  return name === undefined || listed === name || listed === ANY_NAME;
}

/** Decodes the frame `bytes`. Throws CORRUPTION, with `path` in the message. */
export function decodeOutlines(bytes: Uint8Array, path = 'filters'): PartOutlines {
  const end = bytes.length - 4;
  const isIntact = end >= FRAME_BYTES - 4 && new ByteReader(bytes, end).u32() === crc32(bytes.subarray(0, end));
  if (!isIntact)
    throw new StoreError('CORRUPTION', `${path}: the outlines fail their checksum; a merge of the part rewrites them`);
  const frame = new ByteReader(bytes, 0, end);
  const codec = frame.u8();
  const rawBytes = frame.u32();
  if (rawBytes > RAW_BYTES_MAX) throw new StoreError('CORRUPTION', `${path}: outlines of ${rawBytes} bytes`);
  const stored = frame.view(frame.u32());
  const reader = new ByteReader(decompress(codec, stored, rawBytes));
  const [texts, resources, scopes] = [readEntries(reader), readEntries(reader), readEntries(reader)];
  const names = texts.map((text) => Buffer.from(text.buffer, text.byteOffset, text.length).toString('utf8'));
  const operations: OutlineOperation[] = [];
  for (let left = reader.count(4); left > 0; left--) {
    const service = names[reader.varint()] ?? '';
    const name = names[reader.varint()] ?? '';
    operations.push({ service, name, kind: reader.varint() | 0, status: reader.varint() | 0 });
  }
  const lists = [new IdLists(), new IdLists(), new IdLists()] as const;
  const steps = new ByteWriter(1 << 12);
  for (let left = reader.count(3); left > 0; left--) {
    steps.raw(reader.view(lists[0].read(reader)));
    lists[1].read(reader);
    lists[2].read(reader);
  }
  const [operationIds, resourceIds, scopeIds] = [lists[0].take(), lists[1].take(), lists[2].take()];
  return { operations, resources, scopes, operationIds, durationSteps: steps.take(), resourceIds, scopeIds };
}

function readEntries(reader: ByteReader): Uint8Array[] {
  const entries: Uint8Array[] = [];
  for (let left = reader.count(1); left > 0; left--) entries.push(reader.view(reader.count(1)));
  return entries;
}

class IdLists {
  readonly #starts: number[] = [0];
  readonly #ids: number[] = [];

  /** Reads one block's ids; returns their number. */
  read(reader: ByteReader): number {
    const count = reader.count(1);
    let id = -1;
    for (let i = 0; i < count; i++) this.#ids.push((id += reader.varint() + 1));
    this.#starts.push(this.#ids.length);
    return count;
  }

  take(): BlockIds {
    return { starts: Uint32Array.from(this.#starts), ids: Uint32Array.from(this.#ids) };
  }
}
