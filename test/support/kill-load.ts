// What one round of the kill test sends, in which order, and what became of it.
import type { Rng } from '../../native-bench/workload/rng.ts';
import type { SentRequest } from './kill-traffic.ts';

/** A share of the requests is one that was acknowledged before, in this round or an earlier one. */
const REPEAT_SHARE = 0.08;

export class Load {
  readonly acknowledged: SentRequest[] = [];
  readonly unanswered: SentRequest[] = [];
  /** Nothing more is sent, and what is under way may stay without an answer. */
  isOver = false;
  repeats = 0;
  readonly #traffic: readonly SentRequest[];
  readonly #older: readonly SentRequest[];
  readonly #rng: Rng;
  #sent = 0;

  constructor(traffic: readonly SentRequest[], older: readonly SentRequest[], rng: Rng) {
    this.#traffic = traffic;
    this.#older = [...older];
    this.#rng = rng;
  }

  /** The next request; a repetition at times, and always when the traffic is used up. */
  next(): SentRequest {
    const fresh = this.#traffic[this.#sent];
    const known = this.#rng.chance(0.5) && this.#older.length > 0 ? this.#older : this.acknowledged;
    if (fresh === undefined || (known.length > 0 && this.#rng.chance(REPEAT_SHARE))) {
      this.repeats++;
      return this.#rng.pick(known);
    }
    this.#sent++;
    return fresh;
  }
}
