// The `traces` file of a part: which blocks hold a trace. Entries (key, block), ascending, are in pages of 4 KiB with a
// CRC each. The first key of every page (its fence) stays in memory, so a lookup reads one page (two when equal keys
// continue on the next page). Byte layout: docs/format/part.md.
//
//   page    CRC-32 of the rest · u16 entries · u8 bits of a distance · u8 bits of a block number · u32, u32 first key,
//           high and low · for each entry its key's distance from the one before, and its block, in so many bits
//
// Keys are random, so a distance has some 20 bits where a part has a million traces: 4 bytes an entry instead of 8.
import { assert } from '../base/assert.ts';
import { StoreError } from '../base/errors.ts';
import { crc32 } from '../bytes/crc32.ts';
import type { ReadFile } from '../disk/disk.ts';
import type { Spill } from './spill.ts';
import { lowerBound, TRACE_ID_SIZE, traceKeyHigh, traceKeyLow } from './trace-key.ts';

/** One page of the device and of the page cache: smaller reads save nothing, larger ones read unneeded bytes. */
export const PAGE_SIZE = 4096;
const PAGE_HEADER_WORDS = 4;
const PAGE_BITS = 8 * PAGE_SIZE - 32 * PAGE_HEADER_WORDS;
/** Bits of a key: 32 high ones and 8 low ones. */
const KEY_BITS = 40;
/** Limit of a 24-bit number. At 16 k rows a block that is 275 billion rows, far more than a day's part can hold. */
export const BLOCKS_PER_PART_MAX: number = 1 << 24;

/** At most this many entries fit in a page: an entry has two bits or more. */
const PAGE_ENTRIES_MAX: number = PAGE_BITS / 2;
/** Default limit of the entries in memory: 16 MiB. */
const ENTRIES_MAX: number = 1 << 21;
/** Ranges of keys, by highest byte. Keys are hashes, so all ranges have about the same size. */
const RANGES = 256;

/** Sorted entries on disk: key range r has entries [starts[r], starts[r + 1]). */
interface Run {
  readonly at: number;
  readonly starts: Uint32Array;
}

/**
 * Collects (trace, block) pairs in any order; write() sorts them into pages. Entries beyond the memory limit go to disk
 * as sorted runs, which write() merges range by range; the resulting pages are the same.
 */
export class TraceLookupBuilder {
  readonly #spill: Spill | undefined;
  readonly #entriesMax: number;
  readonly #runs: Run[] = [];
  #entries = new Uint32Array(2 * 1024);
  #count = 0;
  #blockMax = 0;

  /** Without `spill` all entries stay in memory. */
  constructor(spill?: Spill, entriesMax: number = ENTRIES_MAX) {
    this.#spill = spill;
    this.#entriesMax = entriesMax;
  }

  get usedBytes(): number {
    return 8 * this.#count;
  }

