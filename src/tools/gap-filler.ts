// A storage node of a log that lacks messages which the log has dropped copies them from other nodes by itself, with what `tracelith
// sync` does, in a thread. It begins when the node has read what the log still has, so that nothing is copied that comes anyway, and
// tries again, at longer and longer intervals, until nothing is lacking. Nothing of it must survive: whatever was copied stays.
import { once } from 'node:events';
import { extname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { assert } from '../base/assert.ts';
import type { Closing } from '../base/closing.ts';
import { isStoreError } from '../base/errors.ts';
import { describeError, type Logger } from '../base/logger.ts';
import { hideLogins } from '../base/url-login.ts';
import type { Disk } from '../disk/disk.ts';
import type { PartitionState } from '../ingest-log/log-consumer.ts';
import { DAY_MS, formatDay } from '../partition/day.ts';
import type { LogGap } from '../storage/consumed-offsets.ts';
import type { GapJob, GapReport } from './gap-worker.ts';
import type { NodeClientOptions } from './node-client.ts';

const LOOK_MS = 5_000;
/** After a failure; doubled until the most. */
const RETRY_MS = 10_000;
const RETRY_MOST_MS = 600_000;
/** Messages that a node may be behind while it keeps up. */
const NEAR = 256n;
const WORK_FOLDER = 'sync';

interface SpanAges {
  /** -maxBackfillAge: so old a span may be when the log takes it; 0: older than anything that is kept. */
  readonly backfillMaxMs: number;
  /** -futureRetention: so far ahead of the log's clock a span may be. */
  readonly futureRetentionMs: number;
}

interface GapParts {
  readonly states: () => Iterable<PartitionState>;
  readonly disk: Disk;
  readonly logger: Logger;
}

export interface GapFillerOptions extends SpanAges, GapParts {
  /** -ingestLog.syncFrom */
  readonly sources: readonly NodeClientOptions[];
  /** This node, whose listeners have these addresses, by name. */
  readonly own: (addresses: Readonly<Record<string, string>>) => NodeClientOptions;
  readonly storageDataPath: string;
  /** Default LOOK_MS, RETRY_MS. */
  readonly lookMs?: number;
  readonly retryMs?: number;
}

export class GapFiller {
  readonly #options: GapFillerOptions;
  readonly #workFolder: string;
  /** For people. */
  readonly #from: string;
  readonly #closing = new AbortController();
  #loop: Promise<void> | undefined;
  #attempts = 0;
  #failures = 0;
  /** Why the last attempt left something lacking; undefined: none did, or nothing was lacking since. */
  #problem: string | undefined;
  #thread: Worker | undefined;

  constructor(options: GapFillerOptions) {
    this.#options = options;
    this.#workFolder = join(options.storageDataPath, WORK_FOLDER);
    this.#from = options.sources.map(({ url }) => hideLogins(url)).join(', ');
    // Of a process that was killed.
    options.disk.remove(this.#workFolder);
  }

  /** The node answers at these addresses, by the names of its listeners. It ends before they close. */
  begin(addresses: Readonly<Record<string, string>>, closing: Closing): void {
    assert(this.#loop === undefined, 'gaps are filled twice at once');
    closing.add('copies of what the log had lost', () => this.close());
    this.#loop = this.#run(this.#options.own(addresses));
  }

  /** Attempts since the start of the process, and those of them that left something lacking. */
  get state(): { readonly attempts: number; readonly failures: number; readonly isRunning: boolean } {
    return { attempts: this.#attempts, failures: this.#failures, isRunning: this.#thread !== undefined };
  }

  /** For people, while something is lacking. */
  get note(): string {
    if (this.#thread !== undefined) return `it is being copied from ${this.#from}`;
    return this.#problem === undefined
      ? `it will be copied from ${this.#from}`
      : `it could not be copied yet and is tried again: ${this.#problem}`;
  }

  /** Ends an attempt under way. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#thread?.terminate();
    await this.#loop;
  }

  async #run(own: NodeClientOptions): Promise<void> {
    const { lookMs = LOOK_MS, retryMs = RETRY_MS } = this.#options;
    let failed = 0;
    /** The gaps at the look before: more of them come together. */
    let seen = '';
    while (!this.#closing.signal.aborted) {
      const gaps = gapsOf([...this.#options.states()]);
      const shown = gaps.map(({ from, to }) => `${from}-${to}`).join();
      const isDue = gaps.length > 0 && shown === seen;
      seen = isDue ? '' : shown;
      if (isDue) failed = (await this.#attempt(gaps, own)) ? 0 : failed + 1;
      if (gaps.length === 0) [this.#problem, failed] = [undefined, 0];
      await this.#pause(failed === 0 || !isDue ? lookMs : Math.min(RETRY_MOST_MS, retryMs * 2 ** (failed - 1)));
    }
  }

  /** Whether nothing is lacking any more. */
  async #attempt(gaps: readonly LogGap[], own: NodeClientOptions): Promise<boolean> {
    const { sources, disk, logger } = this.#options;
    const workFolder = this.#workFolder;
    const days = gapDays(gaps, this.#options);
    this.#attempts++;
    const from = this.#from;
    logger.info('what the log had lost before this node read it is being copied', { from, ...days });
    try {
      disk.makeDir(workFolder);
      this.#problem = await this.#runThread({ sources, own, workFolder, ...days });
      disk.remove(workFolder);
    } catch (error) {
      if (!isStoreError(error)) throw error;
      this.#problem = error.message;
    }
    if (this.#closing.signal.aborted) return false;
    if (this.#problem === undefined) {
      logger.info('this node has all that the log had lost before it read it', { from });
      return true;
    }
    this.#failures++;
    logger.warn('something that the log had lost is still lacking; it is tried again', { error: this.#problem });
    return false;
  }

  /** Why something is still lacking; undefined: nothing is. */
  async #runThread(job: GapJob): Promise<string | undefined> {
    const { logger } = this.#options;
    const url = new URL(`./gap-worker${extname(import.meta.filename)}`, import.meta.url);
    const thread = new Worker(url, { workerData: job, name: 'tracelith-gaps' });
    this.#thread = thread;
    let problem: string | undefined = 'the thread ended';
    thread.on('message', (report: GapReport) => {
      if (report.kind === 'told') logger.info(report.text, {});
      else problem = report.problem;
    });
    try {
      await once(thread, 'exit');
    } catch (error) {
      // What the thread threw.
      problem = describeError(error);
    } finally {
      this.#thread = undefined;
    }
    return problem;
  }

  async #pause(ms: number): Promise<void> {
    await delay(ms, undefined, { signal: this.#closing.signal }).catch(() => undefined);
  }
}

/** As the flags of the node say. */
export interface GapFillerConfig extends SpanAges {
  readonly logSyncFrom: readonly string[];
  readonly logSyncTo: string | undefined;
  readonly nodeBearerToken: string;
  readonly partitionManageAuthKey: string;
  readonly httpTls: boolean;
  readonly httpPathPrefix: string;
  readonly storageDataPath: string;
}

/** undefined: without -ingestLog.syncFrom. */
export function openGapFiller(config: GapFillerConfig, parts: GapParts): GapFiller | undefined {
  const { logSyncFrom, logSyncTo, nodeBearerToken, partitionManageAuthKey, httpTls, httpPathPrefix } = config;
  if (logSyncFrom.length === 0) return undefined;
  const login = { token: nodeBearerToken || undefined, authKey: partitionManageAuthKey || undefined };
  const { backfillMaxMs, futureRetentionMs, storageDataPath } = config;
  return new GapFiller({
    ...parts,
    backfillMaxMs,
    futureRetentionMs,
    storageDataPath,
    sources: logSyncFrom.map((url) => ({ ...login, url })),
    own: ({ http = '', admin = http }) => {
      const address = admin.replace(/^(?:0\.0\.0\.0|\[::\]):/, '127.0.0.1:');
      return { ...login, url: logSyncTo ?? `http${httpTls ? 's' : ''}://${address}${httpPathPrefix}` };
    },
  });
}

/** The days, YYYYMMDD and both included, of the spans that the missing messages may have. At least one gap. */
export function gapDays(
  gaps: readonly LogGap[],
  { backfillMaxMs, futureRetentionMs }: SpanAges,
): Pick<GapJob, 'firstDay' | 'lastDay'> {
  const dayOf = (ms: number): string => formatDay(Math.floor(ms / DAY_MS));
  const fromMs = Math.min(...gaps.map((gap) => gap.fromMs));
  const isBounded = backfillMaxMs > 0 && fromMs > 0;
  return {
    firstDay: isBounded ? dayOf(fromMs - backfillMaxMs) : '',
    lastDay: dayOf(Math.max(...gaps.map(({ toMs }) => toMs)) + futureRetentionMs),
  };
}

/** What is lacking; nothing as long as the node is far behind the log. */
function gapsOf(states: readonly PartitionState[]): LogGap[] {
  if (states.some(({ last, consumed }) => last === undefined || last - consumed > NEAR)) return [];
  return states.flatMap(({ gap }) => (gap === undefined ? [] : [gap]));
}
