// Runs asynchronous actions one after the other: flushes of a partition, merges of a partition.

export class Serial {
  #last: Promise<unknown> = Promise.resolve();

  /** Runs `action` after everything given before has ended, successfully or not. */
  run<T>(action: () => Promise<T>): Promise<T> {
    const result = this.#last.then(action);
    this.#last = result.catch(() => undefined);
    return result;
  }

  /** Resolves when everything given so far has ended. */
  async idle(): Promise<void> {
    await this.#last;
  }
}
