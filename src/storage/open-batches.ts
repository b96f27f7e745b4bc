// The rows of the open commit: one open batch per tenant, into which usual requests are scanned, and closed batches that take
// no more rows. A request without stored spans leaves nothing here, neither bytes nor a batch for its tenant: otherwise
// such requests would fill a commit that nobody waits for.
import { assert } from '../base/assert.ts';
import { isStoreError } from '../base/errors.ts';
import { limits } from '../base/limits.ts';
import { RequestScan, type ScanBounds } from '../otlp/scan-request.ts';
import { SpanBatch } from '../trace/span-batch.ts';
import type { WriteResult } from '../trace/store.ts';
import type { Tenant } from '../trace/tenant.ts';

/** Bytes of rows and names one commit may hold, so that a few huge requests do not make one huge block each. */
const COMMIT_BYTES_MAX: number = 32 << 20;
/**
 * Rows of one tenant in a commit while several send: encoding them takes some 10 ms, which is what the requests of the others wait for
 * them. A disk that takes 50 ms for fdatasync still stores 80,000 spans/s of each.
 */
const SHARED_ROWS_MAX = 4_096;
/** A tenant that has sent nothing for so long gets no share of a commit. */
const SENDS_MS = 10_000;
/** Names of spans and attributes in one commit: they cost far more to encode than their bytes suggest. */
const COMMIT_NAMES_MAX: number = 1 << 16;
/** Names that a batch keeps for the next commit, which needs most of them again; a batch with more saw a flood of new names. */
const NAMES_BYTES_MAX: number = 8 << 20;
/** The same for all kept batches together: half a commit, the other half is for rows. */
const ALL_NAMES_BYTES_MAX: number = 16 << 20;
/** Batches kept between commits, some 200 KB each. If more tenants send at once, each pays for a new batch. */
const BATCHES_KEPT_MAX = 8;
/** Memory for rows that a batch always keeps; memory above it, used for a spike, is freed. */
const CAPACITY_KEPT_BYTES: number = 8 << 20;

/** Bytes of usual spans between two checks of the clock: a millisecond. */
const LOOK_WORK: number = 256 << 10;

export interface TenantBatch {
  readonly tenant: Tenant;
  readonly batch: SpanBatch;
}

/** The limits of a scan, and the check of its rows at its end. */
export interface ScanRules {
  readonly bounds: ScanBounds;
  /** How long other requests may wait for one step. */
  readonly stepMs: number;
  /** Throws StoreError if rows of these days may not be written now. */
  readonly assertWritable?: ((days: Int32Array) => void) | undefined;
}

interface Sender {
  readonly tenant: Tenant;
  readonly atMs: number;
}

export class OpenBatches {
  /** Batches that take rows, least recently used first. Those without rows are kept for their names. */
  readonly #open = new Map<Tenant, SpanBatch>();
  /** Batches of large requests, and batches in which a scan met a bug. All have rows. */
  readonly #closed = new Map<SpanBatch, Tenant>();
  /** The tenant of the last scan, and the last other one, each with the time of its scan. */
  #senders: readonly Sender[] = [];

  get isEmpty(): boolean {
    return this.#closed.size === 0 && [...this.#open.values()].every(({ rowCount }) => rowCount === 0);
  }

  get keptCount(): number {
    return this.#open.size;
  }

