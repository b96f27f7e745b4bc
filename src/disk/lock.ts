// One process per data directory. The lock is an operating-system file lock, so it disappears with its process however
// that ends: no stale lock, no pid comparison, no race between two starts. Node has no flock; its built-in SQLite takes
// such locks, and BEGIN EXCLUSIVE on an empty file does nothing else (docs/decisions/0003-lock.md). Nothing in this
// process may open and close flock.lock by other means: POSIX drops a process's locks on a file when any descriptor of
// it is closed. SQLite itself avoids that, also between threads.
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { StoreError } from '../base/errors.ts';
import { diskError, errnoOf, nodeDisk } from './node-disk.ts';

export const LOCK_FILE = 'flock.lock';

const SQLITE_BUSY = 5;
/** Offset of SQLite's exclusive lock: its PENDING_BYTE, 1 GiB. It is part of the file format, so it never changes. */
const LOCKED_BYTE = '1073741824';

export interface DirectoryLock extends Disposable {
  readonly path: string;
  /** Lets the next process in. Releasing twice is not an error. */
  release(): void;
}

/** Keeps held locks reachable: garbage collection of a database handle would close its file and release the lock. */
const held = new Set<DatabaseSync>();

/**
 * Takes the lock of the data directory `path`, which must exist. Throws LOCKED at once when another process or this one
 * holds it, with the holder if the system tells; DISK when the lock file cannot be used.
 */
export function takeLock(path: string): DirectoryLock {
  const file = join(path, LOCK_FILE);
  // SQLite would take a non-empty file for a damaged database. Only other programs can have written to it.
  if ((nodeDisk.stat(file)?.sizeBytes ?? 0) > 0) nodeDisk.truncate(file, 0);
  const database = lockFile(path, file);
  held.add(database);
  const release = (): void => {
    if (held.delete(database)) database.close();
  };
  return { path, release, [Symbol.dispose]: release };
}

function lockFile(path: string, file: string): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(file, { timeout: 0 });
    // A journal in memory: with the default, a kill would leave a second file behind.
    database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
    return database;
  } catch (error) {
    database?.close();
    if ((error as { errcode?: unknown }).errcode === SQLITE_BUSY) throw lockedError(path, file, error);
    throw diskError('lock', file, error, 'let this user read and write there, on a file system with POSIX locks');
  }
}

function lockedError(path: string, file: string, cause: unknown): StoreError {
  const pid = holderOf(file);
  const who =
    pid === undefined ? 'another process' : pid === process.pid ? `this process (pid ${pid})` : `process ${pid}`;
  return new StoreError(
    'LOCKED',
    `${path}: ${who} already uses this data directory; stop it, or choose another -storageDataPath`,
    {
      cause,
    },
  );
}

/** The holder's pid from the kernel; undefined if unknown (no /proc, or a process of another container). */
function holderOf(file: string): number | undefined {
  try {
    const inode = statSync(file).ino;
    for (const line of readFileSync('/proc/locks', 'latin1').split('\n')) {
      // 1: POSIX  ADVISORY  WRITE 7134 fe:00:9977998 1073741824 1073742335
      const fields = line.trim().split(/\s+/);
      const pid = Number(fields[4]);
      if (fields[5]?.endsWith(`:${inode}`) && fields[6] === LOCKED_BYTE && pid > 0) return pid;
    }
    return undefined;
  } catch (error) {
    if (errnoOf(error) !== '') return undefined;
    throw error;
  }
}
