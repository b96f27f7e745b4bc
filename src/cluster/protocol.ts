// tracelith.cluster.v1 (docs/format/cluster-protocol.md): what select and insert ask a storage node beyond OTLP and
// jaeger.storage.v2, and the metadata with which these two are exact. As protobuf text, from which protobufjs makes the codecs
// of both sides. Fields are only ever added: a node answers callers of the version before and after its own.
import protobuf from 'protobufjs';
import { StoreError } from '../base/errors.ts';
import type { Marked, Missing, RejectReason, StartWindow, WriteResult } from '../trace/store.ts';

/** Raised when a caller must know what a node can do. */
export const PROTOCOL_VERSION = 1;

/** Request metadata: the answer is for another node, so it is exact. `1`. */
export const EXACT_KEY = 'tracelith-exact';
/** Request metadata: an answer without some nodes will do. `1`. */
export const ALLOW_PARTIAL_KEY = 'tracelith-allow-partial';
/** Request metadata of Export: as the key of SpanWriter.write. */
export const WRITE_KEY_KEY = 'tracelith-write-key';
/** Request metadata of Export: WriteContext.strays, as `min-max`. */
export const STRAYS_KEY = 'tracelith-strays';
/**
 * Request metadata of a select in front of a log: answer when these offsets are stored, as `partition:offset,…`, or with how far
 * the node is after a bounded wait.
 */
export const LOG_OFFSETS_KEY = 'tracelith-log-offsets';
/** Trailer of an exact answer that may lack something: a Marks message. */
export const MARKS_KEY = 'tracelith-marks-bin';
/** Trailer of an exact Export of which something was not stored: a SliceResult. */
export const WRITE_RESULT_KEY = 'tracelith-write-result-bin';
/** Trailer of a failure: its StoreErrorCode. */
export const CODE_KEY = 'tracelith-code';

export const STORAGE_NODE = 'tracelith.cluster.v1.StorageNode';

/** For api/grpc/grpc-schema.ts, and docs/format/cluster-protocol.md, which a test compares. */
export const CLUSTER_PROTO = `syntax = "proto3"; package tracelith.cluster.v1;
message DescribeRequest {}
message DescribeResponse {
  string name = 1; string version = 2; uint32 protocol = 3; bool is_read_only = 4; string instance = 5;
  repeated string behind = 6;
  LogPlace log = 7;
}
message LogPlace {
  string zone = 1; uint32 ordinal = 2; uint32 nodes = 3; uint32 partitions = 4; map<uint32, uint64> consumed = 5;
  bool has_gaps = 6;
}
message Slice { string tenant = 1; string key = 2; bytes body = 3; StartWindow strays = 4; }
message StartWindow { fixed64 start_min_ns = 1; fixed64 start_max_ns = 2; }
message WriteSlicesRequest { repeated Slice slices = 1; }
message SliceResult {
  uint64 stored = 1; map<string, uint64> rejected = 2; string unknown_field = 3; string code = 4; string message = 5;
}
message WriteSlicesResponse { repeated SliceResult results = 1; }
message Tag { string key = 1; string value = 2; bool is_pattern = 3; bool is_negated = 4; }
message LastUnit { fixed64 start_ns = 1; uint32 traces_max = 2; }
message Query {
  optional string service = 1; optional string operation = 2; repeated Tag tags = 3; fixed64 start_min_ns = 4;
  fixed64 start_max_ns = 5; optional fixed64 duration_min_ns = 6; optional fixed64 duration_max_ns = 7;
  bytes filter = 8; uint32 limit = 9; LastUnit last_unit = 10;
}
message SearchRequest { Query query = 1; }
message Hit { bytes trace_id = 1; fixed64 matched_start_ns = 2; }
message SearchResponse { repeated Hit hits = 1; }
message TraceIds { repeated bytes trace_ids = 1; }
message DependenciesRequest { fixed64 start_ns = 1; fixed64 end_ns = 2; }
message Link { string parent = 1; string child = 2; uint64 call_count = 3; uint64 error_count = 4; }
message DependenciesResponse { repeated Link links = 1; }
message CallSeriesRequest {
  repeated string services = 1; repeated uint32 kinds = 2; fixed64 start_ns = 3; fixed64 end_ns = 4;
  bool is_by_operation = 5;
}
message Series {
  string service = 1; optional string operation = 2; repeated double minutes = 3; repeated double calls = 4;
  repeated double errors = 5; repeated uint32 bucket_ends = 6; repeated uint32 buckets = 7; repeated double counts = 8;
}
message ExplainResponse {
  uint64 partitions = 1; uint64 parts = 2; uint64 blocks = 3; uint64 log_blocks = 4; map<string, uint64> fates = 5;
  uint64 bytes = 6; uint64 traces = 7; double waited_ms = 8; double took_ms = 9;
}
message ArchiveRequest { bytes trace_id = 1; }
message ArchiveResponse { bool is_found = 1; }
message Missing { string node = 1; string reason = 2; }
message Behind { uint32 partition = 1; uint64 offset = 2; uint64 age_ms = 3; }
message Marks { repeated string warnings = 1; repeated Missing missing = 2; repeated Behind behind = 3; }
service StorageNode {
  rpc Describe(DescribeRequest) returns (DescribeResponse);
  rpc WriteSlices(WriteSlicesRequest) returns (WriteSlicesResponse);
  rpc Search(SearchRequest) returns (SearchResponse);
  rpc HasTraces(TraceIds) returns (TraceIds);
  rpc GetDependencies(DependenciesRequest) returns (DependenciesResponse);
  rpc GetCallSeries(CallSeriesRequest) returns (stream Series);
  rpc Explain(SearchRequest) returns (ExplainResponse);
  rpc ArchiveTrace(ArchiveRequest) returns (ArchiveResponse);
  rpc IsArchived(ArchiveRequest) returns (ArchiveResponse);
  rpc DeleteArchived(ArchiveRequest) returns (ArchiveResponse);
}`;

