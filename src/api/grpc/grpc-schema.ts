// The gRPC services and messages other than OTLP's Export: Jaeger's query and remote storage APIs (contract/jaeger.md §5), health,
// and the types they use, as our own protobuf text with the contract's numbers and names. protobufjs makes the codecs from
// it, and server reflection shows it. Payloads that exist as bytes (TracesData, api_v2 spans) never go through these codecs:
// they are written by hand and only described here.
import protobuf from 'protobufjs';
import { CLUSTER_PROTO } from '../../cluster/protocol.ts';
import { SPAN_KINDS } from '../../trace/span-kinds.ts';
import { expressionNamespace } from '../jaeger/expression-messages.ts';

/** Members of OTLP's enum and of the metrics service's. */
const KIND_MEMBERS = SPAN_KINDS.map((word, number) => `SPAN_KIND_${word.toUpperCase()} = ${number};`).join(' ');

const GOOGLE = `syntax = "proto3"; package google.protobuf;
message Timestamp { int64 seconds = 1; int32 nanos = 2; }
message Duration { int64 seconds = 1; int32 nanos = 2; }`;

const OTLP_COMMON = `syntax = "proto3"; package opentelemetry.proto.common.v1;
message AnyValue {
  oneof value {
    string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4;
    ArrayValue array_value = 5; KeyValueList kvlist_value = 6; bytes bytes_value = 7;
  }
}
message ArrayValue { repeated AnyValue values = 1; }
message KeyValueList { repeated KeyValue values = 1; }
message KeyValue { string key = 1; AnyValue value = 2; }
message InstrumentationScope {
  string name = 1; string version = 2; repeated KeyValue attributes = 3; uint32 dropped_attributes_count = 4;
}
message EntityRef {
  string schema_url = 1; string type = 2; repeated string id_keys = 3; repeated string description_keys = 4;
}`;

const OTLP_RESOURCE = `syntax = "proto3"; package opentelemetry.proto.resource.v1;
message Resource {
  repeated opentelemetry.proto.common.v1.KeyValue attributes = 1; uint32 dropped_attributes_count = 2;
  repeated opentelemetry.proto.common.v1.EntityRef entity_refs = 3;
}`;

const OTLP_TRACE = `syntax = "proto3"; package opentelemetry.proto.trace.v1;
message TracesData { repeated ResourceSpans resource_spans = 1; }
message ResourceSpans {
  opentelemetry.proto.resource.v1.Resource resource = 1; repeated ScopeSpans scope_spans = 2; string schema_url = 3;
}
message ScopeSpans {
  opentelemetry.proto.common.v1.InstrumentationScope scope = 1; repeated Span spans = 2; string schema_url = 3;
}
message Span {
  bytes trace_id = 1; bytes span_id = 2; string trace_state = 3; bytes parent_span_id = 4; string name = 5;
  SpanKind kind = 6; fixed64 start_time_unix_nano = 7; fixed64 end_time_unix_nano = 8;
  repeated opentelemetry.proto.common.v1.KeyValue attributes = 9; uint32 dropped_attributes_count = 10;
  repeated Event events = 11; uint32 dropped_events_count = 12; repeated Link links = 13;
  uint32 dropped_links_count = 14; Status status = 15; fixed32 flags = 16;
  enum SpanKind { ${KIND_MEMBERS} }
  message Event {
    fixed64 time_unix_nano = 1; string name = 2; repeated opentelemetry.proto.common.v1.KeyValue attributes = 3;
    uint32 dropped_attributes_count = 4;
  }
  message Link {
    bytes trace_id = 1; bytes span_id = 2; string trace_state = 3;
    repeated opentelemetry.proto.common.v1.KeyValue attributes = 4; uint32 dropped_attributes_count = 5;
    fixed32 flags = 6;
  }
}
message Status {
  string message = 2; StatusCode code = 3;
  enum StatusCode { STATUS_CODE_UNSET = 0; STATUS_CODE_OK = 1; STATUS_CODE_ERROR = 2; }
}`;

const OTLP_COLLECTOR = `syntax = "proto3"; package opentelemetry.proto.collector.trace.v1;
message ExportTraceServiceRequest { repeated opentelemetry.proto.trace.v1.ResourceSpans resource_spans = 1; }
message ExportTraceServiceResponse { ExportTracePartialSuccess partial_success = 1; }
message ExportTracePartialSuccess { int64 rejected_spans = 1; string error_message = 2; }
service TraceService { rpc Export(ExportTraceServiceRequest) returns (ExportTraceServiceResponse); }`;

