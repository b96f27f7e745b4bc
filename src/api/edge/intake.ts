// What the OTLP edges (HTTP protobuf, HTTP JSON, gRPC) share on their way to the SpanWriter: admission and counters.
// Two bounds: bytes of bodies in flight (above: OVERLOADED, at once) and requests being written (above: wait in line, then
// UNAVAILABLE). A slot is taken when the body is complete, so that slow uploads hold bytes but never a slot.
import { StoreError } from '../../base/errors.ts';
import { limits } from '../../base/limits.ts';
import type { SpanWriter, WriteResult } from '../../trace/store.ts';
import type { Tenant } from '../../trace/tenant.ts';
import type { IngestType, Metrics } from './metrics.ts';

export interface IntakeOptions {
  readonly writer: SpanWriter;
  readonly metrics: Metrics;
  /** Bytes of one body after decompression. */
  readonly requestBytesMax: number;
  /** Requests written at once. */
  readonly concurrentInsertsMax: number;
  /** How long a complete request waits for its turn. */
  readonly insertQueueMaxMs: number;
  /** How long it is written at most before its client is told to come back. */
  readonly writeMaxMs: number;
  /** Bytes of all bodies in flight; default limits.intakeBytesMax. */
  readonly bytesMax?: number;
}

/** Charged for every request beside its body, so that a flood of empty requests is bounded too. */
const REQUEST_OVERHEAD_BYTES = 1_024;

export class Intake {
  readonly requestBytesMax: number;
  readonly #options: IntakeOptions;
  readonly #bytesMax: number;
  #bytes = 0;
  #writing = 0;
  readonly #waiting = new Set<() => void>();

  constructor(options: IntakeOptions) {
    this.requestBytesMax = options.requestBytesMax;
    this.#options = options;
    this.#bytesMax = options.bytesMax ?? limits.intakeBytesMax;
    options.metrics.watchIntake(() => ({ bytes: this.#bytes, writing: this.#writing, waiting: this.#waiting.size }));
  }

  /** Opens the account of one request. Throws OVERLOADED. */
  open(): IntakeAccount {
    const account = new IntakeAccount((bytes) => this.#charge(bytes));
    account.add(REQUEST_OVERHEAD_BYTES);
    return account;
  }

  /**
   * Writes one complete request as soon as it is its turn; `body` is the writer's from here on. Throws what the writer
   * throws, and UNAVAILABLE when the turn did not come within insertQueueMaxMs, or the writer did not answer within
   * writeMaxMs: the request may be stored all the same then, and sending it again is harmless.
   */
  async write(tenant: Tenant, body: Uint8Array, type: IngestType): Promise<WriteResult> {
    await this.#takeSlot();
    return await this.#inTime(this.#writeInSlot(tenant, body, type));
  }

  /** Keeps the slot until the writer has answered, even when nobody waits for that any more: it is still at work. */
  async #writeInSlot(tenant: Tenant, body: Uint8Array, type: IngestType): Promise<WriteResult> {
    const { writer, metrics } = this.#options;
    try {
      const bytes = body.length;
      const result = await writer.write(tenant, transferable(body));
      metrics.countIngest(type, result, bytes);
      return result;
    } finally {
      this.#releaseSlot();
    }
  }

  #inTime(written: Promise<WriteResult>): Promise<WriteResult> {
    const { writeMaxMs } = this.#options;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        const text = `the request was not written within ${writeMaxMs} ms (-insert.maxWriteDuration)`;
        reject(new StoreError('UNAVAILABLE', `${text}; send it again, what is stored twice is shown once`));
      }, writeMaxMs);
      void written.then(resolve, reject).finally(() => clearTimeout(timer));
    });
  }

  #charge(bytes: number): void {
    if (bytes > 0 && this.#bytes + bytes > this.#bytesMax) {
      throw new StoreError('OVERLOADED', `more than ${this.#bytesMax} bytes of requests are being received; try again`);
    }
    this.#bytes += bytes;
  }

  /** First come, first served. The writing count is handed over, not dropped, so a newcomer cannot overtake the line. */
  async #takeSlot(): Promise<void> {
    const { concurrentInsertsMax, insertQueueMaxMs } = this.#options;
    if (this.#writing < concurrentInsertsMax) {
      this.#writing++;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const turn = (): void => {
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(() => {
        this.#waiting.delete(turn);
        const queue = `${concurrentInsertsMax} requests (-maxConcurrentInserts) are being written`;
        reject(new StoreError('UNAVAILABLE', `${queue} and none finished within ${insertQueueMaxMs} ms; try again`));
      }, insertQueueMaxMs);
      this.#waiting.add(turn);
    });
  }

  #releaseSlot(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#writing--;
      return;
    }
    this.#waiting.delete(next);
    next();
  }
}

/** The bytes one request holds; close() gives all of them back. */
export class IntakeAccount implements Disposable {
  readonly #charge: (bytes: number) => void;
  #bytes = 0;

  constructor(charge: (bytes: number) => void) {
    this.#charge = charge;
  }

  /** Throws OVERLOADED when all requests together would hold more than they may. */
  add(bytes: number): void {
    this.#charge(bytes);
    this.#bytes += bytes;
  }

  /** Replaces `from` bytes by `to`: a body that was decompressed or converted. */
  exchange(from: number, to: number): void {
    this.add(to - from);
  }

  [Symbol.dispose](): void {
    this.#charge(-this.#bytes);
    this.#bytes = 0;
  }
}

/**
 * The writer may transfer the ArrayBuffer to another thread: it must belong to this body alone, and Node's pooled buffers
 * do not. A body that fills its buffer is passed as it is.
 */
function transferable(body: Uint8Array): Uint8Array {
  return body.byteLength === body.buffer.byteLength ? body : new Uint8Array(body);
}
