// HTTP request body → bytes, received and decompressed under a budget. The size limit holds for what arrives and for what
// it decompresses to; a body above it is cut off there, never expanded further. What cannot be read is dropped from the
// socket (Node closes it after requestTimeout), so that the client reads the answer instead of a reset connection.
import type { IncomingMessage } from 'node:http';
import { constants, gunzipSync, inflateRawSync, inflateSync, zstdDecompressSync } from 'node:zlib';
import { StoreError } from '../base/errors.ts';
import { limits } from '../base/limits.ts';
import { decodeSnappy } from '../bytes/snappy.ts';
import type { IntakeAccount } from './intake.ts';

/** Content-Encodings as an Accept-Encoding header lists them. */
export const ACCEPTED_ENCODINGS = 'gzip, deflate, zstd, snappy, identity';

/** Largest window a zstd frame may ask memory for: 64 MiB (2^26); the strongest common encoder setting uses 32 MiB. */
const ZSTD_WINDOW_LOG_MAX = 26;

export interface BodyOptions {
  /** Bytes received, and bytes after decompression. */
  readonly sizeMax: number;
  /** Where the bytes are charged while they are held. */
  readonly account: IntakeAccount;
}

interface DecodeOptions {
  readonly info: true;
  readonly maxOutputLength: number;
  readonly chunkSize: number;
}

type Decode = (bytes: Uint8Array, options: DecodeOptions) => Uint8Array;
type Decoded = { readonly buffer: Buffer; readonly engine: { readonly bytesWritten: number } };

type Decoder = (bytes: Uint8Array, sizeMax: number) => Uint8Array;

const DECODERS: ReadonlyMap<string, Decoder> = new Map<string, Decoder>([
  ['', (bytes) => bytes],
  ['identity', (bytes) => bytes],
  ['none', (bytes) => bytes],
  ['gzip', (bytes, sizeMax) => decodeAll(gunzipSync, bytes, sizeMax)],
  ['x-gzip', (bytes, sizeMax) => decodeAll(gunzipSync, bytes, sizeMax)],
  ['deflate', decodeDeflate],
  ['zlib', decodeDeflate], // what the Collector calls it
  ['zstd', (bytes, sizeMax) => decodeAll(decodeZstd, bytes, sizeMax)],
  ['snappy', decodeSnappyBody],
  ['x-snappy-framed', decodeSnappyBody],
]);

/**
 * Reads a whole body and undoes its Content-Encoding. Throws UNSUPPORTED_TYPE (encoding; nothing is read then),
 * LIMIT_EXCEEDED, INVALID_REQUEST (compressed data is damaged), OVERLOADED, and CANCELLED when the client goes away.
 */
export async function readBody(request: IncomingMessage, options: BodyOptions): Promise<Uint8Array> {
  const encoding = (request.headers['content-encoding'] ?? '').trim().toLowerCase();
  const decode = DECODERS.get(encoding);
  if (decode === undefined) {
    const text = JSON.stringify(encoding.slice(0, 40));
    throw new StoreError('UNSUPPORTED_TYPE', `unsupported Content-Encoding ${text}: send one of ${ACCEPTED_ENCODINGS}`);
  }
  const received = await receive(request, options);
  const body = decodeBody(decode, { encoding, received, sizeMax: options.sizeMax });
  options.account.exchange(received.length, body.length);
  return body;
}

function receive(request: IncomingMessage, { sizeMax, account }: BodyOptions): Promise<Buffer> {
  if (Number(request.headers['content-length']) > sizeMax) return Promise.reject(tooLarge('request body', sizeMax));
  if (request.destroyed)
    return Promise.reject(new StoreError('CANCELLED', 'the client went away before its request body'));
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const stop = (error: unknown): void => {
      request.off('data', onData).off('end', onEnd).off('error', onClose).off('close', onClose);
      chunks.length = 0;
      request.on('error', () => undefined).resume(); // the rest is dropped; its errors concern nobody any more
      reject(error);
    };
    const onData = (chunk: Buffer): void => {
      size += chunk.length;
      try {
        if (size > sizeMax) throw tooLarge('request body', sizeMax);
        account.add(chunk.length);
        chunks.push(chunk);
      } catch (error) {
        stop(error);
      }
    };
    const onEnd = (): void => {
      request.off('close', onClose);
      resolve(Buffer.concat(chunks, size));
    };
    const onClose = (cause?: unknown): void => {
      stop(new StoreError('CANCELLED', `the client went away after ${size} bytes of the request body`, { cause }));
    };
    request.on('data', onData).on('end', onEnd).on('error', onClose).on('close', onClose);
  });
}

