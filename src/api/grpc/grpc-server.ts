// A gRPC listener over HTTP/2: its methods, the limits of its connections and calls, and how they end (decisions/0026).
// grpc-stream.ts handles the messages of one call.
import {
  createSecureServer,
  createServer,
  type Http2SecureServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
  type ServerOptions,
} from 'node:http2';
import { status } from '@grpc/grpc-js';
import { assert } from '../../base/assert.ts';
import { StoreError } from '../../base/errors.ts';
import type { ListenAddress } from '../../base/flag-value.ts';
import { limits } from '../../base/limits.ts';
import type { Logger } from '../../base/logger.ts';
import type { LogIns } from '../access/access.ts';
import { callerOf } from '../access/guard-routes.ts';
import type { ListenerTls } from '../access/listener-tls.ts';
import { ANYONE, onlyTenant, requireScope, tenantsFor, type Principal } from '../../trace/principal.ts';
import { grpcNeed, UNKNOWN_NEED, type RouteNeed } from '../access/route-needs.ts';
import { Connections } from '../edge/connections.ts';
import type { Intake, IntakeAccount } from '../edge/intake.ts';
import type { Metrics } from '../edge/metrics.ts';
import type { RequestTrace, SelfTraces } from '../edge/self-traces.ts';
import { statusOf } from '../edge/status.ts';
import { cannotListen, type OpenServer } from '../edge/open-server.ts';
import type { BodyPool } from '../http/body-pool.ts';
import type { Tenant } from '../../trace/tenant.ts';
import { GrpcStream, type ReadOptions } from './grpc-stream.ts';

export interface GrpcServerOptions {
  /** The flag that the address comes from, for the error. */
  readonly flag: string;
  readonly listenAddr: ListenAddress;
  /** Open connections at a time. */
  readonly connectionsMax: number;
  /** How long close() lets calls under way finish. */
  readonly shutdownMaxMs: number;
  /** undefined: clients speak without TLS. */
  readonly tls?: ListenerTls | undefined;
  readonly access: LogIns;
  /** The budget of received data, shared with HTTP. */
  readonly intake: Pick<Intake, 'open'>;
  /** Decompresses large messages. */
  readonly bodies: BodyPool;
  readonly metrics: Pick<Metrics, 'countRequest' | 'watchConnections' | 'watchCertificate'>;
  readonly logger: Logger;
  /** undefined: calls are not traced. */
  readonly selfTraces?: SelfTraces | undefined;
  /** Adds the methods of the server; `closing` fires when close() is called. */
  readonly register: (server: GrpcMethodTable, closing: AbortSignal) => void;
}

/** Connections are ended at about this age (with a grace period for their calls), so that load balancers spread them again. */
const CONNECTION_AGE_MAX_MS = 10 * 60_000;
const CONNECTION_AGE_GRACE_MS = 30_000;
/**
 * What a client may send ahead on one call and on one connection, before it is told that it was read. HTTP/2's own 64 KiB
 * bound a sender 50 ms away to 1.3 MB/s; what is read counts as received at once, so more costs memory only while this
 * thread is busy.
 */
const CALL_WINDOW_BYTES: number = 256 << 10;
const CONNECTION_WINDOW_BYTES: number = 1 << 20;
/** As gRPC over HTTP/2 has it; gRPC-Web frames its trailers differently, and messages are protobuf. */
const GRPC_TYPE = /^application\/grpc(\+proto)?\s*(;|$)/i;
/** How often connections are checked: a peer that vanished silently has not answered the ping of the last check. */
const LOOK_INTERVAL_MS = 30_000;

/** One call as its method sees it. */
export interface ReceivedCall {
  readonly stream: GrpcStream;
  /** One, or several if it only reads. */
  readonly tenants: readonly Tenant[];
  readonly principal: Principal;
  /** Counts the bytes that the call holds. */
  readonly account: IntakeAccount;
  /** The only message of the request, held until the call ends. Throws as GrpcStream.next. */
  only(bytesMax: number): Promise<Uint8Array>;
  /** The messages of a streamed request, each held until the next is requested. */
  each(bytesMax: number): AsyncGenerator<Uint8Array, void, undefined>;
}

/** Answers one call: resolves when it has written its last message; a thrown error becomes the call's status. */
export type GrpcMethod = (call: ReceivedCall) => Promise<void>;

interface Registered {
  readonly need: RouteNeed;
  readonly answer: GrpcMethod;
  readonly format: 'protobuf' | undefined;
}

/** Methods by path, /package.Service/Method. */
export class GrpcMethodTable {
  readonly #methods = new Map<string, Registered>();

