// All key layouts of a partition's LMDB environment (tables: docs/format/index.md). Keys sort bytewise; the first byte
// is the kind of entry, so each kind is one contiguous range. Keys never contain names, because LMDB limits keys to
// 1,978 bytes: keys have 16 bytes of SHA-256, values the full text.
//
//   00                                          stamp: format of the environment
//   01                                          head: generation, flushed log
//   02 | part id 16 bytes                       one live part (8 bytes: a part of format 1, by number)
//   03 | place hash 16                          something that was lost
//   04 | log seq u64                            one log file that is in no part
//   05                                          hours of the day with strays
//   10 | tenant 8 | service hash 16             one service
//   11 | tenant 8 | service hash 16 | operation hash 16
//   12 | tenant 8 | tag hash 16                 one tag key at one level with one value type
//   20 … 3f                                     reserved: postings and roll-ups
import { hash } from 'node:crypto';
import { assert } from '../base/assert.ts';
import { isPartId, type PartId } from '../part/identity.ts';
import type { Tenant } from '../trace/tenant.ts';

export const STAMP_KEY: Uint8Array = Uint8Array.of(0x00);
export const HEAD_KEY: Uint8Array = Uint8Array.of(0x01);
export const STRAYS_KEY: Uint8Array = Uint8Array.of(0x05);
const PART = 0x02;
const LOSS = 0x03;
const LOG = 0x04;
const SERVICE = 0x10;
const OPERATION = 0x11;
const TAG = 0x12;

const TENANT_BYTES = 8;
const HASH_BYTES = 16;

/** A half-open range of keys: start ≤ key < end. */
export interface KeyRange {
  readonly start: Uint8Array;
  readonly end: Uint8Array;
}

/** Key of the part `id`: its hex digits as bytes. */
export function partKey(id: PartId): Uint8Array {
  assert(isPartId(id), `part id ${id}`);
  return Buffer.concat([Uint8Array.of(PART), Buffer.from(id, 'hex')]);
}

/** Key of the log file numbered `seq`; big-endian, so that keys sort as numbers. */
export function logKey(seq: number): Uint8Array {
  assert(Number.isSafeInteger(seq) && seq > 0, `log file ${seq}`);
  const key = Buffer.alloc(9);
  key[0] = LOG;
  key.writeBigUInt64BE(BigInt(seq), 1);
  return key;
}

/** The log file number in a key. */
export function seqOfLogKey(key: Uint8Array): number {
  return Number(new DataView(key.buffer, key.byteOffset, key.length).getBigUint64(1));
}

/** Key of the loss at `place`. */
export function lossKey(place: string): Uint8Array {
  return Buffer.concat([Uint8Array.of(LOSS), nameHash(place)]);
}

export const PART_RANGE: KeyRange = { start: Uint8Array.of(PART), end: Uint8Array.of(PART + 1) };
export const LOSS_RANGE: KeyRange = { start: Uint8Array.of(LOSS), end: Uint8Array.of(LOSS + 1) };
export const LOG_RANGE: KeyRange = { start: Uint8Array.of(LOG), end: Uint8Array.of(LOG + 1) };

export function serviceKey(tenant: Tenant, service: string): Uint8Array {
  return Buffer.concat([tenantPrefix(SERVICE, tenant), nameHash(service)]);
}

/** All services of `tenant`. */
export function serviceRange(tenant: Tenant): KeyRange {
  return rangeOf(tenantPrefix(SERVICE, tenant));
}

/** `prefix` comes from operationPrefix(): one hash of the service serves all its operations. */
export function operationKey(prefix: Uint8Array, name: string, kind: number): Uint8Array {
  const text = Buffer.from(name, 'utf8');
  const hashed = Buffer.alloc(4 + text.length);
  hashed.writeInt32LE(kind, 0);
  hashed.set(text, 4);
  return Buffer.concat([prefix, nameHash(hashed)]);
}

/** The common prefix of the keys of all operations of `service`. */
export function operationPrefix(tenant: Tenant, service: string): Uint8Array {
  return Buffer.concat([tenantPrefix(OPERATION, tenant), nameHash(service)]);
}

/** All operations of `service`. */
export function operationRange(tenant: Tenant, service: string): KeyRange {
  return rangeOf(operationPrefix(tenant, service));
}

/** `level` and `type` as one byte each; see names.ts for what they mean. */
export function tagKey(tenant: Tenant, key: string, level: number, type: number): Uint8Array {
  return Buffer.concat([
    tenantPrefix(TAG, tenant),
    nameHash(Buffer.concat([Uint8Array.of(level, type), Buffer.from(key, 'utf8')])),
  ]);
}

/** All tags of `tenant`. */
export function tagRange(tenant: Tenant): KeyRange {
  return rangeOf(tenantPrefix(TAG, tenant));
}

/** Kind byte, then both numbers of "account:project" as uint32, big-endian. */
function tenantPrefix(kind: number, tenant: Tenant): Uint8Array {
  const colon = tenant.indexOf(':');
  const prefix = Buffer.alloc(1 + TENANT_BYTES);
  prefix[0] = kind;
  prefix.writeUInt32BE(Number(tenant.slice(0, colon)), 1);
  prefix.writeUInt32BE(Number(tenant.slice(colon + 1)), 5);
  return prefix;
}

/** 128 bits of SHA-256: two names never collide, even if an attacker tries. */
function nameHash(name: string | Uint8Array): Uint8Array {
  return hash('sha256', name, 'buffer').subarray(0, HASH_BYTES);
}

/** All keys that begin with `prefix`. No prefix here ends in ff bytes only, so the end always exists. */
function rangeOf(prefix: Uint8Array): KeyRange {
  const end = Uint8Array.from(prefix);
  let last = end.length - 1;
  while (end[last] === 0xff) last--;
  end[last]!++;
  return { start: prefix, end: end.subarray(0, last + 1) };
}
