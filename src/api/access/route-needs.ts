// What every route and gRPC method needs: the one table of who may do what (docs/operations/access.md). A route without a row fails
// the start, and the matrix test (test/api/access/access-matrix.test.ts) tries every row with every kind of credential.
import { assert } from '../../base/assert.ts';
import type { Scope } from '../../trace/principal.ts';

/** Flags with a key of their own, which opens their routes without a login, as in VictoriaMetrics. */
export type KeyFlag =
  | 'forceFlushAuthKey'
  | 'forceMergeAuthKey'
  | 'partitionManageAuthKey'
  | 'archiveDeleteAuthKey'
  | 'deleteAuthKey'
  | 'metricsAuthKey'
  | 'flagsAuthKey'
  | 'pprofAuthKey';

export interface RouteNeed {
  /** 'open': nothing, from anybody. */
  readonly scope: Scope | 'open';
  readonly key?: KeyFlag;
}

const open: RouteNeed = { scope: 'open' };
const ingest: RouteNeed = { scope: 'ingest' };
const query: RouteNeed = { scope: 'query' };
const admin = (key?: KeyFlag): RouteNeed => (key === undefined ? { scope: 'admin' } : { scope: 'admin', key });
const partitions = admin('partitionManageAuthKey');

/** By method and pattern; a row of Jaeger's stands for its routes under every prefix, and one of GET for HEAD too. */
const HTTP_NEEDS: Readonly<Record<string, RouteNeed>> = {
  // Probes of load balancers and of containers have no credentials.
  'GET /health': open,
  'GET /ready': open,
  'POST /ready': open,
  'GET /insert/ready': open,
  'POST /insert/ready': open,
  'GET /select/ready': open,
  'POST /select/ready': open,
  'GET /metrics': admin('metricsAuthKey'),
  'GET /flags': admin('flagsAuthKey'),
  'GET /debug/threads': admin('pprofAuthKey'),
  'POST /debug/cpu': admin('pprofAuthKey'),
  'POST /debug/heap': admin('pprofAuthKey'),
  'GET /internal/tenants': admin(),
  'POST /internal/force_flush': admin('forceFlushAuthKey'),
  'POST /internal/force_merge': admin('forceMergeAuthKey'),
  'POST /internal/purge': admin(),
  'POST /internal/partition/list': partitions,
  'POST /internal/partition/detach': partitions,
  'POST /internal/partition/attach': partitions,
  'POST /internal/partition/accept_loss': partitions,
  'POST /internal/partition/fill_log_gaps': partitions,
  'POST /internal/partition/snapshot/create': partitions,
  'POST /internal/partition/snapshot/list': partitions,
  'POST /internal/partition/snapshot/delete': partitions,
  'POST /delete/run_task': admin('deleteAuthKey'),
  'POST /delete/active_tasks': admin('deleteAuthKey'),
  'POST /delete/stop_task': admin('deleteAuthKey'),
  // Copies of whole days: spans of any tenant of the principal's, and files with those of all.
  'POST /internal/partition/tenants': partitions,
  'POST /internal/partition/digests': partitions,
  'POST /internal/partition/traces': partitions,
  'POST /internal/partition/log': partitions,
  'POST /internal/partition/write': partitions,
  'GET /internal/partition/snapshot/file/*': partitions,
  'POST /insert/opentelemetry/v1/traces': ingest,
  'POST /v1/traces': ingest,
  'GET /api/services': query,
  'GET /api/services/*': query,
  'GET /api/operations': query,
  'GET /api/traces': query,
  'GET /api/traces/*': query,
  'GET /api/dependencies': query,
  'GET /analytics/v1/dependencies': query,
  'GET /api/deep-dependencies': query,
  'GET /api/quality-metrics': query,
  'GET /api/metrics/minstep': query,
  'GET /api/metrics/latencies': query,
  'GET /api/metrics/calls': query,
  'GET /api/metrics/errors': query,
  'POST /api/transform': query,
  'POST /api/archive/*': query,
  'GET /api/archive/*': query,
  // Jaeger has no such path: what is archived was meant to be kept.
  'DELETE /api/archive/*': admin('archiveDeleteAuthKey'),
  'GET /api/v3/services': query,
  'GET /api/v3/operations': query,
  'GET /api/v3/traces': query,
  'GET /api/v3/traces/*': query,
  'GET /api/v3/trace-summaries': query,
  'GET /api/v3/dependencies': query,
  // 404s of Jaeger's API.
  '* /api/*': query,
  // The first page, its state, and its files, whose names contain a hash.
  'GET ': query,
  'GET /': query,
  'GET /ui': query,
  'GET /ui/status.json': query,
  'GET /ui/*': query,
  // Pages and files of Jaeger UI.
  'GET /search': query,
  'GET /trace': query,
  'GET /trace/*': query,
  'GET /dependencies': query,
  'GET /deep-dependencies': query,
  'GET /monitor': query,
  'GET /quality-metrics': query,
  'GET /plexus-demo': query,
  'GET /static/*': query,
};

/** By service: all methods of one need the same. */
const GRPC_NEEDS: Readonly<Record<string, RouteNeed>> = {
  'opentelemetry.proto.collector.trace.v1.TraceService': ingest,
  'jaeger.storage.v2.TraceReader': query,
  'jaeger.storage.v2.DependencyReader': query,
  'jaeger.storage.v2.Capabilities': query,
  'jaeger.api_v3.QueryService': query,
  'jaeger.api_v2.QueryService': query,
  'jaeger.api_v2.metrics.MetricsQueryService': query,
  // Nodes of one cluster: they read and write for every tenant, and remove what is archived.
  'tracelith.cluster.v1.StorageNode': admin(),
  'grpc.health.v1.Health': open,
  'grpc.reflection.v1.ServerReflection': query,
  'grpc.reflection.v1alpha.ServerReflection': query,
};

/** What a path that no route matches needs: any login, so that strangers learn nothing of the paths there are. */
export const UNKNOWN_NEED: RouteNeed = query;

/** Names of all rows. */
export function listedNeeds(): string[] {
  return [...Object.keys(HTTP_NEEDS), ...Object.keys(GRPC_NEEDS)];
}

/** The need of a route by its pattern without -http.pathPrefix. A route without a row is a bug. */
export function httpNeed(method: string, pattern: string): RouteNeed {
  // A browser asks without credentials whether it may ask.
  if (method === 'OPTIONS') return open;
  const asked = method === 'HEAD' ? 'GET' : method;
  const short = shortPattern(pattern);
  const need = HTTP_NEEDS[`${asked} ${short}`] ?? HTTP_NEEDS[`* ${short}`];
  assert(need !== undefined, `the route ${method} ${pattern} has no row in route-needs.ts`);
  return need;
}

/** The pattern of the row for a route. */
export function shortPattern(pattern: string): string {
  return pattern.replace(/^\/(select\/)?jaeger(?=\/|$)/, '').replace(/^\/ui\/[^/]+\.(js|css|svg)$/, '/ui/*');
}

/** The need of a gRPC method by its path, /package.Service/Method. A service without a row is a bug. */
export function grpcNeed(path: string): RouteNeed {
  const need = GRPC_NEEDS[path.split('/')[1] ?? ''];
  assert(need !== undefined, `the method ${path} has no row in route-needs.ts`);
  return need;
}
