// Reads and checks every used page of an LMDB file before LMDB maps it. LMDB trusts its pages: a cut file kills the
// process with SIGBUS, a flipped bit in a page header with SIGSEGV, and a flipped bit in a page pointer silently loses
// entries. After this check every entry is there, once, in order, with its checksum right. It costs one read of the
// file and, checksums included, about 1 µs an entry.
//
// Layout: LMDB data format 2 of lmdb 3.5.6, little-endian, 64-bit (mdb.c: MDB_page_header, MDB_node, MDB_meta, MDB_db).
//   page    pgno u64 | txnid u64 | pad u16 | flags u16 | lower u16, upper u16 (overflow: pages u32) | body
//   body    node offsets u16 × lower/2, free space, nodes; lower, upper and offsets count from the body's start
//   node    lo u16, hi u16, flags u16, key size u16, key, value. Branch: lo, hi and flags are the child's pgno. Leaf:
//           lo and hi are the value's size; flags 1 = the value is {pgno, txnid, pages} u64 of an overflow run
//   meta    body of pages 0 and 1: magic u32 | version u32 | address u64 | map size u64 | db of the free list |
//           db of the main tree | last pgno u64 | txnid u64
//   db      pad u32 (free list: page size) | flags u16 | depth u16 | branch, leaf, overflow pages u64 | entries u64 |
//           root u64
import { StoreError } from '../base/errors.ts';
import type { Disk, ReadFile } from '../disk/disk.ts';

const MAGIC = 0xbeefc0de;
const DATA_VERSION = 2;
const HEADER_BYTES = 24;
const NODE_BYTES = 8;
const OVERFLOW_RUN_BYTES = 24;
const DEPTH_MAX = 32;
const BRANCH = 0x01;
const LEAF = 0x02;
const OVERFLOW = 0x04;
const META = 0x08;
const BIG_VALUE = 0x01;
const INTEGER_KEY = 0x08;
/** Far above any index; a larger map size is damage and would only make mmap fail. */
const MAP_BYTES_MAX = 2n ** 44n;
const NO_PAGE = 2n ** 64n - 1n;

interface Tree {
  readonly name: string;
  readonly flags: number;
  readonly depth: number;
  readonly branchPages: bigint;
  readonly leafPages: bigint;
  readonly overflowPages: bigint;
  readonly entries: bigint;
  readonly root: bigint;
  readonly compare: (a: Uint8Array, b: Uint8Array) => number;
}

interface Meta {
  readonly pageBytes: number;
  readonly txnid: bigint;
  readonly lastPage: bigint;
  readonly free: Tree;
  readonly main: Tree;
}

/** Called for every entry of the main tree, in key order; throws when the entry is damaged. */
export type EntryCheck = (key: Uint8Array, value: Uint8Array) => void;

/** Throws CORRUPTION, ending in `remedy`, unless the LMDB file `path` is whole. Nobody may write to it meanwhile. */
export function verifyPages(disk: Disk, path: string, remedy: string, checkEntry: EntryCheck): void {
  const file = disk.openRead(path);
  try {
    new PageCheck(file, remedy).run(checkEntry);
  } finally {
    file.close();
  }
}

class PageCheck {
  readonly #file: ReadFile;
  readonly #remedy: string;
  #meta!: Meta;
  /** Pages in use or free, to detect pages that occur twice. */
  readonly #used = new Set<number>([0, 1]);

  constructor(file: ReadFile, remedy: string) {
    this.#file = file;
    this.#remedy = remedy;
  }

  run(checkEntry: EntryCheck): void {
    this.#meta = this.#newestMeta();
    this.#walkTree(this.#meta.main, checkEntry);
    const free: Buffer[] = [];
    this.#walkTree(this.#meta.free, (_key, value) => free.push(Buffer.from(value)));
    for (const list of free) this.#checkFreeList(list);
  }

