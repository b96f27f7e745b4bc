// One LMDB environment: the index of one partition, a folder with data.mdb. Every change is one durable transaction,
// every entry carries a CRC-32 over its key and payload, every failure is a StoreError. Keys and payloads are bytes.
//
// Durability, as found in lmdb 3.5.6 (src/env.cpp, dependencies/lmdb/.../mdb.c): transactionSync begins its transaction
// with flags & 0xf0000 = 0, so MDB_NOSYNC is off and mdb_txn_commit writes the pages, calls fdatasync, and then writes
// the meta page through a descriptor opened O_DSYNC, all before it returns. With lmdb-js's default overlappingSync that
// still holds for transactionSync (only put() and transaction() resolve before the flush), but the environment then
// keeps a third meta page and picks between them by boot id; overlappingSync: false gives plain LMDB, which is what the
// crash tests have seen. Never used here: put/batch/transaction outside transactionSync (they hang or reject unhandled
// on a full disk, dependencies.md §0.4 and §0.5), useWritemap (SIGBUS on a full disk), noSync, noMemInit.
import { dirname, join } from 'node:path';
import { crc32 } from 'node:zlib';
import { open, type RootDatabase } from 'lmdb';
import { assert, BugError } from '../base/assert.ts';
import { StoreError } from '../base/errors.ts';
import { limits } from '../base/limits.ts';
import type { Disk } from '../disk/disk.ts';
import { diskError } from '../disk/node-disk.ts';
import { STAMP_KEY, type KeyRange } from './keys.ts';
import { verifyPages } from './verify-pages.ts';

/** Format of keys and values in the environment; docs/format/index.md has its history. */
export const INDEX_FORMAT_VERSION = 2;

const STAMP_MAGIC = 'TLIX';
const CRC_BYTES = 4;
const REPAIR = 'move this folder aside and rebuild it from the parts, or restore it from a snapshot or a replica';

export interface EnvironmentOptions {
  /** The environment's folder, `<partition>/index`; its parent exists. */
  readonly path: string;
  readonly disk: Disk;
}

export interface IndexEntry {
  readonly key: Uint8Array;
  readonly payload: Uint8Array;
}

/** Reads an environment; inside a transaction, including the transaction's own writes. */
export interface IndexReader {
  /** The payload stored under `key`, the caller's own copy. Throws CORRUPTION when its checksum is wrong. */
  find(key: Uint8Array): Uint8Array | undefined;
  /** Entries of `range` in key order. Throws CORRUPTION at the first damaged one. */
  scan(range: KeyRange): Iterable<IndexEntry>;
}

/** Usable only until the function that received it returns. */
export interface IndexTransaction extends IndexReader {
  has(key: Uint8Array): boolean;
  /** The number of entries in `range`; stops counting at `max`. */
  count(range: KeyRange, max: number): number;
  /** Stores `payload` under `key`, replacing an older one. */
  put(key: Uint8Array, payload: Uint8Array): void;
  /** False when there was no such entry. */
  remove(key: Uint8Array): boolean;
}

/**
 * Opens the environment at `path`, or creates it. A new one appears by a rename, so a crash never leaves half of one.
 * An old one is first read and checked whole, because LMDB may crash the process on damage; so no other thread may
 * write to it meanwhile. Throws CORRUPTION, FORMAT_TOO_NEW, DISK.
 */
export function openEnvironment(options: EnvironmentOptions): Environment {
  const { path, disk } = options;
  if (disk.stat(path) === undefined) createEnvironment(disk, path);
  // Also of one that is there: whoever created it may have failed before its name was durable.
  disk.syncDir(dirname(path));
  const file = join(path, 'data.mdb');
  if (disk.stat(file) === undefined) throw new StoreError('CORRUPTION', `${path}: data.mdb is missing; ${REPAIR}`);
  verifyPages(disk, file, REPAIR, (key, value) => unframe(path, key, value));
  const environment = new Environment(options);
  try {
    checkStamp(path, environment.find(STAMP_KEY));
  } catch (error) {
    environment.close();
    throw error;
  }
  return environment;
}

/**
 * Reads and checks every page of the environment at `path`, as openEnvironment does, without opening it, and passes
 * each entry to `visit` in key order. Nobody may write to it meanwhile. Throws CORRUPTION, FORMAT_TOO_NEW, DISK.
 */
