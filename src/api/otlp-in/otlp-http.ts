// OTLP over HTTP: POST /insert/opentelemetry/v1/traces (VictoriaTraces' path) and /v1/traces (every exporter's default). The
// answer has the request's media type: ExportTraceServiceResponse, or google.rpc.Status on failure; a request of an unsupported
// type gets text. Senders retry only on 429 and 503, so these always carry Retry-After.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { StoreError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { encodeWriteResult } from '../../otlp/partial-success.ts';
import { encodeRpcStatus, type OtlpEncoding } from '../../otlp/rpc-messages.ts';
import { principalOf, tenantOf } from '../access/guard-routes.ts';
import type { BodyPool } from '../http/body-pool.ts';
import { ACCEPTED_ENCODINGS } from '../http/decode-body.ts';
import type { Intake } from '../edge/intake.ts';
import type { IngestType } from '../metrics/request-metrics.ts';
import { receiveBody } from '../http/request-body.ts';
import { messageOf, statusOf } from '../edge/status.ts';

export interface OtlpRouteOptions {
  readonly intake: Intake;
  readonly bodies: BodyPool;
  readonly logger: Logger;
}

export const OTLP_HTTP_PATHS = ['/insert/opentelemetry/v1/traces', '/v1/traces'] as const;

const ENCODINGS: ReadonlyMap<string, OtlpEncoding> = new Map([
  ['application/x-protobuf', 'protobuf'],
  ['application/protobuf', 'protobuf'],
  ['application/json', 'json'],
]);

const INGEST_TYPE: Readonly<Record<OtlpEncoding, IngestType>> = {
  protobuf: 'opentelemetry_traces_otlphttp_protobuf',
  json: 'opentelemetry_traces_otlphttp_json',
};

/** Registers the two paths. The handler reads the body itself, so the app's parser must leave the stream alone. */
export function registerOtlpRoutes(app: FastifyInstance, options: OtlpRouteOptions): void {
  const { logger } = options;
  for (const url of OTLP_HTTP_PATHS) {
    app.post(url, {
      // Runs before the body is read, and before fastify's own, shorter refusal of a malformed Content-Type.
      onRequest: async (request) => void requireEncoding(request),
      handler: (request, reply) => exportTraces(request, reply, options),
      errorHandler: (error, request, reply) => sendFailure(error, { request, reply, logger }),
    });
  }
}

/** The OTLP encoding that a Content-Type names, ignoring parameters and case; undefined for any other, and if it is missing. */
export function otlpEncodingOf(contentType: string | undefined): OtlpEncoding | undefined {
  return ENCODINGS.get(mediaTypeOf(contentType));
}

function mediaTypeOf(contentType: string | undefined): string {
  return (contentType ?? '').split(';', 1)[0]!.trim().toLowerCase();
}

function requireEncoding(request: FastifyRequest): OtlpEncoding {
  const contentType = request.headers['content-type'];
  const encoding = otlpEncodingOf(contentType);
  if (encoding !== undefined) return encoding;
  const got = contentType === undefined ? 'missing Content-Type' : `unsupported Content-Type ${quote(contentType)}`;
  throw new StoreError('UNSUPPORTED_TYPE', `${got}: send application/x-protobuf or application/json`);
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 80));
}

async function exportTraces(
  request: FastifyRequest,
  reply: FastifyReply,
  { intake, bodies }: OtlpRouteOptions,
): Promise<FastifyReply> {
  const encoding = requireEncoding(request);
  using account = intake.open(tenantOf(request));
  const isJson = encoding === 'json';
  const sizeMax = isJson ? intake.jsonBytesMax : intake.requestBytesMax;
  const body = await receiveBody(request.raw, { sizeMax, account });
  const receivedBytes = body.bytes.length;
  const otlp = await bodies.toOtlp(body, { sizeMax, isJson });
  account.exchange(receivedBytes, otlp.length);
  const result = await intake.write(account, otlp, INGEST_TYPE[encoding], { principal: principalOf(request) });
  return reply.type(mediaTypeOf(request.headers['content-type'])).send(encodeWriteResult(result, encoding));
}

interface Exchange {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly logger: Logger;
}

function sendFailure(error: unknown, { request, reply, logger }: Exchange): void {
  const { http, grpc, retrySeconds } = statusOf(error);
  const message = messageOf(error);
  if (http >= 500) logger.error('an OTLP request failed', { status: http, error });
  reply.code(http);
  if (retrySeconds !== undefined) reply.header('retry-after', String(retrySeconds));
  const contentType = request.headers['content-type'];
  const encoding = http === 415 ? undefined : otlpEncodingOf(contentType);
  if (http === 415) reply.header('accept-encoding', ACCEPTED_ENCODINGS);
  if (encoding === undefined) void reply.type('text/plain; charset=utf-8').send(`${message}\n`);
  else void reply.type(mediaTypeOf(contentType)).send(encodeRpcStatus({ code: grpc, message, retrySeconds }, encoding));
}
