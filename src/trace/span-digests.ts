// What two nodes tell each other to find out whether they have the same spans of a day (docs/format/copy-protocol.md).
import type { CallContext } from './call-context.ts';

/** The version of that protocol, and the header in which both sides say it. */
export const COPY_PROTOCOL_VERSION = 1;
export const COPY_PROTOCOL_HEADER = 'tracelith-copy-protocol';

/** Bytes of a span's digest. Two different spans of one trace share one with a probability of 2^-64. */
export const SPAN_DIGEST_BYTES = 8;

/**
 * Some spans of a day: for each trace of a block its id (16 bytes), the number of its spans there (u32, little-endian), and
 * their digests. A trace may come several times, and so may a span until a merge removes its duplicates.
 */
export interface DigestPage {
  readonly records: Uint8Array;
  readonly spans: number;
  /** As those of an answer: what could not be read. */
  readonly warnings: readonly string[];
}

export interface SpanDigester {
  /** Every span that starts on `day` (days since 1970-01-01 UTC), as stored when the first page is asked for. */
  digestSpans(call: CallContext, day: number): AsyncGenerator<DigestPage, void, undefined>;
}
