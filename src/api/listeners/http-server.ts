// What the HTTP listeners serve: everything on -httpListenAddr, or on -adminListenAddr, if that is given, and then all but the paths for
// operators on -httpListenAddr; OTLP alone on -otlpHTTPListenAddr. http-listener.ts has what
// listeners share.
import { resolve } from 'node:path';
import compress from '@fastify/compress';
import cors from '@fastify/cors';
import type { FastifyInstance } from 'fastify';
import type { DiagnosedThread } from '../../base/diagnosed-thread.ts';
import { CONNECTIONS_USEFUL, type ConnectionCaps } from '../../base/descriptors.ts';
import type { ListenAddress } from '../../base/flag-value.ts';
import type { Logger } from '../../base/logger.ts';
import { nodeDisk } from '../../disk/node-disk.ts';
import type { StoreInventory } from '../../trace/inventory.ts';
import type { SearchExplainer } from '../../trace/search-explanation.ts';
import type { SpanDigester } from '../../trace/span-digests.ts';
import type { StoreAdmin, TraceArchive, TraceReader } from '../../trace/store.ts';
import type { LogIns } from '../access/access.ts';
import type { RouteKeys } from '../access/guard-routes.ts';
import type { TlsConfig } from '../access/listener-tls.ts';
import type { AnswerBudget } from '../edge/answer-budget.ts';
import { endpointsOf } from '../home/endpoints.ts';
import { loadHome, registerHome } from '../home/home-page.ts';
import { HomeStatusReader, type HomeStatusOptions } from '../home/home-status.ts';
import type { Intake } from '../edge/intake.ts';
import type { Metrics } from '../edge/metrics.ts';
import type { OpenServer } from '../edge/open-server.ts';
import type { Readiness } from '../edge/readiness.ts';
import type { SelfTraces } from '../edge/self-traces.ts';
import type { BodyPool } from '../http/body-pool.ts';
import { guardOrigin, ownHosts } from '../http/browser-guard.ts';
import type { SecurityHeaders } from '../http/security-headers.ts';
import { loadJaegerUi, registerJaegerUi, sendUnknownPage, type JaegerUi } from '../jaeger-http/jaeger-ui.ts';
import { JAEGER_PREFIXES, registerJaegerRoutes } from '../jaeger-http/jaeger-v1.ts';
import type { Deletions } from '../operations/delete-routes.ts';
import { registerOperationsRoutes, registerProbes, type OperationsOptions } from '../operations/operations-routes.ts';
import { registerOtlpRoutes } from '../otlp-in/otlp-http.ts';
import { openHttpListener } from './http-listener.ts';

export interface HttpServerOptions {
  /** The keys of Config that these listeners use. */
  readonly config: OperationsOptions['config'] &
    HomeStatusOptions['config'] &
    SecurityHeaders &
    RouteKeys &
    TlsConfig & {
      readonly httpListenAddr: ListenAddress;
      readonly otlpHttpListenAddr: ListenAddress | undefined;
      readonly adminListenAddr: ListenAddress | undefined;
      readonly httpPathPrefix: string;
      readonly shutdownMaxMs: number;
      readonly idleConnectionMaxMs: number;
      readonly isKeepAliveOff: boolean;
      readonly isCompressionOff: boolean;
      readonly searchTracesMax: number;
      readonly hasTagExpressions: boolean;
      readonly corsOrigins: readonly string[];
      readonly allowedHosts: readonly string[];
      readonly isMonitorOff: boolean;
      readonly jaegerUiDir: string;
      readonly jaegerUiConfig: string;
      readonly isInsertOff: boolean;
      readonly isSelectOff: boolean;
    };
  readonly access: LogIns;
  readonly intake: Intake;
  readonly bodies: BodyPool;
  readonly reader: TraceReader;
  /** undefined: traces are stored elsewhere. */
  readonly explainer?: SearchExplainer;
  /** undefined: traces are stored elsewhere. */
  readonly digester?: SpanDigester;
  /** undefined: the node reads no log. */
  readonly placeInLog?: OperationsOptions['placeInLog'];
  /** What is stored, in numbers; undefined: it is stored elsewhere. */
  readonly inventory?: StoreInventory;
  /** The folder of the built first page; undefined: there is none. */
  readonly uiDir?: string;
  /** Where the listeners of this process listen, by name. */
  readonly addresses?: () => Readonly<Record<string, string>>;
  /** undefined: nothing can be archived. */
  readonly archive: TraceArchive | undefined;
  /** The budget of answers, shared with gRPC. */
  readonly answers: AnswerBudget;
  /** undefined: the node has no store. */
  readonly admin: StoreAdmin | undefined;
  /** undefined: deletion is off. */
  readonly deletions?: Deletions | undefined;
  readonly metrics: Metrics;
  readonly logger: Logger;
  /** Connections that each listener may have; by default as many as are useful. */
  readonly connectionCaps?: Pick<ConnectionCaps, 'http' | 'otlpHttp'>;
  readonly version: string;
  readonly readiness: Readiness;
  /** undefined: requests are not traced. */
  readonly selfTraces?: SelfTraces | undefined;
  /** Threads that /debug can profile, by name; default: the main thread. */
  readonly threads?: Readonly<Record<string, DiagnosedThread>>;
}

