// Keeps the disk from filling up: below the configured free space the store takes no more data, and takes it again by
// itself once there is more. What is stored stays readable, and flushes go on: they free the log. Room for the flush of
// what is in the logs is kept free too, and a merge begins only when its output fits beside both.
import type { Clock } from '../base/clock.ts';
import { StoreError } from '../base/errors.ts';
import type { Disk } from '../disk/disk.ts';
import type { MergeRoom } from '../partition/merge-runner.ts';

/** One statfs a second costs nothing, and a second of ingest is far less than any sensible reserve. */
const CHECK_INTERVAL_MS = 1_000;

/**
 * Room a flush needs, by the bytes of its logs. A part is denser than they are, unless its spans hold what nobody can
 * compress: then it is as large, and its lookup tables and filters come on top. Less, and a log could fill a disk so
 * that it can never be flushed.
 */
const FLUSH_SHARE = 1.5;

/** An eighth: a day that fills the limit has at least eight parts, and loses an eighth of it at a time. */
const PART_SHARE_MAX = 1 / 8;

export interface DiskGuardOptions {
  readonly disk: Disk;
  readonly clock: Clock;
  /** The data directory. */
  readonly path: string;
  readonly freeDiskBytesMin: number;
  /** -retention.maxDiskSpaceUsageBytes; 0: no limit. */
  readonly diskBytesMax: number;
  /** Bytes in the logs and on their way there, which a flush writes once more before it deletes them. */
  readonly logBytes: () => number;
}

/** The file system of the data directory. */
export interface DiskUsage {
  readonly freeBytes: number;
  readonly totalBytes: number;
}

export class DiskGuard implements MergeRoom {
  readonly #options: DiskGuardOptions;
  #checkedMs = -Infinity;
  #freeBytes = Infinity;
  /** Bytes in the logs when it was looked at. */
  #logBytes = 0;
  /** What merges under way may still write. */
  #reservedBytes = 0;

  constructor(options: DiskGuardOptions) {
    this.#options = options;
  }

  /** As of now. Throws DISK. */
  get usage(): DiskUsage {
    const { disk, path } = this.#options;
    return { freeBytes: disk.freeBytes(path), totalBytes: disk.totalBytes(path) };
  }

  /** Whether data is refused now. */
  get isReadOnly(): boolean {
    const nowMs = this.#options.clock.nowMs();
    // A clock set back must not stop the checks until it has caught up.
    if (Math.abs(nowMs - this.#checkedMs) >= CHECK_INTERVAL_MS) {
      this.#checkedMs = nowMs;
      this.#freeBytes = this.#options.disk.freeBytes(this.#options.path);
      this.#logBytes = this.#options.logBytes();
    }
    return this.#freeNow < this.#keptBytes;
  }

  /** Bytes a merge may write now. Throws DISK. */
  get freeBytes(): number {
    return Math.max(0, this.usage.freeBytes - this.#keptBytes - this.#reservedBytes);
  }

  /** Parts are what a limit in bytes drops of a day that exceeds it: none may become a large share of it. */
  get mergeBytesMax(): number {
    const { diskBytesMax } = this.#options;
    return diskBytesMax === 0 ? Infinity : diskBytesMax * PART_SHARE_MAX;
  }

  /** Sets `sizeBytes` aside for a merge until the result is disposed of. */
  reserve(sizeBytes: number): Disposable {
    this.#reservedBytes += sizeBytes;
    return {
      [Symbol.dispose]: () => {
        this.#reservedBytes -= sizeBytes;
      },
    };
  }

  /** Throws READ_ONLY while there is too little free space. */
  assertWritable(): void {
    if (!this.isReadOnly) return;
    const { path, freeDiskBytesMin } = this.#options;
    const wanted =
      this.#keptBytes > freeDiskBytesMin
        ? `the next flush needs ${this.#keptBytes}`
        : `-storage.minFreeDiskSpaceBytes asks for ${freeDiskBytesMin}`;
    throw new StoreError(
      'READ_ONLY',
      `${path}: ${this.#freeNow} bytes free, ${wanted}; free space or lower the flag, then retry`,
    );
  }

  /** Between two looks the logs may fill a small disk. */
  get #freeNow(): number {
    return this.#freeBytes - Math.max(0, this.#options.logBytes() - this.#logBytes);
  }

  get #keptBytes(): number {
    return Math.max(this.#options.freeDiskBytesMin, Math.ceil(this.#options.logBytes() * FLUSH_SHARE));
  }
}
