// Things on disk that views read while their owner may want to be rid of them: log files, parts, whole partitions.
// Whoever reads pins; the owner dooms; what is doomed is removed when the last pin is gone, at once when there is none.
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

  /** Whether somebody reads: what is doomed and not pinned is gone. */
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

  /** Resolves when nobody reads. The caller sees to it that nobody begins to. */
  async unpinned(): Promise<void> {
    if (this.#pins > 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** Nothing new may pin it from now on. */
  doom(): void {
    assert(!this.#isDoomed, 'doomed twice');
    this.#isDoomed = true;
    if (this.#pins === 0) this.#tryRemove();
  }

  /** What is doomed is listed nowhere. When the disk refuses to remove it, the next opening of its partition does. */
  #tryRemove(): void {
    giveUp(this.#remove);
  }
}
