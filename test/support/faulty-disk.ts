// A Disk that counts its mutating calls, dies after the k-th, fails the k-th, and can lose power: nodeDisk on a real
// folder with a DurableTree beside it. After a crash every call throws CrashError, as if the process were gone; then
// `await disk.powerLoss(…)` rewrites the folder, and the test opens the store again on a new disk.
//
// Counted, one each: openAppend of a new file, append, sync of an AppendFile, createFile, write, sync of a WriteFile,
// makeDir, syncDir, rename, remove, link, truncate, foreign. Reads, stat, list and close are not, but reads throw
// after a crash too.
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { relative } from 'node:path';
import { assert } from '../../src/base/assert.ts';
import type { AppendFile, Disk, FileStat, ReadFile, WriteFile } from '../../src/disk/disk.ts';
import { diskError, nodeDisk } from '../../src/disk/node-disk.ts';
import { DurableTree, type FileNode, type Survival } from './durable-tree.ts';

/** The process is dead: not a StoreError, so nothing handles it by mistake. */
export class CrashError extends Error {
  constructor(call: string) {
    super(`crashed: ${call}`);
    this.name = 'CrashError';
  }
}

/** One way to die: how a crash test's inner loop varies. */
export interface CrashPoint extends Survival {
  readonly k: number;
  readonly before: boolean;
  /** "crash before call 7, keep 0.5, seed 7": for messages. */
  readonly label: string;
}

/** Before and after each of `callCount` calls, with each share of the unsynced kept; `seeds` tosses for the 0.5. */
export function* crashPoints(callCount: number, seeds = 1): Generator<CrashPoint, void, undefined> {
  for (let i = 0; i < callCount * 2 * (2 + seeds); i++) {
    const way = i % (2 * (2 + seeds));
    const k = 1 + Math.floor(i / (2 * (2 + seeds)));
    const before = way % 2 === 0;
    const share = way >> 1;
    const keepUnsynced = share === 0 ? 0 : share === 1 ? 1 : 0.5;
    const seed = k * 1000 + share;
    yield {
      k,
      before,
      keepUnsynced,
      seed,
      label: `crash ${before ? 'before' : 'after'} call ${k}, keep ${keepUnsynced}, seed ${seed}`,
    };
  }
}

export type FailErrno = 'ENOSPC' | 'EIO' | 'EMFILE' | 'EACCES';

export class FaultyDisk implements Disk {
  readonly root: string;
  readonly #tree: DurableTree;
  /** "append log/1.log" for call 1 and so on: what a failing test prints. */
  readonly calls: string[] = [];
  readonly #failures = new Map<number, FailErrno>();
  #crashCall = Infinity;
  #isCrashBefore = false;
  #isCrashed = false;
  readonly #open = new Set<{ close(): void | Promise<void> }>();
  readonly #underWay = new Set<Promise<unknown>>();

  /** Everything below `root` goes through this disk; what is there already counts as durable. */
  constructor(root: string) {
    this.root = root;
    this.#tree = new DurableTree(root);
  }

  get callCount(): number {
    return this.calls.length;
  }

  get isCrashed(): boolean {
    return this.#isCrashed;
  }

