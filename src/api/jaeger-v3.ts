// Jaeger's API v3 over HTTP, as far as this version serves it: one trace as lossless OTLP JSON (contract/jaeger.md §1.5).
// Unlike Jaeger the trace is never adjusted: this is the export. Its error body differs from the legacy envelope.
import type { FastifyInstance, FastifyReply } from 'fastify';
import { StoreError } from '../base/errors.ts';
import { quoteJson } from '../bytes/json-writer.ts';
import { tracesToJson } from '../otlp/traces-to-json.ts';
import { rfc3339Error } from './go-time.ts';
import { pathRest, readRequest, sendError } from './jaeger-http.ts';
import type { JaegerOptions } from './jaeger-http.ts';
import { parseGoBool, parsePathTraceId } from './jaeger-params.ts';
import { sendJsonChunks } from './json-reply.ts';
import type { QueryString } from './query-string.ts';

/** Registers `{prefix}/api/v3/traces/{id}`. */
export function registerJaegerV3Routes(app: FastifyInstance, prefix: string, options: JaegerOptions): void {
  const errorHandler = (error: unknown, _request: unknown, reply: FastifyReply): void => {
    sendError(reply, { error, log: options.log, body: errorBody });
  };
  app.get(`${prefix}/api/v3/traces/*`, { errorHandler }, async (request, reply) => {
    const { tenant, params, signal, isPretty } = readRequest(request, reply);
    const id = parsePathTraceId(pathRest(request, '/api/v3/traces/'), 'malformed parameter trace_id: ');
    checkTime(params, 'startTime', 'start_time');
    checkTime(params, 'endTime', 'end_time');
    checkBool(params, 'rawTraces', 'raw_traces');
    const [trace] = await options.reader.findTraces(tenant, [id], signal);
    if (trace === undefined) throw new StoreError('NOT_FOUND', 'No traces found');
    return sendJsonChunks(reply, { chunks: wrapped(trace.otlp), isPretty, log: options.log });
  });
}

function* wrapped(otlp: Uint8Array): Generator<Buffer, void, undefined> {
  yield Buffer.from('{"result":');
  yield* tracesToJson(otlp);
  yield Buffer.from('}');
}

function errorBody(status: number, message: string): string {
  return `{"error":{"httpCode":${status},"message":${quoteJson(message)}}}`;
}

/** The camelCase parameter, or else its deprecated snake_case twin. */
function eitherParam(params: QueryString, name: string, alias: string): readonly [string, string] {
  const value = params.first(name);
  return value !== '' ? [name, value] : [alias, params.first(alias)];
}

/** Times only hint where to look. Grafana sends "+02:00" unescaped, so that it arrives as " 02:00". */
function checkTime(params: QueryString, name: string, alias: string): void {
  const [used, text] = eitherParam(params, name, alias);
  const error = text === '' ? undefined : rfc3339Error(text.replace(/ (?=\d\d:\d\d$)/, '+'));
  if (error !== undefined) throw malformed(used, error);
}

function checkBool(params: QueryString, name: string, alias: string): void {
  const [used, text] = eitherParam(params, name, alias);
  const value = text === '' || parseGoBool(text);
  if (typeof value === 'string') throw malformed(used, value);
}

function malformed(name: string, why: string): StoreError {
  return new StoreError('INVALID_REQUEST', `malformed parameter ${name}: ${why}`);
}
