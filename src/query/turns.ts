// A queue of queries: a fixed number runs at once, the others wait. Tenants take turns, each in its order of arrival, and a tenant
// may have a bound of its own. A browser opens six connections and requests a trace on each, so waiting is normal and refusing is
// rare; but the queue's length and the wait are bounded.
import { assert } from '../base/assert.ts';
import { StoreError } from '../base/errors.ts';
import { FairQueue } from '../base/fair-queue.ts';
import type { Tenant } from '../trace/tenant.ts';

export interface TurnsOptions {
  readonly runningMax: number;
  /** Queries that wait; further ones get OVERLOADED at once. */
  readonly waitingMax: number;
  /** Longest wait in ms; then UNAVAILABLE. */
  readonly waitMaxMs: number;
  /** Queries of one tenant that run at once; default: as many as run at all. */
  readonly runningMaxOf?: (tenant: Tenant) => number;
}

/** Of the queue, for one tenant. */
const SHARE = 0.75;

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
  readonly #runningOf = new Map<Tenant, number>();
  readonly #waiting = new FairQueue<() => void>();
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

  /**
   * Resolves when it is the turn of a query of `tenant`; the caller must release each turn. Throws OVERLOADED, UNAVAILABLE,
   * CANCELLED.
   */
  async take(tenant: Tenant, signal?: AbortSignal): Promise<void> {
    const { runningMax, waitingMax } = this.#options;
    // Whoever waits then is of a tenant that runs as many as it may.
    if (this.#running < runningMax && this.#mayRun(tenant)) return this.#begin(tenant);
    this.#limitReached++;
    // One tenant fills at most three quarters of the queue, so that there is room for the others.
    const isFull = this.#waiting.size >= waitingMax || this.#waiting.sizeOf(tenant) >= Math.ceil(waitingMax * SHARE);
    if (isFull) {
      this.#limitTimeouts++;
      throw new StoreError(
        'OVERLOADED',
        `${this.#waiting.size} queries wait behind ${runningMax} (-search.maxConcurrentRequests); try again later`,
      );
    }
    await this.#wait(tenant, signal);
  }

  /** Passes the turn to the next in the queue, so that a newcomer cannot overtake it. */
  release(tenant: Tenant): void {
    const running = this.#runningOf.get(tenant) ?? 0;
    assert(this.#running > 0 && running > 0, 'a turn is given back that nobody took');
    this.#running--;
    if (running === 1) this.#runningOf.delete(tenant);
    else this.#runningOf.set(tenant, running - 1);
    this.#waiting.take((owner) => this.#mayRun(owner as Tenant))?.();
  }

  #mayRun(tenant: Tenant): boolean {
    return (this.#runningOf.get(tenant) ?? 0) < (this.#options.runningMaxOf?.(tenant) ?? Infinity);
  }

  #begin(tenant: Tenant): void {
    this.#running++;
    this.#runningOf.set(tenant, (this.#runningOf.get(tenant) ?? 0) + 1);
  }

  #wait(tenant: Tenant, signal: AbortSignal | undefined): Promise<void> {
    const { runningMax, waitMaxMs } = this.#options;
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', cancel);
        this.#waiting.delete(tenant, turn);
      };
      const turn = (): void => {
        leave();
        this.#begin(tenant);
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
      this.#waiting.push(tenant, turn);
      if (signal?.aborted === true) cancel();
      else signal?.addEventListener('abort', cancel, { once: true });
    });
  }
}