const HEALTH = `syntax = "proto3"; package grpc.health.v1;
message HealthCheckRequest { string service = 1; }
message HealthCheckResponse {
  ServingStatus status = 1;
  enum ServingStatus { UNKNOWN = 0; SERVING = 1; NOT_SERVING = 2; SERVICE_UNKNOWN = 3; }
}
message HealthListRequest {}
message HealthListResponse { map<string, HealthCheckResponse> statuses = 1; }
service Health {
  rpc Check(HealthCheckRequest) returns (HealthCheckResponse);
  rpc Watch(HealthCheckRequest) returns (stream HealthCheckResponse);
  rpc List(HealthListRequest) returns (HealthListResponse);
}`;

const STORAGE_V2 = `syntax = "proto3"; package jaeger.storage.v2;
message GetTraceParams {
  bytes trace_id = 1; google.protobuf.Timestamp start_time = 2; google.protobuf.Timestamp end_time = 3;
}
message GetTracesRequest { repeated GetTraceParams query = 1; }
message GetServicesRequest {}
message GetServicesResponse { repeated string services = 1; }
message GetOperationsRequest { string service = 1; string span_kind = 2; }
message Operation { string name = 1; string span_kind = 2; }
message GetOperationsResponse { repeated Operation operations = 1; }
message KeyValue { string key = 1; AnyValue value = 2; }
message AnyValue {
  oneof value {
    string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4;
    ArrayValue array_value = 5; KeyValueList kvlist_value = 6; bytes bytes_value = 7;
  }
}
message KeyValueList { repeated KeyValue values = 1; }
message ArrayValue { repeated AnyValue values = 1; }
message TraceQueryParameters {
  string service_name = 1; string operation_name = 2; repeated KeyValue attributes = 3;
  google.protobuf.Timestamp start_time_min = 4; google.protobuf.Timestamp start_time_max = 5;
  google.protobuf.Duration duration_min = 6; google.protobuf.Duration duration_max = 7; int32 search_depth = 8;
  jaeger.expression.v1.Call filter = 9;
}
message FindTracesRequest { TraceQueryParameters query = 1; }
message FindTraceIDsRequest { TraceQueryParameters query = 1; }
message FoundTraceID {
  bytes trace_id = 1; google.protobuf.Timestamp start = 2; google.protobuf.Timestamp end = 3;
}
message FindTraceIDsResponse { repeated FoundTraceID trace_ids = 1; }
message ServiceSummary { string name = 1; int32 span_count = 2; int32 error_span_count = 3; }
message TraceSummary {
  bytes trace_id = 1; string root_service_name = 2; string root_operation_name = 3;
  fixed64 min_start_time_unix_nano = 4; fixed64 max_end_time_unix_nano = 5; int32 span_count = 6;
  int32 error_span_count = 7; int32 orphan_span_count = 8; repeated ServiceSummary services = 9;
}
message FindTraceSummariesRequest { TraceQueryParameters query = 1; }
message FindTraceSummariesResponse { repeated TraceSummary summaries = 1; }
service TraceReader {
  rpc GetTraces(GetTracesRequest) returns (stream opentelemetry.proto.trace.v1.TracesData);
  rpc GetServices(GetServicesRequest) returns (GetServicesResponse);
  rpc GetOperations(GetOperationsRequest) returns (GetOperationsResponse);
  rpc FindTraces(FindTracesRequest) returns (stream opentelemetry.proto.trace.v1.TracesData);
  rpc FindTraceIDs(FindTraceIDsRequest) returns (FindTraceIDsResponse);
  rpc FindTraceSummaries(FindTraceSummariesRequest) returns (stream FindTraceSummariesResponse);
}
message GetDependenciesRequest { google.protobuf.Timestamp start_time = 1; google.protobuf.Timestamp end_time = 2; }
message Dependency { string parent = 1; string child = 2; uint64 call_count = 3; string source = 4; }
message GetDependenciesResponse { repeated Dependency dependencies = 1; }
service DependencyReader { rpc GetDependencies(GetDependenciesRequest) returns (GetDependenciesResponse); }
message GetCapabilitiesRequest {}
message FilterCapabilities { repeated string levels = 1; repeated string operators = 2; }
message SearchCapabilities {
  bool without_service_name = 1; bool same_span_conjunction = 2; FilterCapabilities filter = 3;
}
message GetCapabilitiesResponse { SearchCapabilities search = 1; }
service Capabilities { rpc GetCapabilities(GetCapabilitiesRequest) returns (GetCapabilitiesResponse); }`;

