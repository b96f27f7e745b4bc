// Where in the pages one is, as the fragment of the address: it survives a reload, can be sent to a colleague, and is never sent to
// the server. Pure.

/** What the list of traces shows. Empty texts stand for no condition. */
export interface TraceSearch {
  readonly service: string;
  readonly operation: string;
  /** As Go writes durations: 100ms, 1.5s. */
  readonly atLeast: string;
  /** Only traces in which a span of the service failed. */
  readonly hasError: boolean;
}

export type Place =
  | { readonly view: 'home'; readonly tenant: string }
  | { readonly view: 'traces'; readonly tenant: string; readonly search: TraceSearch }
  | { readonly view: 'trace'; readonly tenant: string; readonly traceId: string };

const TRACE_ID = /^[0-9a-f]{1,32}$/i;

/** Of location.hash. What names no place is the first page. */
export function parsePlace(fragment: string): Place {
  const [path = '', query = ''] = fragment.replace(/^#/, '').split('?', 2);
  const params = new URLSearchParams(query);
  const read = (name: string): string => params.get(name) ?? '';
  const tenant = read('tenant');
  const [, view, traceId = ''] = path.split('/');
  if (view === 'trace' && isTraceId(traceId)) return { view, tenant, traceId: traceId.toLowerCase() };
  if (view !== 'traces' || !params.has('service')) return { view: 'home', tenant };
  const hasError = read('error') === 'true';
  const search = { service: read('service'), operation: read('operation'), atLeast: read('atLeast'), hasError };
  return { view, tenant, search };
}

/** The fragment with its #. parsePlace reads it back. */
export function formatPlace(place: Place): string {
  const params = new URLSearchParams();
  let path = '/';
  if (place.view === 'trace') path = `/trace/${place.traceId}`;
  if (place.view === 'traces') {
    path = '/traces';
    const { service, operation, atLeast, hasError } = place.search;
    params.set('service', service);
    if (operation !== '') params.set('operation', operation);
    if (atLeast !== '') params.set('atLeast', atLeast);
    if (hasError) params.set('error', 'true');
  }
  if (place.tenant !== '') params.set('tenant', place.tenant);
  return params.size === 0 ? `#${path}` : `#${path}?${params}`;
}

export function isTraceId(text: string): boolean {
  return TRACE_ID.test(text);
}

/** The list of the newest traces of a service, without further conditions. */
export function tracesOf(service: string, tenant: string): Place {
  return { view: 'traces', tenant, search: { service, operation: '', atLeast: '', hasError: false } };
}
