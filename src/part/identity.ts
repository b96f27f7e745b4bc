// What parts and log files are called. A part is known by 128 random bits: the name of its folder, written into the
// header of each of its files, and what readers keep in their caches. So no name ever comes twice, not even for a day
// that is dropped and begun anew, and a file that lies where another part's file belongs is found out. Log files have
// one beside the number that orders them. Format 1 had numbers alone, 16 hex digits.
import { randomBytes } from 'node:crypto';

/** 128 random bits as 32 hex digits. */
export type Identity = string & { readonly identity: unique symbol };

/** Name of a part's folder: its identity; the number of a part of format 1. */
export type PartId = string;

export const IDENTITY_BYTES = 16;

export function newIdentity(): Identity {
  return randomBytes(IDENTITY_BYTES).toString('hex') as Identity;
}

/** undefined for a text that is none. */
export function parseIdentity(text: string): Identity | undefined {
  return /^[0-9a-f]{32}$/.test(text) ? (text as Identity) : undefined;
}

export function isPartId(name: string): boolean {
  return /^(?:[0-9a-f]{16}){1,2}$/.test(name);
}

/** A number of format 1 takes the last 8 of 16 bytes; the first 8 of an identity are not all zero but once in 2^64. */
export function encodePartId(id: PartId): Uint8Array {
  return Buffer.from(id.padStart(2 * IDENTITY_BYTES, '0'), 'hex');
}

export function decodePartId(view: DataView, at: number): PartId {
  const text = Buffer.from(view.buffer, view.byteOffset + at, IDENTITY_BYTES).toString('hex');
  return text.startsWith('0'.repeat(IDENTITY_BYTES)) ? text.slice(IDENTITY_BYTES) : text;
}

/**
 * The identity that the file at `path` must have by its place; 'none': its place is that of a file of format 1;
 * undefined: its place says nothing, as where somebody has copied a part to look at it.
 */
export function identityByPath(path: string): Identity | 'none' | undefined {
  const [, folder = '', name = ''] = /([^/]*)\/([^/]*)$/.exec(path) ?? [];
  const log = /^[0-9a-f]{16}(?:-([0-9a-f]{32}))?\.log$/.exec(name);
  if (log !== null) return (log[1] as Identity | undefined) ?? 'none';
  if (!isPartId(folder)) return undefined;
  return parseIdentity(folder) ?? 'none';
}