  /** Memory allocated for rows and names, used or not. */
  get keptBytes(): number {
    let sum = 0;
    for (const batch of this.#open.values()) sum += batch.capacityBytes + batch.dictionaryBytes;
    return sum;
  }

  /** Whether the commit takes no more requests. Always false without rows: nobody would write such a commit. */
  get isFull(): boolean {
    let rows = 0;
    let names = 0;
    let sizeBytes = 0;
    for (const batches of [this.#open.values(), this.#closed.keys()]) {
      for (const batch of batches) {
        rows += batch.rowCount;
        names += batch.strings.count;
        sizeBytes += batch.usedBytes;
      }
    }
    return rows > 0 && (rows >= limits.commitRowsMax || names >= COMMIT_NAMES_MAX || sizeBytes >= COMMIT_BYTES_MAX);
  }

  /** Whether the tenant has its share of the commit, and leaves the rest to others that send. */
  hasShare(tenant: Tenant): boolean {
    if ((this.#open.get(tenant)?.rowCount ?? 0) < SHARED_ROWS_MAX) return false;
    const other = this.#senders.find((sender) => sender.tenant !== tenant);
    return other !== undefined && performance.now() - other.atMs < SENDS_MS;
  }

  /**
   * Scans a request into its tenant's batch; undefined if that takes longer than a step: then none of it is kept here. Throws
   * as scanRequest and as the rules. After a bug, the batch takes no more rows.
   */
  scan(tenant: Tenant, body: Uint8Array, rules: ScanRules): WriteResult | undefined {
    const batch = this.#open.get(tenant) ?? new SpanBatch();
    const { rowCount, arenaLength } = batch;
    this.#noteSender(tenant);
    try {
      const scan = new RequestScan(batch, body, rules.bounds);
      const result = scanStep(scan, rules.stepMs);
      if (result === undefined) scan.undo();
      else checkDays(scan, batch, rowCount, rules);
      return result;
    } catch (error) {
      batch.truncate(rowCount);
      batch.arenaLength = arenaLength;
      if (!isStoreError(error)) this.#close(tenant, batch);
      throw error;
    } finally {
      assert(
        batch.rowCount > rowCount || batch.arenaLength === arenaLength,
        'a request without rows left bytes behind',
      );
      this.#keep(tenant, batch);
    }
  }

  /** Adds the batch of a large request; this object owns it from now on. */
  add(tenant: Tenant, batch: SpanBatch): void {
    assert(batch.rowCount > 0, 'a batch without rows was added to a commit');
    this.#closed.set(batch, tenant);
  }

  /** Batches with rows that scan() may add to after the next clear(). */
  *open(): Generator<TenantBatch> {
    for (const [tenant, batch] of this.#open) if (batch.rowCount > 0) yield { tenant, batch };
  }

  /** Removes and returns the closed batches. */
  takeClosed(): TenantBatch[] {
    const closed = [...this.#closed].map(([batch, tenant]) => ({ tenant, batch }));
    this.#closed.clear();
    return closed;
  }

  /** Forgets the encoded rows of open batches, and frees memory that was used for a spike. */
  clear(): void {
    for (const [tenant, batch] of this.#open) {
      const { rowBytes, capacityBytes } = batch;
      batch.clearRows();
      if (capacityBytes > CAPACITY_KEPT_BYTES && 4 * rowBytes < capacityBytes) this.#open.delete(tenant);
    }
    let names = 0;
    for (const batch of this.#open.values()) names += batch.dictionaryBytes;
    for (const [tenant, batch] of this.#open) {
      const isFlooded = batch.dictionaryBytes > NAMES_BYTES_MAX || batch.strings.count > COMMIT_NAMES_MAX / 2;
      if (!isFlooded && names <= ALL_NAMES_BYTES_MAX && this.#open.size <= BATCHES_KEPT_MAX) continue;
      names -= batch.dictionaryBytes;
      this.#open.delete(tenant);
    }
    assert(this.#open.size <= BATCHES_KEPT_MAX, `${this.#open.size} batches are kept after a commit`);
  }

  /** Frees batches without rows, after a while without requests. */
  release(): void {
    for (const [tenant, batch] of this.#open) if (batch.rowCount === 0) this.#open.delete(tenant);
  }

  #noteSender(tenant: Tenant): void {
    const [last, other] = this.#senders;
    const before = last?.tenant === tenant ? other : last;
    const sender = { tenant, atMs: performance.now() };
    this.#senders = before === undefined ? [sender] : [sender, before];
  }

  /** After a scan, keeps a batch if it has rows or was kept before. */
  #keep(tenant: Tenant, batch: SpanBatch): void {
    const isKnown = this.#open.delete(tenant);
    const isWanted = batch.rowCount > 0 || (isKnown && batch.dictionaryBytes <= NAMES_BYTES_MAX);
    if (isWanted && !this.#closed.has(batch)) this.#open.set(tenant, batch);
  }

  /** Rows from before the bug are intact, because a scan only adds; the batch takes no more. */
  #close(tenant: Tenant, batch: SpanBatch): void {
    this.#open.delete(tenant);
    if (batch.rowCount > 0) this.#closed.set(batch, tenant);
  }
}

/** Continues a scan for `stepMs`; returns the result at its end, undefined before. Throws as RequestScan.step. */
export function scanStep(scan: RequestScan, stepMs: number): WriteResult | undefined {
  const endMs = performance.now() + stepMs;
  for (;;) {
    const result = scan.step(LOOK_WORK);
    if (result !== undefined || performance.now() >= endMs) return result;
  }
}

/** Rethrows the rules' error after restoring the batch to its state before the scan. */
export function checkDays(scan: RequestScan, batch: SpanBatch, from: number, { assertWritable }: ScanRules): void {
  try {
    assertWritable?.(batch.day.subarray(from, batch.rowCount));
  } catch (error) {
    scan.undo();
    throw error;
  }
}
