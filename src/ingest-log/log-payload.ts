// What a message of the log holds: slices of requests, each with its tenant, compressed together once, under a checksum of ours:
// from insert to the storage node nobody looks inside. docs/format/log-message.md has the bytes. A message that does not begin
// so is what other programs put there (a Collector's Kafka exporter, Jaeger), none of which begins with these bytes.
import { StoreError } from '../base/errors.ts';
import { ByteReader } from '../bytes/byte-reader.ts';
import { ByteWriter } from '../bytes/byte-writer.ts';
import { CODEC_LZ4, compress, decompress } from '../bytes/compression.ts';
import { crc32 } from '../bytes/crc32.ts';
import { jaegerToRequest } from '../otlp/jaeger-to-request.ts';
import { jsonToRequest } from '../otlp/json-to-request.ts';
import { DEFAULT_TENANT, parseTenant, type Tenant } from '../trace/tenant.ts';

/** A request, or the part of one whose traces are in the message's partition. */
export interface LogSlice {
  readonly tenant: Tenant;
  /** An ExportTraceServiceRequest. */
  readonly body: Uint8Array;
  /** An insert node has checked and acknowledged it: the limits of new requests are no longer asked. */
  readonly isAccepted?: boolean;
}

/** "TLm" and the version. */
const MAGIC = 0x01_6d_4c_54;
const HEADER_BYTES = 16;
/** Lengths and names around one body. */
const SLICE_BYTES_MAX = 40;
/** A message larger than this is damaged: no log takes one. */
const RAW_BYTES_MAX: number = 256 << 20;

/** Reused by each message. */
const scratch = new ByteWriter();
const SCRATCH_BYTES_MAX: number = 4 << 20;

/** An upper bound of the message with slices whose bodies have these bytes together. */
export function payloadBytesMax(slices: number, bodyBytes: number): number {
  return HEADER_BYTES + slices * SLICE_BYTES_MAX + bodyBytes;
}

export function encodePayload(slices: readonly LogSlice[]): Uint8Array<ArrayBuffer> {
  const raw = scratch;
  raw.clear(SCRATCH_BYTES_MAX);
  for (const { tenant, body } of slices) {
    raw.varint(tenant.length);
    raw.raw(Buffer.from(tenant, 'latin1'));
    raw.varint(body.length);
    raw.raw(body);
  }
  const plain = raw.view();
  const { codec, stored } = compress(plain, { codec: CODEC_LZ4, level: 0 });
  const bytes = new Uint8Array(HEADER_BYTES + stored.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint32(8, plain.length, true);
  bytes[12] = codec;
  bytes.set(stored, HEADER_BYTES);
  view.setUint32(4, crc32(bytes.subarray(8)), true);
  return bytes;
}

/** What other programs write into the log, as the Collector's exporter of Kafka names it: -ingestLog.encoding. */
export const FOREIGN_ENCODINGS = ['otlp_proto', 'otlp_json', 'jaeger_proto'] as const;
export type ForeignEncoding = (typeof FOREIGN_ENCODINGS)[number];

const TO_REQUEST: Readonly<Record<ForeignEncoding, (bytes: Uint8Array) => Uint8Array>> = {
  otlp_proto: (bytes) => bytes,
  // Without bytes is what a transaction of another program wrote about itself.
  otlp_json: (bytes) => (bytes.length === 0 ? bytes : jsonToRequest(bytes)),
  jaeger_proto: (bytes) => (bytes.length === 0 ? bytes : jaegerToRequest(bytes)),
};

/**
 * Throws CORRUPTION if the message is not as it was encoded, FORMAT_TOO_NEW for one of a newer version, INVALID_REQUEST for one of
 * another program that is not in `encoding`.
 */
export function decodePayload(bytes: Uint8Array, encoding: ForeignEncoding = 'otlp_proto'): LogSlice[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const magic = bytes.length >= HEADER_BYTES ? view.getUint32(0, true) : 0;
  if ((magic & 0xff_ff_ff) !== (MAGIC & 0xff_ff_ff))
    return [{ tenant: DEFAULT_TENANT, body: TO_REQUEST[encoding](bytes) }];
  if (magic !== MAGIC) {
    const version = magic >>> 24;
    throw new StoreError(
      'FORMAT_TOO_NEW',
      `a message of the log has format ${version}, newest known 1; upgrade this node`,
    );
  }
  if (view.getUint32(4, true) !== crc32(bytes.subarray(8))) throw damaged('fails its checksum');
  const rawBytes = view.getUint32(8, true);
  if (rawBytes > RAW_BYTES_MAX) throw damaged(`says that it holds ${rawBytes} bytes`);
  return readSlices(decompress(bytes[12]!, bytes.subarray(HEADER_BYTES), rawBytes));
}

/** Bytes of the requests in a message, before it is known whether it is whole. */
export function contentBytes(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isOwn = bytes.length >= HEADER_BYTES && view.getUint32(0, true) === MAGIC;
  return isOwn ? view.getUint32(8, true) : bytes.length;
}

function readSlices(raw: Uint8Array): LogSlice[] {
  const slices: LogSlice[] = [];
  const reader = new ByteReader(raw);
  while (reader.left > 0) {
    const [account, project] = Buffer.from(reader.view(reader.varint())).toString('latin1').split(':');
    slices.push({ tenant: parseTenant(account, project), body: reader.view(reader.varint()), isAccepted: true });
  }
  return slices;
}

function damaged(what: string): StoreError {
  return new StoreError(
    'CORRUPTION',
    `a message of the log ${what}; see the log's servers, and docs/operations/log.md`,
  );
}
