// Admission and counters for the OTLP edges (HTTP protobuf, HTTP JSON, gRPC) in front of the SpanWriter. Two limits: the bytes
// of requests from their first byte to their answer, the only budget for received data (above it: OVERLOADED, at once), and
// the number of requests being written (above it: wait, then UNAVAILABLE). Tenants share both fairly. A request takes a slot
// when its body is complete, so slow uploads hold bytes but never a slot.
import { assert } from '../../base/assert.ts';
import { StoreError } from '../../base/errors.ts';
import { FairBudget } from '../../base/fair-budget.ts';
import { FairQueue } from '../../base/fair-queue.ts';
import { collectWhenIdle } from '../../base/idle-memory.ts';
import { limits } from '../../base/limits.ts';
import type { Logger } from '../../base/logger.ts';
import { DAY_MS } from '../../partition/day.ts';
import type { Redactor } from '../../redaction/redactor.ts';
import type { SpanWriter, WriteContext, WriteResult } from '../../trace/store.ts';
import type { Tenant } from '../../trace/tenant.ts';
import type { IngestType } from '../metrics/request-metrics.ts';
import type { Metrics } from './metrics.ts';
import { RejectionLog } from './rejection-log.ts';
import { NO_LIMITS, type Limits, type TenantLimits } from './tenant-limits.ts';

export interface IntakeOptions {
  readonly logger: Logger;
  readonly writer: SpanWriter;
  /** What tenants may send; absent: no limits. */
  readonly tenants?: TenantLimits;
  /** Takes out what may not be stored; absent: nothing. */
  readonly redactor?: Pick<Redactor, 'redact'> | undefined;
  readonly metrics: Metrics;
  /** Bytes of one body after decompression. */
  readonly requestBytesMax: number;
  /** Requests written at once. */
  readonly concurrentInsertsMax: number;
  /** How long a complete request waits for its turn. */
  readonly insertQueueMaxMs: number;
  /** Longest time to write a request; then its client is told to retry. */
  readonly writeMaxMs: number;
  /** Bytes of all requests in flight; default limits.intakeBytesMax. */
  readonly intakeBytesMax?: number;
  /** Bytes of one body in JSON; default requestBytesMax. */
  readonly jsonBytesMax?: number;
}

/** What else an edge knows of a request that it writes. */
export interface WriteCall extends Pick<WriteContext, 'principal' | 'deadlineNs' | 'isCopied' | 'strays'> {
  /** As SpanWriter.write. */
  readonly key?: string | undefined;
}

/** A request that came with others in one call. */
export interface ReceivedSlice extends Pick<WriteContext, 'tenant' | 'strays'> {
  readonly body: Uint8Array;
  /** As SpanWriter.write. */
  readonly key?: string;
}

/** A request with the account that holds its bytes until it is written. */
interface HeldRequest {
  readonly body: Uint8Array;
  readonly key: string | undefined;
  readonly held: IntakeAccount;
}

export class Intake {
  readonly requestBytesMax: number;
  readonly jsonBytesMax: number;
  readonly #options: IntakeOptions;
  readonly #budget: FairBudget;
  readonly #idle = collectWhenIdle();
  #writing = 0;
  readonly #rejections: RejectionLog;
  #limitReached = 0;
  #limitTimeouts = 0;
  readonly #waiting = new FairQueue<() => void>();

  constructor(options: IntakeOptions) {
    this.requestBytesMax = options.requestBytesMax;
    this.#options = options;
    this.#rejections = new RejectionLog(options.logger);
    this.jsonBytesMax = options.jsonBytesMax ?? options.requestBytesMax;
    this.#budget = new FairBudget(options.intakeBytesMax ?? limits.intakeBytesMax);
    options.metrics.watchIntake(() => ({
      bytes: this.#budget.bytes,
      writing: this.#writing,
      writingMax: options.concurrentInsertsMax,
      waiting: this.#waiting.size,
      limitReached: this.#limitReached,
      limitTimeouts: this.#limitTimeouts,
    }));
  }

  /** What the tenant may send and ask. */
  limitsOf(tenant: Tenant): Limits {
    return this.#options.tenants?.of(tenant) ?? NO_LIMITS;
  }

  /** Opens the account of one request. Throws OVERLOADED. */
  open(tenant: Tenant): IntakeAccount {
    this.#idle.refresh();
    const account = new IntakeAccount(this.#budget, tenant);
    account.add(limits.requestOverheadBytes);
    return account;
  }

  /**
   * Writes one complete request when it is its turn; the writer then owns `body` and what `account` holds. Throws what the writer
   * throws, TENANT_LIMIT if the tenant sends or stores more than it may, and UNAVAILABLE if the turn did not come within insertQueueMaxMs or the writer did not answer within writeMaxMs. In
   * the latter case the request may still be stored; sending it again is harmless.
   */
  async write(account: IntakeAccount, body: Uint8Array, type: IngestType, call: WriteCall = {}): Promise<WriteResult> {
    this.#options.tenants?.admit(account.tenant);
    await this.#takeSlot(account.tenant);
    const { key, ...context } = call;
    const write = (held: IntakeAccount): Promise<WriteResult> =>
      this.#writeCounted({ ...context, tenant: account.tenant }, { body, key, held }, type);
    return await this.#inTime(this.#inSlot(account, write));
  }

  /**
   * As write, for requests that came together, in one slot: each has its own result, in the given order, and they share a commit.
   * `account` holds all of them.
   */
  async writeSlices(
    account: IntakeAccount,
    slices: readonly ReceivedSlice[],
    type: IngestType,
  ): Promise<PromiseSettledResult<WriteResult>[]> {
    await this.#takeSlot(account.tenant);
    const write = (held: IntakeAccount, { tenant, strays, body, key }: ReceivedSlice): Promise<WriteResult> =>
      this.#writeCounted({ tenant, strays }, { body, key, held }, type);
    return await this.#inTime(
      this.#inSlot(account, (held) => Promise.allSettled(slices.map((slice) => write(held, slice)))),
    );
  }

