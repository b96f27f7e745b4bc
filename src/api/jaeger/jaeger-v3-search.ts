// The parameters of a v3 search (contract/jaeger.md §1.5): canonical camelCase, or their deprecated snake_case twins. Pure.
import { isStoreError, StoreError } from '../../base/errors.ts';
import type { TagCondition } from '../../trace/trace-query.ts';
import { parseGoDuration } from '../go/go-duration.ts';
import { parseGoStringMap } from '../go/go-json.ts';
import { rfc3339Error, rfc3339Ns } from '../go/go-time.ts';
import { parseGoBool, parseInteger } from './jaeger-params.ts';
import { encodeCall, type CallTerm } from './expression-messages.ts';
import { checkFilterStandsAlone, finalizeFilter, readFilterJson } from './parse-filter.ts';
import type { QueryString } from '../go/query-string.ts';
import { makeSearch, UNIT_NS, windowEnd, type GivenTime, type Search } from './search-bounds.ts';
import { tagConditions } from './tag-expressions.ts';

const DEPTH_DEFAULT = 100;
/** UI 2.19, which does not know the capability, sends this for "All services" (§2.3). */
const ALL_SERVICES = '__all_services__';

/** Every parameter of a v3 search that narrows it, or determines the form of its answer. */
export const V3_CONDITIONS: ReadonlySet<string> = new Set(
  [
    'serviceName',
    'service_name',
    'operationName',
    'operation_name',
    'attributes',
    'filter',
    'startTimeMin',
    'start_time_min',
    'startTimeMax',
    'start_time_max',
    'durationMin',
    'duration_min',
    'durationMax',
    'duration_max',
    'searchDepth',
    'search_depth',
    'num_traces',
    'rawTraces',
    'raw_traces',
  ].map((name) => `query.${name}`),
);

export function malformed(name: string, why: string): StoreError {
  return new StoreError('INVALID_REQUEST', `malformed parameter ${name}: ${why}`);
}

/** The first of `names` that is given, with its value; the last name and '' if none is. */
export function anyParam(params: QueryString, ...names: readonly string[]): readonly [string, string] {
  const used = names.find((name) => params.first(name) !== '') ?? names.at(-1)!;
  return [used, params.first(used)];
}

/** A time in the unit of its last digit; undefined if absent. Grafana sends "+02:00" unescaped, so it arrives as " 02:00". */
export function parseV3Time(params: QueryString, ...names: readonly string[]): GivenTime | undefined {
  const [used, given] = anyParam(params, ...names);
  if (given === '') return undefined;
  const text = given.replace(/ (?=\d\d:\d\d$)/, '+');
  const error = rfc3339Error(text);
  if (error !== undefined) throw malformed(used, error);
  const digits = /[.,](\d+)/.exec(text)?.[1]!.length ?? 0;
  const { s, ms, us, ns } = UNIT_NS;
  return { ns: rfc3339Ns(text), unitNs: digits === 0 ? s : digits <= 3 ? ms : digits <= 6 ? us : ns };
}

export function checkV3Bool(params: QueryString, ...names: readonly string[]): void {
  const [used, text] = anyParam(params, ...names);
  const value = text === '' || parseGoBool(text);
  if (typeof value === 'string') throw malformed(used, value);
}

/** Throws INVALID_REQUEST with Jaeger's text for the first parameter that is wrong. */
export function parseV3Search(params: QueryString, maxTraces: number, hasTagExpressions?: boolean): Search {
  const filter = readFilter(params);
  const service = anyParam(params, 'query.serviceName', 'query.service_name')[1];
  const operation = anyParam(params, 'query.operationName', 'query.operation_name')[1];
  const start = parseV3Time(params, 'query.startTimeMin', 'query.start_time_min');
  const end = parseV3Time(params, 'query.startTimeMax', 'query.start_time_max');
  if (start === undefined || end === undefined) {
    throw new StoreError('INVALID_REQUEST', 'query.startTimeMin and query.startTimeMax are required');
  }
  if (start.ns >= end.ns) {
    throw new StoreError('INVALID_REQUEST', 'query.startTimeMin must be before query.startTimeMax');
  }
  checkV3Bool(params, 'query.rawTraces', 'query.raw_traces');
  const min = parseDuration(params, 'query.durationMin', 'query.duration_min');
  const max = parseDuration(params, 'query.durationMax', 'query.duration_max');
  const parts = {
    service: service === '' || service === ALL_SERVICES ? undefined : service,
    operation: operation || undefined,
    tags: parseAttributes(params, hasTagExpressions),
    startNs: start.ns,
    end: windowEnd(end, maxTraces),
    min,
    max,
    limit: parseDepth(params, maxTraces),
  };
  const search = makeSearch(parts, maxTraces);
  if (filter === undefined) return search;
  checkFilterStandsAlone(search.query);
  const filterMessage = encodeCall(JSON.parse(params.first('query.filter')) as object);
  return { ...search, query: { ...search.query, filter: finalizeFilter(filter), filterMessage } };
}

/** `query.filter`: the JSON form of a jaeger.expression.v1.Call. */
function readFilter(params: QueryString): CallTerm | undefined {
  const text = params.first('query.filter');
  if (text === '') return undefined;
  try {
    return readFilterJson(text);
  } catch (error) {
    if (!isStoreError(error, 'INVALID_REQUEST')) throw error;
    throw malformed('query.filter', error.message);
  }
}

function parseDuration(params: QueryString, ...names: readonly string[]): bigint {
  const [used, text] = anyParam(params, ...names);
  if (text === '') return 0n;
  const parsed = parseGoDuration(text);
  if ('error' in parsed) throw malformed(used, parsed.error);
  return parsed.ns;
}

/** Zero and below mean the default, as in Jaeger (#9100). */
function parseDepth(params: QueryString, maxTraces: number): number {
  const [used, text] = anyParam(params, 'query.searchDepth', 'query.search_depth', 'query.num_traces');
  const value = text === '' ? 0n : parseInteger(text, 32);
  if (typeof value === 'string') throw malformed(used, value);
  return value <= 0n ? Math.min(DEPTH_DEFAULT, maxTraces) : Number(value);
}

function parseAttributes(params: QueryString, hasTagExpressions: boolean | undefined): TagCondition[] {
  const text = params.first('query.attributes');
  if (text === '') return [];
  const parsed = parseGoStringMap(text);
  if ('error' in parsed) throw malformed('query.attributes', parsed.error);
  return tagConditions(new Map(parsed.entries), hasTagExpressions);
}