  #newestMeta(): Meta {
    const first = this.#readMeta(0, 0);
    const second = this.#readMeta(1, first.pageBytes);
    if (second.pageBytes !== first.pageBytes) this.#damaged('the meta pages disagree on the page size');
    const [older, newest] = first.txnid > second.txnid ? [second, first] : [first, second];
    this.#checkRoot(newest, !isEmpty(older));
    // In a new file, and in a compacted copy (mdb_env_copy), one meta page is empty and says nothing.
    if (isEmpty(older)) return newest;
    // A commit writes meta page (its number mod 2), and commit numbers grow by one.
    const isNext = newest.txnid - older.txnid === 1n && first.txnid % 2n === 0n;
    if (!isNext) this.#damaged(`meta pages of transactions ${first.txnid} and ${second.txnid}`);
    this.#checkRoot(older, false);
    return newest;
  }

  /**
   * Finds a wrong transaction number in a meta page, which would make LMDB go back by a commit. Every commit writes a
   * new root page with its number and leaves the old root unchanged. Copies keep older numbers in their pages.
   */
  #checkRoot({ txnid, main, pageBytes }: Meta, isExact: boolean): void {
    if (main.root === NO_PAGE) return;
    if (Number(main.root) * pageBytes >= this.#file.sizeBytes) this.#damaged(`root page ${main.root} is out of range`);
    const written = this.#read(Number(main.root) * pageBytes, HEADER_BYTES).readBigUInt64LE(8);
    if (written > txnid || (isExact && written < txnid))
      this.#damaged(`transaction ${txnid} has the root of ${written}`);
  }

  #readMeta(page: number, pageBytes: number): Meta {
    const bytes = this.#read(page * pageBytes, HEADER_BYTES + 24 + 2 * 48 + 16);
    const isMeta = Number(bytes.readBigUInt64LE(0)) === page && bytes.readUInt16LE(18) === META;
    if (!isMeta || bytes.readUInt32LE(HEADER_BYTES) !== MAGIC) this.#damaged(`page ${page} is not a meta page`);
    if (bytes.readUInt32LE(HEADER_BYTES + 4) !== DATA_VERSION) this.#damaged(`page ${page}: unknown LMDB version`);
    const size = bytes.readUInt32LE(HEADER_BYTES + 24);
    const mapBytes = bytes.readBigUInt64LE(HEADER_BYTES + 16);
    const isSizeSane = size >= 512 && size <= 65536 && (size & (size - 1)) === 0 && mapBytes <= MAP_BYTES_MAX;
    if (!isSizeSane || bytes.readBigUInt64LE(HEADER_BYTES + 8) !== 0n) this.#damaged(`page ${page}: senseless sizes`);
    const lastPage = bytes.readBigUInt64LE(HEADER_BYTES + 120);
    if (lastPage * BigInt(size) > mapBytes) this.#damaged(`page ${page}: last page ${lastPage}`);
    const free = treeAt(bytes, HEADER_BYTES + 24, 'free list', compareTransactions);
    const main = treeAt(bytes, HEADER_BYTES + 72, 'main tree', (a, b) => Buffer.compare(a, b));
    // LMDB takes flags from either meta page, so the older one's count too.
    if (free.flags !== INTEGER_KEY || main.flags !== 0)
      this.#damaged(`page ${page}: flags ${free.flags} and ${main.flags}`);
    return { pageBytes: size, lastPage, txnid: bytes.readBigUInt64LE(HEADER_BYTES + 128), free, main };
  }

  #walkTree(tree: Tree, checkEntry: EntryCheck): void {
    const counts = { branch: 0n, leaf: 0n, overflow: 0n, entries: 0n };
    if (tree.root === NO_PAGE) {
      if (tree.depth !== 0) this.#damaged(`${tree.name}: no root`);
    } else {
      if (tree.depth < 1 || tree.depth > DEPTH_MAX) this.#damaged(`${tree.name}: depth ${tree.depth}`);
      new TreeWalk(this, tree, checkEntry, counts).page(tree.root, 1, undefined, undefined);
    }
    const isCounted =
      counts.branch === tree.branchPages &&
      counts.leaf === tree.leafPages &&
      counts.overflow === tree.overflowPages &&
      counts.entries === tree.entries;
    if (!isCounted) this.#damaged(`${tree.name}: ${counts.entries} entries found, ${tree.entries} expected`);
  }

  /** Free pages must be in range, unused (LMDB will overwrite them) and listed once (or LMDB refuses commits). */
  #checkFreeList(list: Buffer): void {
    const count = list.length >= 8 ? Number(list.readBigUInt64LE(0)) : NaN;
    if (!(count <= list.length / 8 - 1)) this.#damaged('free list: senseless length');
    for (let i = 1; i <= count; i++) {
      let entry = list.readBigInt64LE(8 * i);
      // lmdb-js packs runs: minus the number of pages, then the first page. 0 is an empty slot.
      let pages = 1n;
      if (entry < 0n && i < count) {
        pages = -entry;
        entry = list.readBigInt64LE(8 * ++i);
      }
      if (entry === 0n) continue;
      if (entry < 2n || entry + pages - 1n > this.#meta.lastPage) this.#damaged(`free list: page ${entry}`);
      for (let page = Number(entry); page < Number(entry + pages); page++) {
        if (this.#used.has(page)) this.#damaged(`free list: page ${page} is in use or free twice`);
        this.#used.add(page);
      }
    }
  }

  get pageBytes(): number {
    return this.#meta.pageBytes;
  }

  get txnid(): bigint {
    return this.#meta.txnid;
  }

  /** `count` whole pages from `pgno`, which nothing else may use; checks that their header is that of a page in use. */
  pages(pgno: bigint, count: number, flags: number): Buffer {
    if (pgno < 2n || pgno + BigInt(count) - 1n > this.#meta.lastPage) this.#damaged(`page ${pgno} is out of range`);
    const first = Number(pgno);
    const bytes = this.#read(first * this.pageBytes, count * this.pageBytes);
    for (let page = first; page < first + count; page++) {
      if (this.#used.has(page)) this.#damaged(`page ${page} is used twice`);
      this.#used.add(page);
    }
    const isOurs = bytes.readBigUInt64LE(0) === pgno && bytes.readBigUInt64LE(8) <= this.#meta.txnid;
    if (!isOurs || bytes.readUInt16LE(18) !== flags) this.#damaged(`page ${pgno} has another page's header`);
    return bytes;
  }

  damaged(what: string): never {
    this.#damaged(what);
  }

  #read(offset: number, sizeBytes: number): Buffer {
    if (offset + sizeBytes > this.#file.sizeBytes) this.#damaged(`cut at ${this.#file.sizeBytes} bytes`);
    const bytes = this.#file.read(offset, sizeBytes);
    return Buffer.from(bytes.buffer);
  }

  #damaged(what: string): never {
    throw new StoreError('CORRUPTION', `${this.#file.path}: damaged: ${what}; ${this.#remedy}`);
  }
}

interface Counts {
  branch: bigint;
  leaf: bigint;
  overflow: bigint;
  entries: bigint;
}

class TreeWalk {
  readonly #check: PageCheck;
  readonly #tree: Tree;
  readonly #checkEntry: EntryCheck;
  readonly #counts: Counts;
  #lastKey: Uint8Array | undefined;

  constructor(check: PageCheck, tree: Tree, checkEntry: EntryCheck, counts: Counts) {
    this.#check = check;
    this.#tree = tree;
    this.#checkEntry = checkEntry;
    this.#counts = counts;
  }

  /**
   * Checks the page and everything below it; all keys must be in [low, high). The recursion depth is at most `depth`.
   */
  page(pgno: bigint, level: number, low: Uint8Array | undefined, high: Uint8Array | undefined): void {
    const isLeaf = level === this.#tree.depth;
    const bytes = this.#check.pages(pgno, 1, isLeaf ? LEAF : BRANCH);
    const nodes = this.#nodes(pgno, bytes, isLeaf);
    if (isLeaf) {
      this.#counts.leaf++;
      for (const node of nodes) this.#entry(bytes, node, low, high);
      return;
    }
    this.#counts.branch++;
    for (const [i, node] of nodes.entries()) {
      const child = BigInt(bytes.readUInt32LE(node)) | (BigInt(bytes.readUInt16LE(node + 4)) << 32n);
      const next = nodes[i + 1];
      // The first key of a branch page means "less than everything" and is never compared.
      this.page(child, level + 1, i === 0 ? low : keyOf(bytes, node), next === undefined ? high : keyOf(bytes, next));
    }
  }

  /** Offsets of the page's nodes, each inside the page and none overlapping another. */
  #nodes(pgno: bigint, bytes: Buffer, isLeaf: boolean): number[] {
    const bodyBytes = bytes.length - HEADER_BYTES;
    const lower = bytes.readUInt16LE(20);
    const upper = bytes.readUInt16LE(22);
    const isSane = lower >= 2 && lower % 2 === 0 && lower <= upper && upper <= bodyBytes;
    if (!isSane) this.#check.damaged(`page ${pgno}: senseless bounds`);
    const nodes: number[] = [];
    let usedBytes = 0;
    for (let at = 0; at < lower; at += 2) {
      const offset = bytes.readUInt16LE(HEADER_BYTES + at);
      if (offset < upper || offset % 2 !== 0 || offset + NODE_BYTES > bodyBytes)
        this.#check.damaged(`page ${pgno}: senseless node`);
      const sizeBytes = nodeBytes(bytes, HEADER_BYTES + offset, isLeaf);
      if (offset + sizeBytes > bodyBytes) this.#check.damaged(`page ${pgno}: a node leaves the page`);
      usedBytes += sizeBytes + (sizeBytes % 2);
      nodes.push(HEADER_BYTES + offset);
    }
    if (usedBytes !== bodyBytes - upper) this.#check.damaged(`page ${pgno}: nodes overlap`);
    return nodes;
  }

  #entry(bytes: Buffer, node: number, low: Uint8Array | undefined, high: Uint8Array | undefined): void {
    const { compare, name } = this.#tree;
    const key = keyOf(bytes, node);
    if (key.length === 0 || (name === 'free list' && key.length !== 8)) this.#check.damaged(`${name}: senseless key`);
    const isInOrder = this.#lastKey === undefined || compare(this.#lastKey, key) < 0;
    const isInBounds = (low === undefined || compare(low, key) <= 0) && (high === undefined || compare(key, high) < 0);
    if (!isInOrder || !isInBounds) this.#check.damaged(`${name}: keys out of order`);
    this.#lastKey = key;
    this.#counts.entries++;
    this.#checkEntry(key, this.#valueOf(bytes, node, key));
  }

  #valueOf(bytes: Buffer, node: number, key: Uint8Array): Uint8Array {
    const sizeBytes = bytes.readUInt32LE(node);
    const start = node + NODE_BYTES + key.length;
    if (bytes.readUInt16LE(node + 4) !== BIG_VALUE) return bytes.subarray(start, start + sizeBytes);
    const pagesMin = Math.floor((HEADER_BYTES - 1 + sizeBytes) / this.#check.pageBytes) + 1;
    // A value that its transaction replaced by a smaller one keeps the pages of the larger.
    const pages = Number(bytes.readBigUInt64LE(start + 16));
    if (!(pages >= pagesMin && pages <= MAP_BYTES_MAX))
      this.#check.damaged(`${this.#tree.name}: senseless overflow run`);
    const run = this.#check.pages(bytes.readBigUInt64LE(start), pages, OVERFLOW);
    const isSane = run.readUInt32LE(20) === pages && bytes.readBigUInt64LE(start + 8) <= this.#check.txnid;
    if (!isSane) this.#check.damaged(`${this.#tree.name}: senseless overflow pages`);
    this.#counts.overflow += BigInt(pages);
    return run.subarray(HEADER_BYTES, HEADER_BYTES + sizeBytes);
  }
}

