// Jaeger's API v3 over HTTP (contract/jaeger.md §1.5): names, search and one trace as lossless OTLP JSON, and the summaries that
// Jaeger UI lists from 2.19 on. Unlike in Jaeger, OTLP is never adjusted, because it serves as the export. Its error body
// differs from the legacy envelope.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { StoreError } from '../../base/errors.ts';
import { quoteJson } from '../../bytes/json-writer.ts';
import { tracesToJson } from '../../otlp/traces-to-json.ts';
import type { FoundTrace, Operation } from '../../trace/store.ts';
import { dependencyJson, NO_LINKS } from './jaeger-envelope.ts';
import { explainSearch, isExplain } from './explain-search.ts';
import { kindName } from '../../trace/span-kinds.ts';
import { operationsOf, pathRest, readRequest, sendError } from './jaeger-http.ts';
import type { JaegerOptions, JaegerRequest } from './jaeger-http.ts';
import { parsePathTraceId } from '../jaeger/jaeger-params.ts';
import { checkV3Bool, parseV3Search, parseV3Time, V3_CONDITIONS } from '../jaeger/jaeger-v3-search.ts';
import { lastNsOf, overfullWarnings } from '../jaeger/search-bounds.ts';
import { sendJsonChunks } from '../http/json-reply.ts';
import { summarizeInTurns, summaryJson } from '../jaeger/trace-summary.ts';

type Handler = (options: JaegerOptions, asked: JaegerRequest, request: FastifyRequest) => Promise<Iterable<Buffer>>;

const ROUTES: Readonly<Record<string, Handler>> = {
  '/api/v3/services': listServices,
  '/api/v3/operations': listOperations,
  '/api/v3/traces': searchTraces,
  '/api/v3/traces/*': findTrace,
  '/api/v3/trace-summaries': searchSummaries,
  '/api/v3/dependencies': listDependencies,
};

/** Paths that take the conditions of a search. */
const SEARCH_PATHS: ReadonlySet<string> = new Set(['/api/v3/traces', '/api/v3/trace-summaries']);

/** Registers `{prefix}/api/v3/…`. */
export function registerJaegerV3Routes(app: FastifyInstance, prefix: string, options: JaegerOptions): void {
  const errorHandler = (error: unknown, _request: unknown, reply: FastifyReply): void => {
    sendError(reply, { error, logger: options.logger, body: errorBody });
  };
  for (const [path, handler] of Object.entries(ROUTES)) {
    app.get(`${prefix}${path}`, { errorHandler }, async (request, reply) => {
      const asked = readRequest(request, reply, options, SEARCH_PATHS.has(path) ? V3_CONDITIONS : undefined);
      const chunks = await handler(options, asked, request);
      return sendJsonChunks(reply, { chunks, isPretty: asked.isPretty, logger: options.logger });
    });
  }
}

function errorBody(status: number, message: string): string {
  return `{"error":{"httpCode":${status},"message":${quoteJson(message)}}}`;
}

async function listServices({ reader }: JaegerOptions, asked: JaegerRequest): Promise<Buffer[]> {
  const services = asked.items(await reader.listServices(asked));
  return [Buffer.from(`{"services":[${services.map((service) => quoteJson(service)).join(',')}]}`)];
}

/** An empty kind is shown as "internal", as Jaeger does. */
async function listOperations({ reader }: JaegerOptions, asked: JaegerRequest): Promise<Buffer[]> {
  const operations = await operationsOf(reader, asked);
  return [Buffer.from(`{"operations":[${[...new Set(operations.map(operationJson))].join(',')}]}`)];
}

function operationJson({ name, kind }: Operation): string {
  return `{"name":${quoteJson(name)},"spanKind":"${kindName(kind) || 'internal'}"}`;
}

async function findTrace(
  { reader }: JaegerOptions,
  asked: JaegerRequest,
  request: FastifyRequest,
): Promise<Iterable<Buffer>> {
  const { params } = asked;
  const id = parsePathTraceId(pathRest(request, '/api/v3/traces/'), 'malformed parameter trace_id: ');
  // These times are only hints.
  parseV3Time(params, 'startTime', 'start_time');
  parseV3Time(params, 'endTime', 'end_time');
  checkV3Bool(params, 'rawTraces', 'raw_traces');
  return wrapped(asked.take(await reader.findTraces(asked, [id])));
}

async function search(options: JaegerOptions, asked: JaegerRequest): Promise<readonly FoundTrace[]> {
  const { params, take, warn } = asked;
  const { query, isHopeless, warnings } = parseV3Search(params, options.maxTraces, options.hasTagExpressions);
  warn(warnings);
  if (isHopeless) return [];
  const traces = take(await options.reader.findNewest(asked, query));
  warn(overfullWarnings(query, traces.length));
  return traces;
}

async function searchTraces(options: JaegerOptions, asked: JaegerRequest): Promise<Iterable<Buffer>> {
  return isExplain(asked) ? explain(options, asked) : wrapped(await search(options, asked));
}

async function searchSummaries(options: JaegerOptions, asked: JaegerRequest): Promise<Iterable<Buffer>> {
  return isExplain(asked) ? explain(options, asked) : summaries(await search(options, asked));
}

async function explain(
  { explainer, maxTraces, hasTagExpressions }: JaegerOptions,
  asked: JaegerRequest,
): Promise<Iterable<Buffer>> {
  return explainSearch(explainer, asked, parseV3Search(asked.params, maxTraces, hasTagExpressions).query);
}

/** Part of the IDL, but missing from Jaeger's own gateway. The rules are those of its gRPC handler. */
async function listDependencies({ reader }: JaegerOptions, asked: JaegerRequest): Promise<Buffer[]> {
  const { params } = asked;
  const start = parseV3Time(params, 'startTime', 'start_time');
  const end = parseV3Time(params, 'endTime', 'end_time');
  if (start === undefined || end === undefined) {
    throw new StoreError('INVALID_REQUEST', 'startTime and endTime are required');
  }
  if (end.ns <= start.ns) throw new StoreError('INVALID_REQUEST', 'endTime must be after startTime');
  const [startNs, endNs] = [start.ns < 0n ? 0n : start.ns, lastNsOf(end)];
  const found = endNs < 0n ? NO_LINKS : await reader.listDependencies(asked, startNs, endNs);
  asked.mark(found);
  return [Buffer.from(`{"dependencies":[${found.links.map(dependencyJson).join(',')}]}`)];
}

function* summaries(found: readonly FoundTrace[]): Generator<Buffer, void, undefined> {
  yield Buffer.from('{"summaries":[');
  let count = 0;
  for (const trace of found) {
    const summary = yield* summarizeInTurns(trace);
    if (summary !== undefined) yield Buffer.from(`${count++ === 0 ? '' : ','}${summaryJson(summary)}`);
  }
  yield Buffer.from(']}');
}

/** All traces in one TracesData: concatenated protobuf messages are one message with all their fields. */
function wrapped(found: readonly FoundTrace[]): Iterable<Buffer> {
  if (found.length === 0) throw new StoreError('NOT_FOUND', 'No traces found');
  return wrappedChunks(found);
}

function* wrappedChunks(found: readonly FoundTrace[]): Generator<Buffer, void, undefined> {
  yield Buffer.from('{"result":');
  yield* tracesToJson(...found.map(({ otlp }) => otlp));
  yield Buffer.from('}');
}
