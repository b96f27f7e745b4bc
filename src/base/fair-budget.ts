// A budget of bytes that owners share. An owner may hold up to three times the free bytes: a single owner gets three
// quarters of the budget, two that take in turns get three sevenths each, and a new owner always gets three quarters of
// the free bytes ("dynamic thresholds", as in the buffers of switches). take() never waits: it refuses.
import { assert } from './assert.ts';

/** Largest ratio of one owner's bytes to the free bytes. */
const SHARE = 3;

export class FairBudget {
  readonly bytesMax: number;
  readonly #held = new Map<string, number>();
  #bytes = 0;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  /** Bytes held by all owners. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Number of owners that hold bytes. */
  get owners(): number {
    return this.#held.size;
  }

  heldBy(owner: string): number {
    return this.#held.get(owner) ?? 0;
  }

  /** Adds `bytes` to those `owner` holds; returns false and takes nothing if they would exceed its share. */
  take(owner: string, bytes: number): boolean {
    // NaN would stay for ever, and let everything in.
    assert(bytes >= 0, 'a number of bytes that is none is taken');
    const held = this.heldBy(owner) + bytes;
    const free = this.bytesMax - this.#bytes - bytes;
    if (held > SHARE * free) return false;
    this.#set(owner, held);
    return true;
  }

  giveBack(owner: string, bytes: number): void {
    const left = this.heldBy(owner) - bytes;
    assert(bytes >= 0 && left >= 0, 'bytes are given back that were never taken');
    this.#set(owner, left);
  }

  #set(owner: string, held: number): void {
    this.#bytes += held - this.heldBy(owner);
    if (held === 0) this.#held.delete(owner);
    else this.#held.set(owner, held);
    assert(this.#held.size > 0 || this.#bytes === 0, 'bytes are held by nobody');
  }
}
