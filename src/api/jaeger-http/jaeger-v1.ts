// Jaeger's legacy HTTP API, as in Jaeger v2.20 and as its clients expect it (contract/jaeger.md §1): services, operations,
// search, traces by id, dependencies, under /select/jaeger, / and /jaeger. Everything is read through the TraceReader port;
// names come from the index, and traces are written to the socket while they are translated.
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { isStoreError, StoreError } from '../../base/errors.ts';
import { warningsOf } from '../edge/partial-answers.ts';
import { traceNotFound } from '../edge/status.ts';
import { quoteJson } from '../../bytes/json-writer.ts';
import { formatLegacyTraceId } from '../../trace/ids.ts';
import type { FoundTrace, Operation } from '../../trace/store.ts';
import { pathTraceId, registerArchiveRoutes } from './jaeger-archive.ts';
import { callPathsToJson } from '../jaeger/call-paths.ts';
import {
  dependencyJson,
  envelope,
  NO_LINKS,
  registerLegacyRoute,
  sendUnknownPath,
  UnknownPath,
} from './jaeger-envelope.ts';
import type { LegacyHandler } from './jaeger-envelope.ts';
import { explainSearch, isExplain } from './explain-search.ts';
import { jaegerTraceToJson, newJaegerJson } from '../jaeger/jaeger-json.ts';
import { nowOf, operationsOf, pathRest } from './jaeger-http.ts';
import type { JaegerOptions, JaegerRequest } from './jaeger-http.ts';
import { kindName } from '../../trace/span-kinds.ts';
import { registerMetricsRoutes } from './jaeger-metrics.ts';
import { readTraceInTurns, readTraceViews } from '../jaeger/jaeger-model.ts';
import { parseDependencyRange, parsePathSearch, parseTraceOptions, parseTraceSearch } from '../jaeger/jaeger-params.ts';
import type { TraceSearch } from '../jaeger/jaeger-params.ts';
import { overfullWarnings } from '../jaeger/search-bounds.ts';
import { registerJaegerV3Routes } from './jaeger-v3.ts';
import { receiveBody } from '../http/request-body.ts';
import { TraceView } from '../jaeger/trace-view.ts';

/** The root serves plain Jaeger UIs and Grafana 12.1.0, which drops the path of its datasource's URL. */
export const JAEGER_PREFIXES: readonly string[] = ['/select/jaeger', '', '/jaeger'];

const GET_ROUTES: Readonly<Record<string, LegacyHandler>> = {
  '/api/services': listServices,
  '/api/services/*': listOperationNames,
  '/api/operations': listOperations,
  '/api/traces': searchTraces,
  '/api/traces/*': findTrace,
  '/api/dependencies': listDependencies,
  '/analytics/v1/dependencies': listCallPaths,
  // Jaeger answers this path with sample data.
  '/api/deep-dependencies': listCallPaths,
  '/api/quality-metrics': listQualityMetrics,
};

/** Registers both API generations under every prefix. All other paths and methods below `/api/` are 404, as in Jaeger. */
export function registerJaegerRoutes(app: FastifyInstance, options: JaegerOptions): void {
  for (const prefix of JAEGER_PREFIXES) {
    for (const [path, handler] of Object.entries(GET_ROUTES)) {
      registerLegacyRoute(app, { method: 'GET', url: `${prefix}${path}`, handler, options });
    }
    registerLegacyRoute(app, { method: 'POST', url: `${prefix}/api/transform`, handler: transform, options });
    registerArchiveRoutes(app, prefix, { options, show: showTrace });
    registerMetricsRoutes(app, prefix, options);
    registerJaegerV3Routes(app, prefix, options);
    app.all(`${prefix}/api/*`, (_request, reply) => sendUnknownPath(reply));
  }
}

async function listServices({ reader }: JaegerOptions, asked: JaegerRequest): Promise<Buffer[]> {
  const services = asked.items(await reader.listServices(asked));
  return envelope(`[${services.map((service) => quoteJson(service)).join(',')}]`, services.length);
}

/** The service is everything between /api/services/ and the final /operations, slashes included. null if unknown. */
async function listOperationNames(
  { reader }: JaegerOptions,
  asked: JaegerRequest,
  request: FastifyRequest,
): Promise<Buffer[]> {
  const service = /^(.+)\/operations$/s.exec(pathRest(request, '/api/services/'))?.[1];
  if (service === undefined) throw new UnknownPath();
  const operations = asked.items(await reader.listOperations(asked, service));
  const names = [...new Set(operations.map(({ name }) => name))];
  return envelope(names.length === 0 ? 'null' : `[${names.map((name) => quoteJson(name)).join(',')}]`, names.length);
}

async function listOperations({ reader }: JaegerOptions, asked: JaegerRequest): Promise<Buffer[]> {
  if (asked.params.first('service') === '') {
    throw new StoreError('INVALID_REQUEST', "parameter 'service' is required");
  }
  const shown = [...new Set((await operationsOf(reader, asked)).map(operationJson))];
  return envelope(`[${shown.join(',')}]`, shown.length);
}

function operationJson({ name, kind }: Operation): string {
  return `{"name":${quoteJson(name)},"spanKind":"${kindName(kind)}"}`;
}

