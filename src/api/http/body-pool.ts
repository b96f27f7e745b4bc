// Converts received bodies to OTLP protobuf: small ones at once; large ones, and small ones that turn out large, on their own
// threads. 64 MiB of JSON take most of a second, during which the main thread could answer nobody. All listeners share one
// pool with two threads, so that one expensive body does not block the others.
import { extname } from 'node:path';
import { isStoreError, StoreError } from '../../base/errors.ts';
import type { MeteredThread, SharedMeter } from '../../base/thread-meter.ts';
import { ThreadPool } from '../../base/thread-pool.ts';
import { CONNECTIONS_USEFUL } from '../../base/descriptors.ts';
import type { BodyJob, BodyReply } from './body-worker.ts';
import { bodyToOtlp, isIdentity, type EncodedBody, type OtlpBodyOptions } from './decode-body.ts';

/** Received bytes that take some milliseconds to decompress, to convert from JSON, or both. */
const INLINE_BYTES_MAX = { compressed: 256 << 10, json: 256 << 10, compressedJson: 32 << 10 };
/** Largest decompressed body on the main thread: some milliseconds of work. */
const INLINE_DECODED_BYTES_MAX: number = 4 << 20;
/** After this long without a large body, a thread ends and frees its memory. */
const IDLE_MS = 10_000;
const THREADS = 2;
/** The largest body takes a second or two; a thread that takes this long hangs. */
const BODY_MAX_SECONDS = 60;

export class BodyPool {
  readonly #threads: ThreadPool<BodyJob, BodyReply>;

  /** The threads measure themselves in `meter`. */
  constructor(meter?: SharedMeter) {
    this.#threads = new ThreadPool({
      workerUrl: new URL(`./body-worker${extname(import.meta.filename)}`, import.meta.url),
      name: 'convertBody',
      threadsMin: 0,
      threadsMax: THREADS,
      idleMs: IDLE_MS,
      workerData: { meter } satisfies MeteredThread,
      // The intake bounds the bytes of all bodies; each queued body belongs to one connection.
      queueMax: CONNECTIONS_USEFUL.http,
      looksMax: BODY_MAX_SECONDS,
    });
  }

  /** The body as OTLP protobuf; its own bytes may be gone afterwards. Throws as bodyToOtlp, and OVERLOADED. */
  async toOtlp(body: EncodedBody, options: OtlpBodyOptions): Promise<Uint8Array> {
    if (body.bytes.length <= inlineMax(body.encoding, options.isJson)) {
      const otlp = inline(body, options);
      if (otlp !== undefined) return otlp;
    }
    // Bodies joined from chunks own their whole buffer, so it can be transferred.
    const { buffer, byteLength } = body.bytes;
    const transferList = byteLength === buffer.byteLength ? [buffer as ArrayBuffer] : [];
    const reply = await this.#threads.run({ body, options }, { transferList });
    if (reply instanceof Uint8Array) return reply;
    throw new StoreError(reply.code, reply.message);
  }

  async close(): Promise<void> {
    await this.#threads.close();
  }
}

/** The body as OTLP; undefined if it turned out too large for the main thread. Throws as bodyToOtlp. */
function inline(body: EncodedBody, options: OtlpBodyOptions): Uint8Array | undefined {
  if (isIdentity(body.encoding)) return bodyToOtlp(body, options);
  const sizeMax = Math.min(options.sizeMax, options.isJson ? INLINE_BYTES_MAX.json : INLINE_DECODED_BYTES_MAX);
  try {
    return bodyToOtlp(body, { ...options, sizeMax });
  } catch (error) {
    if (isStoreError(error, 'LIMIT_EXCEEDED') && sizeMax < options.sizeMax) return undefined;
    throw error;
  }
}

/** A body that is protobuf already needs no work, however large it is. */
function inlineMax(encoding: string, isJson: boolean): number {
  if (isIdentity(encoding)) return isJson ? INLINE_BYTES_MAX.json : Infinity;
  return isJson ? INLINE_BYTES_MAX.compressedJson : INLINE_BYTES_MAX.compressed;
}
