// Identities of parts and log files. A part's identity is 128 random bits: the name of its folder, a field in the
// header of each of its files, and the key in readers' caches. So a name never recurs, even if a day is dropped and
// created again, and a file in the wrong part is detected. A log file has an identity beside its sequence number.
// Format 1 used numbers alone, 16 hex digits.
import { randomBytes } from 'node:crypto';

/** 128 random bits as 32 hex digits. */
export type Identity = string & { readonly identity: unique symbol };

/** Name of a part's folder: its identity, or in format 1 its number. */
export type PartId = string;

export const IDENTITY_BYTES = 16;

export function newIdentity(): Identity {
  return randomBytes(IDENTITY_BYTES).toString('hex') as Identity;
}

/** undefined: `text` is not an identity. */
export function parseIdentity(text: string): Identity | undefined {
  return /^[0-9a-f]{32}$/.test(text) ? (text as Identity) : undefined;
}

export function isPartId(name: string): boolean {
  return /^(?:[0-9a-f]{16}){1,2}$/.test(name);
}

/** A number of format 1 fills the last 8 of 16 bytes; the first 8 of an identity are all zero only once in 2^64. */
export function encodePartId(id: PartId): Uint8Array {
  return Buffer.from(id.padStart(2 * IDENTITY_BYTES, '0'), 'hex');
}

export function decodePartId(view: DataView, at: number): PartId {
  const text = Buffer.from(view.buffer, view.byteOffset + at, IDENTITY_BYTES).toString('hex');
  return text.startsWith('0'.repeat(IDENTITY_BYTES)) ? text.slice(IDENTITY_BYTES) : text;
}

/**
 * The identity that `path` implies for its file; 'none': the path is one of format 1; undefined: the path implies
 * nothing, for example in a copy of a part made by a person.
 */
export function identityByPath(path: string): Identity | 'none' | undefined {
  const [, folder = '', name = ''] = /([^/]*)\/([^/]*)$/.exec(path) ?? [];
  const log = /^[0-9a-f]{16}(?:-([0-9a-f]{32}))?\.log$/.exec(name);
  if (log !== null) return (log[1] as Identity | undefined) ?? 'none';
  if (!isPartId(folder)) return undefined;
  return parseIdentity(folder) ?? 'none';
}
