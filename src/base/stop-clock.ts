// How much time is left for a stop.

/** The time left for a stop. */
export class StopClock {
  readonly #maxMs: number;
  #startMs = Infinity;

  constructor(maxMs: number) {
    this.#maxMs = maxMs;
  }

  start(): void {
    this.#startMs = performance.now();
  }

  leftMs(): number {
    return Math.max(0, this.#startMs + this.#maxMs - performance.now());
  }
}
