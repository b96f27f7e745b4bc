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
    ['GET', 'api/operations', 'operations of a service: service=…'],
    ['GET', 'api/traces', 'search: service=…&operation=…&tags={…}&limit=…'],
    ['GET', 'api/traces/*', 'one trace by its id'],
    ['GET', 'api/dependencies', 'calls between services: endTs=…&lookback=…'],
    ['GET', 'api/metrics/*', "the Monitor's latencies, calls and errors"],
    ['GET', 'api/v3/services', 'names of services, api_v3'],
    ['GET', 'api/v3/operations', 'operations of a service, api_v3: service=…'],
    ['GET', 'api/v3/traces', 'search as OTLP JSON: query.service_name=…'],
    ['GET', 'api/v3/traces/*', 'one trace as OTLP JSON, without any loss'],
    ['POST', 'api/archive/*', 'keep a trace beyond retention'],
  ],
  Operation: [
    ['GET', 'health', '200 while the node serves'],
    ['GET', 'metrics', 'figures for Prometheus'],
    ['GET', 'flags', 'every flag with its value'],
    ['GET', 'insert/ready', '200 while spans are taken'],
    ['POST', 'internal/force_flush', 'turn the log into parts now'],
    ['POST', 'internal/force_merge', 'merge the parts of each day into one'],
    ['POST', 'internal/partition/list', 'days in use; detach, attach and snapshots beside it'],
  ],
};

export const ENDPOINTS: readonly HomeEndpoint[] = Object.entries(GROUPS).flatMap(([group, rows]) =>
  rows.map(([method, path, meaning]) => {
    // Meanings name the parameters as name=….
    const isLink = method === 'GET' && !path.includes('*') && !meaning.includes('=…');
    return { group, method, path, meaning, isLink };
  }),
);

/** Paths of the last group that every listener with pages has. */
const FOR_ANYBODY: readonly string[] = ['health', 'insert/ready'];

/**
 * Those of a listener. `isForOperators`: false where -adminListenAddr has taken away the paths for operators, and on a node that
 * stores nothing. `takesSpans`: false with -insert.disable.
 */
export function endpointsOf(isForOperators: boolean, takesSpans: boolean): readonly HomeEndpoint[] {
  return ENDPOINTS.filter(
    ({ group, path }) =>
      (takesSpans || (group !== 'Ingest' && path !== 'insert/ready')) &&
      (isForOperators || group !== 'Operation' || FOR_ANYBODY.includes(path)),
  );
}