  async #writeCounted(call: WriteContext, { body, key, held }: HeldRequest, type: IngestType): Promise<WriteResult> {
    const { writer, metrics, tenants } = this.#options;
    const { tenant } = call;
    const bytes = body.length;
    tenants?.assertRoom(tenant);
    const { retentionDays } = this.limitsOf(tenant);
    const context = retentionDays === Infinity ? call : { ...call, retentionMs: Math.ceil(retentionDays * DAY_MS) };
    const owned = transferable(await this.#redacted(body, held));
    const startMs = performance.now();
    const result = await writer.write(context, owned, key);
    const seconds = (performance.now() - startMs) / 1000;
    const rejected = [...result.rejected.values()].reduce((sum, count) => sum + count, 0);
    tenants?.charge(tenant, { spans: result.stored + rejected, bytes });
    metrics.countIngest(type, { tenant, result, bytes, seconds });
    this.#rejections.add(tenant, result.rejected);
    return result;
  }

  async #redacted(body: Uint8Array, held: IntakeAccount): Promise<Uint8Array> {
    const { redactor } = this.#options;
    if (redactor === undefined) return body;
    const redacted = await redactor.redact(body);
    held.exchange(body.length, redacted.length);
    return redacted;
  }

  /** Holds slot and bytes until the writer has answered, even if nobody waits any more: the writer is still at work. */
  async #inSlot<T>(account: IntakeAccount, write: (held: IntakeAccount) => Promise<T>): Promise<T> {
    const held = account.handOver();
    try {
      return await write(held);
    } finally {
      held[Symbol.dispose]();
      this.#idle.refresh();
      this.#releaseSlot();
    }
  }

  #inTime<T>(written: Promise<T>): Promise<T> {
    const { writeMaxMs } = this.#options;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        const text = `the request was not written within ${writeMaxMs} ms (-insert.maxWriteDuration)`;
        reject(new StoreError('UNAVAILABLE', `${text}; send it again, what is stored twice is shown once`));
      }, writeMaxMs);
      void written.then(resolve, reject).finally(() => clearTimeout(timer));
    });
  }

  /** Tenants take turns, and each is served in order. A finished request passes its slot on, so no newcomer can overtake. */
  async #takeSlot(tenant: Tenant): Promise<void> {
    const { concurrentInsertsMax, insertQueueMaxMs } = this.#options;
    if (this.#writing < concurrentInsertsMax) {
      assert(this.#waiting.size === 0, `${this.#waiting.size} requests wait while a slot is free`);
      this.#writing++;
      return;
    }
    this.#limitReached++;
    await new Promise<void>((resolve, reject) => {
      const turn = (): void => {
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(() => {
        this.#waiting.delete(tenant, turn);
        this.#limitTimeouts++;
        const queue = `${concurrentInsertsMax} requests (-maxConcurrentInserts) are being written`;
        reject(new StoreError('BUSY', `${queue} and none finished within ${insertQueueMaxMs} ms; try again`));
      }, insertQueueMaxMs);
      this.#waiting.push(tenant, turn);
    });
  }

  #releaseSlot(): void {
    assert(this.#writing > 0, 'a slot is released that nobody took');
    const next = this.#waiting.take();
    if (next === undefined) this.#writing--;
    else next();
  }
}

/** The bytes that one request holds; disposing gives all of them back. */
export class IntakeAccount implements Disposable {
  readonly tenant: Tenant;
  readonly #budget: FairBudget;
  #bytes = 0;

  constructor(budget: FairBudget, tenant: Tenant) {
    this.#budget = budget;
    this.tenant = tenant;
  }

  /** Throws OVERLOADED if the tenant's requests together would hold more than they may now. */
  add(bytes: number): void {
    if (!this.#budget.take(this.tenant, bytes)) {
      const { bytes: all, bytesMax } = this.#budget;
      const own = this.#budget.heldBy(this.tenant);
      const held = `requests of this tenant hold ${own} bytes, those of all ${all} of ${bytesMax}`;
      throw new StoreError('OVERLOADED', `${held}: no room for ${bytes} more; try again`);
    }
    this.#bytes += bytes;
  }

  /** Replaces `from` bytes by `to`, when a body was decompressed or converted. */
  exchange(from: number, to: number): void {
    if (to > from) return this.add(to - from);
    assert(from - to <= this.#bytes, `${from - to} bytes are given back of ${this.#bytes} that the request holds`);
    this.#budget.giveBack(this.tenant, from - to);
    this.#bytes -= from - to;
  }

  /** Moves everything that this account holds into a new account. */
  handOver(): IntakeAccount {
    const heir = new IntakeAccount(this.#budget, this.tenant);
    heir.#bytes = this.#bytes;
    this.#bytes = 0;
    return heir;
  }

  [Symbol.dispose](): void {
    this.#budget.giveBack(this.tenant, this.#bytes);
    this.#bytes = 0;
  }
}

/**
 * The writer may transfer the ArrayBuffer to another thread, so it must belong to this body alone; Node's pooled buffers do
 * not. A body that fills its buffer is passed as it is.
 */
function transferable(body: Uint8Array): Uint8Array {
  return body.byteLength === body.buffer.byteLength ? body : new Uint8Array(body);
}
