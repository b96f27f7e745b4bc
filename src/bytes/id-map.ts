// A map from ids to numbers from 0 on, for one block at a time: an array as long as the largest id, whose memory serves
// block after block, and of which only the places that were used are cleaned. So a block costs what it uses, however
// many ids its batch has. One user at a time.
import { assert } from '../base/assert.ts';

export class IdMap implements Disposable {
  /** Number + 1 by id; 0: none. */
  #numbers = new Int32Array(0);
  /** Ids that were set, in that order. */
  #used: number[] = [];
  #isTaken = false;

  /** Begins empty, for ids below `idEnd`. Disposing it ends the use. */
  begin(idEnd: number): this {
    assert(!this.#isTaken, 'a map of ids taken twice');
    this.#isTaken = true;
    if (this.#numbers.length < idEnd) this.#numbers = new Int32Array(Math.max(idEnd, 2 * this.#numbers.length));
    return this;
  }

  /** Ids that were set, in the order in which they were first. */
  get used(): readonly number[] {
    return this.#used;
  }

  /** -1: not set. */
  get(id: number): number {
    return this.#numbers[id]! - 1;
  }

  set(id: number, number: number): void {
    if (this.#numbers[id] === 0) this.#used.push(id);
    this.#numbers[id] = number + 1;
  }

  [Symbol.dispose](): void {
    for (const id of this.#used) this.#numbers[id] = 0;
    this.#used = [];
    this.#isTaken = false;
  }
}
