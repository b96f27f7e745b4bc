// Ids as filters compare them: lower-case hex; an all-zero id is empty text.
import * as T from '../trace/templates.ts';
import { eachEntry, type Entries, type Run } from './filter-runs.ts';

const LINK_BYTES = 24;
const TRACE_ID_BYTES = 16;

/** One entry for each `sizeBytes` of `ids`. */
export function hexIds(ids: Uint8Array, sizeBytes: number): Entries {
  const count = ids.length / sizeBytes;
  const a = Uint32Array.from({ length: count }, (_, i) => i * 2 * sizeBytes);
  const b = Uint32Array.from({ length: count }, (_, i) => (isZero(ids, i * sizeBytes, sizeBytes) ? 0 : 2 * sizeBytes));
  return { type: T.TYPE_STRING, a, b, bytes: hexOf(ids) };
}

/** Trace ids (or span ids) of links, 24 bytes per link; `odd` holds those of unusual length. */
export function linkIds(ids: Uint8Array, isTrace: boolean, odd: readonly Run[]): Entries {
  const sizeBytes = isTrace ? TRACE_ID_BYTES : LINK_BYTES - TRACE_ID_BYTES;
  const count = ids.length / LINK_BYTES;
  const own = new Uint8Array(count * sizeBytes);
  for (let link = 0; link < count; link++) {
    const from = link * LINK_BYTES + (isTrace ? 0 : TRACE_ID_BYTES);
    own.set(ids.subarray(from, from + sizeBytes), link * sizeBytes);
  }
  const entries = hexIds(own, sizeBytes);
  return odd.length === 0 ? entries : withOdd(entries, odd);
}

function withOdd({ type, a, b, bytes }: Entries, odd: readonly Run[]): Entries {
  const pieces = [bytes];
  const starts = Uint32Array.from(a);
  const sizes = Uint32Array.from(b);
  let size = bytes.length;
  eachEntry(odd, (link, entries, entry) => {
    const start = entries.a[entry]!;
    const piece = hexOf(entries.bytes.subarray(start, start + entries.b[entry]!));
    if (piece.length === 0) return;
    pieces.push(piece);
    starts[link] = size;
    sizes[link] = piece.length;
    size += piece.length;
  });
  return { type, a: starts, b: sizes, bytes: Buffer.concat(pieces) };
}

function hexOf(bytes: Uint8Array): Uint8Array {
  return Buffer.from(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex'), 'latin1');
}

function isZero(bytes: Uint8Array, start: number, size: number): boolean {
  for (let i = start; i < start + size; i++) if (bytes[i] !== 0) return false;
  return true;
}