  /** Adds every trace of block number `block`; `traceIds` comes from readBlockTraceIds. */
  addBlock(block: number, traceIds: Uint8Array): void {
    assert(block < BLOCKS_PER_PART_MAX, 'more blocks in a part than a lookup entry can number');
    this.#blockMax = Math.max(this.#blockMax, block);
    const traceCount = traceIds.length / TRACE_ID_SIZE;
    if (2 * (this.#count + traceCount) > this.#entries.length) this.#grow(traceCount);
    for (let i = 0; i < traceCount; i++) {
      const at = 2 * this.#count++;
      this.#entries[at] = ((traceKeyLow(traceIds, i * TRACE_ID_SIZE) << 24) | block) >>> 0;
      this.#entries[at + 1] = traceKeyHigh(traceIds, i * TRACE_ID_SIZE);
    }
    if (this.#count >= this.#entriesMax && this.#spill !== undefined) this.#writeRun(this.#spill);
  }

  /** Passes the pages to `write` in order, to follow the file header; returns all fences. Throws DISK. */
  write(write: (pages: Uint8Array) => void): Uint32Array<ArrayBuffer> {
    const fences: number[] = [];
    const blockBits = bitsOf(this.#blockMax);
    const writePages = (isLast: boolean): void => {
      const words = sortEntries(this.#entries, this.#count);
      const pages: Uint8Array[] = [];
      let from = 0;
      while (from < this.#count && (isLast || this.#count - from > PAGE_ENTRIES_MAX)) {
        const { to, keyBits } = fitPage(words, from, blockBits);
        pages.push(encodePage(words.subarray(2 * from, 2 * to), keyBits, blockBits));
        fences.push(words[2 * from + 1]!);
        from = to;
      }
      write(Buffer.concat(pages));
      // The remaining entries begin the page that the next range completes.
      this.#entries.copyWithin(0, 2 * from, 2 * this.#count);
      this.#count -= from;
    };
    if (this.#runs.length > 0) this.#readRanges(this.#spill!, () => writePages(false));
    writePages(true);
    return Uint32Array.from(fences);
  }

  #writeRun(spill: Spill): void {
    const words = sortEntries(this.#entries, this.#count);
    const starts = new Uint32Array(RANGES + 1);
    for (let i = 0; i < this.#count; i++) starts[(words[2 * i + 1]! >>> 24) + 1]!++;
    for (let range = 0; range < RANGES; range++) starts[range + 1]! += starts[range]!;
    this.#runs.push({ at: spill.sizeBytes, starts });
    spill.append(new Uint8Array(words.buffer, 0, 8 * this.#count));
    this.#count = 0;
  }

  /** Reads the runs back, as many ranges of keys at a time as fit, and calls `sort` after each. */
  #readRanges(spill: Spill, sort: () => void): void {
    if (this.#count > 0) this.#writeRun(spill);
    for (let first = 0, end = 0; first < RANGES; first = end) {
      let size = 0;
      do size += this.#runs.reduce((sum, { starts }) => sum + starts[end + 1]! - starts[end]!, 0);
      while (++end < RANGES && size < this.#entriesMax / 2);
      if (2 * (this.#count + size) > this.#entries.length) this.#grow(size);
      for (const { at, starts } of this.#runs) {
        const bytes = spill.read(at + 8 * starts[first]!, at + 8 * starts[end]!);
        new Uint8Array(this.#entries.buffer).set(bytes, 8 * this.#count);
        this.#count += bytes.length / 8;
      }
      sort();
    }
  }

  #grow(more: number): void {
    const grown = new Uint32Array(Math.max(2 * (this.#count + more), 2 * this.#entries.length));
    grown.set(this.#entries);
    this.#entries = grown;
  }
}

/** Sorts entries [0, count) in place. */
function sortEntries(entries: Uint32Array, count: number): Uint32Array {
  // Two little-endian words are one little-endian 64-bit number; Node with our addons runs only on such machines.
  new BigUint64Array(entries.buffer, 0, count).sort();
  return entries.subarray(0, 2 * count);
}

/** The end of the page that begins with entry `from`, and the bits of its widest distance. */
function fitPage(words: Uint32Array, from: number, blockBits: number): { to: number; keyBits: number } {
  let keyBits = 1;
  let to = from + 1;
  for (; 2 * to < words.length; to++) {
    const bits = Math.max(keyBits, bitsOf(keyAt(words, to) - keyAt(words, to - 1)));
    if ((to - from + 1) * (bits + blockBits) > PAGE_BITS) break;
    keyBits = bits;
  }
  return { to, keyBits };
}

function encodePage(words: Uint32Array, keyBits: number, blockBits: number): Uint8Array {
  const page = new Uint32Array(PAGE_SIZE / 4);
  const count = words.length / 2;
  page[1] = (count | (keyBits << 16) | (blockBits << 24)) >>> 0;
  page[2] = words[1]!;
  page[3] = words[0]! >>> 24;
  let previous = keyAt(words, 0);
  for (let i = 0, bit = 32 * PAGE_HEADER_WORDS; i < count; i++) {
    const key = keyAt(words, i);
    const distance = key - previous;
    previous = key;
    putBits(page, bit, distance % TWO_32);
    if (keyBits > 32) putBits(page, bit + 32, Math.floor(distance / TWO_32));
    bit += keyBits;
    putBits(page, bit, words[2 * i]! & 0xffffff);
    bit += blockBits;
  }
  const bytes = new Uint8Array(page.buffer);
  page[0] = crc32(bytes.subarray(4));
  return bytes;
}

const TWO_32 = 4294967296;

/** The 40-bit key of a sorted entry. */
function keyAt(words: Uint32Array, entry: number): number {
  return words[2 * entry + 1]! * 256 + (words[2 * entry]! >>> 24);
}

function bitsOf(value: number): number {
  return value < TWO_32 ? 32 - Math.clz32(value) : 64 - Math.clz32(Math.floor(value / TWO_32));
}

/** Writes `value` at `bit`, where all bits must be 0. */
function putBits(words: Uint32Array, bit: number, value: number): void {
  const at = bit >>> 5;
  const shift = bit & 31;
  words[at] = words[at]! | (value << shift);
  if (shift > 0 && at + 1 < words.length) words[at + 1] = words[at + 1]! | (value >>> (32 - shift));
}

/** Reads `size` bits, up to 32, at `bit`. */
function getBits(words: Uint32Array, bit: number, size: number): number {
  const at = bit >>> 5;
  const shift = bit & 31;
  let value = words[at]! >>> shift;
  if (shift + size > 32) value |= words[at + 1]! << (32 - shift);
  return size === 32 ? value >>> 0 : value & ((1 << size) - 1);
}

/** The pages of a lookup in a file. */
export interface LookupPages {
  readonly file: ReadFile;
  /** Offset of the first page. */
  readonly start: number;
  /** High word of the first key of each page. */
  readonly fences: Uint32Array;
}

/**
 * Block numbers, ascending, that may hold the trace `traceId` (16 bytes): all that do, and with a probability of about
 * traces / 2^40 one that does not. Throws CORRUPTION when a page it needs fails its checksum.
 */
export function lookUpTrace(pages: LookupPages, traceId: Uint8Array): number[] {
  const { fences } = pages;
  const high = traceKeyHigh(traceId);
  const key = high * 256 + traceKeyLow(traceId);
  const blocks: number[] = [];
  // Equal keys may begin on the page before the first page whose fence is not below the key.
  const first = Math.max(0, lowerBound(fences, high) - 1);
  for (let page = first; page < fences.length && fences[page]! <= high; page++) {
    collectMatches(readPage(pages, page), key, blocks);
  }
  return blocks;
}

function collectMatches(page: Page, wanted: number, blocks: number[]): void {
  const { words, count, keyBits, blockBits } = page;
  let key = words[2]! * 256 + words[3]!;
  for (let i = 0, bit = 32 * PAGE_HEADER_WORDS; i < count && key <= wanted; i++, bit += keyBits + blockBits) {
    key += getBits(words, bit, Math.min(32, keyBits));
    if (keyBits > 32) key += getBits(words, bit + 32, keyBits - 32) * TWO_32;
    if (key === wanted) blocks.push(getBits(words, bit + keyBits, blockBits));
  }
}

const PROBES_MAX: number = 2 ** 21;

/** Traces to look up together: their keys, ascending. */
export class TraceProbes {
  readonly keys: Float64Array;

  /** `ids`: 16 bytes a trace. */
  constructor(ids: Uint8Array) {
    const count = ids.length / TRACE_ID_SIZE;
    assert(count < PROBES_MAX, 'more traces looked up at once than anybody counts at once');
    this.keys = new Float64Array(count);
    for (let i = 0; i < count; i++) {
      this.keys[i] = traceKeyHigh(ids, i * TRACE_ID_SIZE) * 256 + traceKeyLow(ids, i * TRACE_ID_SIZE);
    }
    this.keys.sort();
  }
}

/** Pages per read when most are needed: a read costs as much as the bytes of some ten pages. */
const PAGES_PER_READ = 64;

/**
 * Block numbers, ascending, that may hold one of the traces, as by lookUpTrace. Reads every page at most once, many per
 * read when most are needed. Throws CORRUPTION when a page it needs fails its checksum.
 */
export function lookUpTraces(lookup: LookupPages, { keys }: Pick<TraceProbes, 'keys'>): number[] {
  const { fences } = lookup;
  const blocks = new Set<number>();
  const pages = new PageReader(lookup, needsMost(lookup, keys.length) ? PAGES_PER_READ : 1);
  for (let from = 0, page = 0; from < keys.length; page++) {
    const high = Math.floor(keys[from]! / 256);
    // Equal keys may begin on the page before the first page whose fence is not below the key.
    page = Math.max(page, lowerBound(fences, high) - 1);
    if (page >= fences.length) break;
    const end = page + 1 < fences.length ? (fences[page + 1]! + 1) * 256 : Infinity;
    collectAll(pages.read(page), keys, { from, end }, blocks);
    // Keep the keys that may also be at the start of the next page.
    while (from < keys.length && keys[from]! < end - 256) from++;
  }
  return [...blocks].sort((x, y) => x - y);
}

/** Whether a lookup of `count` traces reads most pages. */
export function needsMost({ fences }: LookupPages, count: number): boolean {
  return 8 * count > fences.length;
}

/** Goes through the entries of a lookup, ascending by key, then by block. */
export class LookupCursor {
  /** The current entry, after next() has returned true. */
  key = 0;
  block = 0;
  readonly #lookup: LookupPages;
  readonly #pages: PageReader;
  #next = 0;
  #page: Page | undefined;
  #left = 0;
  #bit = 0;

  constructor(lookup: LookupPages) {
    this.#lookup = lookup;
    this.#pages = new PageReader(lookup, PAGES_PER_READ);
  }

  /** False at the end. Throws CORRUPTION. */
  next(): boolean {
    while (this.#left === 0) {
      if (this.#next === this.#lookup.fences.length) return false;
      this.#page = this.#pages.read(this.#next++);
      const { words, count } = this.#page;
      this.key = words[2]! * 256 + words[3]!;
      this.#left = count;
      this.#bit = 32 * PAGE_HEADER_WORDS;
    }
    const { words, keyBits, blockBits } = this.#page!;
    this.key += getBits(words, this.#bit, Math.min(32, keyBits));
    if (keyBits > 32) this.key += getBits(words, this.#bit + 32, keyBits - 32) * TWO_32;
    this.block = getBits(words, this.#bit + keyBits, blockBits);
    this.#bit += keyBits + blockBits;
    this.#left--;
    return true;
  }
}

/** Adds the blocks of the page's entries whose keys are in keys[from …) and below `end`. Both lists ascend. */
function collectAll(page: Page, keys: Float64Array, range: { from: number; end: number }, blocks: Set<number>): void {
  const { words, count, keyBits, blockBits } = page;
  let key = words[2]! * 256 + words[3]!;
  let at = range.from;
  for (let i = 0, bit = 32 * PAGE_HEADER_WORDS; i < count; i++, bit += keyBits + blockBits) {
    key += getBits(words, bit, Math.min(32, keyBits));
    if (keyBits > 32) key += getBits(words, bit + 32, keyBits - 32) * TWO_32;
    while (at < keys.length && keys[at]! < key) at++;
    if (at === keys.length || keys[at]! >= range.end) return;
    if (keys[at] === key) blocks.add(getBits(words, bit + keyBits, blockBits));
  }
}

/** Reads pages of one file, in ascending order. */
class PageReader {
  readonly #pages: LookupPages;
  readonly #pagesPerRead: number;
  /** Pages [#from, #end) are in #bytes. */
  #from = 0;
  #end = 0;
  #bytes = new Uint8Array(0);

  constructor(pages: LookupPages, pagesPerRead: number) {
    this.#pages = pages;
    this.#pagesPerRead = pagesPerRead;
  }

  read(page: number): Page {
    if (page >= this.#end) {
      this.#from = page;
      this.#end = Math.min(this.#pages.fences.length, page + this.#pagesPerRead);
      this.#bytes = this.#pages.file.read(offsetOf(this.#pages, page), (this.#end - page) * PAGE_SIZE);
    }
    const start = (page - this.#from) * PAGE_SIZE;
    return decodePage(this.#pages, page, this.#bytes.subarray(start, start + PAGE_SIZE));
  }
}

interface Page {
  readonly words: Uint32Array;
  readonly count: number;
  readonly keyBits: number;
  readonly blockBits: number;
}

function offsetOf({ start }: LookupPages, page: number): number {
  return start + page * PAGE_SIZE;
}

function readPage(pages: LookupPages, page: number): Page {
  return decodePage(pages, page, pages.file.read(offsetOf(pages, page), PAGE_SIZE));
}

function decodePage(pages: LookupPages, page: number, bytes: Uint8Array): Page {
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, PAGE_SIZE / 4);
  const count = words[1]! & 0xffff;
  const keyBits = (words[1]! >>> 16) & 0xff;
  const blockBits = words[1]! >>> 24;
  const isSound = keyBits <= KEY_BITS && blockBits <= 24 && count * (keyBits + blockBits) <= PAGE_BITS;
  if (words[0] !== crc32(bytes.subarray(4)) || !isSound) {
    throw new StoreError(
      'CORRUPTION',
      `${pages.file.path}: the page at byte ${offsetOf(pages, page)} fails its checksum; a merge of the part rewrites it`,
    );
  }
  return { words, count, keyBits, blockBits };
}