const API_V3 = `syntax = "proto3"; package jaeger.api_v3;
message GetTraceRequest {
  string trace_id = 1; google.protobuf.Timestamp start_time = 2; google.protobuf.Timestamp end_time = 3;
  bool raw_traces = 4;
}
message TraceQueryParameters {
  string service_name = 1; string operation_name = 2; map<string, string> attributes = 3;
  google.protobuf.Timestamp start_time_min = 4; google.protobuf.Timestamp start_time_max = 5;
  google.protobuf.Duration duration_min = 6; google.protobuf.Duration duration_max = 7; int32 search_depth = 8;
  bool raw_traces = 9; jaeger.expression.v1.Call filter = 10;
}
message FindTracesRequest { TraceQueryParameters query = 1; }
message GetServicesRequest {}
message GetServicesResponse { repeated string services = 1; }
message GetOperationsRequest { string service = 1; string span_kind = 2; }
message Operation { string name = 1; string span_kind = 2; }
message GetOperationsResponse { repeated Operation operations = 1; }
message GetDependenciesRequest { google.protobuf.Timestamp start_time = 1; google.protobuf.Timestamp end_time = 2; }
message Dependency { string parent = 1; string child = 2; uint64 call_count = 3; }
message DependenciesResponse { repeated Dependency dependencies = 1; }
message ServiceSummary { string name = 1; int32 span_count = 2; int32 error_span_count = 3; }
message TraceSummary {
  string trace_id = 1; string root_service_name = 2; string root_operation_name = 3;
  fixed64 min_start_time_unix_nano = 4; fixed64 max_end_time_unix_nano = 5; int32 span_count = 6;
  int32 error_span_count = 7; int32 orphan_span_count = 8; repeated ServiceSummary services = 9;
}
message FindTraceSummariesRequest { TraceQueryParameters query = 1; }
message FindTraceSummariesResponse { repeated TraceSummary summaries = 1; }
service QueryService {
  rpc GetTrace(GetTraceRequest) returns (stream opentelemetry.proto.trace.v1.TracesData);
  rpc FindTraces(FindTracesRequest) returns (stream opentelemetry.proto.trace.v1.TracesData);
  rpc GetServices(GetServicesRequest) returns (GetServicesResponse);
  rpc GetOperations(GetOperationsRequest) returns (GetOperationsResponse);
  rpc GetDependencies(GetDependenciesRequest) returns (DependenciesResponse);
  rpc FindTraceSummaries(FindTraceSummariesRequest) returns (stream FindTraceSummariesResponse);
}`;

const API_V2 = `syntax = "proto3"; package jaeger.api_v2;
enum ValueType { STRING = 0; BOOL = 1; INT64 = 2; FLOAT64 = 3; BINARY = 4; }
message KeyValue {
  string key = 1; ValueType v_type = 2; string v_str = 3; bool v_bool = 4; int64 v_int64 = 5; double v_float64 = 6;
  bytes v_binary = 7;
}
message Log { google.protobuf.Timestamp timestamp = 1; repeated KeyValue fields = 2; }
enum SpanRefType { CHILD_OF = 0; FOLLOWS_FROM = 1; }
message SpanRef { bytes trace_id = 1; bytes span_id = 2; SpanRefType ref_type = 3; }
message Process { string service_name = 1; repeated KeyValue tags = 2; }
message Span {
  bytes trace_id = 1; bytes span_id = 2; string operation_name = 3; repeated SpanRef references = 4; uint32 flags = 5;
  google.protobuf.Timestamp start_time = 6; google.protobuf.Duration duration = 7; repeated KeyValue tags = 8;
  repeated Log logs = 9; Process process = 10; string process_id = 11; repeated string warnings = 12;
}
message SpansResponseChunk { repeated Span spans = 1; }
message GetTraceRequest {
  bytes trace_id = 1; google.protobuf.Timestamp start_time = 2; google.protobuf.Timestamp end_time = 3;
  bool raw_traces = 4;
}
message ArchiveTraceRequest {
  bytes trace_id = 1; google.protobuf.Timestamp start_time = 2; google.protobuf.Timestamp end_time = 3;
}
message ArchiveTraceResponse {}
message TraceQueryParameters {
  string service_name = 1; string operation_name = 2; map<string, string> tags = 3;
  google.protobuf.Timestamp start_time_min = 4; google.protobuf.Timestamp start_time_max = 5;
  google.protobuf.Duration duration_min = 6; google.protobuf.Duration duration_max = 7; int32 search_depth = 8;
  bool raw_traces = 9;
}
message FindTracesRequest { TraceQueryParameters query = 1; }
message GetServicesRequest {}
message GetServicesResponse { repeated string services = 1; }
message GetOperationsRequest { string service = 1; string span_kind = 2; }
message Operation { string name = 1; string span_kind = 2; }
message GetOperationsResponse { repeated string operationNames = 1; repeated Operation operations = 2; }
message GetDependenciesRequest { google.protobuf.Timestamp start_time = 1; google.protobuf.Timestamp end_time = 2; }
message DependencyLink { string parent = 1; string child = 2; uint64 call_count = 3; string source = 4; }
message GetDependenciesResponse { repeated DependencyLink dependencies = 1; }
service QueryService {
  rpc GetTrace(GetTraceRequest) returns (stream SpansResponseChunk);
  rpc ArchiveTrace(ArchiveTraceRequest) returns (ArchiveTraceResponse);
  rpc FindTraces(FindTracesRequest) returns (stream SpansResponseChunk);
  rpc GetServices(GetServicesRequest) returns (GetServicesResponse);
  rpc GetOperations(GetOperationsRequest) returns (GetOperationsResponse);
  rpc GetDependencies(GetDependenciesRequest) returns (GetDependenciesResponse);
}`;