/** Among encodings that a client accepts equally, the best ratio per CPU first; browsers accept all, Grafana only gzip. */
const REPLY_ENCODINGS: ('zstd' | 'gzip' | 'br')[] = ['zstd', 'gzip', 'br'];
/** Smaller answers fit in one packet either way. */
const COMPRESSED_BYTES_MIN = 1_024;
const OTLP_HTTP_FLAG = 'otlpHTTPListenAddr';
/** How long a browser may cache the answer of a preflight request. */
const PREFLIGHT_MAX_AGE_SECONDS = 600;

/** A few operators and scrapers. */
const ADMIN_CONNECTIONS_MAX = 64;

/** The listener of -httpListenAddr. Throws CONFIG if it cannot listen on the address, or cannot read the UI. */
export async function openHttpServer(options: HttpServerOptions): Promise<OpenServer> {
  const { httpListenAddr: listenAddr, adminListenAddr } = options.config;
  const connectionsMax = (options.connectionCaps ?? CONNECTIONS_USEFUL).http;
  const flag = 'httpListenAddr';
  return await openPages(options, { flag, listenAddr, connectionsMax, isForOperators: adminListenAddr === undefined });
}

/** The listener of -adminListenAddr; undefined: there is none. Throws as openHttpServer. */
export async function openAdminHttp(options: HttpServerOptions): Promise<OpenServer | undefined> {
  const { adminListenAddr: listenAddr } = options.config;
  if (listenAddr === undefined) return undefined;
  const flag = 'adminListenAddr';
  return await openPages(options, { flag, listenAddr, connectionsMax: ADMIN_CONNECTIONS_MAX, isForOperators: true });
}

interface PagesListener {
  readonly flag: string;
  readonly listenAddr: ListenAddress;
  readonly connectionsMax: number;
  /** It has the paths for operators. */
  readonly isForOperators: boolean;
}

async function openPages(options: HttpServerOptions, listener: PagesListener): Promise<OpenServer> {
  const { httpPathPrefix: pathPrefix, allowedHosts } = options.config;
  const { isForOperators, ...listening } = listener;
  const hosts = ownHosts(listening.listenAddr.host, allowedHosts);
  const ui = openUi(options);
  const mounts = JAEGER_PREFIXES.map((prefix) => pathPrefix + prefix);
  return await openHttpListener({
    ...options,
    ...options.config,
    ...listening,
    tlsListener: 'http',
    hosts,
    pathPrefix,
    mounts,
    register: (scope) => registerRoutes(scope, options, { ui, hosts, isForOperators }),
    ...(ui && { sendUnknown: (request, reply) => sendUnknownPage(request, reply, { ui, paths: mounts }) }),
    hint:
      options.admin === undefined
        ? 'this node stores nothing: insert nodes take OTLP at /v1/traces, select nodes answer below /select/jaeger/api/'
        : `GET ${pathPrefix}/ui lists what is served here`,
  });
}

/**
 * OTLP alone, on -otlpHTTPListenAddr, where SDKs send without a setting; undefined: it is off, or nobody asked for it and
 * another program has the port. Throws CONFIG if it cannot listen on the address that was asked for.
 */
export async function openOtlpHttp(options: HttpServerOptions): Promise<OpenServer | undefined> {
  const { otlpHttpListenAddr: listenAddr, shownFlags, isInsertOff } = options.config;
  if (listenAddr === undefined || isInsertOff) return undefined;
  try {
    return await listenForOtlp(options, listenAddr);
  } catch (error) {
    const isAskedFor = shownFlags.some(({ name, isSet }) => name === OTLP_HTTP_FLAG && isSet);
    if (isAskedFor || !isTaken(error)) throw error;
    // The usual other program is a Collector that sends to this node, which must not keep the node from starting.
    options.logger.warn(
      'another program has the port where SDKs send OTLP, so they reach it and not this node; stop it, or set ' +
        `-${OTLP_HTTP_FLAG} to another address, or to nothing`,
      { port: listenAddr.port },
    );
    return undefined;
  }
}

