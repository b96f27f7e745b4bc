// A map from ids to numbers from 0 on, for one block at a time: an array indexed by id. The array is reused from block
// to block, and only its used entries are cleared, so a block costs only the ids it uses, however many its batch has.
// One user at a time.
import { assert } from '../base/assert.ts';

export class IdMap implements Disposable {
  /** Number + 1 by id; 0: none. */
  #numbers = new Int32Array(0);
  /** Ids that were set, in order. */
  #used: number[] = [];
  #isTaken = false;

  /** Starts with an empty map, for ids below `idEnd`. Disposing it ends the use. */
  begin(idEnd: number): this {
    assert(!this.#isTaken, 'a map of ids taken twice');
    this.#isTaken = true;
    if (this.#numbers.length < idEnd) this.#numbers = new Int32Array(Math.max(idEnd, 2 * this.#numbers.length));
    return this;
  }

  /** Ids that were set, in order of first occurrence. */
  get used(): readonly number[] {
    return this.#used;
  }

  /** -1: not set. */
  get(id: number): number {
    return this.#numbers[id]! - 1;
  }

  set(id: number, number: number): void {
    assert(number >= 0 && id < this.#numbers.length, 'an id or a number that the map cannot hold');
    if (this.#numbers[id] === 0) this.#used.push(id);
    this.#numbers[id] = number + 1;
  }

  [Symbol.dispose](): void {
    for (const id of this.#used) this.#numbers[id] = 0;
    this.#used = [];
    this.#isTaken = false;
  }
}
