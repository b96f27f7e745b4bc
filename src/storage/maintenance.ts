// Work that the clock starts: flushes, merges, retention, retries. Each day has its own lanes, so it neither waits for other
// days nor fails with them; merges share -mergeWorkers threads, and days take turns. A failure is logged and retried:
// acknowledged data is on disk already, so nothing here is urgent.
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { Day } from './day.ts';
import type { DiskGuard } from './disk-guard.ts';
import type { Dropper } from './dropper.ts';
import { Lane } from './lane.ts';
import type { PartitionSet } from './partition-set.ts';

/** How often it checks what is due. */
const TICK_MS = 500;
/** A log above this is flushed without waiting for the interval: recovery and queries read all of it. */
export const LOG_ROWS_MAX = 131_072;
/** Drops may come this late, and the limits on the disk may be exceeded this long. */
const RETENTION_INTERVAL_MS = 10_000;

/** A flush or merge of a day that has ended well. */
export interface FinishedWork {
  readonly kind: 'flush' | 'merge';
  /** YYYYMMDD */
  readonly partition: string;
  /** ms since the epoch. */
  readonly startMs: number;
  readonly endMs: number;
  /** Spans flushed; spans in the day's parts that were merged, 0 if that is not known. */
  readonly rows: number;
}

export interface MaintenanceOptions {
  readonly partitions: PartitionSet;
  readonly dropper: Dropper;
  readonly guard: DiskGuard;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly flushIntervalMs: number;
  /** Merges in the background at once. */
  readonly mergeWorkers: number;
  /** Removes snapshots on disk above their greatest age. */
  readonly deleteOldSnapshots: () => void;
  /** Called for each flush and merge that ended well. */
  readonly onWork?: (work: FinishedWork) => void;
}

export class Maintenance {
  readonly #options: MaintenanceOptions;
  readonly #retention: Lane;
  readonly #disk: Lane;
  /** Why no spans are taken, as last logged; undefined: they are. */
  #refusal: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;
  #retainedMs: number;
  /** When the current flush interval began. */
  #flushedMs: number;
  /** A flush has made parts: the limits on the disk are checked before the interval is over. */
  #hasFlushed = false;
  #merging = 0;
  /** The day that merged last; the next day in order is served first. */
  #mergedDay = -Infinity;
  /** Days in which the plan found no merge since the last check. */
  readonly #merged = new Set<Day>();
  /** Work that was started here and has not ended. */
  readonly #work = new Set<Promise<void>>();
  /** Bugs met while run() waits; it throws the first. Outside run(), a bug ends the process. */
  #bugs: unknown[] | undefined;

  constructor(options: MaintenanceOptions) {
    this.#options = options;
    this.#retention = new Lane({ what: 'retention', ...options });
    this.#disk = new Lane({ what: 'the look at the free space', ...options });
    this.#flushedMs = this.#retainedMs = options.clock.nowMs();
  }

  /** Merges in the background now. */
  get mergesActive(): number {
    return this.#merging;
  }

  /** Starts due work from now on, until stop(). */
  startTimer(): void {
    this.#timer ??= setInterval(() => this.#look(), TICK_MS);
    this.#timer.unref();
  }

