// A file or folder that views read while its owner may want to remove it: log files, parts, whole partitions. Readers pin
// it, the owner dooms it. A doomed one is removed when its last pin is gone, or at once if it has none.
import { assert } from '../base/assert.ts';
import { giveUp } from '../disk/give-up.ts';

export class Pinned {
  readonly #remove: () => void;
  #pins = 0;
  #isDoomed = false;
  #waiting: (() => void)[] = [];

  /** `remove` is called once, when nobody reads any more. */
  constructor(remove: () => void) {
    this.#remove = remove;
  }

  /** Whether somebody reads it. A doomed one that is not pinned is removed. */
  get isPinned(): boolean {
    return this.#pins > 0;
  }

  pin(): void {
    assert(!this.#isDoomed, 'pinned after it was doomed');
    this.#pins++;
  }

  unpin(): void {
    assert(this.#pins > 0, 'unpinned more often than pinned');
    this.#pins--;
    if (this.#pins > 0) return;
    if (this.#isDoomed) this.#tryRemove();
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /** Resolves when nobody reads. The caller prevents new readers. */
  async unpinned(): Promise<void> {
    if (this.#pins > 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** Nothing new may pin it from now on. */
  doom(): void {
    assert(!this.#isDoomed, 'doomed twice');
    this.#isDoomed = true;
    if (this.#pins === 0) this.#tryRemove();
  }

  /** If the disk refuses, the next opening of the partition removes it: a doomed file is listed nowhere. */
  #tryRemove(): void {
    giveUp(this.#remove);
  }
}
