// Jaeger's legacy HTTP API, as Jaeger v2.20 and the clients written for it know it (contract/jaeger.md §1): services,
// operations, search, traces by id, dependencies, under /select/jaeger, / and /jaeger. Everything is read through the
// TraceReader port; names come from its index, and traces are written to the socket while they are translated.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { StoreError } from '../base/errors.ts';
import { quoteJson } from '../bytes/json-writer.ts';
import { formatLegacyTraceId, parseTraceId } from '../trace/ids.ts';
import type { FoundTrace, Operation } from '../trace/store.ts';
import { jaegerTraceToJson, kindName } from './jaeger-json.ts';
import { pathRest, readRequest, sendError } from './jaeger-http.ts';
import type { JaegerOptions, JaegerRequest } from './jaeger-http.ts';
import { readTraceView } from './jaeger-model.ts';
import { parseDependencyRange, parsePathTraceId, parseTraceOptions, parseTraceSearch } from './jaeger-params.ts';
import type { TraceSearch } from './jaeger-params.ts';
import { registerJaegerV3Routes } from './jaeger-v3.ts';
import { sendJsonChunks } from './json-reply.ts';

/** Root serves plain Jaeger UIs and Grafana 12.1.0, which drops the path of its datasource's URL. */
const PREFIXES = ['/select/jaeger', '', '/jaeger'];
const KINDS = ['internal', 'server', 'client', 'producer', 'consumer'];

type Handler = (request: FastifyRequest, asked: JaegerRequest) => Promise<Iterable<Buffer>>;

/** Registers both API generations under every prefix. All other paths and methods below `/api/` are 404, as in Jaeger. */
export function registerJaegerRoutes(app: FastifyInstance, options: JaegerOptions): void {
  for (const prefix of PREFIXES) {
    const routes: Readonly<Record<string, Handler>> = {
      '/api/services': (_request, asked) => listServices(options, asked),
      '/api/services/*': (request, asked) => listOperationNames(options, request, asked),
      '/api/operations': (_request, asked) => listOperations(options, asked),
      '/api/traces': (_request, asked) => searchTraces(options, asked),
      '/api/traces/*': (request, asked) => findTrace(options, request, asked),
      '/api/dependencies': (_request, asked) => listDependencies(options, asked),
    };
    for (const [path, handler] of Object.entries(routes)) registerRoute(app, `${prefix}${path}`, { handler, options });
    registerJaegerV3Routes(app, prefix, options);
    app.all(`${prefix}/api/*`, (_request, reply) => sendUnknownPath(reply));
  }
}

interface Route {
  readonly handler: Handler;
  readonly options: JaegerOptions;
}

function registerRoute(app: FastifyInstance, path: string, { handler, options }: Route): void {
  const errorHandler = (error: unknown, _request: unknown, reply: FastifyReply): void => {
    if (error instanceof UnknownPath) sendUnknownPath(reply);
    else sendError(reply, { error, log: options.log, body: errorBody });
  };
  app.get(path, { errorHandler }, async (request, reply) => {
    const asked = readRequest(request, reply);
    const chunks = await handler(request, asked);
    return sendJsonChunks(reply, { chunks, isPretty: asked.isPretty, log: options.log });
  });
}

/** A path that a wildcard route matched but Jaeger does not have. */
class UnknownPath extends Error {}

function sendUnknownPath(reply: FastifyReply): void {
  reply.header('content-type', 'text/plain; charset=utf-8').header('x-content-type-options', 'nosniff');
  void reply.code(404).send('404 page not found\n');
}

function errorBody(status: number, message: string): string {
  return `{"data":null,"total":0,"limit":0,"offset":0,"errors":[{"code":${status},"msg":${quoteJson(message)}}]}`;
}

/** The envelope around `data`, which is JSON text. Only lists of names have a total. */
function envelope(data: string, total = 0): Buffer[] {
  return [Buffer.from(`{"data":${data},"total":${total},"limit":0,"offset":0,"errors":null}`)];
}

async function listServices({ reader }: JaegerOptions, { tenant, signal }: JaegerRequest): Promise<Buffer[]> {
  const services = await reader.listServices(tenant, signal);
  return envelope(`[${services.map((service) => quoteJson(service)).join(',')}]`, services.length);
}

/** Everything between /api/services/ and the final /operations is the service, slashes included. null when unknown. */
async function listOperationNames(
  { reader }: JaegerOptions,
  request: FastifyRequest,
  { tenant, signal }: JaegerRequest,
): Promise<Buffer[]> {
  const service = /^(.+)\/operations$/s.exec(pathRest(request, '/api/services/'))?.[1];
  if (service === undefined) throw new UnknownPath();
  const operations = await reader.listOperations(tenant, service, undefined, signal);
  const names = [...new Set(operations.map(({ name }) => name))];
  return envelope(names.length === 0 ? 'null' : `[${names.map((name) => quoteJson(name)).join(',')}]`, names.length);
}

