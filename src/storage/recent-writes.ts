// Keyed writes that were answered lately, or are under way: a sender that lost the answer sends the request again under the
// same key, and gets the first answer instead of a second copy. Bounded: a forgotten key costs one more copy of the same
// spans, which is shown once. A failed write is forgotten, so its retry is a write.
import type { WriteResult } from '../trace/store.ts';
import type { Tenant } from '../trace/tenant.ts';

/** Keys remembered, some 300 bytes each: senders retry within seconds. */
const KEYS_MAX = 16_384;

export class RecentWrites {
  readonly #keysMax: number;
  /** Oldest first. */
  readonly #results = new Map<string, Promise<WriteResult>>();
  #repeated = 0;

  constructor(keysMax: number = KEYS_MAX) {
    this.#keysMax = keysMax;
  }

  /** Writes that were answered with the result of an earlier one. */
  get repeated(): number {
    return this.#repeated;
  }

  /** The result of `write`, or of the earlier write with this key. */
  once(tenant: Tenant, key: string, write: () => Promise<WriteResult>): Promise<WriteResult> {
    const owned = `${tenant} ${key}`;
    const known = this.#results.get(owned);
    if (known !== undefined) {
      this.#repeated++;
      return known;
    }
    const result = write();
    this.#results.set(owned, result);
    result.catch(() => this.#results.delete(owned));
    if (this.#results.size > this.#keysMax) this.#results.delete(this.#results.keys().next().value!);
    return result;
  }
}
