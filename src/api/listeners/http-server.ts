// The HTTP listener: limits, all routes, and what they share (readiness, errors as text, 404 and 405, counters). There is no
// request log: it costs a fifth of a request's time, and the counters carry the same information.
import { resolve } from 'node:path';
import compress from '@fastify/compress';
import cors from '@fastify/cors';
import { fastify, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { assert } from '../../base/assert.ts';
import { StoreError } from '../../base/errors.ts';
import { formatAddress, type ListenAddress } from '../../base/flag-value.ts';
import { limits } from '../../base/limits.ts';
import { CONNECTIONS_USEFUL, type ConnectionCaps } from '../../base/descriptors.ts';
import type { Logger } from '../../base/logger.ts';
import { nodeDisk } from '../../disk/node-disk.ts';
import type { SearchExplainer } from '../../trace/search-explanation.ts';
import type { StoreAdmin, TraceArchive, TraceReader } from '../../trace/store.ts';
import type { AnswerBudget } from '../edge/answer-budget.ts';
import { Connections } from '../edge/connections.ts';
import type { OpenServer } from '../grpc/grpc-server.ts';
import type { Intake } from '../edge/intake.ts';
import type { BodyPool } from '../http/body-pool.ts';
import { loadJaegerUi, registerJaegerUi, sendUnknownPage, type JaegerUi } from '../jaeger-http/jaeger-ui.ts';
import { JAEGER_PREFIXES, registerJaegerRoutes } from '../jaeger-http/jaeger-v1.ts';
import type { Metrics } from '../edge/metrics.ts';
import {
  ALWAYS_OPEN_PATHS,
  registerOperationsRoutes,
  type OperationsOptions,
} from '../operations/operations-routes.ts';
import { OTLP_HTTP_PATHS, otlpEncodingOf, registerOtlpRoutes } from '../otlp-in/otlp-http.ts';
import { guardHost, guardOrigin, ownHosts } from '../http/browser-guard.ts';
import { RouteTable } from '../http/route-table.ts';
import { messageOf, notReady, statusOf } from '../edge/status.ts';

export interface HttpServerOptions {
  /** The keys of Config that this listener uses. */
  readonly config: OperationsOptions['config'] & {
    readonly httpListenAddr: ListenAddress;
    readonly httpPathPrefix: string;
    readonly shutdownMaxMs: number;
    readonly searchTracesMax: number;
    readonly hasTagExpressions: boolean;
    readonly corsOrigins: readonly string[];
    readonly allowedHosts: readonly string[];
    readonly isMonitorOff: boolean;
    readonly archiveDeleteAuthKey: string;
    readonly jaegerUiDir: string;
    readonly jaegerUiConfig: string;
  };
  readonly intake: Intake;
  readonly bodies: BodyPool;
  readonly reader: TraceReader;
  /** undefined: traces are stored elsewhere. */
  readonly explainer?: SearchExplainer;
  /** undefined: nothing can be archived. */
  readonly archive: TraceArchive | undefined;
  /** The budget of answers, shared with gRPC. */
  readonly answers: AnswerBudget;
  readonly admin: StoreAdmin;
  readonly metrics: Metrics;
  readonly logger: Logger;
  /** Connections that this listener may have; by default as many as are useful. */
  readonly connectionCaps?: Pick<ConnectionCaps, 'http'>;
  readonly version: string;
  /** False before the store is open and while it closes: all paths except health, metrics and flags get 503. */
  readonly isReady: () => boolean;
}

/** Real clients send their headers at once. */
const HEADERS_TIMEOUT_MS = 10_000;
/** Enough for the largest body at 1 MiB/s; slower senders are cut off. */
const REQUEST_TIMEOUT_MS = 60_000;
/** How often Node checks for requests that exceed these two. */
const TIMEOUT_CHECK_MS = 5_000;

/** Among encodings that a client accepts equally, the best ratio per CPU first; browsers accept all, Grafana only gzip. */
const REPLY_ENCODINGS: ('zstd' | 'gzip' | 'br')[] = ['zstd', 'gzip', 'br'];
/** Smaller answers fit in one packet either way. */
const COMPRESSED_BYTES_MIN = 1_024;
/** How long a browser may cache the answer of a preflight request. */
const PREFLIGHT_MAX_AGE_SECONDS = 600;

/** Listens with all routes registered. Throws CONFIG if it cannot listen on the address, or cannot read the UI. */
export async function openHttpServer(options: HttpServerOptions): Promise<OpenServer> {
  const { httpListenAddr, httpPathPrefix, shutdownMaxMs, allowedHosts } = options.config;
  const app = createApp(mountsOf(httpPathPrefix));
  const connections = watchConnections(app, options);
  const ui = openUi(options);
  const routes = new RouteTable(httpPathPrefix);
  app.addHook('onRoute', ({ method, url }) => {
    // The CORS plugin answers OPTIONS on every path, but that does not make a path known.
    if (method !== 'OPTIONS') routes.add(method, url);
  });
  guardHost(app, ownHosts(httpListenAddr.host, allowedHosts));
  app.addHook('onRequest', async (request) => {
    if (!options.isReady() && !ALWAYS_OPEN_PATHS.has(routes.shortPattern(request.routeOptions.url))) throw notReady();
  });
  app.addHook('onRequest', async (request) => {
    // Only OTLP checks the media type of a body; fastify would refuse an unknown one on any path.
    if (!isOtlpPath(routes.shortPattern(request.routeOptions.url))) delete request.raw.headers['content-type'];
  });
  app.addHook('onResponse', async (request, reply) =>
    countAnswer(request, reply, { routes, metrics: options.metrics }),
  );
  app.setErrorHandler((error, _request, reply) => sendFailure(error, reply, options.logger));
  app.setNotFoundHandler((request, reply) => sendNotFound(request, reply, { routes, ui, httpPathPrefix }));
  await app.register(async (scope) => registerRoutes(scope, options, ui), { prefix: httpPathPrefix });
  try {
    await app.listen({ host: httpListenAddr.host, port: httpListenAddr.port });
  } catch (cause) {
    await app.close();
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new StoreError('CONFIG', `-httpListenAddr=${formatAddress(httpListenAddr)}: cannot listen: ${reason}`, {
      cause,
    });
  }
  const bound = app.server.address();
  assert(typeof bound === 'object' && bound !== null, 'a TCP listener has an address');
  return { address: bound.address, port: bound.port, close: () => connections.close(app.close(), shutdownMaxMs) };
}

function createApp(mounts: readonly string[]): FastifyInstance {
  const app = fastify({
    logger: false,
    rewriteUrl: ({ url = '/' }) => plainUrl(url, mounts),
    requestTimeout: REQUEST_TIMEOUT_MS,
    http: {
      maxHeaderSize: limits.httpHeaderBytesMax,
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      connectionsCheckingInterval: TIMEOUT_CHECK_MS,
    },
    routerOptions: {
      // Exporters whose endpoint ends in a slash send //v1/traces; VictoriaTraces accepts that too.
      ignoreDuplicateSlashes: true,
      // Service names are path segments; fastify's default of 100 characters would make long ones unknown paths.
      maxParamLength: limits.httpHeaderBytesMax,
    },
  });
  // Only routes that need a body read it, under their own budget.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _payload, done) => done(null));
  return app;
}

/** The paths of Jaeger's API and UI, as a client sees them. */
function mountsOf(httpPathPrefix: string): string[] {
  return JAEGER_PREFIXES.map((prefix) => httpPathPrefix + prefix);
}

function watchConnections(
  app: FastifyInstance,
  { metrics, connectionCaps = CONNECTIONS_USEFUL }: HttpServerOptions,
): Connections {
  const connections = new Connections(connectionCaps.http);
  app.server.on('connection', (socket) => connections.add(socket));
  app.server.on('request', (request, response) => response.once('close', connections.begin(request.socket)));
  metrics.watchConnections('httpListenAddr', () => connections.gauges);
  return connections;
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

/** Two scopes, because a plugin or hook applies to its whole scope: pages of other origins must not reach operators' routes. */
async function registerRoutes(
  app: FastifyInstance,
  options: HttpServerOptions,
  ui: JaegerUi | undefined,
): Promise<void> {
  const { config, intake, bodies, reader, archive, answers, logger } = options;
  const hosts = ownHosts(config.httpListenAddr.host, config.allowedHosts);
  await app.register(async (scope) => {
    guardOrigin(scope, { hosts, origins: [] });
    await compressReplies(scope);
    registerOperationsRoutes(scope, options);
  });
  await app.register(async (scope) => {
    guardOrigin(scope, { hosts, origins: config.corsOrigins });
    if (config.corsOrigins.length > 0) await allowOrigins(scope, config.corsOrigins);
    // Before compression: acknowledgements are small.
    registerOtlpRoutes(scope, { intake, bodies, logger });
    await compressReplies(scope);
    const { searchTracesMax: maxTraces, hasTagExpressions, isMonitorOff, archiveDeleteAuthKey } = config;
    registerJaegerRoutes(scope, {
      reader,
      ...(options.explainer === undefined ? {} : { explainer: options.explainer }),
      archive,
      intake,
      bodies,
      answers,
      maxTraces,
      hasTagExpressions,
      isMonitorOff,
      archiveDeleteAuthKey,
      logger,
    });
    if (ui === undefined) return;
    for (const prefix of JAEGER_PREFIXES) {
      await registerJaegerUi(scope, ui, { prefix, path: config.httpPathPrefix + prefix });
    }
  });
}

function openUi({ config, archive, version }: HttpServerOptions): JaegerUi | undefined {
  const { jaegerUiDir: dir, jaegerUiConfig: configFile, isMonitorOff } = config;
  if (dir === '') return undefined;
  const capabilities = { archiveStorage: archive !== undefined, metricsStorage: !isMonitorOff };
  return loadJaegerUi({ disk: nodeDisk, dir: resolve(dir), configFile, version, capabilities });
}

async function compressReplies(scope: FastifyInstance): Promise<void> {
  await scope.register(compress, {
    encodings: REPLY_ENCODINGS,
    threshold: COMPRESSED_BYTES_MIN,
    // Routes that need a body decompress it themselves.
    globalDecompression: false,
  });
}

async function allowOrigins(scope: FastifyInstance, origins: readonly string[]): Promise<void> {
  await scope.register(cors, {
    origin: origins.includes('*') ? '*' : [...origins],
    methods: ['GET', 'POST', 'DELETE'],
    exposedHeaders: ['Retry-After', 'Tracelith-Warnings'],
    maxAge: PREFLIGHT_MAX_AGE_SECONDS,
  });
}

function isOtlpPath(path: string): boolean {
  return (OTLP_HTTP_PATHS as readonly string[]).includes(path);
}

function countAnswer(request: FastifyRequest, reply: FastifyReply, to: { routes: RouteTable; metrics: Metrics }): void {
  const path = to.routes.shortPattern(request.routeOptions.url);
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

interface KnownPaths {
  readonly routes: RouteTable;
  readonly ui: JaegerUi | undefined;
  readonly httpPathPrefix: string;
}

function sendNotFound(request: FastifyRequest, reply: FastifyReply, { routes, ui, httpPathPrefix }: KnownPaths): void {
  const path = request.url.split('?', 1)[0]!;
  const methods = routes.methodsOf(path);
  const paths = mountsOf(httpPathPrefix);
  if (methods.length === 0 && ui !== undefined && sendUnknownPage(request, reply, { ui, paths })) return;
  const shown = JSON.stringify(path.slice(0, 200));
  void reply.type('text/plain; charset=utf-8');
  // If the path has the method, a file is missing.
  if (methods.length === 0 || methods.includes(request.method)) {
    void reply.code(404).send(`unknown path ${shown}\n`);
    return;
  }
  const allow = methods.join(', ');
  void reply
    .code(405)
    .header('allow', allow)
    .send(`method ${request.method} is not allowed for ${shown}: use ${allow}\n`);
}
