// The Disk on node:fs: no caching, no retries. Every failure becomes a StoreError DISK whose message names the call,
// the path and the errno, with the original error as its cause; callers never see a raw node error. Asynchronous are
// removeAsync and the log's AppendFile, whose writes and fdatasync run on libuv's pool while the caller receives.
import {
  close as closeAsync,
  closeSync,
  constants,
  fdatasync,
  fstatSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  truncateSync,
  writeSync,
  writev,
} from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { assert } from '../base/assert.ts';
import { StoreError } from '../base/errors.ts';
import type { AppendFile, Disk, FileStat, ReadFile, WriteFile } from './disk.ts';
import { giveUp } from './give-up.ts';

/** Largest number of buffers of one writev: IOV_MAX of Linux; longer lists fail with EINVAL. */
const WRITEV_CHUNKS_MAX = 1024;
/** One read() or write() of Linux moves at most 0x7ffff000 bytes; asking for 1 GiB stays clear of that and of int32. */
const TRANSFER_BYTES_MAX = 1 << 30;

/** What is stored is for the user of the process alone, whatever the umask. */
const PRIVATE_FOLDER = 0o700;
const PRIVATE_FILE = 0o600;

/** The file system of this machine. */
export const nodeDisk: Disk = {
  openAppend: (path) => new NodeAppendFile(path),
  createFile: (path) => new NodeWriteFile(path),
  openRead: (path) => new NodeReadFile(path),
  list: (path) => attempt('list', path, () => sortedNames(path)),
  stat: (path) => attempt('stat', path, () => statOf(path)),
  makeDir: (path) => attempt('makeDir', path, () => makeDirs(path)),
  syncDir: (path) => attempt('syncDir', path, () => syncFolder(path)),
  rename: (from, to) => attempt('rename', `${from} -> ${to}`, () => renameSync(from, to)),
  remove: (path) => attempt('remove', path, () => rmSync(path, { recursive: true, force: true })),
  removeAsync: (path) => removeTree(path),
  link: (from, to) => attempt('link', `${from} -> ${to}`, () => linkSync(from, to)),
  truncate: (path, sizeBytes) => attempt('truncate', path, () => truncateSync(path, sizeBytes)),
  freeBytes: (path) => attempt('statfs', path, () => freeBytesOf(path)),
  totalBytes: (path) => attempt('statfs', path, () => totalBytesOf(path)),
  foreign: (_name, action) => action(),
};

/**
 * The StoreError DISK for a failed call: the call, the path and the system's message. `hint` overrides the advice for
 * the errno.
 */
export function diskError(call: string, path: string, cause: unknown, hint?: string): StoreError {
  const code = errnoOf(cause);
  const advice = hint ?? ADVICE[code] ?? 'check the disk and the system log, then restart';
  const text = cause instanceof Error ? cause.message : String(cause);
  return new StoreError('DISK', `${path}: ${call} failed: ${text}; ${advice}`, { cause });
}

/** The errno name ("ENOSPC") of a node error, or of the StoreError wrapped around one; '' when there is none. */
export function errnoOf(error: unknown): string {
  for (let at = error, depth = 0; at instanceof Error && depth < 4; at = at.cause, depth++) {
    const code = (at as NodeJS.ErrnoException).code;
    if (typeof code === 'string' && /^E[A-Z0-9]+$/.test(code)) return code;
  }
  return '';
}

const ADVICE: Readonly<Record<string, string>> = {
  ENOSPC: 'free space on this file system',
  EDQUOT: 'raise the disk quota of this user',
  EMFILE: 'raise the limit of open files (ulimit -n)',
  ENFILE: 'raise the limit of open files (fs.file-max)',
  EACCES: 'let this user read and write there',
  EPERM: 'let this user read and write there',
  EROFS: 'the file system is mounted read-only: see the system log',
  ENOENT: 'a file or folder is missing: restore it from a backup or a replica',
  EIO: 'the device reports errors: see the system log, replace it before restarting',
};