function isTaken(error: unknown): boolean {
  const { cause } = error as { readonly cause?: unknown };
  return cause instanceof Error && 'code' in cause && cause.code === 'EADDRINUSE';
}

async function listenForOtlp(options: HttpServerOptions, listenAddr: ListenAddress): Promise<OpenServer> {
  const { allowedHosts } = options.config;
  const hosts = ownHosts(listenAddr.host, allowedHosts);
  return await openHttpListener({
    ...options,
    ...options.config,
    flag: OTLP_HTTP_FLAG,
    tlsListener: 'otlpHttp',
    listenAddr,
    hosts,
    connectionsMax: (options.connectionCaps ?? CONNECTIONS_USEFUL).otlpHttp,
    pathPrefix: '',
    mounts: [],
    register: (scope) => registerOtlp(scope, options, hosts),
    hint: 'this port takes OTLP traces alone, POST /v1/traces; -httpListenAddr has pages, queries and metrics',
  });
}

/** Two scopes, because a plugin or hook applies to its whole scope: pages of other origins must not reach operators' routes. */
async function registerRoutes(
  app: FastifyInstance,
  options: HttpServerOptions,
  served: {
    readonly ui: JaegerUi | undefined;
    readonly hosts: ReadonlySet<string> | undefined;
    readonly isForOperators: boolean;
  },
): Promise<void> {
  const { config, intake, bodies, reader, archive, answers, logger } = options;
  const { ui, hosts, isForOperators } = served;
  await app.register(async (scope) => {
    guardOrigin(scope, { hosts, origins: [] });
    if (!config.isCompressionOff) await compressReplies(scope);
    registerProbes(scope, options);
    if (isForOperators) await registerOperationsRoutes(scope, options);
    // An insert node has nothing to show.
    if (options.admin !== undefined || !config.isSelectOff) registerHomePage(scope, { ...options, isForOperators });
  });
  await app.register(async (scope) => {
    if (config.isInsertOff) await guardPages(scope, options, hosts);
    else await registerOtlp(scope, options, hosts);
    if (config.isSelectOff) return;
    if (!config.isCompressionOff) await compressReplies(scope);
    const { searchTracesMax: maxTraces, hasTagExpressions, isMonitorOff } = config;
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
      logger,
    });
    if (ui === undefined) return;
    for (const prefix of JAEGER_PREFIXES) {
      await registerJaegerUi(scope, ui, { prefix, path: config.httpPathPrefix + prefix });
    }
  });
}

function registerHomePage(
  scope: FastifyInstance,
  options: HttpServerOptions & Pick<PagesListener, 'isForOperators'>,
): void {
  const { config, version, uiDir, admin, inventory, isForOperators, addresses = () => ({}) } = options;
  const endpoints = endpointsOf({
    isForOperators,
    storesSpans: admin !== undefined,
    takesSpans: !config.isInsertOff,
    answersQueries: !config.isSelectOff,
  });
  registerHome(scope, {
    files: uiDir === undefined ? undefined : loadHome(nodeDisk, uiDir),
    status: new HomeStatusReader({ ...options, admin, inventory, addresses, endpoints }),
    version,
    path: config.httpPathPrefix,
    isAtRoot: config.jaegerUiDir === '',
    endpoints,
  });
}

/** OTLP, for pages of the origins that may send too. Replies are not compressed: acknowledgements are small. */
async function registerOtlp(
  scope: FastifyInstance,
  options: HttpServerOptions,
  hosts: ReadonlySet<string> | undefined,
): Promise<void> {
  const { intake, bodies, logger } = options;
  await guardPages(scope, options, hosts);
  registerOtlpRoutes(scope, { intake, bodies, logger });
}

/** Lets pages of the allowed origins pass. */
async function guardPages(
  scope: FastifyInstance,
  { config }: HttpServerOptions,
  hosts: ReadonlySet<string> | undefined,
): Promise<void> {
  guardOrigin(scope, { hosts, origins: config.corsOrigins });
  if (config.corsOrigins.length > 0) await allowOrigins(scope, config.corsOrigins);
}

function openUi({ config, archive, version }: HttpServerOptions): JaegerUi | undefined {
  const { jaegerUiDir: dir, jaegerUiConfig: configFile, isMonitorOff, cspHeader } = config;
  if (dir === '' || config.isSelectOff) return undefined;
  const capabilities = { archiveStorage: archive !== undefined, metricsStorage: !isMonitorOff };
  return loadJaegerUi({ disk: nodeDisk, dir: resolve(dir), configFile, version, capabilities, cspHeader });
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
    exposedHeaders: ['Retry-After', 'Tracelith-Warnings', 'X-Tracelith-Partial'],
    maxAge: PREFLIGHT_MAX_AGE_SECONDS,
  });
}
