// A gRPC listener. grpc-js holds a message in memory before any handler sees it, so its size and the calls of one
// connection are bounded here. What the library itself refuses as INTERNAL (damaged gzip, a malformed grpc-timeout) is
// the sender's fault and leaves as INVALID_ARGUMENT; INTERNAL stays what it says, a fault of ours.
import {
  Server,
  ServerCredentials,
  ServerInterceptingCall,
  setLogger,
  status,
  type ServerInterceptor,
  type ServerOptions,
} from '@grpc/grpc-js';
import { StoreError } from '../../base/errors.ts';
import { formatAddress, type ListenAddress } from '../../base/flag-value.ts';
import { limits } from '../../base/limits.ts';
import type { Logger } from '../../base/logger.ts';
import { OTLP_GRPC_PATH, STATUS_DETAILS_KEY } from './grpc-call.ts';
import type { Metrics } from '../edge/metrics.ts';

export interface GrpcServerOptions {
  /** The flag that the address comes from, for the error. */
  readonly flag: string;
  readonly listenAddr: ListenAddress;
  /** How long close() lets calls under way finish. */
  readonly shutdownMaxMs: number;
  /** Bytes of one message that is received. */
  readonly requestBytesMax: number;
  readonly metrics: Metrics;
  readonly logger: Logger;
  /** Registers what the server serves; `closing` fires when close() is called. */
  readonly register: (server: Server, closing: AbortSignal) => void;
}

/** A listener that answers. close() stops accepting, lets requests finish, and resolves when the last socket is closed. */
export interface OpenServer {
  readonly address: string;
  readonly port: number;
  close(): Promise<void>;
}

/** Connections are ended after this age (with a grace for their calls), so that load balancers spread them again. */
const CONNECTION_AGE_MAX_MS = 10 * 60_000;
const CONNECTION_AGE_GRACE_MS = 30_000;
/** A peer that vanished without a packet is found by a ping within these. */
const KEEPALIVE_MS = 60_000;
const KEEPALIVE_TIMEOUT_MS = 20_000;

/** Throws CONFIG when the address cannot be listened on. */
export async function openGrpcServer(options: GrpcServerOptions): Promise<OpenServer> {
  const { flag, listenAddr, shutdownMaxMs, requestBytesMax, metrics, logger } = options;
  // One per process, and otherwise the console: the library's own complaints become lines of our log.
  setLogger({ error: (text: unknown) => logger.warn('gRPC library', { text }) });
  const server = new Server(serverOptions(requestBytesMax, metrics));
  const closing = new AbortController();
  options.register(server, closing.signal);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(formatAddress(listenAddr), ServerCredentials.createInsecure(), (cause, bound) => {
      if (cause === null) resolve(bound);
      else
        reject(
          new StoreError('CONFIG', `-${flag}=${formatAddress(listenAddr)}: cannot listen: ${cause.message}`, { cause }),
        );
    });
  });
  const close = (): Promise<void> => {
    closing.abort();
    return closeServer(server, shutdownMaxMs);
  };
  return { address: listenAddr.host, port, close };
}

function serverOptions(requestBytesMax: number, metrics: Metrics): ServerOptions {
  return {
    'grpc.max_receive_message_length': requestBytesMax,
    'grpc.max_concurrent_streams': limits.grpcStreamsPerConnectionMax,
    'grpc.max_connection_age_ms': CONNECTION_AGE_MAX_MS,
    'grpc.max_connection_age_grace_ms': CONNECTION_AGE_GRACE_MS,
    'grpc.keepalive_time_ms': KEEPALIVE_MS,
    'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
    interceptors: [answerInterceptor(metrics)],
  };
}

/**
 * Sees every status on its way out. grpc-js answers what fails before the handler (decompression, size, timeout header)
 * by the call's own sendStatus, past all interceptors: replacing that method is the only place where both can be seen.
 * Our own answers are told from the library's by their details.
 */
function answerInterceptor(metrics: Metrics): ServerInterceptor {
  return ({ path }, call) => {
    const format = path === OTLP_GRPC_PATH ? 'protobuf' : undefined;
    const startMs = performance.now();
    const send = call.sendStatus.bind(call);
    let isCounted = false;
    call.sendStatus = (answer) => {
      const isOurs = (answer.metadata?.get(STATUS_DETAILS_KEY).length ?? 0) > 0;
      if (!isCounted) {
        isCounted = true;
        const seconds = (performance.now() - startMs) / 1000;
        metrics.countRequest({ path, format, isError: answer.code !== status.OK, seconds });
      }
      send(answer.code === status.INTERNAL && !isOurs ? { ...answer, code: status.INVALID_ARGUMENT } : answer);
    };
    return new ServerInterceptingCall(call);
  };
}

/** Sends GOAWAY, waits for the calls under way, then cuts what is left at the deadline. */
function closeServer(server: Server, shutdownMaxMs: number): Promise<void> {
  return new Promise((resolve) => {
    const deadline = setTimeout(() => server.forceShutdown(), shutdownMaxMs);
    server.tryShutdown(() => {
      // An error says only that the server was closed before, which is what was asked.
      clearTimeout(deadline);
      resolve();
    });
  });
}
