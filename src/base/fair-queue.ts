// What waits for its turn, in one line for each owner. The lines take turns, so that who has much waiting delays
// nobody else by more than one of it.

export class FairQueue<T> {
  /** By owner, the next to be served first. None is empty. */
  readonly #lines = new Map<string, Set<T>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Puts `item`, which is not in the queue, at the end of its owner's line. */
  push(owner: string, item: T): void {
    const line = this.#lines.get(owner);
    if (line === undefined) this.#lines.set(owner, new Set([item]));
    else line.add(item);
    this.#size++;
  }

  /** Takes the oldest of the owner whose turn it is. */
  take(): T | undefined {
    for (const [owner, line] of this.#lines) {
      for (const item of line) {
        this.delete(owner, item);
        // Behind the others now.
        if (line.size > 0 && this.#lines.delete(owner)) this.#lines.set(owner, line);
        return item;
      }
    }
    return undefined;
  }

  /** Takes `item` out, wherever it stands. */
  delete(owner: string, item: T): void {
    const line = this.#lines.get(owner);
    if (line === undefined || !line.delete(item)) return;
    this.#size--;
    if (line.size === 0) this.#lines.delete(owner);
  }
}
