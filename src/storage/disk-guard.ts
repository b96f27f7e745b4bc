// Keeps the disk from filling up: below the configured free space the store takes no more data, and takes it again by
// itself once there is more. What is stored stays readable, and flushes go on: they free the log.
import type { Clock } from '../base/clock.ts';
import { StoreError } from '../base/errors.ts';
import type { Disk } from '../disk/disk.ts';

/** One statfs a second costs nothing, and a second of ingest is far less than any sensible reserve. */
const CHECK_INTERVAL_MS = 1_000;

export interface DiskGuardOptions {
  readonly disk: Disk;
  readonly clock: Clock;
  /** The data directory. */
  readonly path: string;
  readonly freeDiskBytesMin: number;
}

export class DiskGuard {
  readonly #options: DiskGuardOptions;
  #checkedMs = -Infinity;
  #freeBytes = Infinity;

  constructor(options: DiskGuardOptions) {
    this.#options = options;
  }

  /** Whether data is refused now. */
  get isReadOnly(): boolean {
    const nowMs = this.#options.clock.nowMs();
    // A clock set back must not stop the checks until it has caught up.
    if (Math.abs(nowMs - this.#checkedMs) >= CHECK_INTERVAL_MS) {
      this.#checkedMs = nowMs;
      this.#freeBytes = this.#options.disk.freeBytes(this.#options.path);
    }
    return this.#freeBytes < this.#options.freeDiskBytesMin;
  }

  /** Throws READ_ONLY while there is too little free space. */
  assertWritable(): void {
    if (!this.isReadOnly) return;
    const { path, freeDiskBytesMin } = this.#options;
    throw new StoreError(
      'READ_ONLY',
      `${path}: ${this.#freeBytes} bytes free, -storage.minFreeDiskSpaceBytes asks for ${freeDiskBytesMin}; ` +
        'free space or lower the flag, then retry',
    );
  }
}
