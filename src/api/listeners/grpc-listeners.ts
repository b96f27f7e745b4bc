// The services of each gRPC listener: only OTLP on its well-known port; on the port of Jaeger's remote storage all of Jaeger's
// services and OTLP, so that a Jaeger in front of this node needs one address for reading and writing.
import { CONNECTIONS_USEFUL, type ConnectionCaps } from '../../base/descriptors.ts';
import type { ListenAddress } from '../../base/flag-value.ts';
import type { Logger } from '../../base/logger.ts';
import type { Config } from '../../config.ts';
import type { TraceArchive, TraceReader } from '../../trace/store.ts';
import type { LogIns } from '../access/access.ts';
import { listenerTls, type TlsListener } from '../access/listener-tls.ts';
import type { AnswerBudget } from '../edge/answer-budget.ts';
import type { GrpcCallOptions } from '../grpc/grpc-call.ts';
import { registerHealth, registerReflection } from '../grpc/grpc-discovery.ts';
import type { OpenServer } from '../edge/open-server.ts';
import { registerStorageNode } from '../cluster-grpc/storage-node-grpc.ts';
import { STORAGE_NODE, type NodeDescription } from '../../cluster/protocol.ts';
import type { SearchExplainer } from '../../trace/search-explanation.ts';
import { openGrpcServer, type GrpcMethodTable, type GrpcServerOptions } from '../grpc/grpc-server.ts';
import type { Intake } from '../edge/intake.ts';
import type { BodyPool } from '../http/body-pool.ts';
import { METRICS, registerMetricsService } from '../jaeger-grpc/jaeger-metrics-grpc.ts';
import type { Metrics } from '../edge/metrics.ts';
import type { Readiness } from '../edge/readiness.ts';
import type { SelfTraces } from '../edge/self-traces.ts';
import { API_V2, registerApiV2 } from '../jaeger-grpc/jaeger-v2-grpc.ts';
import { API_V3, registerApiV3 } from '../jaeger-grpc/jaeger-v3-grpc.ts';
import { registerOtlpService } from '../otlp-in/otlp-grpc.ts';
import { registerStorageServices } from '../jaeger-grpc/storage-grpc.ts';

export interface GrpcParts {
  readonly config: Config;
  readonly access: LogIns;
  readonly intake: Intake;
  readonly bodies: BodyPool;
  readonly reader: TraceReader;
  /** The budget of answers, shared with HTTP. */
  readonly answers: AnswerBudget;
  /** undefined: nothing can be archived. */
  readonly archive: TraceArchive | undefined;
  readonly metrics: Metrics;
  readonly logger: Logger;
  /** Connections that each listener may have; by default as many as are useful. */
  readonly connectionCaps?: ConnectionCaps;
  readonly readiness: Readiness;
  /** As GrpcCallOptions.reached. */
  readonly reached?: GrpcCallOptions['reached'];
  /** undefined: calls are not traced. */
  readonly selfTraces?: SelfTraces | undefined;
}

const STORAGE_SERVICES = [
  'jaeger.storage.v2.TraceReader',
  'jaeger.storage.v2.DependencyReader',
  'jaeger.storage.v2.Capabilities',
];
const OTLP_SERVICE = 'opentelemetry.proto.collector.trace.v1.TraceService';
const QUERY_SERVICES = [...STORAGE_SERVICES, API_V3, API_V2, METRICS];
/** Jaeger checks the health of its writer under this name, although it writes with OTLP. */
const TRACE_WRITER = 'jaeger.storage.v2.TraceWriter';

/** The listener of -otlpGRPCListenAddr; undefined when it is off. Throws CONFIG. */
export async function openOtlpGrpc(parts: GrpcParts): Promise<OpenServer | undefined> {
  const { otlpGrpcListenAddr: listenAddr, grpcCallMaxMs: callMaxMs, isInsertOff } = parts.config;
  if (isInsertOff) return undefined;
  const register = (server: GrpcMethodTable, closing: AbortSignal): void => {
    registerOtlpService(server, { ...parts, callMaxMs, isReady: () => parts.readiness.isAnswering });
    registerHealth(server, { isReady: () => parts.readiness.isServing, closing, services: [OTLP_SERVICE] });
  };
  const { otlpGrpc: connectionsMax } = parts.connectionCaps ?? CONNECTIONS_USEFUL;
  return listen(parts, { flag: 'otlpGRPCListenAddr', tlsListener: 'otlpGrpc', listenAddr, connectionsMax, register });
}

