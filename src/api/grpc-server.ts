// The gRPC listener. grpc-js holds a message in memory before any handler sees it, so its size and the calls of one
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
import { StoreError } from '../base/errors.ts';
import { formatAddress, type ListenAddress } from '../base/flag-value.ts';
import { limits } from '../base/limits.ts';
import type { Log } from '../base/log.ts';
import type { Intake } from './intake.ts';
import type { Metrics } from './metrics.ts';
import { OTLP_GRPC_PATH, registerOtlpService, STATUS_DETAILS_KEY } from './otlp-grpc.ts';

export interface GrpcServerOptions {
  readonly listenAddr: ListenAddress;
  /** How long close() lets calls under way finish. */
  readonly shutdownMaxMs: number;
  readonly intake: Intake;
  readonly metrics: Metrics;
  readonly log: Log;
  /** False before the store is open and while it closes. */
  readonly isReady: () => boolean;
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

/** Listens with OTLP registered. Throws CONFIG when the address cannot be listened on. */
export async function openGrpcServer(options: GrpcServerOptions): Promise<OpenServer> {
  const { listenAddr, shutdownMaxMs, intake, metrics, log } = options;
  // One per process, and otherwise the console: the library's own complaints become lines of our log.
  setLogger({ error: (text: unknown) => log.warn('gRPC library', { text }) });
  const server = new Server(serverOptions(intake.requestBytesMax, metrics));
  registerOtlpService(server, options);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(formatAddress(listenAddr), ServerCredentials.createInsecure(), (cause, bound) => {
      if (cause === null) resolve(bound);
      else
        reject(
          new StoreError(
            'CONFIG',
            `-otlpGRPCListenAddr=${formatAddress(listenAddr)}: cannot listen: ${cause.message}`,
            { cause },
          ),
        );
    });
  });
  return { address: listenAddr.host, port, close: () => closeServer(server, shutdownMaxMs) };
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
  return (_method, call) => {
    const startMs = performance.now();
    const send = call.sendStatus.bind(call);
    let isCounted = false;
    call.sendStatus = (answer) => {
      const isOurs = (answer.metadata?.get(STATUS_DETAILS_KEY).length ?? 0) > 0;
      if (!isCounted) {
        isCounted = true;
        const seconds = (performance.now() - startMs) / 1000;
        metrics.countRequest({ path: OTLP_GRPC_PATH, format: 'protobuf', isError: answer.code !== status.OK, seconds });
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