async function searchTraces(options: JaegerOptions, asked: JaegerRequest): Promise<Iterable<Buffer>> {
  const { params, take, warn } = asked;
  const { reader, maxTraces, hasTagExpressions = false } = options;
  const search = parseTraceSearch(params, { nowMs: nowOf(options), maxTraces, hasTagExpressions });
  if (search.traceIds.length > 0) {
    const traces = take(await reader.findTraces(asked, search.traceIds));
    return tracesEnvelope(viewsOf(traces), { isRaw: search.isRaw, errors: missingErrors(search, traces) });
  }
  warn(search.warnings);
  if (isExplain(asked)) return explainSearch(options.explainer, asked, search.query);
  if (search.isHopeless) return tracesEnvelope([], search);
  const traces = take(await reader.findNewest(asked, search.query));
  warn(overfullWarnings(search.query, traces.length));
  return tracesEnvelope(viewsOf(traces), search);
}

/** One error per requested id that was not found, in the requested order; null if there is none. */
function missingErrors(search: TraceSearch, found: readonly FoundTrace[]): string {
  const foundIds = new Set(found.map(({ traceId }) => formatLegacyTraceId(traceId)));
  const missing = search.traceIds.map(formatLegacyTraceId).filter((id) => !foundIds.has(id));
  if (missing.length === 0) return 'null';
  return `[${missing.map((id) => `{"msg":"trace not found","traceID":"${id}"}`).join(',')}]`;
}

async function findTrace(
  options: JaegerOptions,
  asked: JaegerRequest,
  request: FastifyRequest,
): Promise<Iterable<Buffer>> {
  return showTrace(options, asked, pathTraceId(request, '/api/traces/'));
}

async function showTrace({ reader }: JaegerOptions, asked: JaegerRequest, id: Uint8Array): Promise<Iterable<Buffer>> {
  const { isRaw } = parseTraceOptions(asked.params);
  const found = await reader.findTraces(asked, [id]);
  const traces = asked.take(found);
  const lacks = warningsOf(found);
  if (traces.length === 0) throw traceNotFound(lacks);
  return tracesEnvelope(viewsOf(traces), { isRaw, lacks });
}

/**
 * The traces and, between them, TURNs. Each view is released before the next one is read, so memory holds only one. Omits
 * traces without spans, because Grafana panics on them.
 */
function* viewsOf(found: readonly FoundTrace[]): Generator<TraceView | Buffer, void, undefined> {
  for (const { otlp } of found) {
    const view = yield* readTraceInTurns(otlp);
    if (view !== undefined) yield view;
  }
}

interface Shown {
  readonly isRaw: boolean;
  /** JSON text; null when absent. */
  readonly errors?: string;
  /** What could not be read of the only trace. */
  readonly lacks?: readonly string[];
}

function* tracesEnvelope(
  views: Iterable<TraceView | Buffer>,
  { isRaw, errors = 'null', lacks = [] }: Shown,
): Generator<Buffer, void, undefined> {
  const out = newJaegerJson();
  out.text('{"data":[');
  let count = 0;
  for (const view of views) {
    if (view instanceof TraceView) {
      if (count++ > 0) out.text(',');
      yield* jaegerTraceToJson(out, view, { isRaw, lacks });
    } else yield view;
  }
  out.utf8Text(`],"total":0,"limit":0,"offset":0,"errors":${errors}}`);
  yield out.take();
}

/**
 * Converts an uploaded file of OTLP JSON to Jaeger's JSON; stores, adjusts and deduplicates nothing. Ignores the media type,
 * because Jaeger UI sends none.
 */
async function transform(
  { intake, bodies }: JaegerOptions,
  { tenant, signal }: JaegerRequest,
  request: FastifyRequest,
): Promise<Iterable<Buffer>> {
  const account = intake.open(tenant);
  // Counted until the answer is sent, because the answer is made from these bytes.
  signal.addEventListener('abort', () => account[Symbol.dispose](), { once: true });
  const sizeMax = intake.jsonBytesMax;
  const body = await receiveBody(request.raw, { sizeMax, account });
  const receivedBytes = body.bytes.length;
  try {
    const otlp = await bodies.toOtlp(body, { sizeMax, isJson: true });
    account.exchange(receivedBytes, otlp.length);
    return tracesEnvelope(readTraceViews(otlp), { isRaw: true });
  } catch (cause) {
    if (!isStoreError(cause, 'INVALID_REQUEST')) throw cause;
    throw new StoreError('INVALID_REQUEST', `cannot unmarshal OTLP : ${cause.message}`, { cause });
  }
}

async function listDependencies(options: JaegerOptions, asked: JaegerRequest): Promise<Buffer[]> {
  const { startNs, endNs, service } = parseDependencyRange(asked.params, nowOf(options));
  const found = startNs > endNs ? NO_LINKS : await options.reader.listDependencies(asked, startNs, endNs);
  asked.mark(found);
  const { links } = found;
  const shown = service === '' ? links : links.filter(({ parent, child }) => parent === service || child === service);
  return envelope(`[${shown.map(dependencyJson).join(',')}]`);
}

/** Computed from the newest matching traces, because the page shows present calls. */
async function listCallPaths(options: JaegerOptions, asked: JaegerRequest): Promise<Iterable<Buffer>> {
  const { query, focal } = parsePathSearch(asked.params, { nowMs: nowOf(options), maxTraces: options.maxTraces });
  const traces = asked.take(await options.reader.findNewest(asked, query));
  return callPathsToJson(traces, focal);
}

/** Nothing is measured here (Jaeger answers with sample data). Jaeger UI then shows an empty page instead of an error. */
function listQualityMetrics(): Promise<Buffer[]> {
  return Promise.resolve([
    Buffer.from('{"traceQualityDocumentationLink":"","bannerText":null,"scores":[],"metrics":[],"clients":[]}'),
  ]);
}
