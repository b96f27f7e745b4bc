// The store of one node, on one thread: partitions by day, the group commit in front of them, and clock-driven flushes, merges
// and retention. It owns the data directory from open to close. It knows no threads and no sockets: in the program the
// engine worker hosts it; tests and tools use it directly.
import type { Clock } from '../base/clock.ts';
import { isStoreError, StoreError } from '../base/errors.ts';
import { limits } from '../base/limits.ts';
import type { LineLogger } from '../base/logger.ts';
import type { Disk } from '../disk/disk.ts';
import type { DirectoryLock } from '../disk/lock.ts';
import { compareOperations, type NameBounds } from '../index/names.ts';
import { compareUtf8 } from '../trace/attributes.ts';
import type { DamagedPlace } from '../quarantine/quarantine.ts';
import { formatDay, parseDay } from '../partition/day.ts';
import type { MergeRunner } from '../partition/merge-runner.ts';
import type { Partition } from '../partition/partition.ts';
import type { Forget } from '../partition/partition-place.ts';
import type { ViewFilter } from '../partition/view.ts';
import type { StoredDay } from '../trace/inventory.ts';
import type {
  Listed,
  Marked,
  Operation,
  SpanRows,
  StartWindow,
  StoreAdmin,
  StoreStats,
  WriteContext,
  WriteResult,
} from '../trace/store.ts';
import type { Tenant } from '../trace/tenant.ts';
import { ConsumedOffsets, type Consumed, type ConsumedPlace } from './consumed-offsets.ts';
import { makeDataFolder } from './data-folder.ts';
import { DiskGuard } from './disk-guard.ts';
import { Dropper } from './dropper.ts';
import { FailedRequests } from './failed-requests.ts';
import { GroupCommit, type TenantRequest } from './group-commit.ts';
import { Ledger } from './ledger.ts';
import { Maintenance, type FinishedWork } from './maintenance.ts';
import { PartitionSet, type OpenReport } from './partition-set.ts';
import { acceptedStarts, acknowledgedSpans, keptStarts } from './retention.ts';
import { RecentWrites } from './recent-writes.ts';
import { SnapshotFolder } from './snapshot-folder.ts';
import { Views, type StoreView } from './views.ts';
import { bytesByTenant, collectStats, listStoredDays } from './stats.ts';
import { Tenants } from './tenants.ts';

export interface StorageOptions {
  /** The data directory. */
  readonly path: string;
  readonly disk: Disk;
  readonly clock: Clock;
  readonly logger: LineLogger;
  readonly retentionMs: number;
  readonly futureRetentionMs: number;
  /** Older spans are rejected, before they reach the age of retention; 0 or absent: they are not. */
  readonly backfillMaxMs?: number;
  /** Limit per span; see ScanBounds. */
  readonly spanAttributesMax?: number;
  readonly spanBytesMax?: number;
  readonly freeDiskBytesMin: number;
  /** -storage.readOnly: no spans are taken. Flushes, merges and retention go on. */
  readonly isReadOnly?: boolean;
  /** Upper bound of stored bytes; 0: no limit. */
  readonly diskBytesMax: number;
  /** How full the file system may be, 1 to 100; 0: no limit. At most one of this and diskBytesMax is set. */
  readonly diskPercentMax: number;
  readonly flushIntervalMs: number;
  /** Default limits.partitionsMax. */
  readonly partitionsMax?: number;
  /** Snapshots on disk older than this are removed; 0: never. */
  readonly snapshotsMaxAgeMs: number;
  /** How long drops by age wait when the clock jumped ahead. */
  readonly clockJumpGraceMs: number;
  /** Merges in the background at once. Default 1. */
  readonly mergeWorkers?: number;
  /** -maxTenants */
  readonly tenantsMax: number;
  /** -debug.keepFailedRequests: keeps request bodies that met a bug in quarantine/. */
  readonly keepFailedRequests?: boolean;
  /** Bounds of the listed names. Default NAME_BOUNDS. */
  readonly nameBounds?: NameBounds | undefined;
  /** The storage owns it and closes it. */
  readonly mergeRunner: MergeRunner;
  /** Gets the parts and log files that no view holds or will hold again. */
  readonly forget?: Forget | undefined;
  /** Called for each flush and merge that ended well. */
  readonly onWork?: (work: FinishedWork) => void;
  /** Locks the directory for this process: takeLock of disk/lock.ts. */
  readonly takeLock: (path: string) => DirectoryLock;
}

type WriteHow = Pick<WriteContext, 'retentionMs' | 'strays' | 'isCopied'>;

/** Of spans that another node has taken, with limits of its own. */
const WIDEST = { spanAttributesMax: limits.attributesPerSpanMost, spanBytesMax: limits.spanBytesMost } as const;

