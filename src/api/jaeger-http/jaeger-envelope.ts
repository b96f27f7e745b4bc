// Jaeger's legacy envelope (contract/jaeger.md §1.2), and the registration of routes that answer in it: GET or POST, JSON in
// chunks, errors in an envelope too, and 404 as text for paths that Jaeger does not have.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { assert } from '../../base/assert.ts';
import { quoteJson } from '../../bytes/json-writer.ts';
import type { Dependency, FoundLinks } from '../../trace/store.ts';
import { readRequest, sendError, type JaegerOptions, type JaegerRequest } from './jaeger-http.ts';
import { sendJsonChunks } from '../http/json-reply.ts';

/** Returns the JSON of the answer. A thrown error becomes an envelope with the error's status. */
export type LegacyHandler = (
  options: JaegerOptions,
  asked: JaegerRequest,
  request: FastifyRequest,
) => Promise<Iterable<Buffer>>;

interface LegacyRoute {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly url: string;
  readonly handler: LegacyHandler;
  readonly options: JaegerOptions;
}

export function registerLegacyRoute(app: FastifyInstance, route: LegacyRoute): void {
  const { method, url, handler, options } = route;
  const errorHandler = (error: unknown, _request: unknown, reply: FastifyReply): void => {
    if (error instanceof UnknownPath) sendUnknownPath(reply);
    else if (error instanceof NotConfigured) sendNotConfigured(reply, error);
    else sendError(reply, { error, logger: options.logger, body: errorBody });
  };
  const answer = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const asked = readRequest(request, reply, options);
    const chunks = await handler(options, asked, request);
    const marked = asked.told.length === 0 ? chunks : withWarnings(chunks, asked.told);
    return sendJsonChunks(reply, { chunks: marked, isPretty: asked.isPretty, logger: options.logger });
  };
  app.route({ method, url, errorHandler, handler: answer });
}

/** Warnings in a body; the log has all of them. */
const WARNINGS_MAX = 100;

/** Adds a field that Jaeger's envelope lacks and its clients ignore. Not `errors`: some clients treat that as a failure. */
function* withWarnings(chunks: Iterable<Buffer>, told: readonly string[]): Generator<Buffer, void, undefined> {
  let isBegun = false;
  for (const chunk of chunks) {
    if (isBegun || chunk.length === 0) {
      yield chunk;
      continue;
    }
    isBegun = true;
    assert(chunk[0] === 0x7b, 'an envelope that does not begin with a brace');
    yield Buffer.from(
      `{"warnings":[${told
        .slice(0, WARNINGS_MAX)
        .map((line) => quoteJson(line))
        .join(',')}],`,
    );
    yield chunk.subarray(1);
  }
}

/** Jaeger answers 500 if a storage is not configured. It is no failure, so nothing is logged. */
export class NotConfigured extends Error {}

function sendNotConfigured(reply: FastifyReply, { message }: NotConfigured): void {
  void reply
    .code(500)
    .header('content-type', 'application/json')
    .send(`${errorBody(500, message)}\n`);
}

/** A wildcard route matched the path, but Jaeger does not have it. */
export class UnknownPath extends Error {}

export function sendUnknownPath(reply: FastifyReply): void {
  reply.header('content-type', 'text/plain; charset=utf-8').header('x-content-type-options', 'nosniff');
  void reply.code(404).send('404 page not found\n');
}

function errorBody(status: number, message: string): string {
  return `{"data":null,"total":0,"limit":0,"offset":0,"errors":[{"code":${status},"msg":${quoteJson(message)}}]}`;
}

/** The envelope around `data`, which is JSON text. Only lists of names have a total. */
export function envelope(data: string, total = 0): Buffer[] {
  return [Buffer.from(`{"data":${data},"total":${total},"limit":0,"offset":0,"errors":null}`)];
}

/** The answer for an empty window. */
export const NO_LINKS: FoundLinks = { links: [], warnings: [] };

/** One link, as both API generations show it. */
export function dependencyJson({ parent, child, callCount }: Dependency): string {
  return `{"parent":${quoteJson(parent)},"child":${quoteJson(child)},"callCount":${callCount}}`;
}
