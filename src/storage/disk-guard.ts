// Keeps the disk from filling up: below the configured free space, the store takes no more data until there is more. Stored
// data stays readable, and flushes go on, because they free the log. Enough space to flush the current logs is kept free
// too, and a merge begins only if its output fits beside both.
import type { Clock } from '../base/clock.ts';
import { StoreError } from '../base/errors.ts';
import type { Disk } from '../disk/disk.ts';
import type { MergeRoom } from '../partition/merge-runner.ts';

/** One statfs a second costs nothing, and a second of ingest is far less than any sensible reserve. */
const CHECK_INTERVAL_MS = 1_000;

/**
 * Space that a flush needs, as a multiple of its logs' bytes. Parts are usually denser than logs, but with incompressible
 * spans a part is as large, plus lookup tables and filters. With a lower value, a log could fill a disk and then never be
 * flushed.
 */
const FLUSH_SHARE = 1.5;

/** With an eighth, a day that fills the limit has at least eight parts and loses an eighth of its data at a time. */
const PART_SHARE_MAX = 1 / 8;

export interface DiskGuardOptions {
  readonly disk: Disk;
  readonly clock: Clock;
  /** The data directory. */
  readonly path: string;
  readonly freeDiskBytesMin: number;
  /** -storage.readOnly */
  readonly isReadOnly?: boolean;
  /** -retention.maxDiskSpaceUsageBytes; 0: no limit. */
  readonly diskBytesMax: number;
  /** Bytes in the logs and on their way there. A flush writes them once more before it deletes them. */
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
  /** Bytes in the logs at the last check. */
  #logBytes = 0;
  /** Bytes that merges under way may still write. */
  #reservedBytes = 0;

  constructor(options: DiskGuardOptions) {
    this.#options = options;
  }

  /** The current values. Throws DISK. */
  get usage(): DiskUsage {
    const { disk, path } = this.#options;
    return { freeBytes: disk.freeBytes(path), totalBytes: disk.totalBytes(path) };
  }

  get isReadOnly(): boolean {
    return this.#options.isReadOnly === true || this.#isFull;
  }

  get #isFull(): boolean {
    const nowMs = this.#options.clock.nowMs();
    // If the clock is set back, the checks must not wait until it has caught up.
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

  /** A limit in bytes drops a day part by part, so no part may become a large share of the limit. */
  get mergeBytesMax(): number {
    const { diskBytesMax } = this.#options;
    return diskBytesMax === 0 ? Infinity : diskBytesMax * PART_SHARE_MAX;
  }

  /** Reserves `sizeBytes` for a merge until the result is disposed of. */
  reserve(sizeBytes: number): Disposable {
    this.#reservedBytes += sizeBytes;
    return {
      [Symbol.dispose]: () => {
        this.#reservedBytes -= sizeBytes;
      },
    };
  }

  /** Throws READ_ONLY while there is too little free space, and with -storage.readOnly. */
  assertWritable(): void {
    const refusal = this.refusal;
    if (refusal !== undefined) throw new StoreError('READ_ONLY', refusal);
  }

  /** Why no spans are taken now; undefined: they are. Throws DISK. */
  get refusal(): string | undefined {
    const { path, freeDiskBytesMin, isReadOnly } = this.#options;
    if (isReadOnly === true)
      return `${path}: this node only answers queries (-storage.readOnly); send spans to another`;
    if (!this.#isFull) return undefined;
    const wanted =
      this.#keptBytes > freeDiskBytesMin
        ? `the next flush needs ${this.#keptBytes}`
        : `-storage.minFreeDiskSpaceBytes asks for ${freeDiskBytesMin}`;
    return `${path}: ${this.#freeNow} bytes free, ${wanted}; free space or lower the flag, then retry`;
  }

  /** Counts the growth of the logs since the last check: on a small disk it may use up the free space. */
  get #freeNow(): number {
    return this.#freeBytes - Math.max(0, this.#options.logBytes() - this.#logBytes);
  }

  get #keptBytes(): number {
    return Math.max(this.#options.freeDiskBytesMin, Math.ceil(this.#options.logBytes() * FLUSH_SHARE));
  }
}
