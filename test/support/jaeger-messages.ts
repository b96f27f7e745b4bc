// The messages of Jaeger's gRPC APIs and their codecs, by definitions of the tests' own, so that a wrong number in the
// program's cannot hide. The names are this file's: on the wire there are only numbers.
import protobuf from 'protobufjs';

const { root } = protobuf.parse(
  `syntax = "proto3";
  message Time { int64 seconds = 1; int32 nanos = 2; }
  message Empty {}
  message AnyValue {
    oneof value { string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4;
      ArrayValue array_value = 5; KeyValueList kvlist_value = 6; bytes bytes_value = 7; }
  }
  message ArrayValue { repeated AnyValue values = 1; }
  message KeyValueList { repeated TypedTag values = 1; }
  message TypedTag { string key = 1; AnyValue value = 2; }
  message FilterAttr { string key = 1; string level = 2; }
  message FilterField { string name = 1; string level = 2; }
  message FilterNested { string level = 1; }
  message FilterScalar { string value = 1; string type = 2; }
  message FilterList { repeated string values = 1; string type = 2; }
  message FilterCall { string op = 1; repeated FilterTerm args = 2; }
  message FilterTerm {
    oneof term { FilterAttr attr = 1; FilterField field = 2; FilterNested nested = 3; FilterScalar scalar = 4;
      FilterList list = 5; FilterCall call = 6; }
  }
  message TraceHint { bytes trace_id = 1; Time start_time = 2; Time end_time = 3; }
  message TraceHints { repeated TraceHint query = 1; }
  message StorageQuery {
    string service_name = 1; string operation_name = 2; repeated TypedTag attributes = 3; Time start_time_min = 4;
    Time start_time_max = 5; Time duration_min = 6; Time duration_max = 7; int32 search_depth = 8; FilterCall filter = 9;
  }
  message StorageSearch { StorageQuery query = 1; }
  message FoundId { bytes trace_id = 1; Time start = 2; Time end = 3; }
  message FoundIds { repeated FoundId trace_ids = 1; }
  message ServiceCounts { string name = 1; int32 span_count = 2; int32 error_span_count = 3; }
  message BytesSummary {
    bytes trace_id = 1; string root_service_name = 2; string root_operation_name = 3;
    fixed64 min_start_time_unix_nano = 4; fixed64 max_end_time_unix_nano = 5; int32 span_count = 6;
    int32 error_span_count = 7; int32 orphan_span_count = 8; repeated ServiceCounts services = 9;
  }
  message BytesSummaries { repeated BytesSummary summaries = 1; }
  message TextSummary {
    string trace_id = 1; string root_service_name = 2; string root_operation_name = 3;
    fixed64 min_start_time_unix_nano = 4; fixed64 max_end_time_unix_nano = 5; int32 span_count = 6;
    int32 error_span_count = 7; int32 orphan_span_count = 8; repeated ServiceCounts services = 9;
  }
  message TextSummaries { repeated TextSummary summaries = 1; }
  message Services { repeated string services = 1; }
  message OperationsOf { string service = 1; string span_kind = 2; }
  message Operation { string name = 1; string span_kind = 2; }
  message Operations { repeated Operation operations = 1; }
  message OperationsAndNames { repeated string operation_names = 1; repeated Operation operations = 2; }
  message Window { Time start_time = 1; Time end_time = 2; }
  message Dependency { string parent = 1; string child = 2; uint64 call_count = 3; string source = 4; }
  message Dependencies { repeated Dependency dependencies = 1; }
  message FilterCapabilities { repeated string levels = 1; repeated string operators = 2; }
  message SearchCapabilities { bool without_service_name = 1; bool same_span_conjunction = 2; FilterCapabilities filter = 3; }
  message Capabilities { SearchCapabilities search = 1; }
  message TextTrace { string trace_id = 1; Time start_time = 2; Time end_time = 3; bool raw_traces = 4; }
  message BytesTrace { bytes trace_id = 1; Time start_time = 2; Time end_time = 3; bool raw_traces = 4; }
  message TextQuery {
    string service_name = 1; string operation_name = 2; map<string, string> tags = 3; Time start_time_min = 4;
    Time start_time_max = 5; Time duration_min = 6; Time duration_max = 7; int32 search_depth = 8; bool raw_traces = 9;
    FilterCall filter = 10;
  }
  message TextSearch { TextQuery query = 1; }
  message JaegerTag {
    string key = 1; int32 v_type = 2; string v_str = 3; bool v_bool = 4; int64 v_int64 = 5; double v_float64 = 6;
    bytes v_binary = 7;
  }
  message JaegerLog { Time timestamp = 1; repeated JaegerTag fields = 2; }
  message JaegerReference { bytes trace_id = 1; bytes span_id = 2; int32 ref_type = 3; }
  message JaegerProcess { string service_name = 1; repeated JaegerTag tags = 2; }
  message JaegerSpan {
    bytes trace_id = 1; bytes span_id = 2; string operation_name = 3; repeated JaegerReference references = 4;
    uint32 flags = 5; Time start_time = 6; Time duration = 7; repeated JaegerTag tags = 8; repeated JaegerLog logs = 9;
    JaegerProcess process = 10; string process_id = 11; repeated string warnings = 12;
  }
  message JaegerSpans { repeated JaegerSpan spans = 1; }
  message MetricsBase {
    repeated string service_names = 1; bool group_by_operation = 2; Time end_time = 3; Time lookback = 4; Time step = 5;
    Time rate_per = 6; repeated int32 span_kinds = 7;
  }
  message MetricsOf { MetricsBase base_request = 1; double quantile = 2; }
  message MetricLabel { string name = 1; string value = 2; }
  message MetricGauge { double double_value = 1; }
  message MetricPoint { MetricGauge gauge_value = 2; Time timestamp = 8; }
  message Metric { repeated MetricLabel labels = 1; repeated MetricPoint metric_points = 2; }
  message MetricFamily { string name = 1; int32 type = 2; string unit = 3; string help = 4; repeated Metric metrics = 5; }
  message Metrics { MetricFamily metrics = 1; }
  message MinStep { Time min_step = 1; }
  message HealthOf { string service = 1; }
  message Health { int32 status = 1; }`,
);

export function encodeMessage(type: string, message: object): Buffer {
  const reflected = root.lookupType(type);
  return Buffer.from(reflected.encode(reflected.fromObject(message)).finish());
}

/** With every field: absent ones have their default; 64-bit integers are bigint. */
export function decodeMessage<T>(type: string, bytes: Uint8Array): T {
  const reflected = root.lookupType(type);
  return reflected.toObject(reflected.decode(bytes), { longs: BigInt, defaults: true }) as T;
}
