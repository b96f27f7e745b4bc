// OTLP over gRPC: opentelemetry.proto.collector.trace.v1.TraceService/Export. The message is passed on as bytes: the
// store's scan is the only decoder. Every failure carries google.rpc.Status in grpc-status-details-bin, with RetryInfo
// when it passes by itself; without RetryInfo exporters drop what was refused with RESOURCE_EXHAUSTED.
import { Metadata, type handleUnaryCall, type Server, type ServerUnaryCall, type StatusObject } from '@grpc/grpc-js';
import type { Log } from '../base/log.ts';
import { encodeWriteResult } from '../otlp/partial-success.ts';
import { encodeRpcStatus } from '../otlp/rpc-messages.ts';
import { parseTenant } from '../trace/tenant.ts';
import type { Intake } from './intake.ts';
import { messageOf, notReady, statusOf } from './status.ts';

export interface OtlpGrpcOptions {
  readonly intake: Intake;
  readonly log: Log;
  /** False before the store is open and while it closes: calls get UNAVAILABLE. */
  readonly isReady: () => boolean;
}

export const OTLP_GRPC_PATH = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';

/** Where gRPC keeps google.rpc.Status. */
export const STATUS_DETAILS_KEY = 'grpc-status-details-bin';

const asIs = (bytes: Buffer): Buffer => bytes;

/** Registers Export on a server that is not yet listening. */
export function registerOtlpService(server: Server, options: OtlpGrpcOptions): void {
  const handle: handleUnaryCall<Buffer, Buffer> = (call, callback) => {
    exportTraces(call, options).then(
      (reply) => callback(null, reply),
      (error: unknown) => callback(toGrpcStatus(error, options.log)),
    );
  };
  server.register(OTLP_GRPC_PATH, handle, asIs, asIs, 'unary');
}

async function exportTraces(call: ServerUnaryCall<Buffer, Buffer>, options: OtlpGrpcOptions): Promise<Buffer> {
  const { intake, isReady } = options;
  if (!isReady()) throw notReady();
  const tenant = parseTenant(metadataText(call.metadata, 'accountid'), metadataText(call.metadata, 'projectid'));
  using account = intake.open();
  account.add(call.request.length);
  const result = await intake.write(tenant, call.request, 'opentelemetry_traces_otlpgrpc');
  return encodeWriteResult(result, 'protobuf');
}

/** Sent twice, the values are joined, which no tenant parses: two tenants are refused, not one picked. */
function metadataText(metadata: Metadata, name: string): string | undefined {
  const values = metadata.get(name);
  return values.length === 0 ? undefined : values.join(',');
}

function toGrpcStatus(error: unknown, log: Log): StatusObject {
  const { http, grpc, retrySeconds } = statusOf(error);
  if (http >= 500) log.error('an OTLP call failed', { status: http, error });
  // encodeURI, which grpc-js puts the text through, throws on unpaired surrogates.
  const message = messageOf(error).toWellFormed();
  const metadata = new Metadata();
  metadata.set(STATUS_DETAILS_KEY, encodeRpcStatus({ code: grpc, message, retrySeconds }, 'protobuf'));
  return { code: grpc, details: message, metadata };
}
