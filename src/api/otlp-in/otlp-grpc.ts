// OTLP over gRPC: opentelemetry.proto.collector.trace.v1.TraceService/Export. The message is passed on as bytes: the
// store's scan is the only decoder.
import {
  encodeSliceResult,
  EXACT_KEY,
  STRAYS_KEY,
  straysOfText,
  WRITE_KEY_KEY,
  WRITE_RESULT_KEY,
} from '../../cluster/protocol.ts';
import { encodeWriteResult } from '../../otlp/partial-success.ts';
import type { Intake } from '../edge/intake.ts';
import { checkWriteKey } from '../edge/write-key.ts';
import { notReady } from '../edge/status.ts';
import type { GrpcCallOptions } from '../grpc/grpc-call.ts';
import type { GrpcMethodTable } from '../grpc/grpc-server.ts';

export interface OtlpGrpcOptions extends GrpcCallOptions {
  readonly intake: Intake;
  /** The callers are nodes of the cluster: STRAYS_KEY is believed. */
  readonly isInternal?: boolean;
}

export const OTLP_GRPC_PATH = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';

/** Adds Export to a server. */
export function registerOtlpService(
  server: GrpcMethodTable,
  { intake, isReady, callMaxMs, isInternal = false }: OtlpGrpcOptions,
): void {
  server.add(
    OTLP_GRPC_PATH,
    async ({ stream, account, principal, only }) => {
      if (!isReady()) throw notReady();
      if (callMaxMs !== undefined) stream.bound(callMaxMs);
      const message = await only(intake.requestBytesMax);
      const given = stream.headers[WRITE_KEY_KEY];
      const key = given === undefined ? undefined : checkWriteKey(String(given));
      const strays = isInternal ? stream.headers[STRAYS_KEY] : undefined;
      const { deadlineNs } = stream;
      const result = await intake.write(account, message, 'opentelemetry_traces_otlpgrpc', {
        principal,
        key,
        deadlineNs,
        ...(strays !== undefined && { strays: straysOfText(String(strays)) }),
      });
      if (stream.headers[EXACT_KEY] === '1') stream.trailer[WRITE_RESULT_KEY] = encodeSliceResult(result);
      stream.write(encodeWriteResult(result, 'protobuf'), () => undefined);
    },
    'protobuf',
  );
}