  /** Starts no more work; running work goes on. */
  stop(): void {
    this.#isStopped = true;
    clearInterval(this.#timer);
  }

  /** Call after a commit was published: flushes a log that has grown large at once. */
  afterCommit(): void {
    for (const day of this.#options.partitions.days) if (hasLargeLog(day)) this.#flush(day);
  }

  /** Runs due work. Resolves when that work, and work that was already running, has ended. */
  async run(): Promise<void> {
    const bugs: unknown[] = (this.#bugs = []);
    this.#look();
    while (this.#work.size > 0) await Promise.allSettled(this.#work);
    this.#bugs = undefined;
    if (bugs.length > 0) throw bugs[0];
  }

  #start(work: Promise<void>, next: () => void = () => undefined): void {
    const ended = work.then(next, (bug: unknown) => {
      if (this.#bugs === undefined) throw bug;
      this.#bugs.push(bug);
    });
    this.#work.add(ended);
    void ended.finally(() => this.#work.delete(ended));
  }

  #look(): void {
    if (this.#isStopped) return;
    const { clock, flushIntervalMs, partitions } = this.#options;
    const nowMs = clock.nowMs();
    const isIntervalOver = isDue(nowMs, this.#flushedMs, flushIntervalMs);
    if (isIntervalOver) this.#flushedMs = nowMs;
    for (const day of partitions.days) {
      if (day.state === 'failed' && day.openings.isReady) this.#start(day.reopen(), () => this.#flush(day));
      if (day.state === 'dropping' && day.removals.isReady) this.#start(day.tryRemove());
      const hasRows = (day.partition?.log.waiting.rowCount ?? 0) > 0;
      // After a failure only the lane's pause counts: the interval may be an hour.
      if (hasLargeLog(day) || (hasRows && (isIntervalOver || day.flushes.lastError !== undefined))) this.#flush(day);
    }
    if (this.#disk.isReady) this.#start(this.#disk.run(async () => this.#tellRefusal()));
    this.#retain(nowMs);
    this.#merged.clear();
    this.#startMerges();
  }

  /** Logs when the store becomes read-only, and when it takes spans again. */
  #tellRefusal(): void {
    const { guard, logger } = this.#options;
    const { refusal } = guard;
    if ((refusal === undefined) === (this.#refusal === undefined)) return;
    this.#refusal = refusal;
    if (refusal === undefined) logger.info('writable again: spans are taken');
    else logger.warn('read-only: spans are refused until this ends', { why: refusal });
  }

  #flush(day: Day): void {
    const { partition } = day;
    if (this.#isStopped || partition === undefined || !day.flushes.isReady) return;
    this.#start(
      day.flushes.run(() => this.#timed('flush', day, async () => partition.flush())),
      () => {
        this.#hasFlushed = true;
        this.#merged.delete(day);
        this.#retain(this.#options.clock.nowMs());
        this.#startMerges();
      },
    );
  }

  #retain(nowMs: number): void {
    const isIntervalOver = isDue(nowMs, this.#retainedMs, RETENTION_INTERVAL_MS);
    if (this.#isStopped || !this.#retention.isReady || !(isIntervalOver || this.#hasFlushed)) return;
    const { dropper, partitions, deleteOldSnapshots } = this.#options;
    this.#hasFlushed = false;
    if (isIntervalOver) this.#retainedMs = nowMs;
    this.#start(
      this.#retention.run(async () => {
        await dropper.run();
        if (!isIntervalOver) return;
        deleteOldSnapshots();
        await partitions.trash.empty();
      }),
    );
  }

  #startMerges(): void {
    while (this.#merging < this.#options.mergeWorkers) {
      const day = this.#nextToMerge();
      if (day === undefined) return;
      this.#merging++;
      this.#start(this.#merge(day), () => {
        this.#merging--;
        this.#startMerges();
      });
    }
  }

  async #merge(day: Day): Promise<void> {
    this.#mergedDay = day.day;
    let hasMerged = false;
    await day.merges.run(async () => {
      // A merge needs space for its output before its inputs are removed.
      if (this.#options.guard.isReadOnly) return;
      await this.#timed('merge', day, async () => (hasMerged = (await day.partition?.mergeNext()) ?? false));
    });
    if (!hasMerged) this.#merged.add(day);
  }

  /** Tells onWork of `work`, unless it throws or finds nothing to do (false). */
  async #timed(kind: FinishedWork['kind'], day: Day, work: () => Promise<boolean | void>): Promise<void> {
    const { onWork, clock } = this.#options;
    const startMs = clock.nowMs();
    const rows = kind === 'flush' ? (day.partition?.log.waiting.rowCount ?? 0) : 0;
    const hasWorked = (await work()) ?? true;
    if (hasWorked) onWork?.({ kind, partition: day.name, startMs, endMs: clock.nowMs(), rows });
  }

  /** Days take turns, so that a day with many merges does not delay the others. */
  #nextToMerge(): Day | undefined {
    if (this.#isStopped) return undefined;
    const waiting = this.#options.partitions.days.filter(
      (day) => day.partition?.mayMerge === true && day.merges.isReady && !this.#merged.has(day),
    );
    return waiting.find(({ day }) => day > this.#mergedDay) ?? waiting[0];
  }
}

function hasLargeLog({ partition }: Day): boolean {
  return (partition?.log.waiting.rowCount ?? 0) > LOG_ROWS_MAX;
}

/** If the clock is set back, the interval starts anew. */
function isDue(nowMs: number, lastMs: number, intervalMs: number): boolean {
  return nowMs < lastMs || nowMs - lastMs >= intervalMs;
}