  /**
   * Call number `k` (from 1, counted since construction) is the last to take effect; with `before` it takes none and
   * throws.
   */
  crashAfter(k: number, options: { before?: boolean } = {}): void {
    this.#crashCall = k;
    this.#isCrashBefore = options.before ?? false;
    if (!this.#isCrashBefore && this.callCount >= k) this.#isCrashed = true;
  }

  /**
   * Call number `k` throws StoreError DISK with `errno` once. It has no effect, with two exceptions that real disks
   * make: a write that meets ENOSPC leaves its first half, and after a failed sync the unsynced bytes never become
   * durable. undefined takes the failure back.
   */
  failAt(k: number, errno: FailErrno): void {
    this.#failures.set(k, errno);
  }

  /** Closes what is open and rewrites the root to what survives. The disk is finished after this. */
  async powerLoss(survival: Survival): Promise<void> {
    await this.#stop();
    this.#tree.lose(survival);
  }

  /** The end without a power loss: closes what is open, leaves the root as it is. */
  async close(): Promise<void> {
    await this.#stop();
    this.#tree.close();
  }

  openAppend(path: string): AppendFile {
    this.#assertAlive('openAppend');
    if (nodeDisk.stat(path) !== undefined) {
      return this.#keep(new FaultyAppendFile(this, nodeDisk.openAppend(path), this.#tree.claimed(path)));
    }
    return this.mutate('openAppend', path, () => {
      const file = nodeDisk.openAppend(path);
      return this.#keep(new FaultyAppendFile(this, file, this.#tree.fileCreated(path)));
    });
  }

  createFile(path: string): WriteFile {
    return this.mutate('createFile', path, () => {
      const file = nodeDisk.createFile(path);
      return this.#keep(new FaultyWriteFile(this, file, this.#tree.fileCreated(path)));
    });
  }

  openRead(path: string): ReadFile {
    this.#assertAlive('openRead');
    return this.#keep(new FaultyReadFile(this, nodeDisk.openRead(path)));
  }

  list(path: string): string[] {
    this.#assertAlive('list');
    return nodeDisk.list(path);
  }

  stat(path: string): FileStat | undefined {
    this.#assertAlive('stat');
    return nodeDisk.stat(path);
  }

  freeBytes(path: string): number {
    this.#assertAlive('freeBytes');
    return nodeDisk.freeBytes(path);
  }

  totalBytes(path: string): number {
    this.#assertAlive('totalBytes');
    return nodeDisk.totalBytes(path);
  }

  makeDir(path: string): void {
    this.#changeNames('makeDir', path, () => {
      nodeDisk.makeDir(path);
      this.#tree.dirMade(path);
    });
  }

  syncDir(path: string): void {
    this.mutate('syncDir', path, () => {
      nodeDisk.syncDir(path);
      this.#tree.dirSynced(path);
    });
  }

  rename(from: string, to: string): void {
    this.#changeNames('rename', from, () => {
      nodeDisk.rename(from, to);
      this.#tree.renamed(from, to);
    });
  }

  remove(path: string): void {
    this.#changeNames('remove', path, () => {
      nodeDisk.remove(path);
      this.#tree.removed(path);
    });
  }

  async removeAsync(path: string): Promise<void> {
    this.remove(path);
  }

  link(from: string, to: string): void {
    this.#changeNames('link', to, () => {
      nodeDisk.link(from, to);
      this.#tree.linked(from, to);
    });
  }

  truncate(path: string, sizeBytes: number): void {
    this.mutate('truncate', path, () => {
      const before = readFileSync(path);
      const file = this.#tree.claimed(path);
      nodeDisk.truncate(path, sizeBytes);
      this.#tree.truncated(file, sizeBytes, before);
    });
  }

  foreign<T>(name: string, action: () => T): T {
    return this.mutate('foreign', name, () => {
      const result = action();
      this.#tree.adopt();
      return result;
    });
  }

  /** Files that appeared without this disk must be known before their names change. */
  #changeNames(call: string, path: string, action: () => void): void {
    this.mutate(call, path, () => {
      this.#tree.adopt();
      action();
    });
  }

  /** Counts one call and does it, unless it is the one that crashes or fails. For the files below. */
  mutate<T>(call: string, path: string, action: () => T, onFailure?: (errno: FailErrno) => void): T {
    const failure = this.#begin(call, path);
    if (failure !== undefined) {
      onFailure?.(failure);
      throw injected(call, path, failure);
    }
    try {
      return action();
    } finally {
      this.#end();
    }
  }

  /** The same for asynchronous calls, which powerLoss() waits for. */
  async mutateLater(
    call: string,
    path: string,
    action: () => Promise<void>,
    onFailure: (errno: FailErrno) => void,
  ): Promise<void> {
    const failure = this.#begin(call, path);
    if (failure !== undefined) {
      onFailure(failure);
      throw injected(call, path, failure);
    }
    // The crash comes with the call's effect: what is called while it is under way is already too late.
    if (this.callCount >= this.#crashCall) this.#isCrashed = true;
    const running = action();
    this.#underWay.add(running);
    await running.finally(() => this.#underWay.delete(running));
  }

  fileSynced(file: FileNode, sizeBytes: number): void {
    this.#tree.fileSynced(file, sizeBytes);
  }

  forget(file: { close(): void | Promise<void> }): void {
    this.#open.delete(file);
  }

  assertAlive(call: string): void {
    this.#assertAlive(call);
  }

  #begin(call: string, path: string): FailErrno | undefined {
    this.#assertAlive(call);
    const described = `${call} ${path.startsWith(this.root) ? relative(this.root, path) || '.' : path}`;
    this.calls.push(described);
    if (this.#isCrashBefore && this.callCount >= this.#crashCall) {
      this.#isCrashed = true;
      throw new CrashError(`before call ${this.callCount}: ${described}`);
    }
    const failure = this.#failures.get(this.callCount);
    if (failure !== undefined) this.#end();
    return failure;
  }

  #end(): void {
    if (this.callCount >= this.#crashCall) this.#isCrashed = true;
  }

  #assertAlive(call: string): void {
    if (this.#isCrashed) throw new CrashError(`${call} after call ${this.callCount}: ${this.calls.at(-1)}`);
  }

  #keep<F extends { close(): void | Promise<void> }>(file: F): F {
    this.#open.add(file);
    return file;
  }

  async #stop(): Promise<void> {
    this.#isCrashed = true;
    await Promise.allSettled(this.#underWay);
    for (const file of this.#open) await file.close();
    assert(this.#open.size === 0, 'a file stayed open');
  }
}

function injected(call: string, path: string, errno: FailErrno): Error {
  const cause = Object.assign(new Error(`${errno}: injected`), { code: errno });
  return diskError(call, path, cause);
}

/** What a full disk does to a write: the first half arrives. */
function writeHalf(path: string, bytes: Uint8Array): void {
  const fd = openSync(path, 'a');
  try {
    writeSync(fd, bytes, 0, bytes.length >> 1);
  } finally {
    closeSync(fd);
  }
}

class FaultyAppendFile implements AppendFile {
  readonly #disk: FaultyDisk;
  readonly #file: AppendFile;
  readonly #node: FileNode;
  #failed: unknown;

  constructor(disk: FaultyDisk, file: AppendFile, node: FileNode) {
    this.#disk = disk;
    this.#file = file;
    this.#node = node;
  }

  get path(): string {
    return this.#file.path;
  }

  get sizeBytes(): number {
    return this.#file.sizeBytes;
  }

  async append(chunks: readonly Uint8Array[]): Promise<void> {
    if (this.#failed !== undefined) throw this.#failed;
    const onFailure = (errno: FailErrno): void => {
      if (errno === 'ENOSPC') writeHalf(this.#node.shadow, Buffer.concat(chunks));
    };
    await this.#disk.mutateLater('append', this.path, () => this.#file.append(chunks), onFailure).catch(this.#fail);
  }

  async sync(): Promise<void> {
    if (this.#failed !== undefined) throw this.#failed;
    const sync = async (): Promise<void> => {
      const { sizeBytes } = this.#file;
      await this.#file.sync();
      this.#disk.fileSynced(this.#node, sizeBytes);
    };
    const onFailure = (): void => {
      this.#node.isPoisoned = true;
    };
    await this.#disk.mutateLater('sync', this.path, sync, onFailure).catch(this.#fail);
  }

  async close(): Promise<void> {
    this.#disk.forget(this);
    await this.#file.close();
  }

  // As the real file: after a failure nothing more is accepted.
  readonly #fail = (error: unknown): never => {
    if (!(error instanceof CrashError)) this.#failed = error;
    throw error;
  };
}

class FaultyWriteFile implements WriteFile {
  readonly #disk: FaultyDisk;
  readonly #file: WriteFile;
  readonly #node: FileNode;

  constructor(disk: FaultyDisk, file: WriteFile, node: FileNode) {
    this.#disk = disk;
    this.#file = file;
    this.#node = node;
  }

  get path(): string {
    return this.#file.path;
  }

  get sizeBytes(): number {
    return this.#file.sizeBytes;
  }

  write(bytes: Uint8Array): void {
    const onFailure = (errno: FailErrno): void => {
      if (errno === 'ENOSPC') writeHalf(this.#node.shadow, bytes);
    };
    this.#disk.mutate('write', this.path, () => this.#file.write(bytes), onFailure);
  }

  sync(): void {
    const sync = (): void => {
      this.#file.sync();
      this.#disk.fileSynced(this.#node, this.#file.sizeBytes);
    };
    const onFailure = (): void => {
      this.#node.isPoisoned = true;
    };
    this.#disk.mutate('sync', this.path, sync, onFailure);
  }

  close(): void {
    this.#disk.forget(this);
    this.#file.close();
  }
}

class FaultyReadFile implements ReadFile {
  readonly #disk: FaultyDisk;
  readonly #file: ReadFile;

  constructor(disk: FaultyDisk, file: ReadFile) {
    this.#disk = disk;
    this.#file = file;
  }

  get path(): string {
    return this.#file.path;
  }

  get sizeBytes(): number {
    return this.#file.sizeBytes;
  }

  read(offset: number, sizeBytes: number): Uint8Array<ArrayBuffer> {
    this.#disk.assertAlive('read');
    return this.#file.read(offset, sizeBytes);
  }

  close(): void {
    this.#disk.forget(this);
    this.#file.close();
  }
}