/** What a caller of jaeger.storage.v2 needs of it. */
const JAEGER_PROTO = `syntax = "proto3"; package jaeger.storage.v2;
message GetTraceParams { bytes trace_id = 1; }
message GetTracesRequest { repeated GetTraceParams query = 1; }
message GetServicesRequest {}
message GetServicesResponse { repeated string services = 1; }
message GetOperationsRequest { string service = 1; string span_kind = 2; }
message Operation { string name = 1; string span_kind = 2; }
message GetOperationsResponse { repeated Operation operations = 1; }`;

const root = new protobuf.Root();
for (const text of [CLUSTER_PROTO, JAEGER_PROTO]) protobuf.parse(text, root);
root.resolveAll();

/** Codec of a message. 64-bit integers are bigint; lists and maps always exist; absent scalars are absent. */
export interface MessageCodec<T> {
  encode(message: T): Uint8Array;
  /** Throws UNAVAILABLE if the bytes are not such a message: a node of another version, or none. */
  decode(bytes: Uint8Array): T;
}

/** The codec of a message of either package, by full name; `T` is its form here. */
export function codecOf<T extends object>(name: string): MessageCodec<T> {
  const type = root.lookupType(name);
  return {
    encode: (message) => type.encode(type.fromObject(plain(message) as object)).finish(),
    decode: (bytes) => {
      try {
        return type.toObject(type.decode(bytes), { longs: BigInt, arrays: true, objects: true }) as T;
      } catch (cause) {
        throw new StoreError('UNAVAILABLE', `a storage node sent what is no ${name}: ${String(cause)}`, { cause });
      }
    },
  };
}

/** protobufjs takes 64-bit integers as decimal texts, and no undefined. */
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return String(value);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, member]) => (member === undefined ? [] : [[key, plain(member)]])),
  );
}

export interface NodeDescription {
  readonly name?: string;
  readonly version?: string;
  readonly protocol?: number;
  readonly isReadOnly?: boolean;
  /** Another one with each start of the process. */
  readonly instance?: string;
  /** Of a process that asks other nodes: its own instance, and those of all such processes behind it. */
  readonly behind?: readonly string[];
  /** Absent: it is written to directly. */
  readonly log?: LogPlace | undefined;
}

/** Which part of the log a storage node consumes, and how far it is. */
export interface LogPlace {
  readonly zone?: string;
  /** It reads the partitions p of `partitions` with p mod `nodes` = `ordinal`. */
  readonly ordinal?: number;
  readonly nodes?: number;
  readonly partitions?: number;
  /** Offsets by partition. */
  readonly consumed: Readonly<Record<string, bigint>>;
  /** The log had dropped messages before this node read them. */
  readonly hasGaps?: boolean;
}

/** For the protobuf library of the server, which takes 64-bit integers as text. */
export function plainDescription({ log, ...description }: NodeDescription): object {
  if (log === undefined) return description;
  const consumed = Object.fromEntries(
    Object.entries(log.consumed).map(([partition, offset]) => [partition, String(offset)]),
  );
  return { ...description, log: { ...log, consumed } };
}

/** The value of LOG_OFFSETS_KEY. */
export function offsetsText(offsets: ReadonlyMap<number, bigint>): string {
  return [...offsets].map(([partition, offset]) => `${partition}:${offset}`).join(',');
}

/** Of a value of LOG_OFFSETS_KEY. Throws INVALID_REQUEST. */
export function offsetsOfText(text: string): Map<number, bigint> {
  const entries = text === '' ? [] : text.split(',');
  return new Map(
    entries.map((entry) => {
      const [, partition, offset] = /^(\d{1,4}):(\d{1,19})$/.exec(entry) ?? [];
      if (partition !== undefined && offset !== undefined) return [Number(partition), BigInt(offset)];
      throw new StoreError(
        'INVALID_REQUEST',
        `${LOG_OFFSETS_KEY}: expected partition:offset, got ${entry.slice(0, 40)}`,
      );
    }),
  );
}

