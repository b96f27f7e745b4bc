// A stack of things to close: last opened, first closed, each exactly once, one after the other. If a closer fails, the
// ones below it still run; close() reports all failures together at the end.
import { assert } from './assert.ts';

interface Closer {
  readonly name: string;
  readonly close: () => Promise<void> | void;
}

export class Closing implements AsyncDisposable {
  readonly #closers: Closer[] = [];
  #closed: Promise<void> | undefined;
  #isFinished = false;

  /**
   * Puts a closer on top of the stack. `name` appears in the error when it fails. A closer added while close() runs (by
   * an open in progress when the signal came) runs next. Adding one after close() has finished is a bug.
   */
  add(name: string, close: () => Promise<void> | void): void {
    assert(!this.#isFinished, `closer ${name} added after everything was closed`);
    this.#closers.push({ name, close });
  }

  /**
   * Runs every closer, newest first. A second call waits for the first and runs nothing. Rejects with one
   * AggregateError (its `errors` in order of occurrence) when any closer failed.
   */
  close(): Promise<void> {
    this.#closed ??= this.#closeAll();
    return this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #closeAll(): Promise<void> {
    const errors: unknown[] = [];
    const lines: string[] = [];
    for (let closer = this.#closers.pop(); closer !== undefined; closer = this.#closers.pop()) {
      try {
        await closer.close();
      } catch (error) {
        errors.push(error);
        lines.push(`${closer.name}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    this.#isFinished = true;
    if (errors.length > 0) throw new AggregateError(errors, `could not close ${lines.join('; ')}`);
  }
}