function attempt<T>(call: string, path: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (error instanceof StoreError) throw error;
    throw diskError(call, path, error);
  }
}

function sortedNames(path: string): string[] {
  // Not the default sort: UTF-16 order differs from byte order above U+FFFF.
  return readdirSync(path).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

function statOf(path: string): FileStat | undefined {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat === undefined ? undefined : { sizeBytes: stat.size, isDirectory: stat.isDirectory(), links: stat.nlink };
}

async function removeTree(path: string): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true });
  } catch (error) {
    throw diskError('remove', path, error);
  }
}

/**
 * Creates the missing folders of `path` and syncs the parent of each new one except the last; the caller syncs that.
 */
function makeDirs(path: string): void {
  const missing: string[] = [];
  for (let at = path; statSync(at, { throwIfNoEntry: false }) === undefined; at = dirname(at)) missing.push(at);
  for (let i = missing.length - 1; i >= 0; i--) {
    mkdirSync(missing[i]!, PRIVATE_FOLDER);
    if (i > 0) syncFolder(dirname(missing[i]!));
  }
  if (missing.length === 0 && !statSync(path).isDirectory()) {
    throw Object.assign(new Error(`EEXIST: a file is in the way, mkdir '${path}'`), { code: 'EEXIST' });
  }
}

function syncFolder(path: string): void {
  const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function freeBytesOf(path: string): number {
  const stat = statfsSync(path);
  return stat.bavail * stat.bsize;
}

function totalBytesOf(path: string): number {
  const stat = statfsSync(path);
  return (stat.blocks - stat.bfree + stat.bavail) * stat.bsize;
}

/** Size of a file that was just opened; closes the file on failure. */
function sizeOf(fd: number): number {
  try {
    return fstatSync(fd).size;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

class NodeAppendFile implements AppendFile {
  readonly path: string;
  readonly #fd: number;
  #sizeBytes: number;
  #isBusy = false;
  #failed: StoreError | undefined;
  #isClosed = false;

  constructor(path: string) {
    this.path = path;
    this.#fd = attempt('openAppend', path, () => openSync(path, 'a', PRIVATE_FILE));
    this.#sizeBytes = attempt('openAppend', path, () => sizeOf(this.#fd));
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  append(chunks: readonly Uint8Array[]): Promise<void> {
    return this.#alone('append', async () => {
      let rest = chunks.filter((chunk) => chunk.length > 0);
      while (rest.length > 0) {
        const written = await writevOnce(this.#fd, rest.slice(0, WRITEV_CHUNKS_MAX));
        // A write of 0 bytes without an error would loop for ever; Linux does not do that for regular files.
        if (written === 0) throw new Error('writev wrote 0 bytes');
        this.#sizeBytes += written;
        rest = afterBytes(rest, written);
      }
    });
  }

  sync(): Promise<void> {
    return this.#alone(
      'sync',
      () => new Promise<void>((resolve, reject) => fdatasync(this.#fd, (error) => (error ? reject(error) : resolve()))),
    );
  }

  async close(): Promise<void> {
    assert(!this.#isBusy, `${this.path}: closed while a call is under way`);
    if (this.#isClosed) return;
    this.#isClosed = true;
    await new Promise<void>((resolve, reject) => {
      closeAsync(this.#fd, (error) => (error ? reject(diskError('close', this.path, error)) : resolve()));
    });
  }

  /**
   * Allows one call at a time, and none after a failure: the file may contain half a block, or the page cache may have
   * lost it.
   */
  async #alone(call: string, action: () => Promise<void>): Promise<void> {
    assert(!this.#isBusy, `${this.path}: ${call} while another call is under way`);
    assert(!this.#isClosed, `${this.path}: ${call} after close`);
    if (this.#failed !== undefined) throw this.#failed;
    this.#isBusy = true;
    try {
      await action();
    } catch (error) {
      this.#failed = diskError(call, this.path, error);
      throw this.#failed;
    } finally {
      this.#isBusy = false;
    }
  }
}

function writevOnce(fd: number, chunks: readonly Uint8Array[]): Promise<number> {
  return new Promise((resolve, reject) => {
    // Position null: the file was opened with O_APPEND, so the kernel appends.
    writev(fd, chunks, null, (error, written) => (error ? reject(error) : resolve(written)));
  });
}

/** `chunks` without their first `sizeBytes` bytes. */
function afterBytes(chunks: readonly Uint8Array[], sizeBytes: number): Uint8Array[] {
  let done = sizeBytes;
  let at = 0;
  while (at < chunks.length && done >= chunks[at]!.length) done -= chunks[at++]!.length;
  const rest = chunks.slice(at);
  if (done > 0) rest[0] = rest[0]!.subarray(done);
  return rest;
}

class NodeWriteFile implements WriteFile {
  readonly path: string;
  readonly #fd: number;
  #sizeBytes = 0;
  #isClosed = false;

  constructor(path: string) {
    this.path = path;
    this.#fd = attempt('createFile', path, () => openSync(path, 'wx', PRIVATE_FILE));
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  write(bytes: Uint8Array): void {
    assert(!this.#isClosed, `${this.path}: write after close`);
    for (let at = 0; at < bytes.length;) {
      const sizeBytes = Math.min(bytes.length - at, TRANSFER_BYTES_MAX);
      const written = attempt('write', this.path, () => writeSync(this.#fd, bytes, at, sizeBytes));
      if (written === 0) throw diskError('write', this.path, new Error('write wrote 0 bytes'));
      at += written;
      this.#sizeBytes += written;
    }
  }

  sync(): void {
    assert(!this.#isClosed, `${this.path}: sync after close`);
    attempt('sync', this.path, () => fsyncSync(this.#fd));
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    attempt('close', this.path, () => closeSync(this.#fd));
  }
}

/** A missing file is CORRUPTION, like one with wrong bytes: unlike a DISK error it does not go away. */
function openExisting(path: string): number {
  try {
    return openSync(path, 'r');
  } catch (cause) {
    if (!['ENOENT', 'ENOTDIR'].includes(errnoOf(cause))) throw cause;
    throw new StoreError('CORRUPTION', `${path}: missing; restore it from a snapshot or a replica`, { cause });
  }
}

class NodeReadFile implements ReadFile {
  readonly path: string;
  readonly sizeBytes: number;
  readonly #fd: number;
  #isClosed = false;

  constructor(path: string) {
    this.path = path;
    this.#fd = attempt('openRead', path, () => openExisting(path));
    this.sizeBytes = attempt('openRead', path, () => sizeOf(this.#fd));
  }

  read(offset: number, sizeBytes: number): Uint8Array<ArrayBuffer> {
    assert(!this.#isClosed, `${this.path}: read after close`);
    // Checked before any allocation: a damaged length must give CORRUPTION, never an out-of-memory crash.
    if (!(offset >= 0 && sizeBytes >= 0 && offset + sizeBytes <= this.sizeBytes)) this.#tooShort(offset, sizeBytes);
    const bytes = new Uint8Array(sizeBytes);
    for (let at = 0; at < sizeBytes;) {
      const wanted = Math.min(sizeBytes - at, TRANSFER_BYTES_MAX);
      const count = attempt('read', this.path, () => readSync(this.#fd, bytes, at, wanted, offset + at));
      if (count === 0) this.#tooShort(offset, sizeBytes);
      at += count;
    }
    return bytes;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    giveUp(() => attempt('close', this.path, () => closeSync(this.#fd)));
  }

  #tooShort(offset: number, sizeBytes: number): never {
    throw new StoreError(
      'CORRUPTION',
      `${this.path}: ${sizeBytes} bytes at ${offset} reach past the end of the file (${this.sizeBytes} bytes); ` +
        'restore it from a snapshot or a replica',
    );
  }
}
