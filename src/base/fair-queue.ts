// A waiting queue with one line per owner. The lines take turns, so an owner with many items delays every other owner
// by at most one of them per turn.
import { assert } from './assert.ts';

export class FairQueue<T> {
  /** Lines by owner, in order of service. No line is empty. */
  readonly #lines = new Map<string, Set<T>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Appends `item`, which must not be in the queue, to its owner's line. */
  push(owner: string, item: T): void {
    const line = this.#lines.get(owner);
    assert(line?.has(item) !== true, `an item of ${owner} is queued twice`);
    if (line === undefined) this.#lines.set(owner, new Set([item]));
    else line.add(item);
    this.#size++;
  }

  /** Number of items in the owner's line. */
  sizeOf(owner: string): number {
    return this.#lines.get(owner)?.size ?? 0;
  }

  /** Takes the oldest item of the first line whose owner `mayTake`. */
  take(mayTake: (owner: string) => boolean = () => true): T | undefined {
    for (const [owner, line] of this.#lines) {
      if (!mayTake(owner)) continue;
      for (const item of line) {
        this.delete(owner, item);
        // Moves the line behind the others.
        if (line.size > 0 && this.#lines.delete(owner)) this.#lines.set(owner, line);
        return item;
      }
    }
    return undefined;
  }

  /** Removes `item` from any position. */
  delete(owner: string, item: T): void {
    const line = this.#lines.get(owner);
    if (line === undefined || !line.delete(item)) return;
    this.#size--;
    if (line.size === 0) this.#lines.delete(owner);
  }
}
