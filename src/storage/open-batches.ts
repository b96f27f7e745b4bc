// The rows of the commit that is open: one batch for each tenant, which usual requests are scanned into one after the
// other, and batches that nothing is added to any more. A request leaves its rows here or nothing at all, neither bytes
// nor a batch for its tenant: otherwise requests of which nothing is stored would fill a commit that nobody waits for.
import { assert } from '../base/assert.ts';
import { isStoreError } from '../base/errors.ts';
import { limits } from '../base/limits.ts';
import { RequestScan, type ScanBounds } from '../otlp/scan-request.ts';
import { SpanBatch } from '../trace/span-batch.ts';
import type { WriteResult } from '../trace/store.ts';
import type { Tenant } from '../trace/tenant.ts';

/** Bytes of rows and names one commit may hold, so that a few huge requests do not make one huge block each. */
const COMMIT_BYTES_MAX: number = 32 << 20;
/** And names of spans and attributes, which cost far more to encode than their bytes. */
const COMMIT_NAMES_MAX: number = 1 << 16;
/** Names kept from commit to commit, where the next one will need most of them; a batch with more had a flood of new names. */
const NAMES_BYTES_MAX: number = 8 << 20;
/** And in all batches that are kept: half a commit, the other half is for rows. */
const ALL_NAMES_BYTES_MAX: number = 16 << 20;
/** Batches kept from commit to commit, some 200 KB each. With more tenants than this at once each pays for a new batch. */
const BATCHES_KEPT_MAX = 8;
/** Memory for rows that a batch may keep whatever it held last; above it what was used for a spike is given back. */
const CAPACITY_KEPT_BYTES: number = 8 << 20;

/** Bytes of usual spans between two looks at the clock: a millisecond. */
const LOOK_WORK: number = 256 << 10;

export interface TenantBatch {
  readonly tenant: Tenant;
  readonly batch: SpanBatch;
}

/** What bounds a scan, and what is asked of its rows at its end. */
export interface ScanRules {
  readonly bounds: ScanBounds;
  /** How long others may wait for it. */
  readonly stepMs: number;
  /** Throws StoreError when rows of these days may not be written now. */
  readonly assertWritable?: ((days: Int32Array) => void) | undefined;
}

export class OpenBatches {
  /** Those that rows may be added to; the one used longest ago first. Without rows they are kept for their names. */
  readonly #open = new Map<Tenant, SpanBatch>();
  /** Batches of large requests, and those that a bug has met. All have rows. */
  readonly #closed = new Map<SpanBatch, Tenant>();

  get isEmpty(): boolean {
    return this.#closed.size === 0 && [...this.#open.values()].every(({ rowCount }) => rowCount === 0);
  }

  get keptCount(): number {
    return this.#open.size;
  }

  /** Memory held for rows and names, whatever is in it. */
  get keptBytes(): number {
    let sum = 0;
    for (const batch of this.#open.values()) sum += batch.capacityBytes + batch.dictionaryBytes;
    return sum;
  }

  /** Whether the commit takes no more requests. Never true of one without rows: nobody would write it. */
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

  /**
   * Scans a request into its tenant's batch; undefined when that takes longer than a step: nothing of it is here then.
   * Throws as scanRequest and what the rules throw. After a bug nothing is added to the batch any more.
   */
  scan(tenant: Tenant, body: Uint8Array, rules: ScanRules): WriteResult | undefined {
    const batch = this.#open.get(tenant) ?? new SpanBatch();
    const { rowCount, arenaLength } = batch;
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

  /** Takes over the batch of a large request. */
  add(tenant: Tenant, batch: SpanBatch): void {
    assert(batch.rowCount > 0, 'a batch without rows was added to a commit');
    this.#closed.set(batch, tenant);
  }

  /** Batches with rows that scan() may add to after the next clear(). */
  *open(): Generator<TenantBatch> {
    for (const [tenant, batch] of this.#open) if (batch.rowCount > 0) yield { tenant, batch };
  }

  /** Hands out the batches that nothing is added to. */
  takeClosed(): TenantBatch[] {
    const closed = [...this.#closed].map(([batch, tenant]) => ({ tenant, batch }));
    this.#closed.clear();
    return closed;
  }

  /** Forgets the rows of open batches, which have been encoded, and gives back what was used for a spike. */
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

  /** Gives back the memory of batches without rows: nobody has sent for a while. */
  release(): void {
    for (const [tenant, batch] of this.#open) if (batch.rowCount === 0) this.#open.delete(tenant);
  }

  /** After a scan: a batch is here when it has rows, or was before. */
  #keep(tenant: Tenant, batch: SpanBatch): void {
    const isKnown = this.#open.delete(tenant);
    const isWanted = batch.rowCount > 0 || (isKnown && batch.dictionaryBytes <= NAMES_BYTES_MAX);
    if (isWanted && !this.#closed.has(batch)) this.#open.set(tenant, batch);
  }

  /** The rows from before the bug are whole, for a scan only adds; the tables behind them are not written to again. */
  #close(tenant: Tenant, batch: SpanBatch): void {
    this.#open.delete(tenant);
    if (batch.rowCount > 0) this.#closed.set(batch, tenant);
  }
}

/** Goes on with a scan for `stepMs`; the result when it is at its end. Throws as RequestScan.step. */
export function scanStep(scan: RequestScan, stepMs: number): WriteResult | undefined {
  const endMs = performance.now() + stepMs;
  for (;;) {
    const result = scan.step(LOOK_WORK);
    if (result !== undefined || performance.now() >= endMs) return result;
  }
}

/** Throws what the rules throw, the batch being as it was before the scan. */
export function checkDays(scan: RequestScan, batch: SpanBatch, from: number, { assertWritable }: ScanRules): void {
  try {
    assertWritable?.(batch.day.subarray(from, batch.rowCount));
  } catch (error) {
    scan.undo();
    throw error;
  }
}
