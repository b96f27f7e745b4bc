// One UTC day on one node: a log that takes blocks, parts into which they are flushed and merged, and an index that lists
// the valid ones. Visible state changes only on the thread that owns the partition, in one step after the catalog commit;
// the merge runner writes the bytes. A part's files are durable before the commit, and replaced files are removed after
// it: a crash at any point leaves the state before or the state after.
import { basename, join } from 'node:path';
import { isStoreError, StoreError } from '../base/errors.ts';
import { commitSurely, listLogs, type CatalogChange } from '../index/catalog.ts';
import type { Environment } from '../index/environment.ts';
import type { Loss } from '../index/losses.ts';
import { listOperations, listServices, NameSet } from '../index/names.ts';
import { newIdentity, type Identity, type PartId } from '../part/identity.ts';
import type { MergeJob, MergeResult } from '../part/merge-parts.ts';
import { hasRollups, type RollupPlan } from '../part/part-rollups.ts';
import type { DamagedPlace } from '../quarantine/quarantine.ts';
import type { Listed, Operation, SpanRows, StartWindow } from '../trace/store.ts';
import type { Tenant } from '../trace/tenant.ts';
import { isParked, parkedName, type LogAppend, type LogFile } from './log-file.ts';
import { Log } from './log.ts';
import { ENDLESS_ROOM, parkReasonOf, type MergeRoom, type MergeRunner, type ParkReason } from './merge-runner.ts';
import { forgetLosses, openPartitionFiles, readLogs, type ReadLogs, type RecoveryReport } from './open-partition.ts';
import { noCounters, type PartitionCounters } from './counters.ts';
import { eraseUnusedNames } from './erase-names.ts';
import { KnownLosses } from './known-losses.ts';
import { lossesOf, type KnownInput } from './loss-records.ts';
import { NotedStrays } from './noted-strays.ts';
import { livePart, partEntry, PartSet, pinAll, type LivePart } from './part-set.ts';
import { logPath, partsPath, type PartitionPlace } from './partition-place.ts';
import { Pinned } from './pinned.ts';
import { MERGE_PARTS_MIN, planMerge } from './plan-merge.ts';
import { bytesOf, dataFault, logInput, partInput } from './merge-inputs.ts';
import { runMerge } from './run-merge.ts';
import { Serial } from './serial.ts';
import { dayFilter, pickLogBlocks, pickParts, viewPart, type PartitionView, type ViewFilter } from './view.ts';
import { writeSnapshot } from './write-snapshot.ts';

export interface PartitionOptions extends PartitionPlace {
  readonly mergeRunner: MergeRunner;
  /** Default ENDLESS_ROOM. */
  readonly mergeRoom?: MergeRoom;
}

type Merged = MergeResult & { readonly id: Identity; readonly losses: readonly Loss[] };

type MergeHow = Pick<MergeJob, 'origin' | 'rollups'>;

export class Partition {
  readonly day: number;
  readonly path: string;
  readonly report: RecoveryReport;
  /** Every view that reads from the partition pins it. */
  readonly pinned: Pinned = new Pinned(() => undefined);
  readonly counters: PartitionCounters = noCounters();
  readonly #options: PartitionOptions;
  readonly #env: Environment;
  readonly #parts: PartSet;
  readonly #room: MergeRoom;
  readonly #log: Log;
  readonly #losses: KnownLosses;
  readonly #strays: NotedStrays;
  readonly #flushes = new Serial();
  readonly #merges = new Serial();
  /** Serializes commits, which change catalog and parts together, with snapshots on disk, which must see both agree. */
  readonly #commits = new Serial();
  /** Aborted when the partition closes: closing does not wait for merges. */
  readonly #closing = new AbortController();
  /** Full merges that run or wait. */
  #fullMerges = 0;
  #isClosed = false;

