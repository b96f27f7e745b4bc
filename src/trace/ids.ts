// Trace ids in every form that clients send (contract/jaeger.md §1.7): up to 32 hex digits in either case, padded with
// zeros on the left, or base64 of 8 or 16 bytes (standard or URL alphabet, with or without padding). A text that could
// be both is hex. Inside the store an id is always 16 bytes.

export const TRACE_ID_BYTES = 16;
const HIGH_ZERO = '0'.repeat(16);
const HEX_ID = /^[0-9a-fA-F]{1,32}$/;
/** 11 or 12 characters hold 8 bytes, 22 or 24 hold 16. The two alphabets do not mix. */
const BASE64_ID = /^(?:(?:[A-Za-z0-9+/]{11}|[A-Za-z0-9_-]{11})=?|(?:[A-Za-z0-9+/]{22}|[A-Za-z0-9_-]{22})(?:==)?)$/;

/**
 * The 16 bytes of a trace id, or undefined when `spelled` has none of these forms. Ignores blanks around it, which come
 * from copying. All zeros parse, but no trace has this id.
 */
export function parseTraceId(spelled: string): Uint8Array | undefined {
  const text = spelled.trim();
  if (HEX_ID.test(text)) return new Uint8Array(Buffer.from(text.padStart(32, '0'), 'hex'));
  if (!BASE64_ID.test(text)) return undefined;
  const decoded = Buffer.from(text, 'base64');
  const id = new Uint8Array(TRACE_ID_BYTES);
  id.set(decoded, TRACE_ID_BYTES - decoded.length);
  return id;
}

/** 32 lower-case hex digits; ids of another length (possible only in links) are cut or padded on the left. */
export function formatTraceId(id: Uint8Array): string {
  return Buffer.from(id.buffer, id.byteOffset, id.byteLength).toString('hex').padStart(32, '0').slice(-32);
}

/** Jaeger's legacy form: 16 hex digits when the high half is zero, else 32. */
export function formatLegacyTraceId(id: Uint8Array): string {
  const hex = formatTraceId(id);
  return hex.startsWith(HIGH_ZERO) ? hex.slice(16) : hex;
}
