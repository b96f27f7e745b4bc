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
import { gapsOf, type PlaceInLog } from '../ingest-log/place-in-log.ts';
import type { GapJob, GapReport } from './gap-worker.ts';
import type { NodeClientOptions } from './node-client.ts';

const LOOK_MS = 5_000;
/** After a failure; doubled until the most. */
const RETRY_MS = 10_000;
const RETRY_MOST_MS = 600_000;
/** Messages that a node may be behind while it keeps up. */
const NEAR = 256n;
const WORK_FOLDER = 'sync';

interface GapParts {
  readonly states: () => Iterable<PartitionState>;
  readonly disk: Disk;
  readonly logger: Logger;
}

export interface GapFillerOptions extends GapParts {
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
  /** Of attempts since something is lacking. */
  #failuresInTurn = 0;
  #thread: Worker | undefined;

  constructor(options: GapFillerOptions) {
    this.#options = options;
    this.#workFolder = join(options.storageDataPath, WORK_FOLDER);
    this.#from = options.sources.map(({ url }) => hideLogins(url)).join(', ');
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

  /** While something is lacking. Anybody may read it, so it names neither other nodes nor what they answered. */
  get note(): string {
    if (this.#thread !== undefined) return 'it is being copied from -ingestLog.syncFrom';
    return this.#failuresInTurn === 0
      ? 'it will be copied from -ingestLog.syncFrom'
      : 'it could not be copied yet and is tried again; the log of the node says why';
  }

  /** Ends an attempt under way. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#thread?.terminate();
    await this.#loop;
  }

  async #run(own: NodeClientOptions): Promise<void> {
    const { lookMs = LOOK_MS, retryMs = RETRY_MS } = this.#options;
    /** The gaps at the look before: more of them come together. */
    let seen = '';
    // Of a process that was killed.
    await this.#removeFiles();
    while (!this.#closing.signal.aborted) {
      const gaps = dueGaps([...this.#options.states()]);
      const shown = JSON.stringify(gaps);
      const isDue = gaps.length > 0 && shown === seen;
      seen = isDue ? '' : shown;
      if (gaps.length === 0 || (isDue && (await this.#attempt(gaps, own)))) this.#failuresInTurn = 0;
      else if (isDue) this.#failuresInTurn++;
      const failed = this.#failuresInTurn;
      await this.#pause(failed === 0 || !isDue ? lookMs : Math.min(RETRY_MOST_MS, retryMs * 2 ** (failed - 1)));
    }
  }

  /** Whether nothing is lacking any more. */
  async #attempt(gaps: PlaceInLog['gaps'], own: NodeClientOptions): Promise<boolean> {
    const { sources, disk, logger } = this.#options;
    const workFolder = this.#workFolder;
    this.#attempts++;
    const from = this.#from;
    logger.info('what the log had lost before this node read it is being copied', { from });
    let problem: string | undefined;
    try {
      disk.makeDir(workFolder);
      problem = await this.#runThread({ sources, own, gaps, workFolder });
    } catch (error) {
      if (!isStoreError(error)) throw error;
      problem = error.message;
    }
    await this.#removeFiles();
    if (this.#closing.signal.aborted) return false;
    if (problem === undefined) {
      logger.info('this node has all that the log had lost before it read it', { from });
      return true;
    }
    this.#failures++;
    logger.warn('something that the log had lost is still lacking; it is tried again', { error: problem });
    return false;
  }

  /** Gigabytes, while the node answers. Those that stay are in nobody's way but the disk's. */
  async #removeFiles(): Promise<void> {
    const { disk, logger } = this.#options;
    try {
      await disk.removeAsync(this.#workFolder);
    } catch (error) {
      if (!isStoreError(error)) throw error;
      logger.warn('temporary files of copying what the log had lost cannot be removed', { error });
    }
  }

  /** Why something is still lacking; undefined: nothing is. */
  async #runThread(job: GapJob): Promise<string | undefined> {
    const { logger } = this.#options;
    const url = new URL(`./gap-worker${extname(import.meta.filename)}`, import.meta.url);
    const thread = new Worker(url, { workerData: job, name: 'tracelith-gaps' });
    this.#thread = thread;
    let problem: string | undefined = 'the thread ended';
    thread.on('message', (report: GapReport) => {
      if (report.kind === 'told') logger.info('copying what the log had lost', { text: report.text });
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
export interface GapFillerConfig extends OwnUrlConfig {
  readonly logSyncFrom: readonly string[];
  readonly nodeBearerToken: string;
  readonly partitionManageAuthKey: string;
  readonly storageDataPath: string;
}

interface OwnUrlConfig {
  readonly logSyncTo: string | undefined;
  readonly httpTls: boolean;
  readonly httpPathPrefix: string;
}

/** undefined: without -ingestLog.syncFrom. */
export function openGapFiller(config: GapFillerConfig, parts: GapParts): GapFiller | undefined {
  const { logSyncFrom, nodeBearerToken, partitionManageAuthKey, storageDataPath } = config;
  if (logSyncFrom.length === 0) return undefined;
  const login = { token: nodeBearerToken || undefined, authKey: partitionManageAuthKey || undefined };
  return new GapFiller({
    ...parts,
    storageDataPath,
    sources: logSyncFrom.map((url) => ({ ...login, url })),
    own: (addresses) => ({ ...login, url: ownUrl(addresses, config) }),
  });
}

/** Where a node whose listeners have these addresses, by name, reaches itself. */
export function ownUrl(
  { http = '', admin = http }: Readonly<Record<string, string>>,
  { logSyncTo, httpTls, httpPathPrefix }: OwnUrlConfig,
): string {
  if (logSyncTo !== undefined) return logSyncTo;
  // Nobody can connect to an address of every interface; a machine with IPv6 only has no 127.0.0.1.
  const address = admin.replace(/^0\.0\.0\.0:/, '127.0.0.1:').replace(/^\[::\]:/, '[::1]:');
  return `http${httpTls ? 's' : ''}://${address}${httpPathPrefix}`;
}

/** What is lacking; nothing as long as the node is far behind the log. */
function dueGaps(states: readonly PartitionState[]): PlaceInLog['gaps'] {
  return states.some(({ last, consumed }) => last === undefined || last - consumed > NEAR) ? [] : gapsOf(states);
}