export function verifyEnvironment(disk: Disk, path: string, visit: (entry: IndexEntry) => void): void {
  let stamp: Uint8Array | undefined;
  verifyPages(disk, join(path, 'data.mdb'), REPAIR, (key, value) => {
    const payload = unframe(path, key, value);
    if (Buffer.compare(key, STAMP_KEY) === 0) stamp = Uint8Array.from(payload);
    visit({ key, payload });
  });
  checkStamp(path, stamp);
}

function createEnvironment(disk: Disk, path: string): void {
  const fresh = `${path}.tmp`;
  disk.remove(fresh);
  disk.makeDir(fresh);
  const environment = new Environment({ path: fresh, disk });
  try {
    environment.transaction('create', writeStamp);
  } finally {
    environment.close();
  }
  disk.syncDir(fresh);
  disk.rename(fresh, path);
}

/** Sets the newest format. Every change does so: an older environment thereby gets the newest format. */
export function writeStamp(txn: IndexTransaction): void {
  txn.put(STAMP_KEY, encodeStamp());
}

function encodeStamp(): Uint8Array {
  const stamp = Buffer.alloc(STAMP_MAGIC.length + 2);
  stamp.write(STAMP_MAGIC, 'latin1');
  stamp.writeUInt16LE(INDEX_FORMAT_VERSION, STAMP_MAGIC.length);
  return stamp;
}

function checkStamp(path: string, stamp: Uint8Array | undefined): void {
  const bytes = Buffer.from(stamp ?? []);
  if (bytes.length < STAMP_MAGIC.length + 2 || bytes.toString('latin1', 0, STAMP_MAGIC.length) !== STAMP_MAGIC) {
    throw new StoreError('CORRUPTION', `${path}: no stamp of a Tracelith index; ${REPAIR}`);
  }
  const version = bytes.readUInt16LE(STAMP_MAGIC.length);
  if (version > INDEX_FORMAT_VERSION) {
    throw new StoreError(
      'FORMAT_TOO_NEW',
      `${path}: index format ${version}, newest known ${INDEX_FORMAT_VERSION}; upgrade this node`,
    );
  }
}

/**
 * Environments of this thread that are open in LMDB, least recently used first. Each costs 2.4 MB and three file
 * descriptors (docs/decisions/0005-days-from-clients.md), so idle ones beyond limits.indexesOpenMax are closed; the
 * next use opens them again.
 */
const openEnvironments = new Set<Environment>();

function closeLeastRecent(): void {
  const count = openEnvironments.size;
  let at = 0;
  for (const environment of openEnvironments) {
    // The last one is in use.
    if (++at === count || openEnvironments.size <= limits.indexesOpenMax) return;
    if (environment.isIdle) environment.rest();
  }
}

/** An open environment; owned by one thread. */
export class Environment implements IndexReader, Disposable {
  readonly path: string;
  readonly #disk: Disk;
  /** undefined: closed, until the next use; after a failed commit, or when others were used more recently. */
  #db: RootDatabase<Buffer, Uint8Array> | undefined;
  #isClosed = false;
  #isInTransaction = false;
  /** The size of data.mdb while LMDB is closed. */
  #restedBytes: number | undefined;
  /** Number of running scans and copies. */
  #readers = 0;

  /** Use openEnvironment: this constructor opens LMDB without checking the file. */
  constructor(options: EnvironmentOptions) {
    this.path = options.path;
    this.#disk = options.disk;
    this.#database();
  }

  find(key: Uint8Array): Uint8Array | undefined {
    const framed = this.#try('read', () => this.#database().getBinary(key));
    return framed === undefined ? undefined : unframe(this.path, key, framed);
  }

