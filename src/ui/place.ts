// Where in the pages one is, as the fragment of the address: it survives a reload, can be sent to a colleague, and is never sent to
// the server. Pure.

/** What the list of traces shows. Empty texts stand for no condition. */
export interface TraceSearch {
  readonly service: string;
  readonly operation: string;
  /** As parseTags reads them. */
  readonly tags: string;
  /** How long a span takes, as Go writes durations: 100ms, 1.5s. */
  readonly atLeast: string;
  readonly atMost: string;
  /** When a span started: one of RANGES (trace-summaries.ts), counted back from now; BETWEEN for the next two. */
  readonly within: string;
  /** As Date.toISOString writes a time. */
  readonly from: string;
  readonly to: string;
  /** Only traces with a failed span (of the service). */
  readonly hasError: boolean;
}

export type Place =
  | { readonly view: 'home'; readonly tenant: string }
  | { readonly view: 'traces'; readonly tenant: string; readonly search: TraceSearch }
  | { readonly view: 'trace'; readonly tenant: string; readonly traceId: string }
  /** Two traces side by side. */
  | { readonly view: 'compare'; readonly tenant: string; readonly traceId: string; readonly other: string };

/** A search without conditions. */
export const ANY_TRACES: TraceSearch = {
  service: '',
  operation: '',
  tags: '',
  atLeast: '',
  atMost: '',
  within: '',
  from: '',
  to: '',
  hasError: false,
};

const TRACE_ID = /^[0-9a-f]{1,32}$/i;

/** Of location.hash. What names no place is the first page. */
export function parsePlace(fragment: string): Place {
  const [path = ''] = fragment.replace(/^#/, '').split('?', 1);
  // A question mark may stand in a query as it is.
  const params = new URLSearchParams(fragment.replace(/^#/, '').slice(path.length + 1));
  const read = (name: string): string => params.get(name) ?? '';
  const tenant = read('tenant');
  const [, view, traceId = '', other = ''] = path.toLowerCase().split('/');
  if (view === 'trace' && isTraceId(traceId)) return { view, tenant, traceId };
  if (view === 'compare' && isTraceId(traceId) && isTraceId(other)) return { view, tenant, traceId, other };
  if (view !== 'traces') return { view: 'home', tenant };
  const { hasError: _error, ...texts } = ANY_TRACES;
  const given = Object.fromEntries(Object.keys(texts).map((name) => [name, read(name)])) as typeof texts;
  return { view, tenant, search: { ...given, hasError: read('error') === 'true' } };
}

/** The fragment with its #. parsePlace reads it back. */
export function formatPlace(place: Place): string {
  const params = new URLSearchParams();
  let path = '/';
  if (place.view === 'trace') path = `/trace/${place.traceId}`;
  if (place.view === 'compare') path = `/compare/${place.traceId}/${place.other}`;
  if (place.view === 'traces') {
    path = '/traces';
    const { hasError, ...texts } = place.search;
    for (const [name, text] of Object.entries({ ...texts, error: hasError ? 'true' : '' }))
      if (text !== '') params.set(name, text);
  }
  if (place.tenant !== '') params.set('tenant', place.tenant);
  return params.size === 0 ? `#${path}` : `#${path}?${params}`;
}

export function isTraceId(text: string): boolean {
  return TRACE_ID.test(text);
}

/** The list of the newest traces of a service ('': of any), without further conditions. */
export function tracesOf(service: string, tenant: string): Place {
  return { view: 'traces', tenant, search: { ...ANY_TRACES, service } };
}
