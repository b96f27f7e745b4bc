// The messages of one partition that have come and wait for the commit before them, up to a bound.
import type { LogMessage } from './ingest-log.ts';

/** Bytes of messages, as they are in the log, that wait for the commit before them. */
const WAITING_BYTES_MAX: number = 2 << 20;

/** Reads on while a commit is under way, up to a bound. */
export class WaitingMessages {
  readonly #ended: Promise<void>;
  #messages: LogMessage[] = [];
  #bytes = 0;
  #isEnded = false;
  #failure: unknown;
  #came: PromiseWithResolvers<void> = Promise.withResolvers();
  #taken: PromiseWithResolvers<void> = Promise.withResolvers();

  constructor(source: AsyncIterable<LogMessage>) {
    this.#ended = this.#pump(source);
  }

  async #pump(source: AsyncIterable<LogMessage>): Promise<void> {
    try {
      for await (const message of source) {
        this.#messages.push(message);
        this.#bytes += message.bytes.length;
        this.#came.resolve();
        if (this.#bytes >= WAITING_BYTES_MAX && !this.#isEnded) await this.#taken.promise;
      }
    } catch (error) {
      this.#failure = error;
    }
    this.#isEnded = true;
    this.#came.resolve();
  }

  /** For the reader whose source was ended. Resolves when nothing is read any more. */
  async end(): Promise<void> {
    this.#isEnded = true;
    this.#taken.resolve();
    await this.#ended;
  }

  /** All that have come, at least one; none at the end. Throws what the source threw, after the messages before. */
  async take(): Promise<LogMessage[]> {
    while (this.#messages.length === 0) {
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#isEnded) return [];
      this.#came = Promise.withResolvers();
      await this.#came.promise;
    }
    const messages = this.#messages;
    this.#messages = [];
    this.#bytes = 0;
    const taken = this.#taken;
    this.#taken = Promise.withResolvers();
    taken.resolve();
    return messages;
  }
}
