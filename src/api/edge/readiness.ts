// Whether this process should get requests. Load balancers ask /ready, /insert/ready, /select/ready, /health and gRPC's health;
// the listeners ask whether to answer at all. A process that is about to stop is not ready any more but still answers.
import { setTimeout as delay } from 'node:timers/promises';
import { assert } from '../../base/assert.ts';

const STARTING_OR_CLOSING = 'the server is starting or closing, or its store does not answer';

/** Work that a load balancer may route separately. */
export type Duty = 'insert' | 'select';

export interface ReadinessOptions {
  /** False if nothing can be answered, because the store hangs or has ended. */
  readonly isAlive: () => boolean;
  /** False if requests would get nothing but 503 for now, because no storage node is reachable; absent: never. */
  readonly isReachable?: () => boolean;
  /** Why a duty is refused now, for people; undefined: it is not. */
  readonly refusalOf: (duty: Duty) => Promise<string | undefined>;
  /** What a node that is ready lacks all the same, for people; absent, or undefined: nothing. */
  readonly lacks?: (() => string | undefined) | undefined;
}

export class Readiness {
  readonly #options: ReadinessOptions;
  #state: 'starting' | 'ready' | 'leaving' | 'closed' = 'starting';

  constructor(options: ReadinessOptions) {
    this.#options = options;
  }

  /** Everything is open. */
  begin(): void {
    assert(this.#state === 'starting', `a node that is ${this.#state} becomes ready`);
    this.#state = 'ready';
  }

  /** From now on load balancers should send requests elsewhere. Those that come are answered until close(). */
  leave(): void {
    assert(this.#state !== 'closed', 'a closed node says that it will leave');
    this.#state = 'leaving';
  }

  close(): void {
    this.#state = 'closed';
  }

  /** Whether requests are answered. */
  get isAnswering(): boolean {
    return (this.#state === 'ready' || this.#state === 'leaving') && this.#options.isAlive();
  }

  /** Whether the process answers and is about to stop. */
  get isLeaving(): boolean {
    return this.#state === 'leaving';
  }

  /** Whether load balancers should send requests here. */
  get isReady(): boolean {
    return this.#state === 'ready' && this.#options.isAlive();
  }

  /** What gRPC's health says: as isReady, and requests would be answered. */
  get isServing(): boolean {
    return this.isReady && (this.#options.isReachable?.() ?? true);
  }

  /** As ReadinessOptions.lacks. */
  get lacks(): string | undefined {
    return this.#options.lacks?.();
  }

  /** Why no requests of these duties should come here, for people; undefined: they should. */
  async refusalOf(duties: readonly Duty[]): Promise<string | undefined> {
    for (const duty of duties) {
      if (!this.isReady) return STARTING_OR_CLOSING;
      // A store that ends meanwhile rejects the call.
      const refusal = await this.#options.refusalOf(duty).catch((error: unknown) => String(error));
      if (refusal !== undefined) return refusal;
    }
    return this.isReady ? undefined : STARTING_OR_CLOSING;
  }
}

/** Tells load balancers to send requests elsewhere, and goes on answering until they do. */
export async function leave(readiness: Readiness, delayMs: number): Promise<void> {
  readiness.leave();
  await delay(delayMs);
}
