// A file system of a few megabytes that a test can really fill: a tmpfs of its own, and a ballast file that takes its
// free space away and gives it back. Needs root; where mounting is not possible `canMount` is false and tests skip.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export class SmallDisk implements Disposable {
  readonly path: string = mkdtempSync(join(tmpdir(), 'tracelith-small-disk-'));
  readonly #ballastPath: string = join(this.path, 'ballast');

  /** `size` as mount takes it: 24m. Throws when mounting is not possible. */
  constructor(size: string) {
    const { status, stderr } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', this.path]);
    if (status === 0) return;
    rmSync(this.path, { recursive: true });
    throw new Error(`mount: ${String(stderr)}`);
  }

  get freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.path);
    return bavail * bsize;
  }

  /** Leaves `freeBytes` (whole pages) of the space free that is free without ballast. */
  fillUpTo(freeBytes: number): void {
    this.removeBallast();
    try {
      writeFileSync(this.#ballastPath, new Uint8Array(Math.max(0, this.freeBytes - freeBytes)));
    } catch (error) {
      // A node that writes at the same time has taken some of it: the disk is full all the same.
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error;
    }
  }

  removeBallast(): void {
    rmSync(this.#ballastPath, { force: true });
  }

  [Symbol.dispose](): void {
    spawnSync('umount', ['-l', this.path]);
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** Whether this user may mount. */
export function canMount(): boolean {
  try {
    using _disk = new SmallDisk('1m');
    return true;
  } catch {
    return false;
  }
}
