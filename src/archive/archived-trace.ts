// The file of one archived trace: docs/format/archive.md. Its spans are stored as OTLP, which every version can read,
// because an archive outlives the formats of parts.
//
//   0  16  file header                       36   4  project id
//  16  16  trace id                          40   4  codec of the payload
//  32   4  account id                        44   4  bytes of the OTLP
//                                            48   4  CRC-32 of the payload
//                                            52   4  CRC-32 of bytes 16 … 51
//  56   …  payload: TracesData, compressed
import { StoreError } from '../base/errors.ts';
import { CODEC_NONE, CODEC_ZSTD, decompress } from '../bytes/compression.ts';
import { crc32 } from '../bytes/crc32.ts';
import type { FoundTrace } from '../trace/store.ts';
import type { Tenant } from '../trace/tenant.ts';
import { encodeFileHeader, PLAIN_HEADER_SIZE, readFileHeader, type FileFormat } from '../part/format-version.ts';

const ARCHIVED_TRACE_FORMAT: FileFormat = { name: 'archived trace', magic: 'TLarchiv', version: 1 };

const PAYLOAD_AT = 56;
/** A damaged length must not be allocated; a larger trace could not be returned either. */
export const ARCHIVED_BYTES_MAX: number = 1 << 30;

/** The file's bytes. `zstd` is `trace.otlp` compressed; the plain bytes are stored when that is not smaller. */
export function encodeArchivedTrace(tenant: Tenant, trace: FoundTrace, zstd: Uint8Array): Uint8Array[] {
  const isSmaller = zstd.length < trace.otlp.length;
  const payload = isSmaller ? zstd : trace.otlp;
  const head = new Uint8Array(PAYLOAD_AT);
  head.set(encodeFileHeader(ARCHIVED_TRACE_FORMAT));
  head.set(trace.traceId, 16);
  const view = new DataView(head.buffer);
  const [accountId, projectId] = tenant.split(':').map(Number);
  view.setUint32(32, accountId!, true);
  view.setUint32(36, projectId!, true);
  view.setUint32(40, isSmaller ? CODEC_ZSTD : CODEC_NONE, true);
  view.setUint32(44, trace.otlp.length, true);
  view.setUint32(48, crc32(payload), true);
  view.setUint32(52, crc32(head.subarray(PLAIN_HEADER_SIZE, 52)), true);
  return [head, payload];
}

/** The trace in a file, and its tenant. Throws CORRUPTION, FORMAT_TOO_NEW. */
export function decodeArchivedTrace(bytes: Uint8Array, path: string): { tenant: Tenant; trace: FoundTrace } {
  readFileHeader(ARCHIVED_TRACE_FORMAT, bytes, path);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length < PAYLOAD_AT || view.getUint32(52, true) !== crc32(bytes.subarray(PLAIN_HEADER_SIZE, 52))) {
    throw damaged(path, 'its head fails its checksum');
  }
  const payload = bytes.subarray(PAYLOAD_AT);
  if (view.getUint32(48, true) !== crc32(payload)) throw damaged(path, 'its spans fail their checksum');
  const rawBytes = view.getUint32(44, true);
  if (rawBytes > ARCHIVED_BYTES_MAX) throw damaged(path, `it claims ${rawBytes} bytes`);
  return {
    tenant: `${view.getUint32(32, true)}:${view.getUint32(36, true)}` as Tenant,
    trace: { traceId: bytes.slice(16, 32), otlp: decompress(view.getUint32(40, true), payload, rawBytes) },
  };
}

function damaged(path: string, why: string): StoreError {
  return new StoreError('CORRUPTION', `${path}: ${why}; restore it from a backup, or delete it`);
}
