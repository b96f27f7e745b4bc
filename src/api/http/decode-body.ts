// Undoes a request body's Content-Encoding and converts JSON to protobuf, for the main thread and the body worker. The size
// limit also holds for the output: decompression stops at the limit. Pure.
import { constants, gunzipSync, inflateRawSync, inflateSync, zstdDecompressSync } from 'node:zlib';
import { assert, BugError } from '../../base/assert.ts';
import { StoreError } from '../../base/errors.ts';
import { limits } from '../../base/limits.ts';
import { decodeLz4 } from '../../bytes/lz4.ts';
import { decodeSnappy } from '../../bytes/snappy.ts';
import { jsonToRequest } from '../../otlp/json-to-request.ts';

/** Content-Encodings as an Accept-Encoding header lists them. */
export const ACCEPTED_ENCODINGS = 'gzip, deflate, zstd, snappy, lz4, identity';

/** Largest window a zstd frame may ask memory for: 64 MiB (2^26); the strongest common encoder setting uses 32 MiB. */
const ZSTD_WINDOW_LOG_MAX = 26;

/** A body as it was received. */
export interface EncodedBody {
  readonly bytes: Uint8Array;
  /** One of the Content-Encodings, lower case. */
  readonly encoding: string;
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
  ['snappy', (bytes, sizeMax) => decodeSnappy(bytes, sizeMax, () => bodyTooLarge(sizeMax))],
  ['x-snappy-framed', (bytes, sizeMax) => decodeSnappy(bytes, sizeMax, () => bodyTooLarge(sizeMax))],
  ['lz4', (bytes, sizeMax) => decodeLz4(bytes, sizeMax, () => bodyTooLarge(sizeMax))],
]);

export function isKnownEncoding(encoding: string): boolean {
  return DECODERS.has(encoding);
}

/** True if the body is not encoded, so that its size is final. */
export function isIdentity(encoding: string): boolean {
  return encoding === '' || encoding === 'identity' || encoding === 'none';
}

/** The body without its Content-Encoding, at most `sizeMax` bytes. Throws LIMIT_EXCEEDED; INVALID_REQUEST for damaged data. */
export function decodeBody({ bytes, encoding }: EncodedBody, sizeMax: number): Uint8Array {
  const decode = DECODERS.get(encoding);
  assert(decode !== undefined, `a body with the encoding ${encoding} was taken`);
  try {
    return decode(bytes, sizeMax);
  } catch (cause) {
    if (cause instanceof StoreError || cause instanceof BugError) throw cause;
    if (codeOf(cause) === 'ERR_BUFFER_TOO_LARGE') throw bodyTooLarge(sizeMax);
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new StoreError('INVALID_REQUEST', `malformed ${encoding} body: ${reason}`, { cause });
  }
}

/** The body as OTLP protobuf. Throws as decodeBody, and INVALID_REQUEST if it is not OTLP JSON. */
export function bodyToOtlp(body: EncodedBody, { sizeMax, isJson }: OtlpBodyOptions): Uint8Array {
  const bytes = decodeBody(body, sizeMax);
  return isJson ? jsonToRequest(bytes) : bytes;
}

export interface OtlpBodyOptions {
  readonly sizeMax: number;
  readonly isJson: boolean;
}

export function tooLarge(what: string, sizeMax: number): StoreError {
  const limit = `-opentelemetry.traces.maxRequestSize=${sizeMax} bytes`;
  return new StoreError('LIMIT_EXCEEDED', `${what} exceeds ${limit}; send smaller batches or raise the limit`);
}

function decodeZstd(bytes: Uint8Array, options: DecodeOptions): Uint8Array {
  return zstdDecompressSync(bytes, { ...options, params: { [constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG_MAX } });
}

function bodyTooLarge(sizeMax: number): StoreError {
  return tooLarge('decompressed request body', sizeMax);
}

/** By the RFC, "deflate" is a zlib stream, but many senders send a raw one: two bytes nearly always tell; if not, it tries both. */
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
 * Decodes frame after frame until the input is used up: Node's zstd silently stops after the first frame, so the spans in
 * further frames would be lost. Trailing bytes that are not a frame are an error.
 */
function decodeAll(decode: Decode, bytes: Uint8Array, sizeMax: number): Uint8Array {
  const frames: Uint8Array[] = [];
  let at = 0;
  let size = 0;
  do {
    if (frames.length === limits.zstdFramesMax) throw new Error(`more than ${limits.zstdFramesMax} frames`);
    // One byte more than allowed, because zero would mean no limit; Node's types lack the result for `info`.
    const options = { info: true as const, maxOutputLength: sizeMax - size + 1, chunkSize: CHUNK_BYTES };
    const { buffer, engine } = decode(bytes.subarray(at), options) as unknown as Decoded;
    size += buffer.length;
    if (size > sizeMax) throw bodyTooLarge(sizeMax);
    at += engine.bytesWritten;
    frames.push(buffer);
  } while (at < bytes.length && !isPadding(decode, bytes, at));
  return frames.length === 1 ? frames[0]! : Buffer.concat(frames, size);
}

/** Output is produced in steps of this size; larger than Node's 16 KiB, because a body is hundreds of KiB. */
const CHUNK_BYTES = 64 << 10;

/** gzip files may be padded with zeros (tape blocks); Node's gunzip stops there, after it has read all members. */
function isPadding(decode: Decode, bytes: Uint8Array, at: number): boolean {
  return decode === gunzipSync && bytes[at] === 0;
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
