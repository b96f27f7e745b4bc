// Many requests, one fdatasync. A request is scanned into the open commit the moment it arrives; a commit starts when
// the one before it has ended, takes everything scanned by then, and ends when its blocks are on disk and published:
// only then are its requests answered. So under load commits grow by themselves, and without load nobody waits.
// A commit that fails fails exactly its own requests; nothing of them becomes visible.
import { StoreError } from '../base/errors.ts';
import { limits } from '../base/limits.ts';
import { encodeBlock } from '../block/encode-block.ts';
import { regroupByTrace } from '../block/regroup.ts';
import { scanRequest, type ScanBounds } from '../otlp/scan-request.ts';
import { cutBlocks } from '../part/cut-blocks.ts';
import type { LogAppend } from '../partition/log-file.ts';
import { rowsByDay, SpanBatch } from '../trace/span-batch.ts';
import type { WriteResult } from '../trace/store.ts';
import type { Tenant } from '../trace/tenant.ts';

/** Text bytes one commit may hold, so that a few huge requests do not make one huge block each. */
const COMMIT_BYTES_MAX: number = 32 << 20;
/**
 * Interned names kept from commit to commit, where the next one will need most of them. Above it: a flood of new names.
 */
const DICTIONARY_BYTES_MAX: number = 8 << 20;
/** Batches kept from commit to commit. With more tenants than this at once each pays for a new batch, some 200 KB. */
const BATCHES_KEPT_MAX = 8;

export interface GroupCommitOptions {
  /** Starts writing a day's blocks. Throws StoreError when that cannot even begin. */
  readonly append: (day: number, blocks: readonly Uint8Array[]) => LogAppend;
  /** Span starts accepted now. */
  readonly acceptedSpans: () => ScanBounds;
  /** Throws the error of a request that has spans of `days`, where one of them may not be written now. */
  readonly assertWritable?: (days: Iterable<number>) => void;
  /** Bytes of requests that may be unanswered at once; above it: OVERLOADED. */
  readonly pendingBytesMax: number;
}

interface Request {
  readonly tenant: Tenant;
  readonly body: Uint8Array;
  readonly resolve: (result: WriteResult) => void;
  readonly reject: (error: unknown) => void;
}

interface Waiter extends Request {
  readonly result: WriteResult;
}

export class GroupCommit {
  readonly #options: GroupCommitOptions;
  /** The open commit: rows by tenant, and who waits for them. */
  readonly #batches = new Map<Tenant, SpanBatch>();
  #waiters: Waiter[] = [];
  /** Who waits for the commit under way. */
  #committing: Waiter[] = [];
  #rowCount = 0;
  /** Requests for which the open commit had no room; scanned when it has started. */
  #queue: Request[] = [];
  #pendingBytes = 0;
  #running: Promise<void> | undefined;
  /** A bug was met: nothing is accepted any more, and the process is about to end. */
  #broken: unknown;
  #commits = 0;
  #commitBytes = 0;

  constructor(options: GroupCommitOptions) {
    this.#options = options;
  }

  get stats(): { commits: number; commitBytes: number } {
    return { commits: this.#commits, commitBytes: this.#commitBytes };
  }

  /** Bytes of requests that are not answered yet. */
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /** As SpanWriter.write. Throws INVALID_REQUEST, OVERLOADED, DISK. */
  async write(tenant: Tenant, body: Uint8Array): Promise<WriteResult> {
    if (this.#broken !== undefined) throw this.#broken;
    const { length } = body;
    const { pendingBytesMax } = this.#options;
    if (this.#pendingBytes + length > pendingBytesMax) {
      throw new StoreError(
        'OVERLOADED',
        `${this.#pendingBytes} bytes of requests wait to be written, at most ${pendingBytesMax} may; retry later`,
      );
    }
    this.#pendingBytes += length;
    try {
      return await new Promise((resolve, reject) => this.#accept({ tenant, body, resolve, reject }));
    } finally {
      this.#pendingBytes -= length;
    }
  }

  /** Resolves when everything written before the call has been answered. */
  async idle(): Promise<void> {
    await this.#running;
  }

  /** Resolves when every request scanned before the call has been answered, whatever comes behind. */
  async scannedAnswered(): Promise<void> {
    if (this.#running === undefined) return;
    await new Promise<void>((resolve) => {
      const result = { stored: 0, rejected: new Map() };
      const tenant = '0:0' as Tenant;
      this.#waiters.push({
        tenant,
        body: new Uint8Array(0),
        result,
        resolve: () => resolve(),
        reject: () => resolve(),
      });
    });
  }

  #accept(request: Request): void {
    if (this.#queue.length > 0 || this.#isFull()) this.#queue.push(request);
    else this.#scan(request);
    // Later, not now: what else has arrived in this turn of the event loop joins the same commit.
    if (this.#waiters.length > 0) this.#running ??= new Promise((resolve) => setImmediate(() => resolve(this.#run())));
  }

  #isFull(): boolean {
    if (this.#rowCount >= limits.commitRowsMax) return true;
    let bytes = 0;
    for (const batch of this.#batches.values()) bytes += batch.arenaBytes;
    return bytes >= COMMIT_BYTES_MAX;
  }

  #scan(request: Request): void {
    try {
      const result = this.#scanInto(this.#batchOf(request.tenant), request.body);
      if (result.stored === 0) request.resolve(result);
      else {
        this.#waiters.push({ ...request, result });
        this.#rowCount += result.stored;
      }
    } catch (error) {
      request.reject(error);
    }
  }

  /** As scanRequest; the batch is as it was when a day of the request may not be written. */
  #scanInto(batch: SpanBatch, body: Uint8Array): WriteResult {
    const { rowCount, arenaLength } = batch;
    const result = scanRequest(batch, body, this.#options.acceptedSpans());
    try {
      this.#options.assertWritable?.(batch.day.subarray(rowCount, batch.rowCount));
    } catch (error) {
      batch.truncate(rowCount);
      batch.arenaLength = arenaLength;
      throw error;
    }
    return result;
  }

  #batchOf(tenant: Tenant): SpanBatch {
    let batch = this.#batches.get(tenant);
    if (batch === undefined) this.#batches.set(tenant, (batch = new SpanBatch()));
    return batch;
  }

  async #run(): Promise<void> {
    try {
      while (this.#waiters.length > 0) {
        this.#committing = this.#waiters;
        const blocks = this.#takeBlocks();
        this.#scanQueued();
        this.#answer(await this.#write(blocks));
      }
    } catch (error) {
      this.#break(error);
    }
    this.#running = undefined;
  }

  #answer(failure: StoreError | undefined): void {
    for (const { resolve, reject, result } of this.#committing) {
      if (failure === undefined) resolve(result);
      else reject(failure);
    }
    this.#committing = [];
  }

