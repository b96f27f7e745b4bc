// The last known answer to a question that somebody asks again and again, for whom an answer in time matters more than the newest one:
// whoever has to answer may be busy. At most one question is under way.
import { setTimeout as delay } from 'node:timers/promises';

/** How long the answer of now is waited for. */
const WAIT_MS = 100;

export class LastKnown<T> {
  readonly #ask: () => Promise<T>;
  #known: T;
  #asking: Promise<void> | undefined;
  /** Why there will be no further answers. */
  #failure: Error | undefined;

  /** `known`: the answer until there is one. */
  constructor(ask: () => Promise<T>, known: T) {
    this.#ask = ask;
    this.#known = known;
  }

  /** The answer of now if it comes soon, otherwise the last one. Throws as a question before it did. */
  async look(): Promise<T> {
    this.#asking ??= this.#learn().finally(() => (this.#asking = undefined));
    const waiting = new AbortController();
    const { signal } = waiting;
    await Promise.race([this.#asking, delay(WAIT_MS, undefined, { signal }).catch(() => undefined)]);
    waiting.abort();
    if (this.#failure !== undefined) throw this.#failure;
    return this.#known;
  }

  async #learn(): Promise<void> {
    try {
      this.#known = await this.#ask();
      this.#failure = undefined;
    } catch (error) {
      this.#failure = error instanceof Error ? error : new Error(String(error));
    }
  }
}