/** An unknown span kind matches nothing. */
async function listOperations({ reader }: JaegerOptions, { tenant, params, signal }: JaegerRequest): Promise<Buffer[]> {
  const service = params.first('service');
  if (service === '') throw new StoreError('INVALID_REQUEST', "parameter 'service' is required");
  const spanKind = params.first('spanKind');
  const kind = spanKind === '' ? undefined : KINDS.indexOf(spanKind) + 1;
  const operations = kind === 0 ? [] : await reader.listOperations(tenant, service, kind, signal);
  const items = [...new Set(operations.map(operationJson))];
  return envelope(`[${items.join(',')}]`, items.length);
}

function operationJson({ name, kind }: Operation): string {
  return `{"name":${quoteJson(name)},"spanKind":"${kindName(kind)}"}`;
}

async function searchTraces(
  options: JaegerOptions,
  { tenant, params, signal, warn }: JaegerRequest,
): Promise<Iterable<Buffer>> {
  const { reader, maxTraces } = options;
  const search = parseTraceSearch(params, { nowMs: nowOf(options), maxTraces });
  if (search.traceIds.length > 0) {
    const { traces, warnings } = await reader.findTraces(tenant, search.traceIds, signal);
    warn(warnings);
    return tracesEnvelope(traces, search.isRaw, missingErrors(search, traces));
  }
  if (search.isHopeless) return tracesEnvelope([], search.isRaw, 'null');
  const { traces, warnings } = await reader.searchTraces(tenant, search.query, signal);
  warn(warnings);
  return tracesEnvelope(traces, search.isRaw, 'null');
}

function nowOf(options: JaegerOptions): number {
  return options.now === undefined ? Date.now() : options.now();
}

/** One error per id that was asked for and not found, in the order asked; null when there is none. */
function missingErrors(search: TraceSearch, found: readonly FoundTrace[]): string {
  const foundIds = new Set(found.map(({ traceId }) => formatLegacyTraceId(traceId)));
  const missing = search.traceIds.map(formatLegacyTraceId).filter((id) => !foundIds.has(id));
  if (missing.length === 0) return 'null';
  return `[${missing.map((id) => `{"msg":"trace not found","traceID":"${id}"}`).join(',')}]`;
}

async function findTrace(
  { reader }: JaegerOptions,
  request: FastifyRequest,
  { tenant, params, signal, warn }: JaegerRequest,
): Promise<Iterable<Buffer>> {
  const text = pathRest(request, '/api/traces/');
  // A slash may be one of base64; in anything else it makes a path that Jaeger does not have.
  if (text === '' || (text.includes('/') && parseTraceId(text) === undefined)) throw new UnknownPath();
  const id = parsePathTraceId(text);
  const { isRaw } = parseTraceOptions(params);
  const { traces, warnings } = await reader.findTraces(tenant, [id], signal);
  warn(warnings);
  if (traces.length === 0) throw new StoreError('NOT_FOUND', 'trace not found');
  return tracesEnvelope(traces, isRaw, 'null');
}

/** `errors` is JSON text. A trace is read before the one before it is forgotten, never all at once. */
function* tracesEnvelope(
  found: readonly FoundTrace[],
  isRaw: boolean,
  errors: string,
): Generator<Buffer, void, undefined> {
  yield Buffer.from('{"data":[');
  let count = 0;
  for (const { otlp } of found) {
    const view = readTraceView(otlp);
    if (view === undefined) continue; // Grafana panics on a trace without spans
    if (count++ > 0) yield Buffer.from(',');
    yield* jaegerTraceToJson(view, isRaw);
  }
  yield Buffer.from(`],"total":0,"limit":0,"offset":0,"errors":${errors}}`);
}

async function listDependencies(options: JaegerOptions, { tenant, params, signal }: JaegerRequest): Promise<Buffer[]> {
  const { startNs, endNs, service } = parseDependencyRange(params, nowOf(options));
  const isHopeless = startNs > endNs;
  const links = isHopeless ? [] : await options.reader.listDependencies(tenant, startNs, endNs, signal);
  const shown = service === '' ? links : links.filter(({ parent, child }) => parent === service || child === service);
  const items = shown.map(
    ({ parent, child, callCount }) =>
      `{"parent":${quoteJson(parent)},"child":${quoteJson(child)},"callCount":${callCount}}`,
  );
  return envelope(`[${items.join(',')}]`);
}
