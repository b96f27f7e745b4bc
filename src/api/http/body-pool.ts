// Turns received bodies into OTLP protobuf: small ones at once, large ones, and small ones that turn out large, on threads of
// their own. 64 MiB of JSON are most of a second of work, in which the main thread could answer nobody. One pool serves all
// listeners, with two threads: behind one body that is much work there is another way.
import { extname } from 'node:path';
import { isStoreError, StoreError } from '../../base/errors.ts';
import { ThreadPool } from '../../base/thread-pool.ts';
import { CONNECTIONS_USEFUL } from '../../base/descriptors.ts';
import type { BodyJob, BodyReply } from './body-worker.ts';
import { bodyToOtlp, isIdentity, type EncodedBody, type OtlpBodyOptions } from './decode-body.ts';

/** Received bytes that are some milliseconds of work: to decompress, to convert from JSON, to do both. */
const INLINE_BYTES_MAX = { compressed: 256 << 10, json: 256 << 10, compressedJson: 32 << 10 };
/** What a compressed body may become on the main thread: some milliseconds of work. */
const INLINE_DECODED_BYTES_MAX: number = 4 << 20;
/** A thread ends when nothing large came for so long, and its memory goes with it. */
const IDLE_MS = 10_000;
const THREADS = 2;
/** The largest body takes a second or two; what takes this long hangs. */
const BODY_MAX_SECONDS = 60;

export class BodyPool {
  readonly #threads = new ThreadPool<BodyJob, BodyReply>({
    workerUrl: new URL(`./body-worker${extname(import.meta.filename)}`, import.meta.url),
    name: 'convertBody',
    threadsMin: 0,
    threadsMax: THREADS,
    idleMs: IDLE_MS,
    // The bytes of all bodies are bounded by the intake; each in the queue is one connection's.
    queueMax: CONNECTIONS_USEFUL.http,
    looksMax: BODY_MAX_SECONDS,
  });

  /** The body as OTLP protobuf; its bytes may be gone afterwards. Throws as bodyToOtlp, and OVERLOADED. */
  async toOtlp(body: EncodedBody, options: OtlpBodyOptions): Promise<Uint8Array> {
    if (body.bytes.length <= inlineMax(body.encoding, options.isJson)) {
      const otlp = inline(body, options);
      if (otlp !== undefined) return otlp;
    }
    // Received bodies are joined from chunks: alone in their buffer, which may go.
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

/** The body as OTLP; undefined when it is more than it seemed, and not for the main thread. Throws as bodyToOtlp. */
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
