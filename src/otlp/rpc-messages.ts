// The small messages of OTLP and gRPC: ExportTraceServiceResponse, google.rpc.Status and RetryInfo, in protobuf (by
// protobufjs reflection) and in protobuf's JSON mapping. One per request, so clarity matters more than speed.
import protobuf from 'protobufjs/light.js';
import { StoreError } from '../base/errors.ts';

/** Tells the client about spans that were not stored. */
export interface PartialSuccess {
  readonly rejectedSpans: number;
  readonly errorMessage: string;
}

/** google.rpc.Status; a RetryInfo among its details has `retrySeconds`. */
export interface RpcStatus {
  /** gRPC status code. */
  readonly code: number;
  readonly message: string;
  readonly retrySeconds: number | undefined;
}

/** The two encodings of OTLP/HTTP. */
export type OtlpEncoding = 'protobuf' | 'json';

const RETRY_INFO_URL = 'type.googleapis.com/google.rpc.RetryInfo';

const field = (id: number, type: string, rule?: 'repeated') => (rule === undefined ? { id, type } : { id, type, rule });

const root = protobuf.Root.fromJSON({
  nested: {
    ExportTracePartialSuccess: { fields: { rejectedSpans: field(1, 'int64'), errorMessage: field(2, 'string') } },
    ExportTraceServiceResponse: { fields: { partialSuccess: field(1, 'ExportTracePartialSuccess') } },
    Any: { fields: { typeUrl: field(1, 'string'), value: field(2, 'bytes') } },
    Status: { fields: { code: field(1, 'int32'), message: field(2, 'string'), details: field(3, 'Any', 'repeated') } },
    Duration: { fields: { seconds: field(1, 'int64'), nanos: field(2, 'int32') } },
    RetryInfo: { fields: { retryDelay: field(1, 'Duration') } },
  },
});
const exportTraceServiceResponse = root.lookupType('ExportTraceServiceResponse');
const status = root.lookupType('Status');
const retryInfo = root.lookupType('RetryInfo');

/** ExportTraceServiceResponse. Without a partial success it is empty (`{}` in JSON), as OTLP requires. */
export function encodeExportResponse(partialSuccess: PartialSuccess | undefined, encoding: OtlpEncoding): Buffer {
  const response = partialSuccess === undefined ? {} : { partialSuccess };
  if (encoding === 'protobuf') return encode(exportTraceServiceResponse, response);
  // 64-bit integers are texts in protobuf's JSON.
  const json = partialSuccess && { ...partialSuccess, rejectedSpans: String(partialSuccess.rejectedSpans) };
  return Buffer.from(JSON.stringify(json === undefined ? {} : { partialSuccess: json }));
}

/** What a protobuf ExportTraceServiceResponse says about rejected spans. Throws INVALID_REQUEST. */
export function decodeExportResponse(bytes: Uint8Array): PartialSuccess {
  try {
    const { partialSuccess } = exportTraceServiceResponse.toObject(exportTraceServiceResponse.decode(bytes), {
      longs: Number,
    }) as {
      partialSuccess?: Partial<PartialSuccess>;
    };
    return { rejectedSpans: 0, errorMessage: '', ...partialSuccess };
  } catch (cause) {
    throw new StoreError(
      'INVALID_REQUEST',
      `the answer to a write is no ExportTraceServiceResponse: ${String(cause)}`,
      {
        cause,
      },
    );
  }
}

/** google.rpc.Status, with RetryInfo if the client should retry. */
export function encodeRpcStatus(error: RpcStatus, encoding: OtlpEncoding): Buffer {
  const { code, retrySeconds } = error;
  const message = error.message.toWellFormed();
  if (encoding === 'json') {
    const details =
      retrySeconds === undefined ? {} : { details: [{ '@type': RETRY_INFO_URL, retryDelay: `${retrySeconds}s` }] };
    return Buffer.from(JSON.stringify({ code, message, ...details }));
  }
  if (retrySeconds === undefined) return encode(status, { code, message });
  const value = encode(retryInfo, { retryDelay: { seconds: retrySeconds } });
  return encode(status, { code, message, details: [{ typeUrl: RETRY_INFO_URL, value }] });
}

function encode(type: protobuf.Type, message: object): Buffer {
  return Buffer.from(type.encode(type.fromObject(message)).finish());
}