  /** Encodes the open commit and opens the next one. */
  #takeBlocks(): Map<number, Uint8Array[]> {
    const blocks = new Map<number, Uint8Array[]>();
    for (const [tenant, batch] of this.#batches) {
      for (const [day, rows] of rowsByDay(batch)) {
        const dayBlocks = blocks.get(day) ?? [];
        dayBlocks.push(...encodeDay(batch, rows, { tenant, day }));
        blocks.set(day, dayBlocks);
      }
      batch.clearRows();
      if (batch.dictionaryBytes > DICTIONARY_BYTES_MAX) batch.clear();
    }
    if (this.#batches.size > BATCHES_KEPT_MAX) this.#batches.clear();
    this.#waiters = [];
    this.#rowCount = 0;
    return blocks;
  }

  #scanQueued(): void {
    let scanned = 0;
    while (scanned < this.#queue.length && !this.#isFull()) this.#scan(this.#queue[scanned++]!);
    this.#queue = this.#queue.slice(scanned);
  }

  /** All days or none: when one day's log fails, what the others wrote is given up too. Gives the failure, if any. */
  async #write(blocks: ReadonlyMap<number, readonly Uint8Array[]>): Promise<StoreError | undefined> {
    const appends: LogAppend[] = [];
    const failures: unknown[] = [];
    try {
      for (const [day, dayBlocks] of blocks) appends.push(this.#options.append(day, dayBlocks));
    } catch (error) {
      failures.push(error);
    }
    for (const outcome of await Promise.allSettled(appends.map((append) => append.synced))) {
      if (outcome.status === 'rejected') failures.push(outcome.reason);
    }
    // A bug anywhere counts more than what the disk refused.
    for (const failure of failures) if (!(failure instanceof StoreError)) throw failure;
    if (failures.length > 0) {
      for (const append of appends) append.cancel();
      return failures[0] as StoreError;
    }
    for (const append of appends) append.publish();
    this.#commits++;
    for (const dayBlocks of blocks.values()) for (const block of dayBlocks) this.#commitBytes += block.length;
    return undefined;
  }

  /** Whoever waits learns it, and so does whoever comes: the bug surfaces in each of their requests. */
  #break(error: unknown): void {
    this.#broken = error;
    for (const { reject } of [...this.#committing, ...this.#waiters, ...this.#queue]) reject(error);
    this.#committing = [];
    this.#waiters = [];
    this.#queue = [];
  }
}

/** A log block may be as large as a commit: it is short-lived, and one is cheaper to write than many. */
function encodeDay(batch: SpanBatch, rows: Uint32Array, place: { tenant: Tenant; day: number }): Uint8Array[] {
  const regrouped = regroupByTrace(batch, rows);
  const blocks: Uint8Array[] = [];
  let start = 0;
  for (const end of cutBlocks(regrouped.traceEnds, limits.commitRowsMax)) {
    blocks.push(encodeBlock(batch, regrouped.rows.subarray(start, end), { ...place, profile: 'log' }));
    start = end;
  }
  return blocks;
}
