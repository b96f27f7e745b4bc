// OTLP over gRPC: opentelemetry.proto.collector.trace.v1.TraceService/Export. The message is passed on as bytes: the
// store's scan is the only decoder.
import type { handleUnaryCall, Server, ServerUnaryCall } from '@grpc/grpc-js';
import { encodeWriteResult } from '../../otlp/partial-success.ts';
import { OTLP_GRPC_PATH, tenantOf, toGrpcStatus, type GrpcCallOptions } from '../grpc/grpc-call.ts';
import type { Intake } from '../edge/intake.ts';
import { notReady } from '../edge/status.ts';

export interface OtlpGrpcOptions extends GrpcCallOptions {
  readonly intake: Intake;
}

const asIs = (bytes: Buffer): Buffer => bytes;

/** Registers Export on a server that is not yet listening. */
export function registerOtlpService(server: Server, options: OtlpGrpcOptions): void {
  const handle: handleUnaryCall<Buffer, Buffer> = (call, callback) => {
    exportTraces(call, options).then(
      (reply) => callback(null, reply),
      (error: unknown) => callback(toGrpcStatus(error, options.logger)),
    );
  };
  server.register(OTLP_GRPC_PATH, handle, asIs, asIs, 'unary');
}

async function exportTraces(call: ServerUnaryCall<Buffer, Buffer>, options: OtlpGrpcOptions): Promise<Buffer> {
  const { intake, isReady } = options;
  if (!isReady()) throw notReady();
  const tenant = tenantOf(call.metadata);
  using account = intake.open();
  account.add(call.request.length);
  const result = await intake.write(tenant, call.request, 'opentelemetry_traces_otlpgrpc');
  return encodeWriteResult(result, 'protobuf');
}
