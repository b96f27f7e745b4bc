// OTLP trace messages by protobufjs reflection: the oracle beside our hand-written scan, writer and JSON reader.
// Field numbers are those of opentelemetry-proto 1.x. Longs are bigint, bytes are Uint8Array, absent stays absent
// (undefined) and empty stays empty, so two decoded requests compare with toEqual exactly when their meaning is equal.
import protobuf from 'protobufjs';

export interface OtlpAnyValue {
  stringValue?: string;
  boolValue?: boolean;
  intValue?: bigint;
  doubleValue?: number;
  arrayValue?: { values?: OtlpAnyValue[] };
  kvlistValue?: { values?: OtlpKeyValue[] };
  bytesValue?: Uint8Array;
}

export interface OtlpKeyValue {
  key?: string;
  value?: OtlpAnyValue;
}

export interface OtlpEntityRef {
  schemaUrl?: string;
  type?: string;
  idKeys?: string[];
  descriptionKeys?: string[];
}

export interface OtlpResource {
  attributes?: OtlpKeyValue[];
  droppedAttributesCount?: number;
  entityRefs?: OtlpEntityRef[];
}

export interface OtlpScope {
  name?: string;
  version?: string;
  attributes?: OtlpKeyValue[];
  droppedAttributesCount?: number;
}

export interface OtlpEvent {
  timeUnixNano?: bigint;
  name?: string;
  attributes?: OtlpKeyValue[];
  droppedAttributesCount?: number;
}

export interface OtlpLink {
  traceId?: Uint8Array;
  spanId?: Uint8Array;
  traceState?: string;
  attributes?: OtlpKeyValue[];
  droppedAttributesCount?: number;
  flags?: number;
}

export interface OtlpSpan {
  traceId?: Uint8Array;
  spanId?: Uint8Array;
  traceState?: string;
  parentSpanId?: Uint8Array;
  flags?: number;
  name?: string;
  /** 0 unspecified, 1 internal, 2 server, 3 client, 4 producer, 5 consumer. */
  kind?: number;
  startTimeUnixNano?: bigint;
  endTimeUnixNano?: bigint;
  attributes?: OtlpKeyValue[];
  droppedAttributesCount?: number;
  events?: OtlpEvent[];
  droppedEventsCount?: number;
  links?: OtlpLink[];
  droppedLinksCount?: number;
  /** code: 0 unset, 1 ok, 2 error. */
  status?: { message?: string; code?: number };
}

export interface OtlpScopeSpans {
  scope?: OtlpScope;
  spans?: OtlpSpan[];
  schemaUrl?: string;
}

export interface OtlpResourceSpans {
  resource?: OtlpResource;
  scopeSpans?: OtlpScopeSpans[];
  schemaUrl?: string;
}

/** ExportTraceServiceRequest; TracesData has the same wire form. */
export interface OtlpRequest {
  resourceSpans?: OtlpResourceSpans[];
}

export interface OtlpResponse {
  partialSuccess?: { rejectedSpans?: bigint; errorMessage?: string };
}

/** google.rpc.Status; details are google.protobuf.Any. */
export interface RpcStatus {
  code?: number;
  message?: string;
  details?: { typeUrl?: string; value?: Uint8Array }[];
}

const { root } = protobuf.parse(
  `syntax = "proto3";
  message AnyValue {
    oneof value {
      string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4;
      ArrayValue array_value = 5; KeyValueList kvlist_value = 6; bytes bytes_value = 7;
    }
  }
  message ArrayValue { repeated AnyValue values = 1; }
  message KeyValueList { repeated KeyValue values = 1; }
  message KeyValue { string key = 1; AnyValue value = 2; }
  message EntityRef {
    string schema_url = 1; string type = 2; repeated string id_keys = 3; repeated string description_keys = 4;
  }
  message Resource {
    repeated KeyValue attributes = 1; uint32 dropped_attributes_count = 2; repeated EntityRef entity_refs = 3;
  }
  message InstrumentationScope {
    string name = 1; string version = 2; repeated KeyValue attributes = 3; uint32 dropped_attributes_count = 4;
  }
  message Event {
    fixed64 time_unix_nano = 1; string name = 2; repeated KeyValue attributes = 3; uint32 dropped_attributes_count = 4;
  }
  message Link {
    bytes trace_id = 1; bytes span_id = 2; string trace_state = 3; repeated KeyValue attributes = 4;
    uint32 dropped_attributes_count = 5; fixed32 flags = 6;
  }
  message SpanStatus { string message = 2; int32 code = 3; }
  message Span {
    bytes trace_id = 1; bytes span_id = 2; string trace_state = 3; bytes parent_span_id = 4; string name = 5;
    int32 kind = 6; fixed64 start_time_unix_nano = 7; fixed64 end_time_unix_nano = 8; repeated KeyValue attributes = 9;
    uint32 dropped_attributes_count = 10; repeated Event events = 11; uint32 dropped_events_count = 12;
    repeated Link links = 13; uint32 dropped_links_count = 14; SpanStatus status = 15; fixed32 flags = 16;
  }
  message ScopeSpans { InstrumentationScope scope = 1; repeated Span spans = 2; string schema_url = 3; }
  message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; string schema_url = 3; }
  message ExportTraceServiceRequest { repeated ResourceSpans resource_spans = 1; }
  message ExportTracePartialSuccess { int64 rejected_spans = 1; string error_message = 2; }
  message ExportTraceServiceResponse { ExportTracePartialSuccess partial_success = 1; }
  message Any { string type_url = 1; bytes value = 2; }
  message Status { int32 code = 1; string message = 2; repeated Any details = 3; }
  message Duration { int64 seconds = 1; int32 nanos = 2; }
  message RetryInfo { Duration retry_delay = 1; }`,
);

