// The model of what a power loss leaves: for every file how many bytes were synced, for every folder which names were.
// The real folder is the page cache; this remembers the disk beneath it. Every file is also hard-linked into a shadow
// folder beside the root, so that a removal which did not reach the disk can be undone. The model is harsher than ext4
// or XFS: changes of names that were not synced survive independently of each other, in any combination.
import {
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { assert } from '../../src/base/assert.ts';

export interface FileNode {
  readonly kind: 'file';
  readonly shadow: string;
  /** Bytes from the start that are on disk. */
  durableBytes: number;
  /** What is on disk when the file was truncated below durableBytes and not synced since. */
  beforeTruncate: Buffer | undefined;
  /** A sync failed: the page cache dropped what was dirty and calls it clean, so no later sync helps (fsyncgate). */
  isPoisoned: boolean;
  /** Not written through the disk, so by code that syncs by itself (LMDB): always durable, never cut. */
  isForeign: boolean;
}

export interface FolderNode {
  readonly kind: 'folder';
  readonly now: Map<string, Node>;
  readonly durable: Map<string, Node>;
}

export type Node = FileNode | FolderNode;

/** One name in one folder got another value; undefined = no such name. */
interface NameChange {
  readonly folder: FolderNode;
  readonly name: string;
  readonly after: Node | undefined;
}

/** Changes that survive or vanish together: a rename is two. */
interface PendingChange {
  readonly isOfFolder: boolean;
  changes: NameChange[];
}

export interface Survival {
  /**
   * 0: nothing that was not synced survives; 1: all of it; 0.5: each thing by the toss of a coin, tails cut
   * anywhere.
   */
  readonly keepUnsynced: 0 | 0.5 | 1;
  readonly seed: number;
}

export class DurableTree {
  readonly root: string;
  readonly #shadowFolder: string;
  readonly #top: FolderNode = newFolder();
  #pending: PendingChange[] = [];
  #nextShadow = 0;

  /** Takes everything in `root` as durable. */
  constructor(root: string) {
    this.root = resolve(root);
    this.#shadowFolder = mkdtempSync(`${this.root}.shadow-`);
    this.adopt();
  }

  fileCreated(path: string): FileNode {
    const file = this.#newFile(path, false);
    this.#change(false, [{ ...this.#place(path), after: file }]);
    return file;
  }

  /** `path` was made with the parents it lacked; the disk syncs those itself, so only its own name is still pending. */
  dirMade(path: string): void {
    const missing: string[] = [];
    for (let at = resolve(path); this.#find(at) === undefined; at = dirname(at)) missing.unshift(at);
    for (const [i, at] of missing.entries()) {
      const place = this.#place(at);
      const node = newFolder();
      if (i < missing.length - 1) place.folder.durable.set(place.name, node);
      if (i < missing.length - 1) place.folder.now.set(place.name, node);
      else this.#change(true, [{ ...place, after: node }]);
    }
  }

  /** A folder goes child by child, so a power loss can leave any half of it. */
  removed(path: string): void {
    const node = this.#find(path);
    if (node === undefined) return;
    if (node.kind === 'folder') for (const name of node.now.keys()) this.removed(join(path, name));
    this.#change(node.kind === 'folder', [{ ...this.#place(path), after: undefined }]);
  }

  renamed(from: string, to: string): void {
    const node = this.#known(from);
    this.#change(node.kind === 'folder', [
      { ...this.#place(from), after: undefined },
      { ...this.#place(to), after: node },
    ]);
  }

  linked(from: string, to: string): void {
    this.#change(false, [{ ...this.#place(to), after: this.#known(from) }]);
  }

  /** `file` had `before` in it until now. */
  truncated(file: FileNode, sizeBytes: number, before: Buffer): void {
    if (sizeBytes >= file.durableBytes) return;
    file.beforeTruncate ??= before.subarray(0, file.durableBytes);
    file.durableBytes = sizeBytes;
  }

  fileSynced(file: FileNode, sizeBytes: number): void {
    if (file.isPoisoned) return;
    file.durableBytes = sizeBytes;
    file.beforeTruncate = undefined;
  }

  dirSynced(path: string): void {
    const folder = this.#known(path);
    assert(folder.kind === 'folder', `${path} is not a folder`);
    for (const pending of this.#pending) {
      const isTouched = pending.changes.some((change) => change.folder === folder);
      // A folder is never in two places: its rename is durable as a whole. A file's may be durable on one side only.
      const done = pending.changes.filter((change) => change.folder === folder || (pending.isOfFolder && isTouched));
      for (const change of done) applyTo(change.folder.durable, change);
      pending.changes = pending.changes.filter((change) => !done.includes(change));
    }
    this.#pending = this.#pending.filter((pending) => pending.changes.length > 0);
  }

  /** The file at `path`, which from now on is written through the disk: what it holds at the moment is durable. */
  claimed(path: string): FileNode {
    const node = this.#known(path);
    assert(node.kind === 'file', `${path} is not a file`);
    if (node.isForeign) node.durableBytes = statSync(node.shadow).size;
    node.isForeign = false;
    return node;
  }

  /** Takes whatever is in the root and unknown as durable: foreign code made it, and syncs by itself. */
  adopt(): void {
    this.#adoptFolder(this.root, this.#top);
  }

  /**
   * Rewrites the root to what survives a power loss now, and forgets everything else. The tree is finished after
   * this.
   */
  lose({ keepUnsynced, seed }: Survival): void {
    this.adopt();
    const random = seededRandom(seed);
    const isKept = (): boolean => keepUnsynced === 1 || (keepUnsynced === 0.5 && random() < 0.5);
    for (const pending of this.#pending) {
      if (isKept()) for (const change of pending.changes) applyTo(change.folder.durable, change);
    }
    const rebuilt = mkdtempSync(`${this.root}.rebuilt-`);
    const cut = new Set<FileNode>();
    this.#rebuild(this.#top, rebuilt, (file) => {
      if (!cut.has(file)) cutTail(file, keepUnsynced, random);
      cut.add(file);
    });
    for (const name of readdirSync(this.root)) rmSync(join(this.root, name), { recursive: true });
    for (const name of readdirSync(rebuilt)) renameSync(join(rebuilt, name), join(this.root, name));
    rmSync(rebuilt, { recursive: true });
    this.close();
  }

  /** Removes the shadow folder; the root stays as it is. */
  close(): void {
    rmSync(this.#shadowFolder, { recursive: true, force: true });
  }

  #rebuild(folder: FolderNode, path: string, cut: (file: FileNode) => void): void {
    for (const [name, node] of folder.durable) {
      const at = join(path, name);
      if (node.kind === 'folder') {
        mkdirSync(at);
        this.#rebuild(node, at, cut);
      } else {
        cut(node);
        linkSync(node.shadow, at);
      }
    }
  }

  #adoptFolder(path: string, folder: FolderNode): void {
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      const at = join(path, entry.name);
      let node = folder.now.get(entry.name);
      if (node === undefined) {
        node = entry.isDirectory() ? newFolder() : this.#newFile(at, true);
        folder.now.set(entry.name, node);
        folder.durable.set(entry.name, node);
      }
      if (node.kind === 'folder') this.#adoptFolder(at, node);
    }
  }

  #newFile(path: string, isForeign: boolean): FileNode {
    const shadow = join(this.#shadowFolder, String(this.#nextShadow++));
    linkSync(path, shadow);
    const durableBytes = isForeign ? statSync(path).size : 0;
    return { kind: 'file', shadow, durableBytes, beforeTruncate: undefined, isPoisoned: false, isForeign };
  }

  #change(isOfFolder: boolean, changes: NameChange[]): void {
    for (const change of changes) applyTo(change.folder.now, change);
    this.#pending.push({ isOfFolder, changes });
  }

  #place(path: string): { folder: FolderNode; name: string } {
    const folder = this.#known(dirname(resolve(path)));
    assert(folder.kind === 'folder', `${path} is below a file`);
    return { folder, name: basename(path) };
  }

  #known(path: string): Node {
    let node = this.#find(path);
    if (node === undefined) this.adopt();
    node ??= this.#find(path);
    assert(node !== undefined, `${path} is not in ${this.root}`);
    return node;
  }

  #find(path: string): Node | undefined {
    const steps = relative(this.root, resolve(path))
      .split('/')
      .filter((step) => step !== '');
    assert(steps[0] !== '..', `${path} is outside ${this.root}`);
    let node: Node | undefined = this.#top;
    for (const step of steps) node = node?.kind === 'folder' ? node.now.get(step) : undefined;
    return node;
  }
}

