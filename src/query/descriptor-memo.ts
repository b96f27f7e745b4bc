// A query's decisions about resources and scopes: the same few appear in every block, and examining one takes as long as
// some hundred spans.
import { assert } from '../base/assert.ts';
import { ByteTable } from '../bytes/byte-table.ts';

const NOT_YET = 0;
/** Distinct descriptors remembered; further ones are decided each time. */
const ENTRIES_MAX = 100_000;

export class DescriptorMemo {
  readonly #decide: (descriptor: Uint8Array) => boolean;
  readonly #seen = new ByteTable();
  /** By entry: NOT_YET, 1 false, 2 true. */
  #answers = new Uint8Array(64);

  /** `decide` must give the same answer for the same bytes. */
  constructor(decide: (descriptor: Uint8Array) => boolean) {
    this.#decide = decide;
  }

  holds(descriptor: Uint8Array): boolean {
    if (this.#seen.count >= ENTRIES_MAX) return this.#decide(descriptor);
    const id = this.#seen.intern(descriptor, 0, descriptor.length);
    assert(id <= this.#answers.length, `descriptor ${id} where at most ${this.#answers.length} are known`);
    if (id >= this.#answers.length) {
      const grown = new Uint8Array(this.#answers.length * 2);
      grown.set(this.#answers);
      this.#answers = grown;
    }
    if (this.#answers[id] === NOT_YET) this.#answers[id] = this.#decide(descriptor) ? 2 : 1;
    return this.#answers[id] === 2;
  }
}