/** The value of STRAYS_KEY. */
export function straysText({ startMinNs, startMaxNs }: StartWindow): string {
  return `${startMinNs}-${startMaxNs}`;
}

/** Of a value of STRAYS_KEY. Throws INVALID_REQUEST. */
export function straysOfText(text: string): StartWindow {
  const [, min, max] = /^(\d{1,20})-(\d{1,20})$/.exec(text) ?? [];
  if (min !== undefined && max !== undefined) return straysOf({ startMinNs: BigInt(min), startMaxNs: BigInt(max) });
  throw new StoreError('INVALID_REQUEST', `${STRAYS_KEY}: expected min-max, got ${text.slice(0, 50)}`);
}

/** Throws INVALID_REQUEST if the window ends before it begins. */
export function straysOf({ startMinNs = 0n, startMaxNs = 0n }: Partial<StartWindow>): StartWindow {
  if (startMinNs <= startMaxNs) return { startMinNs, startMaxNs };
  throw new StoreError('INVALID_REQUEST', `strays from ${startMinNs} to ${startMaxNs}: the end is before the start`);
}

export interface SliceMessage {
  readonly tenant?: string;
  readonly key?: string;
  readonly body?: Uint8Array;
  readonly strays?: Partial<StartWindow> | undefined;
}

export interface SliceResultMessage {
  readonly stored?: bigint;
  readonly rejected: Readonly<Record<string, bigint>>;
  readonly unknownField?: string;
  /** A StoreErrorCode; absent: the slice is stored. */
  readonly code?: string;
  readonly message?: string;
}

export function sliceResultOf({ stored, rejected, unknownField }: WriteResult): SliceResultMessage {
  const counts = [...rejected].map(([reason, count]): [string, bigint] => [reason, BigInt(count)]);
  const result = { stored: BigInt(stored), rejected: Object.fromEntries(counts) };
  return unknownField === undefined ? result : { ...result, unknownField };
}

/** Reasons of a newer node pass as they are: they are only counted and shown. */
export function writeResultOf({ stored = 0n, rejected, unknownField = '' }: SliceResultMessage): WriteResult {
  const counts = Object.entries(rejected).map(([reason, count]) => [reason as RejectReason, Number(count)] as const);
  const result = { stored: Number(stored), rejected: new Map(counts) };
  return unknownField === '' ? result : { ...result, unknownField };
}

const sliceResult = codecOf<SliceResultMessage>('tracelith.cluster.v1.SliceResult');

/** The trailer WRITE_RESULT_KEY, base64. */
export function encodeSliceResult(result: WriteResult): string {
  return Buffer.from(sliceResult.encode(sliceResultOf(result))).toString('base64');
}

export function decodeSliceResult(bytes: Uint8Array): WriteResult {
  return writeResultOf(sliceResult.decode(bytes));
}

interface MarksMessage {
  readonly warnings: readonly string[];
  readonly missing: readonly Partial<Missing>[];
  readonly behind: readonly { readonly partition?: number; readonly offset?: bigint; readonly ageMs?: bigint }[];
}

const marks = codecOf<MarksMessage>('tracelith.cluster.v1.Marks');
/** Trailers are headers, and receivers take 64 KiB of them. */
const MARKS_CHARS_MAX = 24_000;
const MARKS_TEXT_MAX = 1_000;

/** The trailer MARKS_KEY, base64; undefined if nothing is lacking. Lines that do not fit are counted in a last one. */
export function encodeMarks({ warnings, missing = [], behind = [] }: Marked): string | undefined {
  if (warnings.length + missing.length + behind.length === 0) return undefined;
  const lines: string[] = [];
  let chars = 0;
  for (const warning of warnings) {
    const line = warning.slice(0, MARKS_TEXT_MAX);
    chars += line.length;
    if (chars > MARKS_CHARS_MAX) break;
    lines.push(line);
  }
  if (lines.length < warnings.length) lines.push(`${warnings.length - lines.length} more warnings`);
  const absent = missing.slice(0, 100).map(({ node, reason }) => ({ node, reason: reason.slice(0, 100) }));
  const lags = behind.map(({ ageMs, ...one }) => ({ ...one, ageMs: BigInt(Math.round(ageMs)) }));
  return Buffer.from(marks.encode({ warnings: lines, missing: absent, behind: lags })).toString('base64');
}

export function decodeMarks(bytes: Uint8Array | undefined): Marked {
  if (bytes === undefined) return { warnings: [] };
  const { warnings, missing, behind } = marks.decode(bytes);
  return {
    warnings,
    ...(missing.length > 0 && { missing: missing.map(({ node = '', reason = '' }) => ({ node, reason })) }),
    ...(behind.length > 0 && {
      behind: behind.map(({ partition = 0, offset = 0n, ageMs = 0n }) => ({ partition, offset, ageMs: Number(ageMs) })),
    }),
  };
}
