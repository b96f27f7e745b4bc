// Lists a folder tree from outside: a restored folder, a backup, an argument. It never follows symbolic links, because
// an attacker could place one to make a reader or a removal leave the folder.
import { lstatSync, realpathSync } from 'node:fs';
import { join, sep } from 'node:path';
import { StoreError } from '../base/errors.ts';
import { diskError, errnoOf, nodeDisk } from './node-disk.ts';

export interface FoundFile {
  /** Relative to the folder that was walked, with `/`. */
  readonly name: string;
  readonly sizeBytes: number;
}

export type FileKind = 'file' | 'folder' | 'link' | 'other';

/** Errors for a path that does not exist. */
const NOWHERE: ReadonlySet<string> = new Set(['ENOENT', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG', 'EACCES']);

/** The kind of `path` itself, without following a link; undefined when it does not exist. Throws DISK. */
export function kindOf(path: string): FileKind | undefined {
  return entryAt(path)?.kind;
}

/**
 * Whether `path` resolves to something below `folder`, after following all links in both; false when it does not exist.
 * Throws DISK.
 */
export function leadsInside(folder: string, path: string): boolean {
  if (path.includes('\0')) return false;
  try {
    return realpathSync(path).startsWith(realpathSync(folder) + sep);
  } catch (error) {
    if (NOWHERE.has(errnoOf(error))) return false;
    throw diskError('realpath', path, error);
  }
}

/**
 * Every file below `folder`, by name. Throws INVALID_REQUEST, with the name, for anything that is neither a file nor a
 * folder; DISK.
 */
export function walkFiles(folder: string): FoundFile[] {
  const found: FoundFile[] = [];
  const names = [''];
  for (let name = names.pop(); name !== undefined; name = names.pop()) {
    const entry = entryAt(join(folder, name));
    // Removed during the walk: callers that walk a live folder must tolerate that.
    if (entry === undefined) continue;
    if (entry.kind === 'file') found.push({ name, sizeBytes: entry.sizeBytes });
    else if (entry.kind === 'folder') names.push(...listIfThere(join(folder, name)).map((child) => join(name, child)));
    else throw notPlain(join(folder, name), entry.kind);
  }
  return found.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Throws INVALID_REQUEST unless `path` is a folder itself, not a link to one; NOT_FOUND when it does not exist. */
export function assertPlainFolder(path: string): void {
  const kind = kindOf(path);
  if (kind === undefined) throw new StoreError('NOT_FOUND', `${path}: nothing is there`);
  if (kind !== 'folder') throw notPlain(path, kind);
}

function notPlain(path: string, kind: FileKind): StoreError {
  const what = kind === 'link' ? 'a symbolic link' : kind === 'file' ? 'a file' : 'neither file nor folder';
  return new StoreError('INVALID_REQUEST', `${path}: ${what}, which is not followed; put real folders and files there`);
}

function entryAt(path: string): { kind: FileKind; sizeBytes: number } | undefined {
  try {
    const stat = lstatSync(path, { throwIfNoEntry: false });
    if (stat === undefined) return undefined;
    const kind = stat.isFile() ? 'file' : stat.isDirectory() ? 'folder' : stat.isSymbolicLink() ? 'link' : 'other';
    return { kind, sizeBytes: stat.size };
  } catch (error) {
    // The path is below a file.
    if (errnoOf(error) === 'ENOTDIR') return undefined;
    throw diskError('lstat', path, error);
  }
}

function listIfThere(path: string): string[] {
  try {
    return nodeDisk.list(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}