  /** `format` is the label of an ingest method in the metrics. */
  add(path: string, answer: GrpcMethod, format?: 'protobuf'): void {
    assert(!this.#methods.has(path), `gRPC method ${path} is registered twice`);
    this.#methods.set(path, { answer, format, need: grpcNeed(path) });
  }

  /** Paths of all methods. */
  get paths(): string[] {
    return [...this.#methods.keys()];
  }

  find(path: string): Registered | undefined {
    return this.#methods.get(path);
  }
}

/** Throws CONFIG if it cannot listen on the address. */
export async function openGrpcServer(options: GrpcServerOptions): Promise<OpenServer> {
  const { flag, listenAddr, connectionsMax, shutdownMaxMs, metrics } = options;
  const { tls } = options;
  const server = openPlainOrTls(tls, {
    settings: { maxConcurrentStreams: limits.grpcStreamsPerConnectionMax, initialWindowSize: CALL_WINDOW_BYTES },
    // No limit per connection: the intake bounds requests; the budget of answers and the pace of clients bound answers.
    maxSessionMemory: Number.MAX_SAFE_INTEGER,
  });
  const methods = new GrpcMethodTable();
  const closing = new AbortController();
  options.register(methods, closing.signal);
  const connections = new Connections(connectionsMax);
  const sessions = new Sessions(server, () => connections.countTimeout());
  server.on('connection', (socket) => connections.add(socket));
  server.on('stream', (stream, headers) => {
    if (stream.session !== undefined) stream.once('close', connections.begin(stream.session.socket));
    accept(stream, headers, { ...options, methods });
  });
  await new Promise<void>((resolve, reject) => {
    const refuse = (cause: Error): void => {
      sessions.end();
      reject(cannotListen(flag, listenAddr, cause));
    };
    server.once('error', refuse).listen({ host: listenAddr.host, port: listenAddr.port }, () => {
      server.off('error', refuse);
      resolve();
    });
  });
  const bound = server.address();
  assert(typeof bound === 'object' && bound !== null, 'a TCP listener has an address');
  metrics.watchConnections(flag, () => connections.gauges);
  if (tls !== undefined) metrics.watchCertificate(flag, () => tls.expiresMs / 1000);
  const close = async (): Promise<void> => {
    closing.abort();
    tls?.[Symbol.dispose]();
    await connections.close(sessions.close(), shutdownMaxMs);
  };
  const routes = methods.paths.map((pattern) => ({ method: 'POST', pattern }));
  return { address: listenAddr.host, port: bound.port, routes, isTls: tls !== undefined, close };
}

function openPlainOrTls(tls: ListenerTls | undefined, options: ServerOptions): Http2Server | Http2SecureServer {
  if (tls === undefined) return createServer(options);
  const server = createSecureServer({ ...options, ...tls.options });
  tls.serve(server);
  return server;
}

interface Acceptance extends Pick<
  GrpcServerOptions,
  'access' | 'intake' | 'bodies' | 'metrics' | 'logger' | 'selfTraces'
> {
  readonly methods: GrpcMethodTable;
}

function accept(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, options: Acceptance): void {
  const path = String(headers[':path']);
  const method = options.methods.find(path);
  const trace = method && traceCall(options.selfTraces, { path, method, headers });
  const startMs = performance.now();
  const call = new GrpcStream(stream, headers, (httpStatus) => {
    // Paths that clients choose must not become labels; only registered methods do.
    if (method === undefined) return;
    trace?.end(httpStatus);
    const seconds = (performance.now() - startMs) / 1000;
    const { format } = method;
    options.metrics.countRequest({ path, format, status: httpStatus, seconds });
  });
  if (!GRPC_TYPE.test(headers['content-type'] ?? '')) return call.refuseType();
  const work = (): Promise<void> => answer(call, { path, method, options });
  (trace?.run(work) ?? work()).then(
    () => call.end(),
    (error: unknown) => {
      const { http, grpc } = statusOf(error);
      // An unimplemented method is not a failure of the server.
      if (http >= 500 && grpc !== status.UNIMPLEMENTED) {
        options.logger.error('a gRPC call failed', { status: http, error });
      }
      call.fail(error);
    },
  );
}

/** Probes have no trace. */
function traceCall(
  selfTraces: SelfTraces | undefined,
  call: { readonly path: string; readonly method: Registered; readonly headers: IncomingHttpHeaders },
): RequestTrace | undefined {
  const { path, method, headers } = call;
  if (method.need.scope === 'open') return undefined;
  const attributes = { 'rpc.system': 'grpc', 'rpc.method': path.slice(1) };
  return selfTraces?.begin({ name: path.slice(1), headers, isIngest: method.format !== undefined, attributes });
}

async function answer(
  call: GrpcStream,
  to: { readonly path: string; readonly method: Registered | undefined; readonly options: Acceptance },
): Promise<void> {
  const { path, method, options } = to;
  const principal = await letIn(call, method?.need ?? UNKNOWN_NEED, options.access);
  if (method === undefined) throw new StoreError('DISABLED', `this server has no method ${path.slice(0, 200)}`);
  call.startDeadline();
  const { intake, bodies } = options;
  const tenants = tenantsFor(principal, call.headers);
  using account = intake.open(ownerOf(method, tenants));
  await method.answer({
    stream: call,
    tenants,
    principal,
    account,
    only: async (bytesMax) => await onlyMessage(call, { bytesMax, account, bodies }),
    each: (bytesMax) => eachMessage(call, { bytesMax, account, bodies }),
  });
}

/** Throws UNAUTHENTICATED, FORBIDDEN, OVERLOADED, UNAVAILABLE. */
async function letIn(call: GrpcStream, { scope }: RouteNeed, access: LogIns): Promise<Principal> {
  if (scope === 'open' || access.isOpen) return ANYONE;
  const principal = await access.logIn(callerOf(call));
  requireScope(principal, scope);
  return principal;
}

/**
 * Methods that only read have their own share of the budget: probes, and queries that look for the cause of a flood, are
 * answered even when senders use up theirs.
 */
function ownerOf({ format }: Registered, tenants: readonly Tenant[]): Tenant {
  return format === undefined ? (`questions of ${tenants[0]!}` as Tenant) : onlyTenant(tenants);
}

async function onlyMessage(call: GrpcStream, options: ReadOptions): Promise<Uint8Array> {
  const message = await call.next(options);
  if (message === undefined) throw new StoreError('INVALID_REQUEST', 'the request has no message');
  if ((await call.next(options)) !== undefined) {
    throw new StoreError('INVALID_REQUEST', 'the request has more than one message');
  }
  return message;
}

async function* eachMessage(call: GrpcStream, options: ReadOptions): AsyncGenerator<Uint8Array, void, undefined> {
  for (;;) {
    const message = await call.next(options);
    if (message === undefined) return;
    yield message;
    options.account.exchange(message.length, 0);
  }
}

interface Connection {
  openedMs: number;
  /** The age at which it is ended. It differs between connections, so that those opened together do not all reconnect together. */
  readonly ageMaxMs: number;
  /** The ping of the last check is not answered yet. */
  isSilent: boolean;
}

/** The connections of one server, from accept to close. */
class Sessions {
  readonly #server: Http2Server | Http2SecureServer;
  readonly #open = new Map<ServerHttp2Session, Connection>();
  readonly #looking: NodeJS.Timeout;
  readonly #onTimeout: () => void;

  /** `onTimeout` is called for each connection that is ended because it no longer answers. */
  constructor(server: Http2Server | Http2SecureServer, onTimeout: () => void) {
    this.#server = server;
    this.#onTimeout = onTimeout;
    server.on('session', (session) => {
      session.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
      const ageMaxMs = CONNECTION_AGE_MAX_MS * (0.9 + Math.random() * 0.2);
      this.#open.set(session, { openedMs: performance.now(), ageMaxMs, isSilent: false });
      // Every error is followed by a close.
      session.on('error', () => undefined).on('close', () => this.#open.delete(session));
    });
    server.on('sessionError', () => undefined);
    this.#looking = setInterval(() => this.#look(), LOOK_INTERVAL_MS).unref();
  }

  /** Ends connections that are too old or no longer answer. */
  #look(): void {
    const nowMs = performance.now();
    for (const [session, connection] of this.#open) {
      // Node still waits for the peer to end the socket of a session that ended without error; a ping would throw.
      if (session.destroyed) continue;
      // Its client sent GOAWAY: it cannot be pinged, and after a malformed frame Node reads nothing more of it, not even its
      // end. From now on it has the grace period of a connection that is too old.
      if (session.closed) connection.openedMs = Math.min(connection.openedMs, nowMs - connection.ageMaxMs);
      const overdueMs = nowMs - connection.openedMs - connection.ageMaxMs;
      if (connection.isSilent) this.#onTimeout();
      if (connection.isSilent || overdueMs > CONNECTION_AGE_GRACE_MS) session.destroy();
      else if (overdueMs > 0) session.close();
      else {
        connection.isSilent = true;
        session.ping(() => (connection.isSilent = false));
      }
    }
  }

  /** Accepts no more and sends GOAWAY. Resolves when the last connection is closed. */
  close(): Promise<void> {
    this.end();
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      for (const session of this.#open.keys()) session.close();
    });
  }

  /** Stops the checks. */
  end(): void {
    clearInterval(this.#looking);
  }
}