  *scan(range: KeyRange): Generator<IndexEntry, void, undefined> {
    const entries = this.#try('read', () =>
      this.#database().getRange({ start: range.start, end: range.end })[Symbol.iterator](),
    );
    let isFinished = false;
    this.#readers++;
    try {
      for (
        let next = this.#try('read', () => entries.next());
        !next.done;
        next = this.#try('read', () => entries.next())
      ) {
        const { key, value } = next.value;
        yield { key, payload: unframe(this.path, key, value) };
      }
      isFinished = true;
    } finally {
      this.#readers--;
      if (!isFinished) entries.return?.();
    }
  }

  /**
   * Runs `change` as one transaction: on return it is durable; on a throw nothing has changed. `change` is synchronous,
   * may read its own writes, and must not use the environment itself. Its errors pass through. Throws DISK when the
   * commit fails; the environment stays usable and shows the state before.
   */
  transaction<T>(name: string, change: (txn: IndexTransaction) => T): T {
    assert(!this.#isInTransaction, `${this.path}: transaction ${name} inside another`);
    return this.#disk.foreign(`lmdb ${name}`, () => {
      const db = this.#database();
      this.#isInTransaction = true;
      let thrown: unknown = NOTHING;
      try {
        return db.transactionSync(() => {
          try {
            const result = change(new Transaction(this, db));
            assert(!(result instanceof Promise), `transaction ${name} is asynchronous`);
            return result;
          } catch (error) {
            thrown = error;
            throw error;
          }
        });
      } catch (error) {
        // After a failed write of the meta page, LMDB refuses everything until it is opened again. An earlier failure
        // needs no reopening, but cannot be told apart here.
        if (error !== thrown) this.#closeDatabase();
        throw mapped('commit', this.path, error);
      } finally {
        this.#isInTransaction = false;
      }
    });
  }

  /**
   * Writes the last committed state to `folder`/data.mdb, fsynced; sync `folder`, which must be empty, to make the name
   * durable. Another thread copies page by page, so no transaction may begin meanwhile. Not compacted: compaction
   * leaves one meta page empty and the transaction numbers uneven. Throws DISK.
   */
  async copyTo(folder: string): Promise<void> {
    assert(!this.#isInTransaction, `${this.path}: copied inside a transaction`);
    this.#readers++;
    try {
      await this.#database().backup(folder, false);
    } catch (error) {
      throw diskError('copy the index to', folder, error);
    } finally {
      this.#readers--;
    }
    const file = this.#disk.openAppend(join(folder, 'data.mdb'));
    try {
      await file.sync();
    } finally {
      await file.close();
    }
  }

  /**
   * Replaces data.mdb by a new file with the same entries, so that nothing of removed ones is left in unused pages. A crash
   * leaves the old file or the new one. The environment must be idle. Throws DISK, CORRUPTION.
   */
  rewrite(): void {
    assert(this.isIdle, `${this.path}: rewritten while it is used`);
    const disk = this.#disk;
    const fresh = `${this.path}.tmp`;
    disk.remove(fresh);
    disk.makeDir(fresh);
    const copy = new Environment({ path: fresh, disk });
    try {
      copy.transaction('rewrite', (txn) => {
        for (const { key, payload } of this.scan(EVERY_KEY)) txn.put(key, payload);
      });
    } finally {
      copy.close();
    }
    disk.syncDir(fresh);
    this.#closeDatabase();
    disk.rename(join(fresh, 'data.mdb'), join(this.path, 'data.mdb'));
    disk.syncDir(this.path);
    this.#restedBytes = this.#fileBytes();
    disk.remove(fresh);
  }

  /** Closes LMDB; every commit is durable already. Any later use is a bug, except closing again. */
  close(): void {
    assert(!this.#isInTransaction, `${this.path}: closed inside a transaction`);
    this.#isClosed = true;
    this.#closeDatabase();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #database(): RootDatabase<Buffer, Uint8Array> {
    assert(!this.#isClosed, `${this.path}: environment used after close`);
    this.#db ??= this.#openAgain();
    // Moves this to the end, as the most recently used.
    openEnvironments.delete(this);
    openEnvironments.add(this);
    if (openEnvironments.size > limits.indexesOpenMax) closeLeastRecent();
    return this.#db;
  }

  /** LMDB would create a missing file, and read beyond the end of a cut one: either would end in lost parts. */
  #openAgain(): RootDatabase<Buffer, Uint8Array> {
    const rested = this.#restedBytes;
    if (rested !== undefined && rested !== this.#fileBytes()) {
      throw new StoreError(
        'CORRUPTION',
        `${this.path}: data.mdb was ${rested} bytes long and is not any more; ${REPAIR}`,
      );
    }
    this.#restedBytes = undefined;
    return openDatabase(this.path);
  }

  #fileBytes(): number | undefined {
    return this.#disk.stat(join(this.path, 'data.mdb'))?.sizeBytes;
  }

  /** Whether LMDB may be closed until the next use. */
  get isIdle(): boolean {
    return !this.#isInTransaction && this.#readers === 0;
  }

  /** Closes LMDB until the next use; every commit is durable already. */
  rest(): void {
    assert(this.isIdle, `${this.path}: closed while it is used`);
    this.#restedBytes = this.#fileBytes();
    this.#closeDatabase();
  }

  #closeDatabase(): void {
    const db = this.#db;
    this.#db = undefined;
    openEnvironments.delete(this);
    if (db === undefined) return;
    // close() only waits for asynchronous writes; there are none, so it is done when it returns.
    void db.close();
    assert((db as unknown as { status: string }).status === 'closed', `${this.path}: LMDB did not close at once`);
  }

  #try<T>(call: string, action: () => T): T {
    try {
      return action();
    } catch (error) {
      throw mapped(call, this.path, error);
    }
  }
}

