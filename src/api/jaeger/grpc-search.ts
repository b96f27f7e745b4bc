// The requests of Jaeger's gRPC APIs as exact types: each API's search becomes the same TraceQuery (contract/jaeger.md
// §5.1–5.3). Both ends of a window are inclusive, the last one with its whole unit; Go's zero time means no time. Pure.
import { StoreError } from '../../base/errors.ts';
import { limits } from '../../base/limits.ts';
import { encodeCall } from './expression-messages.ts';
import { checkFilterStandsAlone, parseFilter } from './parse-filter.ts';
import { makeSearch, TIME_MAX_NS, UNIT_NS, windowEnd, type Search } from './search-bounds.ts';
import { tagConditions } from './tag-expressions.ts';

/** google.protobuf.Timestamp and Duration as decodeMessage returns them. */
export interface ProtoTime {
  readonly seconds?: bigint;
  readonly nanos?: number;
}

/** The fields that the TraceQueryParameters of all three APIs share. */
export interface SearchMessage {
  readonly serviceName?: string;
  readonly operationName?: string;
  readonly startTimeMin?: ProtoTime;
  readonly startTimeMax?: ProtoTime;
  readonly durationMin?: ProtoTime;
  readonly durationMax?: ProtoTime;
  readonly searchDepth?: number;
  /** A jaeger.expression.v1.Call; api_v2 has none. */
  readonly filter?: object;
}

const DEPTH_DEFAULT = 100;
const NS_PER_SECOND = 1_000_000_000n;
/** Seconds of Go's zero time, 1 January of year 1, which Go clients send for an unset time. */
const GO_ZERO_SECONDS = -62_135_596_800n;

/** ns since the epoch; undefined for an unset time. */
export function timestampNs(time: ProtoTime | undefined): bigint | undefined {
  if (time === undefined) return undefined;
  const { seconds = 0n, nanos = 0 } = time;
  return seconds <= GO_ZERO_SECONDS ? undefined : seconds * NS_PER_SECOND + BigInt(nanos);
}

/** 0 when absent. */
export function durationNs({ seconds = 0n, nanos = 0 }: ProtoTime = {}): bigint {
  return seconds * NS_PER_SECOND + BigInt(nanos);
}

/** ns since the epoch as a Timestamp for encodeMessage. */
export function timestampOf(ns: bigint): { readonly seconds: string; readonly nanos: number } {
  return { seconds: String(ns / NS_PER_SECOND), nanos: Number(ns % NS_PER_SECOND) };
}

/** The node's flags for searches. */
export interface SearchBounds {
  /** Limit of a search's depth, and of the traces that one request may name. */
  readonly maxTraces: number;
  /** See tag-expressions.ts; false when absent. */
  readonly hasTagExpressions?: boolean;
}

/**
 * A missing time leaves that end of the window open; `tags` are keys and values as text. Throws INVALID_REQUEST for a filter
 * that is malformed or does not stand alone.
 */
export function toSearch(
  message: SearchMessage,
  tags: Iterable<readonly [key: string, value: string]>,
  { maxTraces, hasTagExpressions }: SearchBounds,
): Search {
  const endNs = timestampNs(message.startTimeMax);
  const end =
    endNs === undefined ? { startMaxNs: TIME_MAX_NS } : windowEnd({ ns: endNs, unitNs: unitOf(endNs) }, maxTraces);
  const parts = {
    service: message.serviceName || undefined,
    operation: message.operationName || undefined,
    tags: tagConditions(tags, hasTagExpressions),
    startNs: timestampNs(message.startTimeMin) ?? 0n,
    end,
    min: durationNs(message.durationMin),
    max: durationNs(message.durationMax),
    limit: depthOf(message.searchDepth, maxTraces),
  };
  const search = makeSearch(parts, maxTraces);
  if (message.filter === undefined) return search;
  checkFilterStandsAlone(search.query);
  return {
    ...search,
    query: { ...search.query, filter: parseFilter(message.filter), filterMessage: encodeCall(message.filter) },
  };
}

/**
 * A Timestamp does not carry its unit. A Jaeger in front of this node passes on the µs of its legacy API and the ms of its UI,
 * and must get the same answers as direct clients: so a whole ms counts as a ms, and a whole µs as a µs.
 */
function unitOf(ns: bigint): bigint {
  return ns % UNIT_NS.ms === 0n ? UNIT_NS.ms : ns % UNIT_NS.us === 0n ? UNIT_NS.us : UNIT_NS.ns;
}

/** Zero and below mean the default, as in Jaeger. */
function depthOf(depth = 0, maxTraces: number): number {
  return depth <= 0 ? Math.min(DEPTH_DEFAULT, maxTraces) : depth;
}

/** Throws INVALID_REQUEST if there are more tags than one search may have. */
export function checkTags<Tag>(tags: readonly Tag[]): readonly Tag[] {
  if (tags.length <= limits.searchTagsMax) return tags;
  throw new StoreError(
    'INVALID_REQUEST',
    `attributes: at most ${limits.searchTagsMax} may be given, received: ${tags.length}`,
  );
}

/** A trace id of 16 bytes, or of 8 bytes from before ids had 128 bits. Throws INVALID_REQUEST for others and for zeros. */
export function legacyTraceIdOf(id: Uint8Array = new Uint8Array(0)): Uint8Array {
  if (id.every((byte) => byte === 0)) throw new StoreError('INVALID_REQUEST', 'uninitialized TraceID is not allowed');
  return traceIdOf(id.length === 8 ? Buffer.concat([new Uint8Array(8), id]) : id);
}

/** A trace id of 16 bytes. Throws INVALID_REQUEST for another length. */
export function traceIdOf(id: Uint8Array | undefined): Uint8Array {
  if (id?.length !== 16) throw new StoreError('INVALID_REQUEST', `trace_id: expected 16 bytes, got ${id?.length ?? 0}`);
  return new Uint8Array(id);
}
