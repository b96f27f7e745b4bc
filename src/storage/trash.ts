// Where dropped days go: a folder is renamed in place before it is removed, so that no crash leaves half a day that would
// be opened as a whole one, and its name is free at once. Removing gigabytes takes its time, beside everything else.
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
  /** Removals one after the other: two of one folder would trip over one another. */
  #emptied: Promise<void> = Promise.resolve();

  /** Of the folders directly in `folder`. */
  constructor(disk: Disk, folder: string) {
    this.#disk = disk;
    this.#folder = folder;
  }

  /**
   * Takes the folder `path`, which is nobody's any more: on return its name is free. Throws DISK: it is there
   * as before.
   */
  take(path: string): void {
    const target = `${path}.${randomBytes(4).toString('hex')}${SUFFIX}`;
    // An attempt before may have got as far as this.
    if (this.#disk.stat(path) !== undefined) this.#disk.rename(path, target);
    this.#disk.syncDir(dirname(path));
  }

  /** Removes all that is here. Throws DISK: the rest stays for the next time. */
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