function newFolder(): FolderNode {
  return { kind: 'folder', now: new Map(), durable: new Map() };
}

function applyTo(names: Map<string, Node>, { name, after }: NameChange): void {
  if (after === undefined) names.delete(name);
  else names.set(name, after);
}

/** Leaves of the file what the disk has, plus none, all or a random part of what it has not. */
function cutTail(file: FileNode, keepUnsynced: 0 | 0.5 | 1, random: () => number): void {
  if (file.isForeign || keepUnsynced === 1) return;
  if (file.beforeTruncate !== undefined && (keepUnsynced === 0 || random() < 0.5)) {
    writeFileSync(file.shadow, file.beforeTruncate);
    return;
  }
  const unsyncedBytes = statSync(file.shadow).size - file.durableBytes;
  if (unsyncedBytes <= 0) return;
  const keptBytes = keepUnsynced === 0 ? 0 : Math.floor(random() * (unsyncedBytes + 1));
  truncateSync(file.shadow, file.durableBytes + keptBytes);
  if (keptBytes > 0 && random() < 0.25) zeroPartOf(file, keptBytes, random);
}

/** Pages reach the disk in any order: the length can be there before the bytes, which then read as zeros. */
function zeroPartOf(file: FileNode, unsyncedBytes: number, random: () => number): void {
  const bytes = readFileSync(file.shadow);
  const from = file.durableBytes + Math.floor(random() * unsyncedBytes);
  bytes.fill(0, from, Math.min(bytes.length, from + 1 + Math.floor(random() * unsyncedBytes)));
  writeFileSync(file.shadow, bytes);
}

/** Numbers in [0, 1) that depend on nothing but `seed` (mulberry32). */
function seededRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