/** setTimeout treats longer delays as 1 ms. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export class Storage implements StoreAdmin {
  readonly report: OpenReport;
  readonly #options: StorageOptions;
  readonly #lock: DirectoryLock;
  readonly #partitions: PartitionSet;
  readonly #ledger = new Ledger();
  readonly #failed: FailedRequests;
  readonly #tenants: Tenants;
  readonly #guard: DiskGuard;
  readonly #commit: GroupCommit;
  readonly #recent = new RecentWrites();
  readonly #consumed: ConsumedOffsets;
  readonly #views = new Views();
  readonly #snapshotFolder: SnapshotFolder;
  readonly #dropper: Dropper;
  readonly #maintenance: Maintenance;
  /** Forced merges under way. */
  #forceMerges = 0;
  #isClosing = false;

  private constructor(options: StorageOptions) {
    this.#options = options;
    const { disk, path, clock } = options;
    makeDataFolder(disk, path);
    this.#lock = options.takeLock(path);
    try {
      this.#guard = new DiskGuard({ ...options, logBytes: () => this.#unflushedBytes });
      this.#snapshotFolder = new SnapshotFolder(options);
      const committed = (): Promise<void> => this.#commit.scannedAnswered();
      this.#consumed = new ConsumedOffsets(disk, path);
      this.#partitions = PartitionSet.open({ ...options, mergeRoom: this.#guard, committed });
    } catch (error) {
      this.#lock.release();
      throw error;
    }
    this.report = this.#partitions.report;
    this.#failed = new FailedRequests(options);
    this.#dropper = new Dropper({ ...options, partitions: this.#partitions, usage: () => this.#guard.usage });
    this.#maintenance = new Maintenance({
      ...options,
      partitions: this.#partitions,
      guard: this.#guard,
      dropper: this.#dropper,
      mergeWorkers: options.mergeWorkers ?? 1,
      deleteOldSnapshots: () => this.#snapshotFolder.deleteOld(this.#partitions.ageGate.nowMs),
    });
    this.#tenants = new Tenants({ ...options, listStored: () => this.#storedTenants() });
    const { spanAttributesMax, spanBytesMax } = options;
    const acceptsDay = (day: number): boolean => this.#partitions.acceptsDay(day);
    this.#commit = new GroupCommit({
      append: (day, blocks) => this.#partitions.append(day, blocks),
      acceptedSpans: ({ retentionMs, isAccepted = false, isCopied = false }) => {
        const nowNs = clock.nowNs();
        if (isAccepted) return { ...acknowledgedSpans(nowNs, options), acceptsDay };
        if (isCopied) return { ...keptStarts(nowNs, options, retentionMs), acceptsDay, ...WIDEST };
        return { ...acceptedStarts(nowNs, options, retentionMs), acceptsDay, spanAttributesMax, spanBytesMax };
      },
      assertWritable: (days) => this.#partitions.assertWritable(days),
      writePlaces: (places) => this.#consumed.commit(places),
      onFailedRequest: (failed) => this.#failed.report(failed),
    });
  }

  /** Opens the store and recovers what the last process left. Throws LOCKED, DISK, FORMAT_TOO_NEW. */
  static open(options: StorageOptions): Storage {
    return new Storage(options);
  }

  /** As SpanWriter.write. */
  async write(tenant: Tenant, body: Uint8Array, key?: string, how: WriteHow = {}): Promise<WriteResult> {
    if (key === undefined) return await this.#write(tenant, body, how);
    return await this.#recent.once(tenant, key, () => this.#write(tenant, body, how));
  }

  /** Strays are noted before they are visible, and once more when the write has made the days that were not there. */
  async #write(tenant: Tenant, body: Uint8Array, { retentionMs, strays, isCopied }: WriteHow): Promise<WriteResult> {
    if (strays !== undefined) await this.#noteStrays(strays);
    this.#assertOpen();
    this.#guard.assertWritable();
    this.#tenants.assertWelcome(tenant);
    const result = await this.#writeTogether([{ tenant, body, retentionMs, isCopied }]);
    if (strays !== undefined) await this.#noteStrays(strays);
    return result;
  }

  async #noteStrays(window: StartWindow): Promise<void> {
    for (const partition of this.#partitions.all) await partition.noteStrays(window);
  }

  /**
   * Stores what came out of the log at `place` and before, one request or several, in one commit with the place. Tenants above
   * -maxTenants are taken, too: their spans are acknowledged. So are spans beyond the limits of this node, of requests that
   * are marked as accepted. Throws as write; then nothing is stored.
   */
  async consume(requests: readonly TenantRequest[], place: ConsumedPlace): Promise<WriteResult> {
    this.#assertOpen();
    this.#guard.assertWritable();
    return await this.#writeTogether(requests, place);
  }

  /** Up to where the log is stored here. */
  consumed(): Consumed {
    return this.#consumed.consumed;
  }

  async fillGaps(partitions?: readonly number[]): Promise<void> {
    await this.#consumed.fillGaps(partitions);
  }

  async #writeTogether(requests: readonly TenantRequest[], place?: ConsumedPlace): Promise<WriteResult> {
    const sizeBytes = requests.reduce((sum, { body }) => sum + body.length, 0);
    try {
      const result = await this.#commit.writeTogether(requests, place);
      if (result.stored > 0) for (const { tenant } of requests) this.#tenants.add(tenant);
      this.#ledger.addAnswered(result, sizeBytes);
      this.#maintenance.afterCommit();
      return result;
    } catch (error) {
      if (isStoreError(error, 'INVALID_REQUEST') || isStoreError(error, 'LIMIT_EXCEEDED')) this.#ledger.addMalformed();
      throw error;
    }
  }

  /** Why no spans are taken now, for people; undefined: they are. Throws DISK. */
  writeRefusal(): string | undefined {
    this.#assertOpen();
    return this.#guard.refusal;
  }

  /** Service names of acknowledged spans, in byte order. */
  listServices(tenant: Tenant): Listed<string> {
    const days = this.#partitions.all.map((partition) => partition.listServices(tenant));
    const names = new Set(days.flatMap(({ items }) => items));
    return { items: [...names].sort(compareUtf8), warnings: this.#warningsOf(days) };
  }

  /** Operations of `service` by name, then kind; if `kind` is given, only those of that kind. */
  listOperations(tenant: Tenant, service: string, kind?: number): Listed<Operation> {
    const days = this.#partitions.all.map((partition) => partition.listOperations(tenant, service));
    const all = days.flatMap(({ items }) => items).sort(compareOperations);
    const items = all.filter((operation, i) => {
      const isRepeat = i > 0 && compareOperations(operation, all[i - 1]!) === 0;
      return !isRepeat && (kind === undefined || operation.kind === kind);
    });
    return { items, warnings: this.#warningsOf(days) };
  }

  #warningsOf(days: readonly Marked[]): string[] {
    return [...days.flatMap(({ warnings }) => warnings), ...this.#partitions.outages.map(({ message }) => message)];
  }

  /**
   * The files that may match `filter`. They hold everything acknowledged before the call, each span in one file, and stay in
   * place until releaseSnapshot.
   */
  takeView(tenant: Tenant, filter: ViewFilter): StoreView {
    this.#assertOpen();
    return this.#views.take(this.#partitions, tenant, filter);
  }

  releaseView(id: number): void {
    this.#views.release(id);
  }

  /** Quarantines blocks that queries found damaged in a snapshot they hold; skips places outside open days. Throws DISK. */
  reportDamage(places: readonly DamagedPlace[]): void {
    for (const place of places) {
      const partition = this.#partitions.all.find(({ path }) => place.path.startsWith(`${path}/`));
      partition?.putAside(place);
    }
  }

  /** Tries every day, even if others fail. Throws the first failure. */
  async forceFlush(): Promise<void> {
    const ended = await Promise.allSettled(this.#partitions.all.map((partition) => partition.flush()));
    for (const one of ended) if (one.status === 'rejected') throw one.reason;
  }

  async forceMerge(partitionPrefix: string): Promise<void> {
    const matching = this.#partitions.all.filter(({ day }) => formatDay(day).startsWith(partitionPrefix));
    this.#forceMerges++;
    try {
      for (const partition of matching) {
        await partition.flush();
        await partition.mergeAll();
      }
      this.#options.logger.info('forced merge done', { partitions: matching.length });
    } finally {
      this.#forceMerges--;
    }
  }

  async purge(): Promise<void> {
    this.#assertOpen();
    await this.#partitions.purge();
    this.#options.logger.info('everything stored was removed');
  }

  async deleteRows(tenants: readonly Tenant[], name: string, rows: readonly SpanRows[]): Promise<'done' | 'changed'> {
    this.#assertOpen();
    const partition = this.#partitions.find(dayOf(name))?.partition;
    if (partition === undefined) throw new StoreError('NOT_FOUND', `partition ${name} is not there, or not attached`);
    return await partition.deleteRows(tenants, rows);
  }

  async acceptLosses(partitionPrefix: string): Promise<string[]> {
    const matching = this.#partitions.all.filter(({ day }) => formatDay(day).startsWith(partitionPrefix));
    const accepted: string[] = [];
    for (const partition of matching) accepted.push(...(await partition.acceptLosses()));
    return accepted;
  }

  /** What is stored, by day. */
  listDays(): StoredDay[] {
    return listStoredDays(this.#options.disk, this.#partitions);
  }

  /** Names of the partitions that are read and written, by day. */
  listPartitions(): string[] {
    return this.#partitions.all.map(({ day }) => formatDay(day));
  }

  /** Tenants with spans in the partition, sorted; [] if it is not open. Throws INVALID_REQUEST. */
  listTenants(name: string): string[] {
    const day = dayOf(name);
    const tenants = this.#partitions.all.filter((partition) => partition.day === day).flatMap(tenantsOf);
    return [...new Set(tenants)].sort();
  }

  /** As StoreAdmin. */
  tenantBytes(): ReadonlyMap<Tenant, number> {
    return bytesByTenant(this.#partitions.all);
  }

  async detachPartition(name: string): Promise<void> {
    this.#assertOpen();
    await this.#partitions.detach(dayOf(name));
  }

  async attachPartition(name: string): Promise<void> {
    this.#assertOpen();
    await this.#partitions.attach(dayOf(name));
  }

  async createSnapshots(partitionPrefix: string): Promise<string[]> {
    this.#assertOpen();
    return this.#snapshotFolder.create(
      this.#partitions.all.filter(({ day }) => formatDay(day).startsWith(partitionPrefix)),
    );
  }

  listSnapshots(): string[] {
    return this.#snapshotFolder.list();
  }

  async deleteSnapshot(path: string): Promise<void> {
    this.#snapshotFolder.delete(path);
  }

  async stats(): Promise<StoreStats> {
    const { freeBytes, totalBytes } = this.#guard.usage;
    const { diskBytesMax, diskPercentMax } = this.#options;
    return {
      ...this.#ledger.stats(),
      requestsFailed: this.#failed.count,
      tenants: this.#tenants.count,
      ...this.#commit.stats,
      ...collectStats(this.#options.disk, this.#partitions),
      mergesActive: this.#maintenance.mergesActive,
      forceMergesActive: this.#forceMerges,
      logCounts: this.#options.logger.counts(),
      isReadOnly: this.#guard.isReadOnly,
      freeDiskBytes: freeBytes,
      totalDiskBytes: totalBytes,
      diskBytesMax: diskBytesMax || Math.floor((totalBytes * diskPercentMax) / 100),
      retentionDropped: this.#dropper.counts,
      retentionWaitingDays: this.#partitions.ageGate.waitingDays,
      retentionExcessBytes: this.#dropper.excessBytes,
      writesRepeated: this.#recent.repeated,
    };
  }

  /** From now on the clock starts flushes, merges and drops. */
  startMaintenance(): void {
    this.#maintenance.startTimer();
  }

  /** Runs work that is due now. Resolves when it has ended. */
  runMaintenance(): Promise<void> {
    return this.#maintenance.run();
  }

  /**
   * Refuses new requests, answers those under way, flushes, and closes everything. If a flush fails, or takes longer than
   * `flushMaxMs`, it is logged, not thrown: the log is on disk, and the next start reads it back.
   */
  async close(flushMaxMs: number = LONGEST_TIMER_MS): Promise<void> {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#maintenance.stop();
    await this.#commit.idle();
    // Ends merges and flushes under way: their parts are not listed yet, and are made again after the next start.
    const endMerges = (): Promise<void> => this.#options.mergeRunner.close();
    const cut = setTimeout(() => void endMerges(), Math.min(flushMaxMs, LONGEST_TIMER_MS));
    try {
      await this.forceFlush();
    } catch (error) {
      if (!isStoreError(error)) throw error;
      this.#options.logger.warn('flush at the end failed, the next start reads the log back', { error });
    }
    clearTimeout(cut);
    await endMerges();
    await this.#partitions.close();
    await this.#consumed.close();
    this.#lock.release();
  }

  /** Releases the directory as a kill would: flushes nothing, changes nothing on disk. */
  abandon(): void {
    this.#isClosing = true;
    this.#maintenance.stop();
    this.#partitions.abandon();
    this.#lock.release();
  }

  /** Bytes in the logs and in unanswered requests; requests count with their raw size, more than they will take. */
  get #unflushedBytes(): number {
    return this.#partitions.logBytes + this.#commit.pendingBytes;
  }

  *#storedTenants(): Generator<Tenant> {
    for (const partition of this.#partitions.all) yield* tenantsOf(partition);
  }

  #assertOpen(): void {
    if (this.#isClosing)
      throw new StoreError('UNAVAILABLE', `${this.#options.path}: the store is closing; retry later`);
  }
}

/** With duplicates. */
function tenantsOf({ parts, log }: Partition): Tenant[] {
  return [
    ...parts.flatMap((part) => [...part.tenants.keys()]),
    ...log.files.flatMap((file) => [...file.names.tenants()]),
  ];
}

/** The day for a partition's name. Throws INVALID_REQUEST. */
function dayOf(name: string): number {
  const day = parseDay(name);
  if (day !== undefined) return day;
  throw new StoreError('INVALID_REQUEST', `name: expected a day as YYYYMMDD, got ${JSON.stringify(name.slice(0, 40))}`);
}
