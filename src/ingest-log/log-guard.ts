// Whether spans may be acknowledged on the word of the log. describe() must prove that a message survives the loss of any one server:
// at the start, and again every minute, or sooner while spans are refused for it. A log that does not answer proves nothing new: what it proved last stands, and its
// appends fail by themselves.
import { setTimeout as delay } from 'node:timers/promises';
import { StoreError, isStoreError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { IngestLog, LogDescription } from './ingest-log.ts';

const INTERVAL_MS = 60_000;
/** While spans are refused. */
const REFUSED_INTERVAL_MS = 5_000;
/** At the start: servers that start as well, and elect their leaders, take seconds. */
const START_MS = 60_000;
const START_PAUSE_MS = 250;

export interface LogGuardOptions {
  readonly log: Pick<IngestLog, 'describe'>;
  readonly logger: Logger;
  /** -ingestLog.trust: problems are logged, and spans are acknowledged all the same. */
  readonly isTrusted: boolean;
  /** Default INTERVAL_MS. */
  readonly intervalMs?: number;
  /** How long the log may take to answer at the start; default START_MS. */
  readonly startMs?: number;
}

export class LogGuard {
  readonly #options: LogGuardOptions;
  #timer: NodeJS.Timeout | undefined;
  #description: LogDescription | undefined;
  #isLogged = false;
  #isClosed = false;

  private constructor(options: LogGuardOptions) {
    this.#options = options;
  }

  /** Throws CONFIG if the log does not keep the promise and is not trusted; UNAVAILABLE if it does not answer in time. */
  static async open(options: LogGuardOptions): Promise<LogGuard> {
    const description = await describeAtStart(options);
    const guard = new LogGuard(options);
    guard.#take(description);
    const { refusal } = guard;
    for (const tradeOff of description.tradeOffs ?? []) options.logger.warn('what the log leaves open', { tradeOff });
    if (refusal !== undefined) throw new StoreError('CONFIG', refusal);
    guard.#schedule();
    return guard;
  }

  #schedule(): void {
    const { intervalMs = INTERVAL_MS } = this.#options;
    const waitMs = this.refusal === undefined ? intervalMs : Math.min(intervalMs, REFUSED_INTERVAL_MS);
    const next = async (): Promise<void> => {
      await this.check();
      if (!this.#isClosed) this.#schedule();
    };
    this.#timer = setTimeout(() => void next(), waitMs).unref();
  }

  /** What the log proved last. */
  get description(): LogDescription | undefined {
    return this.#description;
  }

  /** Why no spans are acknowledged, for people; undefined: they are. */
  get refusal(): string | undefined {
    const problems = this.#description?.problems ?? [];
    if (problems.length === 0 || this.#options.isTrusted) return undefined;
    const remedy =
      'acknowledged spans could be lost; mend it, or accept it with -ingestLog.trust (docs/operations/log.md)';
    return `-ingestLog: ${problems.join('; ').slice(0, 2_000)}: ${remedy}`;
  }

  /** Asks the log now. */
  async check(): Promise<void> {
    try {
      this.#take(await this.#options.log.describe());
    } catch (error) {
      if (!isStoreError(error)) throw error;
      this.#options.logger.warn('the log cannot be asked what it promises', { error });
    }
  }

  #take(description: LogDescription): void {
    const { logger, isTrusted } = this.#options;
    this.#description = description;
    const { problems } = description;
    if (problems.length === 0) {
      if (this.#isLogged) logger.info('the log keeps what it must again');
      this.#isLogged = false;
      return;
    }
    if (!this.#isLogged) {
      const [what, level] = isTrusted
        ? (['the log may lose acknowledged spans, as -ingestLog.trust accepts', 'warn'] as const)
        : (['the log may lose acknowledged spans: none are acknowledged any more', 'error'] as const);
      logger[level](what, { problems: problems.join('; ') });
    }
    this.#isLogged = true;
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }
}

async function describeAtStart({ log, logger, startMs = START_MS }: LogGuardOptions): Promise<LogDescription> {
  const deadlineMs = performance.now() + startMs;
  for (let tried = 0; ; tried++) {
    try {
      return await log.describe();
    } catch (error) {
      if (!isStoreError(error, 'UNAVAILABLE') || performance.now() >= deadlineMs) throw error;
      if (tried === 0) logger.warn('the log does not answer yet; it is asked again', { error: error.message });
      await delay(START_PAUSE_MS);
    }
  }
}
