// What a folder's file system is, and how fast it is: for `tracelith doctor`. Writes one temporary file and removes it.
import {
  closeSync,
  existsSync,
  fdatasyncSync,
  mkdtempSync,
  openSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { diskError } from './node-disk.ts';

export interface FolderFacts {
  /** The folder itself, or the nearest one above that there is. */
  readonly path: string;
  readonly isThere: boolean;
  readonly isDirectory: boolean;
  /** Permission bits: 0o700. */
  readonly mode: number;
  readonly isOwn: boolean;
  /** As in /proc/mounts: ext4, xfs, overlay, nfs4; undefined: not known. */
  readonly fileSystem: string | undefined;
}

/** Throws DISK. */
export function probeFolder(wanted: string): FolderFacts {
  let path = resolve(wanted);
  while (!existsSync(path) && dirname(path) !== path) path = dirname(path);
  try {
    const stat = statSync(path);
    return {
      path,
      isThere: path === resolve(wanted),
      isDirectory: stat.isDirectory(),
      mode: stat.mode & 0o777,
      isOwn: process.getuid === undefined || stat.uid === process.getuid(),
      fileSystem: fileSystemOf(realpathSync(path)),
    };
  } catch (error) {
    throw diskError('look at', path, error);
  }
}

/** Of the mount with the longest path that begins `path`. */
function fileSystemOf(path: string): string | undefined {
  let mounts: string;
  try {
    mounts = readFileSync('/proc/mounts', 'utf8');
  } catch {
    // The system has no /proc.
    return undefined;
  }
  let best = { point: '', type: undefined as string | undefined };
  for (const line of mounts.split('\n')) {
    const [, point = '', type] = line.split(' ');
    const isAbove = path === point || path.startsWith(point.endsWith('/') ? point : `${point}/`);
    // A later mount on the same path hides the earlier one.
    if (isAbove && point.length >= best.point.length) best = { point, type };
  }
  return best.type;
}

export interface DiskSpeed {
  /** Of an append of 16 KiB with fdatasync, as a group commit does. */
  readonly syncP50Ms: number;
  readonly syncMaxMs: number;
  readonly writeBytesPerSecond: number;
}

const SYNCS = 50;
const SYNC_BYTES = 16 << 10;
const WRITES = 32;
const WRITE_BYTES = 1 << 20;

/** Writes 33 MB into a new folder below `path`, which is removed. Throws DISK. */
export function measureDisk(path: string): DiskSpeed {
  let folder: string | undefined;
  try {
    folder = mkdtempSync(join(path, '.tracelith-doctor-'));
    const file = openSync(join(folder, 'probe'), 'wx', 0o600);
    const bytes = new Uint8Array(WRITE_BYTES).map((_, i) => i * 31 + (i >> 8));
    const times = Array.from({ length: SYNCS }, () => timed(() => writeAll(file, bytes.subarray(0, SYNC_BYTES)))).sort(
      (a, b) => a - b,
    );
    const writeMs = timed(() => {
      for (let i = 0; i < WRITES; i++) writeSync(file, bytes);
      fdatasyncSync(file);
    });
    closeSync(file);
    return {
      syncP50Ms: times[SYNCS >> 1]!,
      syncMaxMs: times.at(-1)!,
      writeBytesPerSecond: (WRITES * WRITE_BYTES * 1000) / writeMs,
    };
  } catch (error) {
    throw diskError('write a trial file in', path, error);
  } finally {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  }
}

function writeAll(file: number, bytes: Uint8Array): void {
  writeSync(file, bytes);
  fdatasyncSync(file);
}

function timed(action: () => void): number {
  const startMs = performance.now();
  action();
  return performance.now() - startMs;
}