/** Canonical bytes: fields in number order, default-valued scalars outside a oneof omitted, empty messages kept. */
export function encodeRequest(request: OtlpRequest): Uint8Array<ArrayBuffer> {
  return encode('ExportTraceServiceRequest', request);
}

export function decodeRequest(bytes: Uint8Array): OtlpRequest {
  return decode('ExportTraceServiceRequest', bytes);
}

/** TracesData, as FoundTrace.otlp holds it. */
export const encodeTraces: (traces: OtlpRequest) => Uint8Array<ArrayBuffer> = encodeRequest;
export const decodeTraces: (bytes: Uint8Array) => OtlpRequest = decodeRequest;

export function decodeResponse(bytes: Uint8Array): OtlpResponse {
  return decode('ExportTraceServiceResponse', bytes);
}

export function decodeRpcStatus(bytes: Uint8Array): RpcStatus {
  return decode('Status', bytes);
}

/** The delay of a RetryInfo, in whole seconds. */
export function decodeRetrySeconds(bytes: Uint8Array): bigint | undefined {
  return decode<{ retryDelay?: { seconds?: bigint } }>('RetryInfo', bytes).retryDelay?.seconds;
}

/** All spans of a request in the order of the wire. */
export function spansOf(request: OtlpRequest): OtlpSpan[] {
  return (request.resourceSpans ?? []).flatMap((r) => (r.scopeSpans ?? []).flatMap((s) => s.spans ?? []));
}

/**
 * The request as OTLP JSON: ids in lower-case hex, 64-bit integers as decimal strings, bytes in base64, NaN and
 * infinities as strings. JSON.stringify of the result is a valid body.
 */
export function toOtlpJson(request: OtlpRequest): unknown {
  return jsonOf(request, '');
}

const HEX_FIELDS = new Set(['traceId', 'spanId', 'parentSpanId']);

function jsonOf(value: unknown, field: string): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (Object.is(value, -0)) return '-0'; // JSON.stringify would drop the sign
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString(HEX_FIELDS.has(field) ? 'hex' : 'base64');
  if (Array.isArray(value)) return value.map((item) => jsonOf(item, field));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, jsonOf(item, name)]));
}

function encode(type: string, message: object): Uint8Array<ArrayBuffer> {
  const reflected = root.lookupType(type);
  return deeply(() => new Uint8Array(reflected.encode(reflected.fromObject(longs(message) as object)).finish()));
}

function decode<T>(type: string, bytes: Uint8Array): T {
  const reflected = root.lookupType(type);
  return deeply(() => plain(reflected.toObject(reflected.decode(bytes), { longs: BigInt }))) as T;
}

/** Runs `run` while protobufjs takes messages deeper than 100, which is its own bound and no part of the format. */
function deeply<T>(run: () => T): T {
  const limits = [protobuf.util, protobuf.Reader] as unknown as { recursionLimit: number }[];
  const before = limits.map(({ recursionLimit }) => recursionLimit);
  for (const one of limits) one.recursionLimit = 10_000;
  try {
    return run();
  } finally {
    limits.forEach((one, i) => (one.recursionLimit = before[i]!));
  }
}

/** fromObject knows no bigint: decimal strings are exact and become Longs. */
function longs(value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
  if (Array.isArray(value)) return value.map(longs);
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, longs(item)]));
}

/** Buffers become plain Uint8Arrays, so that toEqual compares bytes and not classes. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return new Uint8Array(value);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, plain(item)]));
}