/** The listener of -grpc.listenAddr; undefined when it is off. Throws CONFIG. */
export async function openJaegerGrpc(parts: GrpcParts): Promise<OpenServer | undefined> {
  const { grpcListenAddr: listenAddr, hasTagExpressions, isMonitorOff, isInsertOff, isSelectOff } = parts.config;
  if (isSelectOff) return undefined;
  const { searchTracesMax: maxTraces, grpcCallMaxMs: callMaxMs } = parts.config;
  const isReady = (): boolean => parts.readiness.isAnswering;
  const options = { ...parts, isReady, maxTraces, hasTagExpressions, callMaxMs };
  const register = (server: GrpcMethodTable, closing: AbortSignal): void => {
    registerStorageServices(server, options);
    registerApiV3(server, options);
    registerApiV2(server, options);
    registerMetricsService(server, { ...options, isMonitorOff });
    if (!isInsertOff) registerOtlpService(server, options);
    const services = isInsertOff ? QUERY_SERVICES : [...QUERY_SERVICES, OTLP_SERVICE];
    const healthy = isInsertOff ? services : [...services, TRACE_WRITER];
    registerHealth(server, { isReady: () => parts.readiness.isServing, closing, services: healthy });
    registerReflection(server, services);
  };
  const { grpc: connectionsMax } = parts.connectionCaps ?? CONNECTIONS_USEFUL;
  return listen(parts, { flag: 'grpc.listenAddr', tlsListener: 'grpc', listenAddr, connectionsMax, register });
}

export interface StorageParts extends GrpcParts {
  readonly explainer: SearchExplainer;
  readonly describe: () => NodeDescription | Promise<NodeDescription>;
}

/** The listener of -storage.listenAddr, for the other roles of a cluster; undefined when it is off. Throws CONFIG. */
export async function openStorageGrpc(parts: StorageParts): Promise<OpenServer | undefined> {
  const { storageListenAddr: listenAddr, hasTagExpressions } = parts.config;
  const { searchTracesMax: maxTraces, grpcCallMaxMs: callMaxMs } = parts.config;
  const isReady = (): boolean => parts.readiness.isAnswering;
  const options = { ...parts, isReady, maxTraces, hasTagExpressions, callMaxMs };
  const services = [...STORAGE_SERVICES, STORAGE_NODE, OTLP_SERVICE];
  const register = (server: GrpcMethodTable, closing: AbortSignal): void => {
    registerStorageServices(server, options);
    registerStorageNode(server, options);
    registerOtlpService(server, { ...options, isInternal: true });
    registerHealth(server, {
      isReady: () => parts.readiness.isServing,
      closing,
      services: [...services, TRACE_WRITER],
    });
    registerReflection(server, services);
  };
  const { grpc: connectionsMax } = parts.connectionCaps ?? CONNECTIONS_USEFUL;
  return listen(parts, { flag: 'storage.listenAddr', tlsListener: 'storage', listenAddr, connectionsMax, register });
}

type Listening = Pick<GrpcServerOptions, 'flag' | 'connectionsMax' | 'register'> & {
  readonly listenAddr: ListenAddress | undefined;
  readonly tlsListener: TlsListener;
};

async function listen(parts: GrpcParts, listening: Listening): Promise<OpenServer | undefined> {
  const { listenAddr, tlsListener, ...own } = listening;
  if (listenAddr === undefined) return undefined;
  const { shutdownMaxMs } = parts.config;
  const tls = listenerTls(parts.config, tlsListener, parts.logger);
  return await openGrpcServer({ ...parts, ...own, listenAddr, shutdownMaxMs, tls });
}
