// The list of traces: what GET api/v3/trace-summaries is asked, and its answer as rows. Pure.
import type { TraceSearch } from './place.ts';
import { parseTags, type Tag } from './tags.ts';

/** The answer; fields that are zero or empty are absent. */
export interface SummariesAnswer {
  readonly summaries: readonly TraceSummary[];
}

export interface TraceSummary {
  readonly traceId: string;
  readonly rootServiceName?: string;
  readonly rootOperationName?: string;
  readonly minStartTimeUnixNano: string;
  readonly maxEndTimeUnixNano: string;
  readonly spanCount?: number;
  readonly errorSpanCount?: number;
  readonly services?: readonly { readonly name: string }[];
}

export interface TraceItem {
  readonly traceId: string;
  /** Empty where the root span has not come (yet). */
  readonly service: string;
  readonly operation: string;
  /** ms since the epoch */
  readonly startMs: number;
  readonly durationUs: number;
  readonly spans: number;
  readonly errors: number;
  readonly services: number;
}

/** Ranges of time that end now, by their names in an address: minutes, and how people call them. */
export const RANGES: ReadonlyMap<string, readonly [minutes: number, shown: string]> = new Map([
  ['15m', [15, 'the last 15 minutes']],
  ['1h', [60, 'the last hour']],
  ['6h', [6 * 60, 'the last 6 hours']],
  ['24h', [24 * 60, 'the last 24 hours']],
  ['7d', [7 * 24 * 60, 'the last 7 days']],
] as const);
/** TraceSearch.within for a range between two times. */
export const BETWEEN = 'between';

/** Clocks of clients may be ahead, so a range that ends now has no end. */
function timesOf({ within, from, to }: TraceSearch, nowMs: number): readonly [min: string, max: string] {
  const [first, last] = ['1970-01-01T00:00:00Z', '2262-01-01T00:00:00Z'];
  if (within === BETWEEN) return [from || first, to || last];
  const [minutes] = RANGES.get(within) ?? [];
  return [minutes === undefined ? first : new Date(nowMs - minutes * 60_000).toISOString(), last];
}

/** The newest `most` traces, as a path below the mount. */
export function summariesPath(search: TraceSearch, most: number, nowMs: number): string {
  const [startTimeMin, startTimeMax] = timesOf(search, nowMs);
  const params = new URLSearchParams({
    'query.startTimeMin': startTimeMin,
    'query.startTimeMax': startTimeMax,
    'query.searchDepth': String(most),
  });
  const tags = parseTags(search.tags) ?? [];
  const isPlain = tags.every(({ comparison }) => comparison === '=');
  for (const [name, text] of isPlain ? plainConditions(search, tags) : [['filter', filterOf(search, tags)] as const])
    if (text !== '') params.set(`query.${name}`, text);
  return `api/v3/trace-summaries?${params}`;
}

function plainConditions(search: TraceSearch, tags: readonly Tag[]): (readonly [name: string, text: string])[] {
  const pairs = tags.map(({ key, value }): [string, string] => [key, value]);
  if (search.hasError) pairs.push(['error', 'true']);
  return [
    ['serviceName', search.service],
    ['operationName', search.operation],
    ['durationMin', search.atLeast],
    ['durationMax', search.atMost],
    ['attributes', pairs.length === 0 ? '' : JSON.stringify(Object.fromEntries(pairs))],
  ];
}

/** Operators of a filter (docs/SEARCH.md), by how the field for tags writes them. */
const OPERATORS: Readonly<Record<Tag['comparison'], string>> = {
  '=': 'eq',
  '!=': 'ne',
  '>': 'gt',
  '>=': 'gte',
  '<': 'lt',
  '<=': 'lte',
  '=~': 'regex',
};

/** All conditions as one filter: beside a filter the API takes no others. */
function filterOf(search: TraceSearch, tags: readonly Tag[]): string {
  const call = (op: string, left: object, value: string) => ({ call: { op, args: [left, { scalar: { value } }] } });
  const field = (name: string, level: string): object => ({ field: { name, level } });
  const span = (name: string): object => field(name, 'span');
  const conditions: (readonly [op: string, left: object, value: string])[] = [
    ['eq', field('service', 'resource'), search.service],
    ['eq', span('name'), search.operation],
    ['gte', span('duration'), search.atLeast],
    ['lte', span('duration'), search.atMost],
    ['eq', span('status'), search.hasError ? 'error' : ''],
  ];
  const args = [
    ...conditions.filter(([, , value]) => value !== '').map(([op, left, value]) => call(op, left, value)),
    ...tags.map(({ key, comparison, value }) => call(OPERATORS[comparison], { attr: { key } }, value)),
  ];
  return JSON.stringify({ op: 'and', args });
}

/** Newest first. */
export function traceItems({ summaries }: SummariesAnswer): TraceItem[] {
  return summaries.map(toItem).toSorted((a, b) => b.startMs - a.startMs);
}

function toItem(summary: TraceSummary): TraceItem {
  const startNs = BigInt(summary.minStartTimeUnixNano);
  return {
    traceId: summary.traceId,
    service: summary.rootServiceName ?? '',
    operation: summary.rootOperationName ?? '',
    startMs: Number(startNs / 1_000_000n),
    durationUs: Number(BigInt(summary.maxEndTimeUnixNano) - startNs) / 1_000,
    spans: summary.spanCount ?? 0,
    errors: summary.errorSpanCount ?? 0,
    services: summary.services?.length ?? 0,
  };
}
