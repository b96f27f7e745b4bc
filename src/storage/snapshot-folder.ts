// The snapshots on disk: `<data path>/snapshots/<day>-<time>-<random>`, each one day, with the layout of a partition. A
// snapshot gets this name only when it is complete; a crash leaves it under another name, and the next start removes it.
// Names in requests must match this pattern exactly, so that no request reaches outside the folder.
import { randomBytes } from 'node:crypto';
import { join, resolve } from 'node:path';
import type { Clock } from '../base/clock.ts';
import { StoreError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { Disk } from '../disk/disk.ts';
import { assertPlainFolder } from '../disk/walk-files.ts';
import { formatDay } from '../partition/day.ts';
import type { Partition } from '../partition/partition.ts';

export interface SnapshotFolderOptions {
  /** The data directory. */
  readonly path: string;
  readonly disk: Disk;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Snapshots older than this are removed; 0: never. */
  readonly snapshotsMaxAgeMs: number;
}

/** Day, UTC time it was taken at, 64 random bits. */
const NAME = /^\d{8}-(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)-[0-9a-f]{16}$/;
const UNFINISHED_SUFFIX = '.tmp';

export class SnapshotFolder {
  readonly #options: SnapshotFolderOptions;
  /** Absolute, as returned to callers. */
  readonly #path: string;

  /** Removes unfinished snapshots that a crash left. Throws DISK. */
  constructor(options: SnapshotFolderOptions) {
    this.#options = options;
    this.#path = resolve(options.path, 'snapshots');
    for (const name of this.#names(UNFINISHED_SUFFIX)) options.disk.remove(join(this.#path, name));
  }

  /**
   * Takes a snapshot of each of `partitions`; returns their absolute paths. All or none: if one fails, those already made are
   * removed. Throws DISK, UNAVAILABLE.
   */
  async create(partitions: readonly Partition[]): Promise<string[]> {
    const { logger } = this.#options;
    if (partitions.length > 0) this.#makeFolder();
    const created: string[] = [];
    try {
      for (const partition of partitions) created.push(await this.#createOne(partition));
    } catch (error) {
      for (const path of created) this.#remove(path);
      throw error;
    }
    for (const path of created) logger.info('snapshot taken', { path });
    return created;
  }

  /** Absolute paths, oldest day first. */
  list(): string[] {
    return this.#names('').map((name) => join(this.#path, name));
  }

  /** Removes the snapshot with this path (as create() and list() return it) or name. Throws NOT_FOUND, INVALID_REQUEST, DISK. */
  delete(path: string): void {
    const { disk, logger } = this.#options;
    const name = path.startsWith(`${this.#path}/`) ? path.slice(this.#path.length + 1) : path;
    if (!NAME.test(name)) {
      const got = JSON.stringify(path.slice(0, 200));
      throw new StoreError('INVALID_REQUEST', `path: expected a snapshot in ${this.#path} as listed, got ${got}`);
    }
    const full = join(this.#path, name);
    assertPlainFolder(full);
    this.#remove(full);
    disk.syncDir(this.#path);
    logger.info('snapshot deleted', { path: full });
  }

  /** Removes the snapshots that are too old at `nowMs`. Throws DISK. */
  deleteOld(nowMs: number): void {
    const { logger, snapshotsMaxAgeMs } = this.#options;
    if (snapshotsMaxAgeMs === 0) return;
    for (const name of this.#names('')) {
      if (nowMs - takenMsOf(name) <= snapshotsMaxAgeMs) continue;
      this.#remove(join(this.#path, name));
      logger.warn('snapshot removed: it is older than -snapshotsMaxAge', { path: join(this.#path, name) });
    }
  }

  async #createOne(partition: Partition): Promise<string> {
    const { disk, clock } = this.#options;
    const nowMs = clock.nowMs();
    const path = join(this.#path, `${formatDay(partition.day)}-${formatTime(nowMs)}-${randomBytes(8).toString('hex')}`);
    const unfinished = path + UNFINISHED_SUFFIX;
    try {
      await partition.writeSnapshot(unfinished, nowMs);
      disk.rename(unfinished, path);
    } catch (error) {
      disk.remove(unfinished);
      throw error;
    }
    disk.syncDir(this.#path);
    return path;
  }

  /** Renames it to an unfinished name first: if a crash leaves some of its files, nobody takes them for a snapshot. */
  #remove(path: string): void {
    const { disk } = this.#options;
    disk.rename(path, path + UNFINISHED_SUFFIX);
    disk.remove(path + UNFINISHED_SUFFIX);
  }

  #makeFolder(): void {
    const { disk, path } = this.#options;
    if (disk.stat(this.#path) !== undefined) return;
    disk.makeDir(this.#path);
    disk.syncDir(path);
  }

  /** Names of snapshots that end in `suffix`; other files in the folder are ignored. */
  #names(suffix: string): string[] {
    const { disk } = this.#options;
    if (disk.stat(this.#path) === undefined) return [];
    const names = disk.list(this.#path).filter((name) => name.endsWith(suffix));
    return names.filter((name) => NAME.test(name.slice(0, name.length - suffix.length)));
  }
}

/** "20261120232513" */
function formatTime(ms: number): string {
  return new Date(ms).toISOString().slice(0, 19).replaceAll(/[-T:]/g, '');
}

function takenMsOf(name: string): number {
  const [year, month, day, hours, minutes, seconds] = NAME.exec(name)!.slice(1).map(Number);
  return Date.UTC(year!, month! - 1, day, hours, minutes, seconds);
}
