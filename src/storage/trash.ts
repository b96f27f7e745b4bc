// Removes dropped days. A folder is renamed in place first, so that its name is free at once and no crash leaves half a day
// that would be opened as a whole one. Removing gigabytes takes time, so it runs in the background.
import { randomBytes } from 'node:crypto';
import { dirname, join } from 'node:path';
import { isStoreError } from '../base/errors.ts';
import type { Disk } from '../disk/disk.ts';

const SUFFIX = '.dropped';

export function isTrash(name: string): boolean {
  return name.endsWith(SUFFIX);
}

export class Trash {
  readonly #disk: Disk;
  readonly #folder: string;
  /** Runs removals one after the other: two removals of one folder would interfere. */
  #emptied: Promise<void> = Promise.resolve();

  /** Manages the folders directly in `folder`. */
  constructor(disk: Disk, folder: string) {
    this.#disk = disk;
    this.#folder = folder;
  }

  /** Takes the unused folder `path`: on return its name is free. Throws DISK, leaving the folder unchanged. */
  take(path: string): void {
    const target = `${path}.${randomBytes(4).toString('hex')}${SUFFIX}`;
    // An earlier attempt may have renamed it already.
    if (this.#disk.stat(path) !== undefined) this.#disk.rename(path, target);
    this.#disk.syncDir(dirname(path));
  }

  /** Removes all taken folders. Throws DISK; the rest stays for the next call. */
  empty(): Promise<void> {
    const emptied = this.#emptied.then(() => this.#removeAll());
    this.#emptied = emptied.catch(() => undefined);
    return emptied;
  }

  async #removeAll(): Promise<void> {
    let failure: unknown;
    for (const name of this.#disk.list(this.#folder).filter(isTrash)) {
      try {
        await this.#disk.removeAsync(join(this.#folder, name));
      } catch (error) {
        if (!isStoreError(error, 'DISK')) throw error;
        failure = error;
      }
    }
    if (failure !== undefined) throw failure;
  }
}