const METRICS = `syntax = "proto3"; package jaeger.api_v2.metrics;
enum SpanKind { ${KIND_MEMBERS} }
message MetricsQueryBaseRequest {
  repeated string service_names = 1; bool groupByOperation = 2; google.protobuf.Timestamp end_time = 3;
  google.protobuf.Duration lookback = 4; google.protobuf.Duration step = 5; google.protobuf.Duration ratePer = 6;
  repeated SpanKind spanKinds = 7;
}
message GetLatenciesRequest { MetricsQueryBaseRequest baseRequest = 1; double quantile = 2; }
message GetCallRatesRequest { MetricsQueryBaseRequest baseRequest = 1; }
message GetErrorRatesRequest { MetricsQueryBaseRequest baseRequest = 1; }
message GetMinStepDurationRequest {}
message GetMinStepDurationResponse { google.protobuf.Duration minStep = 1; }
enum MetricType {
  UNKNOWN = 0; GAUGE = 1; COUNTER = 2; STATE_SET = 3; INFO = 4; HISTOGRAM = 5; GAUGE_HISTOGRAM = 6; SUMMARY = 7;
}
message Label { string name = 1; string value = 2; }
message GaugeValue { oneof value { double double_value = 1; int64 int_value = 2; } }
message MetricPoint { oneof value { GaugeValue gauge_value = 2; } google.protobuf.Timestamp timestamp = 8; }
message Metric { repeated Label labels = 1; repeated MetricPoint metric_points = 2; }
message MetricFamily {
  string name = 1; MetricType type = 2; string unit = 3; string help = 4; repeated Metric metrics = 5;
}
message GetMetricsResponse { MetricFamily metrics = 1; }
service MetricsQueryService {
  rpc GetMinStepDuration(GetMinStepDurationRequest) returns (GetMinStepDurationResponse);
  rpc GetLatencies(GetLatenciesRequest) returns (GetMetricsResponse);
  rpc GetCallRates(GetCallRatesRequest) returns (GetMetricsResponse);
  rpc GetErrorRates(GetErrorRatesRequest) returns (GetMetricsResponse);
}`;

const PROTO_FILES: readonly string[] = [
  GOOGLE,
  OTLP_COMMON,
  OTLP_RESOURCE,
  OTLP_TRACE,
  OTLP_COLLECTOR,
  HEALTH,
  STORAGE_V2,
  API_V3,
  API_V2,
  METRICS,
  CLUSTER_PROTO,
];

function parseAll(keepCase: boolean): protobuf.Root {
  const root = protobuf.Root.fromJSON({ nested: expressionNamespace });
  for (const text of PROTO_FILES) protobuf.parse(text, root, { keepCase });
  root.resolveAll();
  return root;
}

const root = parseAll(false);

/** The same schema, with field names spelled as in the contract, for server reflection. */
export function describedRoot(): protobuf.Root {
  return parseAll(true);
}

/** A method of a service, with the codecs of its messages. */
export interface MethodSchema {
  /** /package.Service/Method */
  readonly path: string;
  readonly isStream: boolean;
  readonly request: protobuf.Type;
  readonly response: protobuf.Type;
}

/** The method `name` of `service`, a full name such as jaeger.storage.v2.TraceReader. */
export function methodSchema(service: string, name: string): MethodSchema {
  const owner = root.lookupService(service);
  const method = owner.methods[name]!;
  return {
    path: `/${service}/${name}`,
    isStream: method.responseStream === true,
    request: owner.parent!.lookupType(method.requestType),
    response: owner.parent!.lookupType(method.responseType),
  };
}

/** The message type of full name `name`. */
export function messageType(name: string): protobuf.Type {
  return root.lookupType(name);
}

/** Reads a message: absent scalars are absent, 64-bit integers are bigint, lists always exist. Throws what protobufjs does. */
export function decodeMessage(type: protobuf.Type, bytes: Uint8Array): object {
  return type.toObject(type.decode(bytes), { longs: BigInt, arrays: true, objects: true });
}

/** Writes a message given as a plain object; 64-bit integers are numbers, or decimal texts beyond 2^53. */
export function encodeMessage(type: protobuf.Type, message: object): Buffer {
  return Buffer.from(type.encode(type.fromObject(message)).finish());
}
