// The `traces` file of a part: which blocks hold a trace. Entries are 64-bit numbers, ascending, in pages of 4 KiB,
// each page with its own CRC; the first key of every page (the fences) is kept in memory, so that one lookup is one
// page read (two when a run of equal keys crosses a page's end). Byte layout: docs/format/part.md.
//
//   entry   key high 32 bits · key low 8 bits · block number 24 bits
//   page    CRC-32 of the rest, entry count, 511 entries (unused ones zero)
import { assert } from '../base/assert.ts';
import { StoreError } from '../base/errors.ts';
import { crc32 } from '../bytes/crc32.ts';
import type { ReadFile } from '../disk/disk.ts';
import { FILE_HEADER_SIZE } from './format-version.ts';
import { lowerBound, TRACE_ID_SIZE, traceKeyHigh, traceKeyLow } from './trace-key.ts';

/**
 * One page of the device and of the page cache: reading less saves nothing, reading more reads what nobody asked for.
 */
export const PAGE_SIZE = 4096;
export const PAGE_ENTRIES_MAX: number = (PAGE_SIZE - 8) / 8;
/** What 24 bits can number. At 16 k rows a block that is 275 billion rows, far above what one day's part can hold. */
export const BLOCKS_PER_PART_MAX: number = 1 << 24;

/** Collects (trace, block) pairs in any order; encode() sorts them into pages. */
export class TraceLookupBuilder {
  #entries = new Uint32Array(2 * 1024);
  #count = 0;

  /** Adds every trace of block number `block`; `traceIds` as readBlockTraceIds gives them. */
  addBlock(block: number, traceIds: Uint8Array): void {
    assert(block < BLOCKS_PER_PART_MAX, 'more blocks in a part than a lookup entry can number');
    const traceCount = traceIds.length / TRACE_ID_SIZE;
    if (2 * (this.#count + traceCount) > this.#entries.length) this.#grow(traceCount);
    for (let i = 0; i < traceCount; i++) {
      const at = 2 * this.#count++;
      this.#entries[at] = ((traceKeyLow(traceIds, i * TRACE_ID_SIZE) << 24) | block) >>> 0;
      this.#entries[at + 1] = traceKeyHigh(traceIds, i * TRACE_ID_SIZE);
    }
  }

  /** The pages, to be written behind the file header, and the fences that belong to them. */
  encode(): { pages: Uint8Array<ArrayBuffer>; fences: Uint32Array<ArrayBuffer> } {
    // Two little-endian words are one little-endian 64-bit number: all machines Node runs on with our addons are that.
    const sorted = new BigUint64Array(this.#entries.buffer, 0, this.#count).sort();
    const words = new Uint32Array(sorted.buffer, 0, 2 * this.#count);
    const pageCount = Math.ceil(this.#count / PAGE_ENTRIES_MAX);
    const pages = new Uint32Array((pageCount * PAGE_SIZE) / 4);
    const bytes = new Uint8Array(pages.buffer);
    const fences = new Uint32Array(pageCount);
    for (let page = 0; page < pageCount; page++) {
      const from = page * PAGE_ENTRIES_MAX;
      const to = Math.min(this.#count, from + PAGE_ENTRIES_MAX);
      const at = (page * PAGE_SIZE) / 4;
      pages[at + 1] = to - from;
      pages.set(words.subarray(2 * from, 2 * to), at + 2);
      pages[at] = crc32(bytes.subarray(page * PAGE_SIZE + 4, (page + 1) * PAGE_SIZE));
      fences[page] = words[2 * from + 1]!;
    }
    return { pages: bytes, fences };
  }

  #grow(more: number): void {
    const grown = new Uint32Array(Math.max(2 * (this.#count + more), 2 * this.#entries.length));
    grown.set(this.#entries);
    this.#entries = grown;
  }
}

/**
 * Block numbers, ascending, that may hold the trace `traceId` (16 bytes): all that do, and with a probability of about
 * traces / 2^40 one that does not. Throws CORRUPTION when a page it needs fails its checksum.
 */
export function lookUpTrace(file: ReadFile, fences: Uint32Array, traceId: Uint8Array): number[] {
  const high = traceKeyHigh(traceId);
  const low = traceKeyLow(traceId);
  const blocks: number[] = [];
  // Equal keys may begin on the page before the first one whose fence reaches the key.
  const first = Math.max(0, lowerBound(fences, high) - 1);
  for (let page = first; page < fences.length && fences[page]! <= high; page++) {
    collectMatches(readPage(file, page), { high, low }, blocks);
  }
  return blocks;
}

function collectMatches(page: Uint32Array, key: { high: number; low: number }, blocks: number[]): void {
  const count = page[1]!;
  let from = 0;
  let to = count;
  while (from < to) {
    const middle = (from + to) >>> 1;
    if (page[2 * middle + 3]! < key.high) from = middle + 1;
    else to = middle;
  }
  for (let i = from; i < count && page[2 * i + 3] === key.high; i++) {
    const word = page[2 * i + 2]!;
    if (word >>> 24 === key.low) blocks.push(word & 0xffffff);
  }
}

function readPage(file: ReadFile, page: number): Uint32Array {
  const offset = FILE_HEADER_SIZE + page * PAGE_SIZE;
  const bytes = file.read(offset, PAGE_SIZE);
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, PAGE_SIZE / 4);
  if (words[0] !== crc32(bytes.subarray(4)) || words[1]! > PAGE_ENTRIES_MAX) {
    throw new StoreError(
      'CORRUPTION',
      `${file.path}: the page at byte ${offset} fails its checksum; a merge of the part rewrites it`,
    );
  }
  return words;
}