function isEmpty({ txnid, main }: Meta): boolean {
  return txnid === 0n && main.root === NO_PAGE;
}

/** NaN, which fails every comparison with a bound, for flags that our trees never have. */
function nodeBytes(bytes: Buffer, node: number, isLeaf: boolean): number {
  const headBytes = NODE_BYTES + bytes.readUInt16LE(node + 6);
  if (!isLeaf) return headBytes;
  const flags = bytes.readUInt16LE(node + 4);
  if (flags === 0) return headBytes + bytes.readUInt32LE(node);
  return flags === BIG_VALUE ? headBytes + OVERFLOW_RUN_BYTES : NaN;
}

function keyOf(bytes: Buffer, node: number): Uint8Array {
  return bytes.subarray(node + NODE_BYTES, node + NODE_BYTES + bytes.readUInt16LE(node + 6));
}

function treeAt(bytes: Buffer, at: number, name: string, compare: Tree['compare']): Tree {
  return {
    name,
    flags: bytes.readUInt16LE(at + 4),
    depth: bytes.readUInt16LE(at + 6),
    branchPages: bytes.readBigUInt64LE(at + 8),
    leafPages: bytes.readBigUInt64LE(at + 16),
    overflowPages: bytes.readBigUInt64LE(at + 24),
    entries: bytes.readBigUInt64LE(at + 32),
    root: bytes.readBigUInt64LE(at + 40),
    compare,
  };
}

/** Compares keys of the free list: transaction numbers, u64 little-endian. */
function compareTransactions(a: Uint8Array, b: Uint8Array): number {
  const x = Buffer.from(a.buffer, a.byteOffset, 8).readBigUInt64LE(0);
  const y = Buffer.from(b.buffer, b.byteOffset, 8).readBigUInt64LE(0);
  return x < y ? -1 : x > y ? 1 : 0;
}
