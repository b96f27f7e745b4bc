// Turns received bodies into OTLP protobuf: small ones at once, large ones on a thread of their own. 64 MiB of JSON are most
// of a second of work, in which the main thread could answer nobody.
import { extname } from 'node:path';
import { ThreadPool } from '../../base/thread-pool.ts';
import { StoreError } from '../../base/errors.ts';
import { CONNECTIONS_USEFUL } from '../../base/descriptors.ts';
import type { BodyJob, BodyReply } from './body-worker.ts';
import { bodyToOtlp, isIdentity, type EncodedBody, type OtlpBodyOptions } from './decode-body.ts';

/** Received bytes that are some milliseconds of work: to decompress, to convert from JSON, to do both. */
const INLINE_BYTES_MAX = { compressed: 256 << 10, json: 256 << 10, compressedJson: 32 << 10 };
/** The thread ends when nothing large came for so long. */
const IDLE_MS = 30_000;
/** The largest body takes a second or two; what takes this long hangs. */
const BODY_MAX_SECONDS = 60;

export class BodyPool {
  readonly #threads = new ThreadPool<BodyJob, BodyReply>({
    workerUrl: new URL(`./body-worker${extname(import.meta.filename)}`, import.meta.url),
    name: 'convertBody',
    threadsMin: 0,
    threadsMax: 1,
    idleMs: IDLE_MS,
    // The bytes of all bodies are bounded by the intake; each in the queue is one connection's.
    queueMax: CONNECTIONS_USEFUL.http,
    looksMax: BODY_MAX_SECONDS,
  });

  /** The body as OTLP protobuf; its bytes may be gone afterwards. Throws as bodyToOtlp, and OVERLOADED. */
  async toOtlp(body: EncodedBody, options: OtlpBodyOptions): Promise<Uint8Array> {
    if (body.bytes.length <= inlineMax(body.encoding, options.isJson)) return bodyToOtlp(body, options);
    // Received bodies are joined from chunks: alone in their buffer, which may go.
    const { buffer, byteLength } = body.bytes;
    const transferList = byteLength === buffer.byteLength ? [buffer as ArrayBuffer] : [];
    const reply = await this.#threads.run({ body, options }, transferList);
    if (reply instanceof Uint8Array) return reply;
    throw new StoreError(reply.code, reply.message);
  }

  async close(): Promise<void> {
    await this.#threads.close();
  }
}

/** A body that is protobuf already needs no work, however large it is. */
function inlineMax(encoding: string, isJson: boolean): number {
  if (isIdentity(encoding)) return isJson ? INLINE_BYTES_MAX.json : Infinity;
  return isJson ? INLINE_BYTES_MAX.compressedJson : INLINE_BYTES_MAX.compressed;
}
