// Turns received bodies into OTLP protobuf: small ones at once, large ones on a thread of their own. 64 MiB of JSON are most
// of a second of work, in which the main thread could answer nobody.
import { extname } from 'node:path';
import { Piscina } from 'piscina';
import { StoreError } from '../../base/errors.ts';
import { CONNECTIONS_USEFUL } from '../../base/descriptors.ts';
import type { BodyJob, BodyReply } from './body-worker.ts';
import { bodyToOtlp, isIdentity, type EncodedBody, type OtlpBodyOptions } from './decode-body.ts';

/** Received bytes that are some milliseconds of work: to decompress, to convert from JSON, to do both. */
const INLINE_BYTES_MAX = { compressed: 256 << 10, json: 256 << 10, compressedJson: 32 << 10 };
/** The thread ends when nothing large came for so long. */
const IDLE_MS = 30_000;

export class BodyPool {
  readonly #pool = new Piscina<BodyJob, BodyReply>({
    filename: new URL(`./body-worker${extname(import.meta.filename)}`, import.meta.url).href,
    name: 'convertBody',
    minThreads: 0,
    maxThreads: 1,
    idleTimeout: IDLE_MS,
    // The bytes of all bodies are bounded by the intake; each in the queue is one connection's.
    maxQueue: CONNECTIONS_USEFUL.http,
    atomics: 'disabled',
  });

  /** The body as OTLP protobuf; its bytes may be gone afterwards. Throws as bodyToOtlp, and OVERLOADED. */
  async toOtlp(body: EncodedBody, options: OtlpBodyOptions): Promise<Uint8Array> {
    if (body.bytes.length <= inlineMax(body.encoding, options.isJson)) return bodyToOtlp(body, options);
    // Received bodies are joined from chunks: alone in their buffer, which may go.
    const { buffer, byteLength } = body.bytes;
    const transferList = byteLength === buffer.byteLength ? [buffer as ArrayBuffer] : [];
    const reply = await this.#pool.run({ body, options }, { transferList });
    if (reply instanceof Uint8Array) return reply;
    throw new StoreError(reply.code, reply.message);
  }

  async close(): Promise<void> {
    await this.#pool.destroy();
  }
}

/** A body that is protobuf already needs no work, however large it is. */
function inlineMax(encoding: string, isJson: boolean): number {
  if (isIdentity(encoding)) return isJson ? INLINE_BYTES_MAX.json : Infinity;
  return isJson ? INLINE_BYTES_MAX.compressedJson : INLINE_BYTES_MAX.compressed;
}
