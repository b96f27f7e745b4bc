// One HTTP listener, whatever it serves: limits, the guard of hosts, readiness, errors as text, 404 and 405, counters. There is no
// request log: it costs a fifth of a request's time, and the counters carry the same information.
import type { Server as TlsServer } from 'node:tls';
import { fastify, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { assert } from '../../base/assert.ts';
import type { ListenAddress } from '../../base/flag-value.ts';
import { nearestName } from '../../base/flags.ts';
import { limits } from '../../base/limits.ts';
import type { Logger } from '../../base/logger.ts';
import type { LogIns } from '../access/access.ts';
import { callerName, guardRoutes, type RouteKeys } from '../access/guard-routes.ts';
import { listenerTls, type ListenerTls, type TlsConfig, type TlsListener } from '../access/listener-tls.ts';
import { httpNeed, UNKNOWN_NEED, type RouteNeed } from '../access/route-needs.ts';
import { Connections } from '../edge/connections.ts';
import type { Metrics } from '../edge/metrics.ts';
import type { Readiness } from '../edge/readiness.ts';
import type { RequestTrace, SelfTraces } from '../edge/self-traces.ts';
import { messageOf, notReady, statusOf } from '../edge/status.ts';
import { cannotListen, type OpenServer } from '../edge/open-server.ts';
import { guardHost } from '../http/browser-guard.ts';
import { RouteTable } from '../http/route-table.ts';
import { isAudited, logCall } from '../operations/audit-log.ts';
import { sendSecurityHeaders, type SecurityHeaders } from '../http/security-headers.ts';
import { ALWAYS_OPEN_PATHS } from '../operations/operations-routes.ts';
import { OTLP_HTTP_PATHS, otlpEncodingOf } from '../otlp-in/otlp-http.ts';

export interface HttpListenerOptions {
  /** The flag of its address, for messages and metrics. */
  readonly flag: string;
  readonly listenAddr: ListenAddress;
  /** Host names that it accepts; undefined: any. */
  readonly hosts: ReadonlySet<string> | undefined;
  readonly connectionsMax: number;
  readonly shutdownMaxMs: number;
  /** A connection without a request for so long is closed. */
  readonly idleConnectionMaxMs: number;
  /** Connections are closed after their first answer. */
  readonly isKeepAliveOff: boolean;
  /** Put before every path; '' for none. */
  readonly pathPrefix: string;
  /** Paths that keep a final slash, with the prefix: there are pages. */
  readonly mounts: readonly string[];
  readonly register: (app: FastifyInstance) => Promise<void>;
  /** Answers a path that no route matches; false: it is 404. */
  readonly sendUnknown?: (request: FastifyRequest, reply: FastifyReply) => boolean;
  /** What an unknown path is told: where to look instead. */
  readonly hint: string;
  readonly tlsListener: TlsListener;
  readonly config: SecurityHeaders & RouteKeys & TlsConfig;
  readonly access: LogIns;
  readonly metrics: Metrics;
  readonly logger: Logger;
  /** While it does not answer, all paths except probes, metrics and flags get 503. */
  readonly readiness: Readiness;
  /** undefined: requests are not traced. */
  readonly selfTraces?: SelfTraces | undefined;
}

/** Real clients send their headers at once. */
const HEADERS_TIMEOUT_MS = 10_000;
/** Enough for the largest body at 1 MiB/s; slower senders are cut off. */
const REQUEST_TIMEOUT_MS = 60_000;
/** How often Node checks for requests that exceed these two. */
const TIMEOUT_CHECK_MS = 5_000;

const SERVER_OPTIONS = {
  maxHeaderSize: limits.httpHeaderBytesMax,
  headersTimeout: HEADERS_TIMEOUT_MS,
  requestTimeout: REQUEST_TIMEOUT_MS,
  connectionsCheckingInterval: TIMEOUT_CHECK_MS,
};

/** Listens with all routes registered. Throws CONFIG if it cannot listen on the address. */
export async function openHttpListener(options: HttpListenerOptions): Promise<OpenServer> {
  const { flag, listenAddr, pathPrefix, hosts, metrics, logger } = options;
  const tls = listenerTls(options.config, options.tlsListener, logger);
  const app = createApp(options, tls);
  const connections = new Connections(options.connectionsMax);
  app.server.on('connection', (socket) => connections.add(socket));
  app.server.on('clientError', ({ code }: NodeJS.ErrnoException) => {
    if (code === 'ERR_HTTP_REQUEST_TIMEOUT') connections.countTimeout();
  });
  app.server.on('request', (request, response) => response.once('close', connections.begin(request.socket)));
  const routes = new RouteTable(pathPrefix);
  app.addHook('onRoute', ({ method, url }) => {
    // The CORS plugin answers OPTIONS on every path, but that does not make a path known.
    if (method === 'OPTIONS') return;
    routes.add(method, url);
    for (const one of [method].flat()) httpNeed(one, routes.shortPattern(url));
  });
  sendSecurityHeaders(app, options.config);
  guardHost(app, hosts);
  const traces = traceRequests(app, options.selfTraces, routes);
  app.addHook('onRequest', async (request) => {
    if (!options.readiness.isAnswering && !ALWAYS_OPEN_PATHS.has(routes.shortPattern(request.routeOptions.url)))
      throw notReady();
  });
  const needOf = ({ method, routeOptions: { url } }: FastifyRequest): RouteNeed =>
    url === undefined ? UNKNOWN_NEED : httpNeed(method, routes.shortPattern(url));
  guardRoutes(app, { access: options.access, keys: options.config, needOf });
  app.addHook('onRequest', async (request) => {
    // Only OTLP checks the media type of a body; fastify would refuse an unknown one on any path.
    if (!isOtlpPath(routes.shortPattern(request.routeOptions.url))) delete request.raw.headers['content-type'];
  });
  app.addHook('onSend', async (_request, reply) => {
    // Otherwise a client finds out by a request that the end of the listener refuses.
    if (options.readiness.isLeaving) reply.header('connection', 'close');
  });
  app.addHook('onResponse', async (request, reply) => {
    traces.get(request)?.end(reply.statusCode);
    countAnswer(request, reply, { routes, metrics, logger });
  });
  app.setErrorHandler((error, _request, reply) => sendFailure(error, reply, logger));
  app.setNotFoundHandler((request, reply) => sendNotFound(request, reply, { ...options, routes }));
  await app.register(options.register, { prefix: pathPrefix });
  try {
    await app.listen({ host: listenAddr.host, port: listenAddr.port });
  } catch (cause) {
    await app.close();
    throw cannotListen(flag, listenAddr, cause);
  }
  metrics.watchConnections(flag, () => connections.gauges);
  if (tls !== undefined) metrics.watchCertificate(flag, () => tls.expiresMs / 1000);
  const bound = app.server.address();
  assert(typeof bound === 'object' && bound !== null, 'a TCP listener has an address');
  return {
    address: bound.address,
    port: bound.port,
    routes: routes.all(),
    isTls: tls !== undefined,
    close: async () => {
      tls?.[Symbol.dispose]();
      await connections.close(app.close(), options.shutdownMaxMs);
    },
  };
}

/** Traces of requests under way; probes and scrapes, and paths that clients made up, have none. */
function traceRequests(
  app: FastifyInstance,
  selfTraces: SelfTraces | undefined,
  routes: RouteTable,
): WeakMap<FastifyRequest, RequestTrace> {
  const traces = new WeakMap<FastifyRequest, RequestTrace>();
  if (selfTraces === undefined) return traces;
  app.addHook('onRequest', (request, _reply, done) => {
    const { method, headers } = request;
    const path = routes.shortPattern(request.routeOptions.url);
    if (request.routeOptions.url === undefined || ALWAYS_OPEN_PATHS.has(path)) return done();
    const attributes = { 'http.request.method': method, 'http.route': path };
    const trace = selfTraces.begin({ name: `${method} ${path}`, headers, isIngest: isOtlpPath(path), attributes });
    if (trace === undefined) return done();
    traces.set(request, trace);
    trace.run(done);
  });
  return traces;
}

function createApp(
  { mounts, idleConnectionMaxMs, isKeepAliveOff }: HttpListenerOptions,
  tls: ListenerTls | undefined,
): FastifyInstance {
  const app = fastify({
    logger: false,
    rewriteUrl: ({ url = '/' }) => plainUrl(url, mounts),
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: idleConnectionMaxMs,
    ...(isKeepAliveOff ? { maxRequestsPerSocket: 1 } : {}),
    ...(tls === undefined ? { http: SERVER_OPTIONS } : { https: { ...SERVER_OPTIONS, ...tls.options } }),
    routerOptions: {
      // Exporters whose endpoint ends in a slash send //v1/traces; VictoriaTraces accepts that too.
      ignoreDuplicateSlashes: true,
      // Service names are path segments; fastify's default of 100 characters would make long ones unknown paths.
      maxParamLength: limits.httpHeaderBytesMax,
    },
  });
  // fastify's type for it says http, whatever it was given.
  tls?.serve(app.server as unknown as TlsServer);
  // Only routes that need a body read it, under their own budget.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _payload, done) => done(null));
  return app;
}

/**
 * The URL as the routes expect it. A `%` that begins no escape means itself: Grafana sends it for a service called `100%`, and
 * fastify would refuse the request. A final slash is dropped, because a setting that ends in one would lose all data; but a
 * mount with a final slash is the UI's page. Routes parse their queries themselves.
 */
function plainUrl(url: string, mounts: readonly string[]): string {
  const query = url.indexOf('?');
  const path = query < 0 ? url : url.slice(0, query);
  let end = path.length;
  while (path[end - 1] === '/') end--;
  const bare = path.slice(0, end);
  const kept = bare === '' || mounts.includes(bare) ? path : bare;
  return kept.replace(/%(?![0-9a-f]{2})/gi, '%25') + (query < 0 ? '' : url.slice(query));
}

function isOtlpPath(path: string): boolean {
  return (OTLP_HTTP_PATHS as readonly string[]).includes(path);
}

function countAnswer(
  request: FastifyRequest,
  reply: FastifyReply,
  to: { readonly routes: RouteTable; readonly metrics: Metrics; readonly logger: Logger },
): void {
  const path = to.routes.shortPattern(request.routeOptions.url);
  if (isAudited(request.method, path)) logCall(to.logger, { path, who: callerName(request) }, { request, reply });
  const isOtlp = isOtlpPath(path);
  to.metrics.countRequest({
    path,
    format: isOtlp ? (otlpEncodingOf(request.headers['content-type']) ?? 'other') : undefined,
    status: reply.statusCode,
    seconds: reply.elapsedTime / 1000,
  });
}

/** For people. Routes with their own error format have their own handler. */
function sendFailure(error: unknown, reply: FastifyReply, logger: Logger): void {
  const refused = clientStatusOf(error);
  const { http, retrySeconds } = statusOf(error);
  const status = refused ?? http;
  if (status >= 500) logger.error('an HTTP request failed', { status, error });
  if (retrySeconds !== undefined) reply.header('retry-after', String(retrySeconds));
  const message = refused === undefined ? messageOf(error) : (error as Error).message;
  void reply.code(status).type('text/plain; charset=utf-8').send(`${message}\n`);
}

/** The 4xx status of errors that fastify throws itself (a malformed URL, a wrong Content-Length). */
function clientStatusOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('statusCode' in error)) return undefined;
  const { statusCode } = error;
  return typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500 ? statusCode : undefined;
}

function sendNotFound(
  request: FastifyRequest,
  reply: FastifyReply,
  { routes, sendUnknown, hint }: Pick<HttpListenerOptions, 'sendUnknown' | 'hint'> & { readonly routes: RouteTable },
): void {
  const path = request.url.split('?', 1)[0]!;
  const methods = routes.methodsOf(path);
  if (methods.length === 0 && sendUnknown?.(request, reply) === true) return;
  const shown = JSON.stringify(path.slice(0, 200));
  void reply.type('text/plain; charset=utf-8');
  // If the path has the method, a file is missing.
  if (methods.length === 0 || methods.includes(request.method)) {
    const nearest = methods.length === 0 ? nearestName(path.slice(0, 60), routes.plainPaths()) : undefined;
    const meant = nearest === undefined ? '' : `did you mean ${nearest}? `;
    void reply.code(404).send(`unknown path ${shown}; ${meant}${hint}\n`);
    return;
  }
  const allow = methods.join(', ');
  void reply
    .code(405)
    .header('allow', allow)
    .send(`method ${request.method} is not allowed for ${shown}: use ${allow}\n`);
}
