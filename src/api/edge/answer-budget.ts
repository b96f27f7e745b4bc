// Memory of traces that are being sent: each is held whole, as OTLP, until the last byte of its JSON is taken. The sum over
// all requests is bounded here; one answer alone is bounded where it is read (query/find-traces.ts).
import { assert } from '../../base/assert.ts';
import { StoreError } from '../../base/errors.ts';
import { SpentBuffers } from '../../base/idle-memory.ts';
import { limits } from '../../base/limits.ts';
import type { FoundTrace } from '../../trace/store.ts';

export class AnswerBudget {
  readonly #bytesMax: number;
  readonly #spent = new SpentBuffers();
  #bytes = 0;

  constructor(bytesMax: number = limits.answersBytesMax) {
    this.#bytesMax = bytesMax;
  }

  /** Bytes of all answers being sent. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Counts `traces` until `signal` fires, which it must. Throws OVERLOADED if all answers together would be too large. */
  hold(traces: readonly FoundTrace[], signal: AbortSignal): void {
    const bytes = traces.reduce((sum, { otlp }) => sum + otlp.length, 0);
    if (this.#bytes > 0 && this.#bytes + bytes > this.#bytesMax) {
      throw new StoreError('OVERLOADED', `${this.#bytes} bytes of traces are being sent to others; try again`);
    }
    if (signal.aborted) return;
    this.#bytes += bytes;
    const release = (): void => {
      assert(this.#bytes >= bytes, `${bytes} bytes of an answer end, ${this.#bytes} are being sent`);
      this.#bytes -= bytes;
      this.#spent.add(bytes);
    };
    signal.addEventListener('abort', release, { once: true });
  }
}