  private constructor(options: PartitionOptions, read?: ReadLogs) {
    const opened = openPartitionFiles(options, read);
    this.#options = options;
    this.#room = options.mergeRoom ?? ENDLESS_ROOM;
    this.day = options.day;
    this.path = options.path;
    this.report = opened.report;
    this.#env = opened.env;
    this.#parts = new PartSet(opened.parts);
    this.#losses = new KnownLosses(options, opened, this.counters);
    this.#strays = new NotedStrays(opened.env, options.day, opened.strayHours);
    this.#log = new Log({
      ...options,
      folder: logPath(options.path),
      nextSeq: opened.nextLogSeq,
      files: opened.logFiles,
      list: (change) => this.#commits.run(async () => listLogs(this.#env, change)),
    });
  }

  /** Opens the partition in `options.path`, creating it if it does not exist. Throws DISK, FORMAT_TOO_NEW. */
  static open(options: PartitionOptions): Partition {
    return new Partition(options);
  }

  /** As open(), but reads the log on other threads. Throws UNAVAILABLE if `signal` is aborted meanwhile, WORKER_FAILED. */
  static async openBeside(options: PartitionOptions, signal: AbortSignal): Promise<Partition> {
    const read = await readLogs(options, options.mergeRunner);
    if (signal.aborted) throw new StoreError('UNAVAILABLE', `${options.path}: closed before it was open; retry later`);
    return new Partition(options, read);
  }

  get log(): Log {
    return this.#log;
  }

  get parts(): readonly LivePart[] {
    return this.#parts.all;
  }

  get losses(): KnownLosses {
    return this.#losses;
  }

  /**
   * Forgets the known losses and returns them as lines: answers no longer mention them. Remains of lost parts go to
   * quarantine; from then on, restoring their folders does not bring them back. Throws DISK.
   */
  acceptLosses(): Promise<string[]> {
    return this.#commits.run(async () => {
      const lines = this.#isClosed ? [] : this.#losses.lines();
      if (lines.length === 0) return lines;
      forgetLosses(this.#options, this.#env, this.#losses.parts);
      this.#losses.clear();
      return lines;
    });
  }

  /** As NotedStrays.note; on a closed partition it does nothing. */
  noteStrays(window: StartWindow): Promise<void> {
    return this.#commits.run(async () => void (this.#isClosed || this.#strays.note(window)));
  }

  /** Starts writing blocks of this day to the log; see LogAppend for what follows. Throws DISK. */
  append(blocks: readonly Uint8Array[]): LogAppend {
    return this.#log.append(blocks);
  }

  /**
   * Resolves when every block published before the call is in a part, or parked. Throws DISK, leaving the log unchanged. If
   * the partition closes meanwhile, it keeps its log.
   */
  flush(): Promise<void> {
    return this.#flushes.run(() => this.#unlessClosed(() => this.#flush()));
  }

  /** Whether there are enough parts to plan a background merge. */
  get mayMerge(): boolean {
    return this.#parts.count >= MERGE_PARTS_MIN;
  }

  /** Parts that the next merge would take. */
  get mergeWaitingParts(): number {
    return this.#planned().length;
  }

  /** Runs one planned merge for which there is space; false: there was none. Throws DISK. */
  async mergeNext(): Promise<boolean> {
    // A waiting full merge would repeat the work of this one.
    if (this.#fullMerges > 0) return false;
    let parts: readonly LivePart[] = [];
    const merge = async (): Promise<void> => {
      parts = this.#planned();
      if (parts.length > 0) await this.#mergeOrPark(parts);
    };
    await this.#merges.run(() => this.#unlessClosed(merge));
    return parts.length > 0;
  }

  /**
   * Resolves when every part that existed at the call is in one part, in its final form; parked parts are tried again.
   * Throws READ_ONLY if the disk has no space for that part and its inputs, WORKER_FAILED, DISK.
   */
  async mergeAll(): Promise<void> {
    this.#fullMerges++;
    try {
      await this.#merges.run(() => this.#unlessClosed(() => this.#mergeAll()));
    } finally {
      this.#fullMerges--;
    }
  }

  /**
   * As StoreAdmin.deleteRows; the day's calls are counted anew. Flushes wait meanwhile: they count their spans relative to
   * the parts. Throws UNAVAILABLE while a log file is parked.
   */
  async deleteRows(tenants: readonly Tenant[], rows: readonly SpanRows[]): Promise<'done' | 'changed'> {
    let outcome: 'done' | 'changed' = 'changed';
    const work = async (): Promise<void> => {
      if (this.#log.files.some((file) => isParked(file)))
        throw new StoreError('UNAVAILABLE', `${this.path}: a parked log file may hold such spans; see "Parked work"`);
      const isLive = ({ part }: SpanRows): boolean => this.#parts.idle.some(({ identity }) => identity === part);
      if (!rows.every(isLive)) return;
      if (rows.length > 0) {
        await this.#mergeAll(rows);
        // Nothing was merged if retention dropped a part meanwhile, and an unreadable part stays as it is.
        if (rows.some(isLive)) return;
        await this.#mergeAll();
      }
      const { disk } = this.#options;
      await this.#commits.run(async () => eraseUnusedNames(disk, this.#env, { tenants, parts: this.#parts.all }));
      outcome = 'done';
    };
    await this.#flushes.run(() => this.#merges.run(() => this.#unlessClosed(work)));
    return outcome;
  }

  /** On a closed partition `action` does nothing; if the partition closes meanwhile, `action` is given up. */
  async #unlessClosed(action: () => Promise<void>): Promise<void> {
    if (this.#isClosed) return;
    try {
      await action();
    } catch (error) {
      if (!isStoreError(error, 'CANCELLED') || !this.#isClosed) throw error;
    }
  }

  #planned(): LivePart[] {
    const parts = this.#parts.idle.filter(({ entry }) => entry.parked === undefined);
    if (parts.length < MERGE_PARTS_MIN) return [];
    const bytesMax = Math.min(this.#room.mergeBytesMax, this.#room.freeBytes);
    const entries = parts.map(({ entry }) => entry);
    const ids = planMerge(entries, bytesMax);
    return parts.filter(({ entry }) => ids.includes(entry.id));
  }

  async #mergeAll(leftOut?: readonly SpanRows[]): Promise<void> {
    const parts = this.#parts.idle;
    const isMerged = parts.length === 0 || (parts.length === 1 && this.#isFinal(parts[0]!));
    if (isMerged && leftOut === undefined) return;
    const sizeBytes = bytesOf(parts);
    const { freeBytes } = this.#room;
    if (sizeBytes > freeBytes)
      throw new StoreError(
        'READ_ONLY',
        `${this.path}: merging ${sizeBytes} bytes needs as much free space, ${freeBytes} may be used; free space, then retry`,
      );
    await this.#mergeOrPark(parts, true, leftOut);
  }

  /** A merge that can only fail parks its parts: they stay readable, but background merges skip them. */
  async #mergeOrPark(parts: readonly LivePart[], isForced = false, leftOut?: readonly SpanRows[]): Promise<void> {
    try {
      await this.#merge(parts, leftOut);
    } catch (error) {
      const reason = parkReasonOf(error);
      if (reason === undefined || this.#isClosed) throw error;
      await this.#park(parts, reason);
      this.#options.logger.error('a merge failed twice: its parts are parked, served as they are', {
        partition: basename(this.path),
        parts: parts.length,
        reason,
        error,
      });
      if (isForced) throw error;
    }
  }

  async #park(parts: readonly LivePart[], reason: ParkReason): Promise<void> {
    await this.#commits.run(async () => {
      // Retention may have dropped some of the parts meanwhile.
      const live = parts.filter((part) => this.#parts.hasAll([part]));
      const update = live.map(({ entry }) => ({ ...entry, parked: reason }));
      try {
        this.#commit({ add: [], remove: [], update }, undefined);
      } catch (error) {
        if (!isStoreError(error, 'DISK')) throw error;
        this.#options.logger.error('parts are parked until the next start only', { error });
      }
      this.#parts.update(update);
    });
  }

  /**
   * Drops the live parts among `ids` and returns them. The catalog loses them first; their files are removed when
   * nobody reads them. A merge of them ends without effect. Their names stay listed. Throws DISK.
   */
  dropParts(ids: readonly PartId[]): Promise<readonly LivePart[]> {
    return this.#commits.run(async () => {
      const parts = this.#isClosed ? [] : this.#parts.all.filter(({ entry }) => ids.includes(entry.id));
      if (parts.length === 0) return parts;
      this.#commit({ add: [], remove: parts.map(({ entry }) => entry.id) }, undefined);
      this.#parts.replace(parts, undefined);
      return parts;
    });
  }

  /** Services of the parts and the log, unsorted, with duplicates. */
  listServices(tenant: Tenant): Listed<string> {
    const inLog = this.#log.files.flatMap((file) => file.names.services(tenant));
    return this.#losses.listed(tenant, inLog, () => listServices(this.#env, tenant));
  }

  /** Operations of the parts and the log, unsorted, with duplicates. */
  listOperations(tenant: Tenant, service: string): Listed<Operation> {
    const inLog = this.#log.files.flatMap((file) => file.names.operations(tenant, service));
    return this.#losses.listed(tenant, inLog, () => listOperations(this.#env, tenant, service));
  }

  /** The files that may match `filter`, pinned; the caller must unpin each of `pins` once. undefined: no file can match. */
  takeView(tenant: Tenant, filter: ViewFilter): { view: PartitionView; pins: Pinned[] } | undefined {
    const inDay = dayFilter(tenant, this.day, filter);
    if (inDay === undefined) return undefined;
    const parts = pickParts(this.#parts.all, this.day, inDay);
    const pins = [this.pinned, ...parts.map((part) => part.pinned)];
    const logBlocks = this.#log.files.flatMap((file) => {
      const picked = pickLogBlocks(file, inDay);
      if (picked.length > 0) pins.push(file.pinned);
      return picked;
    });
    const lacks = { losses: this.#losses.linesFor(tenant, inDay), strayHours: this.#strays.hours };
    if (pins.length === 1 && lacks.losses.length === 0) return undefined;
    for (const pin of pins) pin.pin();
    return { view: { day: this.day, path: this.path, parts: parts.map(viewPart), logBlocks, ...lacks }, pins };
  }

  /**
   * Writes everything acknowledged before the call to folder `target`, as a snapshot on disk (write-snapshot.ts), while
   * appends, flushes and merges go on. Throws DISK, leaving an unfinished `target`; UNAVAILABLE if closed meanwhile.
   */
  async writeSnapshot(target: string, nowMs: number): Promise<void> {
    const last = (await this.#log.rotate()).at(-1);
    await this.#commits.run(async () => {
      if (this.#isClosed)
        throw new StoreError('UNAVAILABLE', `${this.path}: closed meanwhile; ask for its state again`);
      const { disk, day, path } = this.#options;
      const isSealed = (file: LogFile): boolean => isParked(file) || file.seq <= (last?.seq ?? 0);
      const sealed = this.#log.files.filter((file) => isSealed(file) && file.blocks.length > 0);
      await writeSnapshot({ disk, day, path, env: this.#env, logFiles: sealed, nowMs }, target);
    });
  }

  /** Puts a damaged block that a query found into quarantine, once. Its file must be pinned. Throws DISK. */
  putAside(place: DamagedPlace): void {
    if (!this.#isClosed) this.#losses.putAside(place);
  }

  /**
   * Cancels flushes and merges under way and closes the index; later ones do nothing. Does not flush. Throws DISK if a file
   * cannot be closed; the partition is closed nevertheless.
   */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#closing.abort();
    await this.#flushes.idle();
    await this.#merges.idle();
    await this.#commits.idle();
    try {
      await this.#log.rotate();
    } finally {
      this.#env.close();
      const files = [...this.#parts.all, ...this.#log.files].map(({ identity }) => identity);
      void this.pinned.unpinned().then(() => this.#options.forget?.(files));
    }
  }

  /** Closes the index at once, as the end of the process would; does not wait for running work. */
  abandon(): void {
    this.#isClosed = true;
    this.#env.close();
  }

  async #flush(): Promise<void> {
    const files = await this.#log.rotate();
    if (files.length === 0) return;
    try {
      await this.#flushFiles(files);
    } catch (error) {
      if (files.length === 1) return this.#parkLog(files[0]!, error);
      if (!isStoreError(error, 'DISK') && parkReasonOf(error) === undefined) throw error;
      // All files together may not fit, or one of them may be the cause: flushed one by one, each frees space for the next.
      for (const file of files) await this.#flushFiles([file]).catch((fault: unknown) => this.#parkLog(file, fault));
    }
  }

  /** Rethrows `error` unless the cause is the work itself. */
  async #parkLog(file: LogFile, error: unknown): Promise<void> {
    const reason = parkReasonOf(error);
    if (reason === undefined || this.#isClosed) throw error;
    await this.#commits.run(async () => {
      this.#log.park(file);
      // If this fails, the next start finds the parked file by its number.
      const add = [parkedName({ seq: file.seq, identity: undefined }).seq];
      listLogs(this.#env, { add, gone: [file.seq] });
    });
    this.#options.logger.error('a flush failed twice: its log file is parked, served as it is', {
      partition: basename(this.path),
      rows: file.rowCount,
      reason,
      error,
    });
  }

  /** Turns the oldest log files into a part. */
  async #flushFiles(files: readonly LogFile[]): Promise<void> {
    const last = files.at(-1)!;
    const inputs = files.map(logInput);
    const counted = this.#parts.all;
    using _counted = pinAll(counted);
    const { part, id, losses } = await this.#run(inputs, {
      origin: { logSeqMax: last.seq, partIds: [] },
      // Parts merged meanwhile stay readable, and the merged part has the same spans.
      rollups: this.#rollups({ kind: 'count', counted: counted.map(({ path }) => path) }),
    });
    const names = new NameSet(this.#options.nameBounds);
    for (const file of files) names.merge(file.names);
    const added = part === undefined ? undefined : this.#livePart(id, 1, part);
    const add = added === undefined ? [] : [added.entry];
    await this.#commits.run(async () => {
      this.#commit({ add, remove: [], flushedLogSeq: last.seq, names, losses }, added);
      this.#parts.replace([], added);
      this.#log.dropFlushed(last.seq);
    });
    this.counters.flushes++;
    this.counters.namesFolded += names.foldedCount;
  }

  /** Whether a merge of this part alone would change nothing. */
  #isFinal({ entry, path }: LivePart): boolean {
    return entry.level > 1 && hasRollups(this.#options.disk, path);
  }

  async #merge(parts: readonly LivePart[], leftOut?: readonly SpanRows[]): Promise<void> {
    const unreadable = parts.filter((part) => this.#loseIfUnreadable(part));
    if (unreadable.length > 0) {
      const rest = parts.filter((part) => !unreadable.includes(part));
      return rest.length === 0 ? undefined : this.#merge(rest, leftOut);
    }
    using _reserved = this.#parts.reserve(parts);
    using _room = this.#room.reserve(bytesOf(parts));
    const inputs = parts.map((part) => partInput(part, leftOut));
    const origin = {
      logSeqMax: Math.max(...parts.map(({ metadata }) => metadata.origin.logSeqMax)),
      partIds: parts.map(({ entry }) => entry.id),
    };
    // A flush that commits meanwhile counted its spans relative to all these parts.
    const isWholeDay = parts.length === this.#parts.count;
    const paths = parts.map(({ path }) => path);
    // What is left out may be a caller of what stays: nothing can be summed up.
    const rollups = this.#rollups(leftOut === undefined ? { kind: 'sum', parts: paths, isWholeDay } : { kind: 'none' });
    const { part, id, losses } = await this.#run(inputs, { origin, rollups });
    const level = 1 + Math.max(...parts.map(({ entry }) => entry.level));
    const added = part === undefined ? undefined : this.#livePart(id, level, part);
    await this.#commits.run(async () => {
      if (!this.#parts.hasAll(parts)) {
        // Retention dropped one of them meanwhile: the merged part must not bring it back.
        added?.pinned.doom();
        return;
      }
      this.#commit({ add: added === undefined ? [] : [added.entry], remove: origin.partIds, losses }, added);
      this.#parts.replace(parts, added);
    });
    this.counters.merges++;
  }

  async #run(inputs: readonly KnownInput[], how: MergeHow): Promise<Merged> {
    const { mergeRunner: runner, quarantinePath, day, disk, logger } = this.#options;
    let id = newIdentity();
    const result = await runMerge({ runner, disk, logger, signal: this.#closing.signal }, () => {
      id = newIdentity();
      return { inputs, ...how, day, quarantinePath, partPath: this.#partPath(id) };
    });
    this.counters.rowsMerged += result.rowsRead;
    this.counters.rowsCopied += result.rowsCopied;
    this.counters.duplicatesRemoved += result.duplicates;
    for (const place of result.damaged) this.#losses.add(place);
    return { ...result, id, losses: lossesOf(this.path, result.damaged, inputs) };
  }

  /** The only commit point. Removes the new part's files only if they are certainly not committed. */
  #commit({ losses = [], ...change }: CatalogChange, added: LivePart | undefined): void {
    const recorded = { ...change, losses: this.#losses.toRecord(losses) };
    commitSurely(this.#env, recorded, () => added?.pinned.doom());
    this.#losses.recorded(losses);
  }

  /** A lost part's counts are unknown: the day's calls are counted anew from its spans, so that restoring the part stays exact. */
  #rollups(plan: RollupPlan): RollupPlan {
    return this.#losses.parts.length > 0 ? { kind: 'none' } : plan;
  }

  /** Stops reading a part without readable data until the next start. It stays listed: no merge may drop it. */
  #loseIfUnreadable(part: LivePart): boolean {
    const fault = dataFault(this.#options.disk, part);
    if (fault === undefined) return false;
    this.#parts.withdraw(part);
    // If restored to its place, the part has the same identity.
    void part.pinned.unpinned().then(() => this.#options.forget?.([part.identity]));
    this.#losses.losePart({ entry: part.entry, message: fault.message });
    this.#losses.putAside(fault);
    return true;
  }

  #livePart(id: PartId, level: number, metadata: NonNullable<MergeResult['part']>): LivePart {
    return livePart(this.#options, { entry: partEntry(id, level, metadata), metadata });
  }

  #partPath(id: PartId): string {
    return join(partsPath(this.path), id);
  }
}
