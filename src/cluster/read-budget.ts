// How much of other nodes' answers this process holds while it reads them: of one answer, and of all together. What is counted is
// given back when the answer is merged, or at once when the attempt failed that read it: a node may be asked twice.
import { assert } from '../base/assert.ts';
import { StoreError } from '../base/errors.ts';
import { limits } from '../base/limits.ts';
import { tooLarge, type TakeBytes } from './remote-store.ts';

export interface ReadBudgetOptions {
  /** Bytes of one answer; above: LIMIT_EXCEEDED. */
  readonly answerBytesMax?: number;
  /** Bytes of all answers; above: OVERLOADED for those that are not alone. */
  readonly answersBytesMax?: number;
}

/** This process has no memory for the answer now; no node is to blame. */
export class NoRoom extends StoreError {
  constructor(bytes: number) {
    super('OVERLOADED', `${bytes} bytes of answers are being read for others; try again`);
  }
}

export class ReadBudget {
  readonly #answerBytesMax: number;
  readonly #answersBytesMax: number;
  #bytes = 0;

  constructor({
    answerBytesMax = limits.answerBytesMax,
    answersBytesMax = limits.answersBytesMax,
  }: ReadBudgetOptions = {}) {
    this.#answerBytesMax = answerBytesMax;
    this.#answersBytesMax = answersBytesMax;
  }

  /** Of all answers that are being read. */
  get bytes(): number {
    return this.#bytes;
  }

  /** For one answer, which several nodes send at once. `tooMuch` makes the error of one that is too large. */
  open(tooMuch: (bytesMax: number) => StoreError = tooLarge): AnswerRead {
    let own = 0;
    const count = (bytes: number): void => {
      own += bytes;
      this.#bytes += bytes;
      assert(own >= 0 && this.#bytes >= own, `${own} bytes of one answer, ${this.#bytes} of all`);
    };
    const check = (): void => {
      if (own > this.#answerBytesMax) throw tooMuch(this.#answerBytesMax);
      if (this.#bytes <= this.#answersBytesMax || this.#bytes === own) return;
      throw new NoRoom(this.#bytes);
    };
    return new AnswerRead(count, check);
  }
}

export class AnswerRead implements Disposable {
  readonly #count: (bytes: number) => void;
  readonly #check: () => void;
  #held = 0;
  #isOver = false;

  /** Called by ReadBudget only. */
  constructor(count: (bytes: number) => void, check: () => void) {
    this.#count = count;
    this.#check = check;
  }

  /** One try to read one node's part. `take` throws LIMIT_EXCEEDED, OVERLOADED; CANCELLED once the try is over. */
  async attempt<T>(read: (take: TakeBytes) => Promise<T>): Promise<T> {
    let taken = 0;
    let isOver = false;
    const take = (bytes: number): void => {
      // Messages that were under way when the try ended are nobody's.
      if (isOver || this.#isOver) throw new StoreError('CANCELLED', 'nobody waits for this answer any more');
      taken += bytes;
      this.#hold(bytes);
      this.#check();
    };
    try {
      return await read(take);
    } catch (error) {
      if (!this.#isOver) this.#hold(-taken);
      throw error;
    } finally {
      isOver = true;
    }
  }

  #hold(bytes: number): void {
    this.#held += bytes;
    this.#count(bytes);
  }

  [Symbol.dispose](): void {
    assert(!this.#isOver, 'an answer is given back twice');
    this.#isOver = true;
    this.#count(-this.#held);
  }
}