/** Keys are at most 1,978 bytes, and the first one is a kind of entry. */
const EVERY_KEY: KeyRange = { start: Uint8Array.of(0), end: Uint8Array.of(0xff) };

const NOTHING = Symbol('nothing thrown');

class Transaction implements IndexTransaction {
  readonly #environment: Environment;
  readonly #db: RootDatabase<Buffer, Uint8Array>;

  constructor(environment: Environment, db: RootDatabase<Buffer, Uint8Array>) {
    this.#environment = environment;
    this.#db = db;
  }

  // While a write transaction is open, lmdb-js reads through it, so these see its writes.
  find(key: Uint8Array): Uint8Array | undefined {
    return this.#environment.find(key);
  }

  scan(range: KeyRange): Iterable<IndexEntry> {
    return this.#environment.scan(range);
  }

  has(key: Uint8Array): boolean {
    return this.#try(() => this.#db.doesExist(key));
  }

  count({ start, end }: KeyRange, max: number): number {
    return this.#try(() => this.#db.getKeysCount({ start, end, limit: max }));
  }

  put(key: Uint8Array, payload: Uint8Array): void {
    this.#try(() => this.#db.putSync(key, frame(key, payload)));
  }

  remove(key: Uint8Array): boolean {
    return this.#try(() => this.#db.removeSync(key));
  }

  #try<T>(action: () => T): T {
    try {
      return action();
    } catch (error) {
      throw mapped('write', this.#environment.path, error);
    }
  }
}

function openDatabase(path: string): RootDatabase<Buffer, Uint8Array> {
  try {
    return open<Buffer, Uint8Array>({
      path,
      // Set explicitly: lmdb-js otherwise takes a path with a dot for a file.
      noSubdir: false,
      keyEncoding: 'binary',
      encoding: 'binary',
      overlappingSync: false,
      maxDbs: 1,
    });
  } catch (error) {
    throw mapped('open', path, error);
  }
}

function frame(key: Uint8Array, payload: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(CRC_BYTES + payload.length);
  framed.writeUInt32LE(crc32(payload, crc32(key)), 0);
  framed.set(payload, CRC_BYTES);
  return framed;
}

function unframe(path: string, key: Uint8Array, framed: Uint8Array): Uint8Array {
  const payload = framed.subarray(CRC_BYTES);
  const stored = (framed[0]! | (framed[1]! << 8) | (framed[2]! << 16) | (framed[3]! << 24)) >>> 0;
  if (framed.length < CRC_BYTES || stored !== crc32(payload, crc32(key))) {
    throw new StoreError(
      'CORRUPTION',
      `${path}: entry ${Buffer.from(key).toString('hex')} fails its checksum; ${REPAIR}`,
    );
  }
  return payload;
}

/** LMDB's own codes, lmdb.h; those above 0 are errno. */
const MDB_DAMAGE: ReadonlySet<number> = new Set([
  -30797, // MDB_PAGE_NOTFOUND
  -30796, // MDB_CORRUPTED
  -30794, // MDB_VERSION_MISMATCH
  -30793, // MDB_INVALID
  -30784, // MDB_INCOMPATIBLE
]);

function mapped(call: string, path: string, error: unknown): unknown {
  if (error instanceof StoreError || error instanceof BugError || !(error instanceof Error)) return error;
  const code: unknown = (error as { code?: unknown }).code;
  if (typeof code !== 'number') return error;
  if (MDB_DAMAGE.has(code)) {
    return new StoreError('CORRUPTION', `${path}: LMDB ${call} failed: ${error.message}; ${REPAIR}`, { cause: error });
  }
  // LMDB reports a full disk as EIO (dependencies.md §0.5), so the advice names both.
  const advice = 'free space on this file system; if there is enough, see the system log for errors of the device';
  return new StoreError('DISK', `${path}: LMDB ${call} failed: ${error.message} (${code}); ${advice}`, {
    cause: error,
  });
}
