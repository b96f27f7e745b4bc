// Values that stay open between uses, by key. A value in use is never closed. Unused values are closed, least recently used
// first, when all values together weigh too much, and at once when their key will never be used again.
import { assert } from '../base/assert.ts';

export interface UseCacheOptions<V> {
  /** Upper bound of the total weight while no value is in use. */
  readonly weightMax: number;
  /** May change with every use. */
  readonly weigh: (value: V) => number;
  readonly close: (value: V) => void;
}

interface Entry<V> {
  readonly value: V;
  users: number;
  weight: number;
}

export class UseCache<K, V> {
  readonly #options: UseCacheOptions<V>;
  /** Most recently used last. */
  readonly #entries = new Map<K, Entry<V>>();
  #weight = 0;

  constructor(options: UseCacheOptions<V>) {
    this.#options = options;
  }

  get values(): V[] {
    return Array.from(this.#entries.values(), ({ value }) => value);
  }

  /** Runs `work` on the value of `key`; `open` creates it if there is none. Throws what they throw. */
  use<T>(key: K, open: () => V, work: (value: V) => T): T {
    const entry = this.#entries.get(key) ?? { value: open(), users: 0, weight: 0 };
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    entry.users++;
    try {
      return work(entry.value);
    } finally {
      entry.users--;
      this.#reweigh(entry);
      this.#closeUnused(this.#options.weightMax);
    }
  }

  closeUnused(): void {
    this.#closeUnused(0);
  }

  /** Call when nobody uses `key` any more: closes its value. */
  drop(key: K): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    assert(entry.users === 0, `${String(key)} is gone while it is used`);
    this.#close(key, entry);
  }

  #reweigh(entry: Entry<V>): void {
    const weight = this.#options.weigh(entry.value);
    this.#weight += weight - entry.weight;
    entry.weight = weight;
  }

  #closeUnused(weightMax: number): void {
    for (const [key, entry] of this.#entries) {
      if (this.#weight <= weightMax) return;
      if (entry.users === 0) this.#close(key, entry);
    }
  }

  #close(key: K, entry: Entry<V>): void {
    assert(entry.users === 0, `${String(key)} is closed under its user`);
    this.#entries.delete(key);
    this.#weight -= entry.weight;
    assert(this.#entries.size > 0 || this.#weight === 0, `nothing is open, and weighs ${this.#weight}`);
    this.#options.close(entry.value);
  }
}
