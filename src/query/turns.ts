// A queue of queries: a fixed number runs at once, the others wait in the order of arrival. A browser opens six connections and
// requests a trace on each, so waiting is normal and refusing is rare; but the queue's length and the wait are bounded.
import { assert } from '../base/assert.ts';
import { StoreError } from '../base/errors.ts';

export interface TurnsOptions {
  readonly runningMax: number;
  /** Queries that wait; further ones get OVERLOADED at once. */
  readonly waitingMax: number;
  /** Longest wait in ms; then UNAVAILABLE. */
  readonly waitMaxMs: number;
}

/** The turns now; the last two since start. */
export interface TurnCounts {
  readonly running: number;
  readonly runningMax: number;
  readonly waiting: number;
  /** Queries that found every turn taken. */
  readonly limitReached: number;
  /** Of them those that were refused, or got no turn in time. */
  readonly limitTimeouts: number;
}

export class Turns {
  readonly #options: TurnsOptions;
  #running = 0;
  readonly #waiting = new Set<() => void>();
  #limitReached = 0;
  #limitTimeouts = 0;

  constructor(options: TurnsOptions) {
    this.#options = options;
  }

  get counts(): TurnCounts {
    const { runningMax } = this.#options;
    const [limitReached, limitTimeouts] = [this.#limitReached, this.#limitTimeouts];
    return { running: this.#running, runningMax, waiting: this.#waiting.size, limitReached, limitTimeouts };
  }

  /** Resolves when it is the caller's turn; the caller must release each turn. Throws OVERLOADED, UNAVAILABLE, CANCELLED. */
  async take(signal?: AbortSignal): Promise<void> {
    const { runningMax, waitingMax } = this.#options;
    if (this.#running < runningMax) {
      this.#running++;
      return;
    }
    this.#limitReached++;
    if (this.#waiting.size >= waitingMax) {
      this.#limitTimeouts++;
      throw new StoreError(
        'OVERLOADED',
        `${waitingMax} queries wait behind ${runningMax} (-search.maxConcurrentRequests); try again later`,
      );
    }
    await this.#wait(signal);
  }

  /** Passes the turn to the next in the queue, so that a newcomer cannot overtake it. */
  release(): void {
    assert(this.#running > 0, 'a turn is given back that nobody took');
    const [next] = this.#waiting;
    if (next === undefined) this.#running--;
    else next();
  }

  #wait(signal: AbortSignal | undefined): Promise<void> {
    const { runningMax, waitMaxMs } = this.#options;
    assert(this.#running === runningMax, `a query waits while ${this.#running} of ${runningMax} run`);
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', cancel);
        this.#waiting.delete(turn);
      };
      const turn = (): void => {
        leave();
        resolve();
      };
      const refuse = (error: StoreError): void => {
        leave();
        reject(error);
      };
      const cancel = (): void =>
        refuse(new StoreError('CANCELLED', 'the client closed the connection while its query waited'));
      const timer = setTimeout(() => {
        this.#limitTimeouts++;
        const text = `${runningMax} queries (-search.maxConcurrentRequests) are running and none had an end within ${waitMaxMs} ms`;
        refuse(new StoreError('UNAVAILABLE', `${text}; try again later`));
      }, waitMaxMs);
      this.#waiting.add(turn);
      if (signal?.aborted === true) cancel();
      else signal?.addEventListener('abort', cancel, { once: true });
    });
  }
}
