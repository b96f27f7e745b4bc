// The paths that the first page lists, with what each is for. The routes are registered elsewhere; a test compares.
import type { HomeEndpoint } from '../../ui/home-status.ts';

type Row = readonly [method: string, path: string, meaning: string];

const GROUPS: Readonly<Record<string, readonly Row[]>> = {
  Ingest: [
    ['POST', 'v1/traces', 'OTLP over HTTP, protobuf or JSON'],
    ['POST', 'insert/opentelemetry/v1/traces', 'the same, under the path of VictoriaTraces'],
  ],
  Query: [
    ['GET', 'api/services', 'names of services'],
    ['GET', 'api/services/*/operations', 'names of the operations of a service'],
    ['GET', 'api/operations', 'operations of a service: service=…'],
    ['GET', 'api/traces', 'search: service=…&operation=…&tags={…}&limit=…'],
    ['GET', 'api/traces/*', 'one trace by its id'],
    ['GET', 'api/dependencies', 'calls between services: endTs=…&lookback=…'],
    ['GET', 'api/deep-dependencies', 'chains of calls through a service: service=…&operation=…'],
    ['GET', 'api/metrics/*', "the Monitor's latencies, calls and errors"],
    ['GET', 'api/v3/services', 'names of services, api_v3'],
    ['GET', 'api/v3/operations', 'operations of a service, api_v3: service=…'],
    ['GET', 'api/v3/traces', 'search as OTLP JSON: query.service_name=…'],
    ['GET', 'api/v3/traces/*', 'one trace as OTLP JSON, without any loss'],
    ['GET', 'api/v3/trace-summaries', 'search, one line for each trace: query.service_name=…'],
    ['GET', 'api/v3/dependencies', 'calls between services, api_v3: start_time=…&end_time=…'],
    ['POST', 'api/transform', 'shows OTLP JSON as Jaeger does, and stores nothing'],
    ['POST', 'api/archive/*', 'keep a trace beyond retention'],
    ['GET', 'api/archive/*', 'one trace from the archive'],
    ['DELETE', 'api/archive/*', 'remove a trace from the archive'],
  ],
  Operation: [
    ['GET', 'health', '200 while the node serves'],
    ['GET', 'ready', '200 while spans are taken and queries are answered'],
    ['GET', 'insert/ready', '200 while spans are taken'],
    ['GET', 'select/ready', '200 while queries are answered'],
    ['GET', 'metrics', 'figures for Prometheus'],
    ['GET', 'flags', 'every flag with its value'],
    ['GET', 'debug/threads', 'what threads and memory do'],
    ['POST', 'debug/cpu', 'a CPU profile: thread=…&seconds=…'],
    ['POST', 'debug/heap', 'a profile of what is allocated: thread=…&seconds=…'],
  ],
  'Stored data': [
    ['GET', 'internal/tenants', 'tenants, with what each has stored: usage=1'],
    ['POST', 'internal/force_flush', 'turn the log into parts now'],
    ['POST', 'internal/force_merge', 'merge the parts of each day into one'],
    ['POST', 'internal/partition/list', 'days in use'],
    ['POST', 'internal/partition/detach', 'take a day out of use: name=…'],
    ['POST', 'internal/partition/attach', 'put it back into use: name=…'],
    ['POST', 'internal/partition/accept_loss', 'answer again without what a day has lost: partition_prefix=…'],
    ['POST', 'internal/partition/snapshot/create', 'keep days as they are, for a backup'],
    ['POST', 'internal/partition/snapshot/list', 'snapshots on disk'],
    ['POST', 'internal/partition/snapshot/delete', 'remove one: path=…'],
    ['POST', 'delete/run_task', 'delete traces or spans for good, with -delete.enable: traceID=… or a search'],
    ['POST', 'delete/active_tasks', 'how far these tasks are'],
    ['POST', 'delete/stop_task', 'stop one: task_id=…'],
  ],
};

export const ENDPOINTS: readonly HomeEndpoint[] = Object.entries(GROUPS).flatMap(([group, rows]) =>
  rows.map(([method, path, meaning]) => {
    // Meanings name the parameters as name=….
    const isLink = method === 'GET' && !path.includes('*') && !meaning.includes('=…');
    return { group, method, path, meaning, isLink };
  }),
);

/** What a listener serves. */
export interface Served {
  /** False: -adminListenAddr has taken away the paths for operators. */
  readonly isForOperators: boolean;
  /** False: the node stores nothing, as a select node. */
  readonly storesSpans: boolean;
  /** False: -insert.disable. */
  readonly takesSpans: boolean;
  /** False: -select.disable. */
  readonly answersQueries: boolean;
}

/** Paths of Operation that every listener with pages has. */
const FOR_ANYBODY: readonly string[] = ['health', 'ready', 'insert/ready', 'select/ready'];

/** Those of a listener. */
export function endpointsOf({
  isForOperators,
  storesSpans,
  takesSpans,
  answersQueries,
}: Served): readonly HomeEndpoint[] {
  return ENDPOINTS.filter(({ group, path }) => {
    if (group === 'Ingest' || path === 'insert/ready') return takesSpans;
    if (group === 'Query' || path === 'select/ready') return answersQueries;
    if (group === 'Operation') return isForOperators || FOR_ANYBODY.includes(path);
    return group !== 'Stored data' || (isForOperators && storesSpans);
  });
}