function decodeBody(decode: Decoder, body: { encoding: string; received: Buffer; sizeMax: number }): Uint8Array {
  try {
    return decode(body.received, body.sizeMax);
  } catch (cause) {
    if (cause instanceof StoreError) throw cause;
    if (codeOf(cause) === 'ERR_BUFFER_TOO_LARGE') throw tooLarge('decompressed request body', body.sizeMax);
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new StoreError('INVALID_REQUEST', `malformed ${body.encoding} body: ${reason}`, { cause });
  }
}

function tooLarge(what: string, sizeMax: number): StoreError {
  const limit = `-opentelemetry.traces.maxRequestSize=${sizeMax} bytes`;
  return new StoreError('LIMIT_EXCEEDED', `${what} exceeds ${limit}; send smaller batches or raise the limit`);
}

function decodeZstd(bytes: Uint8Array, options: DecodeOptions): Uint8Array {
  return zstdDecompressSync(bytes, { ...options, params: { [constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG_MAX } });
}

function decodeSnappyBody(bytes: Uint8Array, sizeMax: number): Uint8Array {
  return decodeSnappy(bytes, sizeMax, () => tooLarge('decompressed request body', sizeMax));
}

/** "deflate" is a zlib stream by the RFC and a raw one from many senders: two bytes tell nearly always, trying the rest. */
function decodeDeflate(bytes: Uint8Array, sizeMax: number): Uint8Array {
  const [first = 0, second = 0] = bytes;
  const isZlib = (first & 0x0f) === 8 && (first * 256 + second) % 31 === 0;
  if (!isZlib) return decodeAll(inflateRawSync, bytes, sizeMax);
  try {
    return decodeAll(inflateSync, bytes, sizeMax);
  } catch (error) {
    if (codeOf(error) !== 'Z_DATA_ERROR') throw error;
    return decodeAll(inflateRawSync, bytes, sizeMax);
  }
}

/**
 * Decodes frame after frame until the input is used up: Node's zstd stops silently after the first frame of several, and
 * the spans in the others would be lost without a word. Bytes behind the end that are no frame are an error.
 */
function decodeAll(decode: Decode, bytes: Uint8Array, sizeMax: number): Uint8Array {
  const frames: Uint8Array[] = [];
  let at = 0;
  let size = 0;
  do {
    if (frames.length === limits.zstdFramesMax) throw new Error(`more than ${limits.zstdFramesMax} frames`);
    // One byte more than allowed, because zero would mean no limit; with `info` Node's types do not know the result.
    const options = { info: true as const, maxOutputLength: sizeMax - size + 1, chunkSize: CHUNK_BYTES };
    const { buffer, engine } = decode(bytes.subarray(at), options) as unknown as Decoded;
    size += buffer.length;
    if (size > sizeMax) throw tooLarge('decompressed request body', sizeMax);
    at += engine.bytesWritten;
    frames.push(buffer);
  } while (at < bytes.length && !isPadding(decode, bytes, at));
  return frames.length === 1 ? frames[0]! : Buffer.concat(frames, size);
}

/** Output is produced in steps of this size; larger than Node's 16 KiB, because a body is hundreds of KiB. */
const CHUNK_BYTES = 64 << 10;

/** gzip files may be padded with zeros (tape blocks); Node's gunzip stops there, and has read all members before. */
function isPadding(decode: Decode, bytes: Uint8Array, at: number): boolean {
  return decode === gunzipSync && bytes[at] === 0;
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
