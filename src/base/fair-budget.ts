// A budget of bytes that owners share. Each may hold as much as three times what is free: one alone gets three quarters of
// it, two that ask in turns three sevenths each, and a newcomer finds three quarters of what is free, however much the others
// hold ("dynamic thresholds", as switches share their buffers). Nobody waits here: what does not fit is refused.
import { assert } from './assert.ts';

/** Held by one owner to what is free. */
const SHARE = 3;

export class FairBudget {
  readonly bytesMax: number;
  readonly #held = new Map<string, number>();
  #bytes = 0;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  /** Held by all. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Owners that hold something. */
  get owners(): number {
    return this.#held.size;
  }

  heldBy(owner: string): number {
    return this.#held.get(owner) ?? 0;
  }

  /** Gives `owner` so many bytes more; false, and nothing, when that is more than its share. */
  take(owner: string, bytes: number): boolean {
    const held = this.heldBy(owner) + bytes;
    const free = this.bytesMax - this.#bytes - bytes;
    if (held > SHARE * free) return false;
    this.#set(owner, held);
    return true;
  }

  giveBack(owner: string, bytes: number): void {
    const left = this.heldBy(owner) - bytes;
    assert(left >= 0, `${bytes} bytes are given back, of which ${-left} were never taken`);
    this.#set(owner, left);
  }

  #set(owner: string, held: number): void {
    this.#bytes += held - this.heldBy(owner);
    if (held === 0) this.#held.delete(owner);
    else this.#held.set(owner, held);
  }
}
