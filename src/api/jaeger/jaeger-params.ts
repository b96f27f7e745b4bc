// Parses the parameters of Jaeger's HTTP API into exact types. Formats, defaults, order of checks and error texts are those of
// Jaeger v2.20 (contract/jaeger.md §1.3, §1.4, §1.7). In addition, a time's magnitude determines its unit (§3.5), and empty
// values count as absent everywhere. Pure: the clock is an argument.
import { StoreError } from '../../base/errors.ts';
import { parseTraceId } from '../../trace/ids.ts';
import type { SpanSelection } from '../../trace/store.ts';
import type { TagCondition, TraceQuery } from '../../trace/trace-query.ts';
import { parseGoDuration } from '../go/go-duration.ts';
import { parseGoStringMap } from '../go/go-json.ts';
import { goQuote } from '../go/go-quote.ts';
import type { QueryString } from '../go/query-string.ts';
import { lastNsOf, makeSearch, TIME_MAX_NS, UNIT_NS, windowEnd, type GivenTime, type Search } from './search-bounds.ts';
import { tagConditions } from './tag-expressions.ts';

const LIMIT_DEFAULT = 100;
const SEARCH_LOOKBACK_MS = 48 * 3_600_000;
const DEPENDENCY_LOOKBACK_MS = 24 * 3_600_000;
const NS_PER_MS = 1_000_000n;

/** GET /api/traces: the traces of `traceIds`, or a search if there are none. */
export interface TraceSearch extends Search {
  /** Without duplicates, in the requested order. */
  readonly traceIds: readonly Uint8Array[];
  readonly isRaw: boolean;
}

/** Context of a search: the clock, and the most traces that one may ask for. */
export interface SearchContext {
  readonly nowMs: number;
  readonly maxTraces: number;
  /** See tag-expressions.ts; false when absent. */
  readonly hasTagExpressions?: boolean;
}

function invalid(message: string): never {
  throw new StoreError('INVALID_REQUEST', message);
}

export function unparsable(param: string, why: string): never {
  invalid(`unable to parse param '${param}': ${why}`);
}

/** Throws INVALID_REQUEST with Jaeger's text for the first parameter that is wrong. */
export function parseTraceSearch(params: QueryString, context: SearchContext): TraceSearch {
  const nowNs = BigInt(Math.floor(context.nowMs)) * NS_PER_MS;
  const startNs = parseTime(params, 'start')?.ns ?? nowNs - BigInt(SEARCH_LOOKBACK_MS) * NS_PER_MS;
  const end = parseTime(params, 'end');
  const tags = parseTags(params, context);
  const limit = parseLimit(params) ?? Math.min(LIMIT_DEFAULT, context.maxTraces);
  const min = parseDuration(params, 'minDuration');
  const max = parseDuration(params, 'maxDuration');
  const traceIds = uniqueIds(params.all('traceID').map(parseTraceIdParam));
  const isRaw = parseBool(params, 'raw');
  const service = params.first('service');
  if (traceIds.length === 0 && service === '') invalid("parameter 'service' is required");
  if (min !== 0n && max !== 0n && max < min) invalid("'maxDuration' should be greater than 'minDuration'");
  checkCounts(limit, traceIds.length, context.maxTraces);
  const parts = {
    service: service === '' ? undefined : service,
    operation: params.first('operation') || undefined,
    tags,
    startNs,
    end: end === undefined ? untilNow(nowNs) : windowEnd(end, context.maxTraces),
    min,
    max,
    limit,
  };
  return { ...makeSearch(parts, context.maxTraces), traceIds, isRaw };
}

const SELECTION_PARAMS = [
  'traceID',
  'service',
  'operation',
  'tag',
  'tags',
  'minDuration',
  'maxDuration',
  'start',
  'end',
];

/** May be given several times, and then all count. */
const REPEATED: ReadonlySet<string> = new Set(['traceID', 'tag', 'tags']);

/**
 * POST /delete/run_task: whole traces (`traceID`), or the spans that meet every condition of a search without a default
 * window and without a limit. Throws INVALID_REQUEST for anything that could select more than was meant: a parameter that is
 * not known, has no value, is given twice or cannot be read, and no condition at all.
 */
export function parseSpanSelection(params: QueryString, context: SearchContext): SpanSelection {
  const given = [...params.names()].filter((name) => name !== 'authKey');
  const unknown = given.find((name) => !SELECTION_PARAMS.includes(name));
  if (unknown !== undefined) {
    const known = SELECTION_PARAMS.join(', ');
    invalid(`unknown parameter ${JSON.stringify(unknown.slice(0, 100))}: nothing is deleted; known are ${known}`);
  }
  refusePassedOver(params, given);
  if (given.length === 0) invalid('no condition: give traceID, or conditions as of /api/traces');
  const traceIds = uniqueIds(params.all('traceID').map(parseTraceIdParam));
  if (traceIds.length > 0) {
    if (given.length > 1) invalid("'traceID' selects whole traces: give no other condition with it");
    checkCounts(1, traceIds.length, context.maxTraces);
    return { traceIds };
  }
  const end = parseTime(params, 'end');
  const tags = parseTags(params, context);
  if (tags.length === 0 && params.values('tags').length > 0) invalid('tags have no condition: nothing is deleted');
  const [min, max] = [parseDuration(params, 'minDuration'), parseDuration(params, 'maxDuration')];
  const parts = {
    service: params.first('service') || undefined,
    operation: params.first('operation') || undefined,
    tags,
    startNs: parseTime(params, 'start')?.ns ?? 0n,
    end: { startMaxNs: end === undefined ? TIME_MAX_NS : lastNsOf(end) },
    min,
    max,
    limit: 1,
  };
  const { query, isHopeless } = makeSearch(parts, context.maxTraces);
  if (isHopeless) invalid('no span can meet these conditions: is start after end, or minDuration above maxDuration?');
  return { query };
}

/** Refuses what a search passes over: a condition that is passed over would delete what it was to keep. */
function refusePassedOver(params: QueryString, given: readonly string[]): void {
  const [leftOut] = params.leftOut;
  const ways = 'write % and ; in it as %25 and %3B; nothing is deleted';
  if (leftOut !== undefined) invalid(`${JSON.stringify(leftOut.slice(0, 100))} cannot be read: ${ways}`);
  for (const name of given) {
    const values = params.values(name);
    if (values.includes('')) invalid(`${name} has no value: leave it out, or give one; nothing is deleted`);
    if (values.length > 1 && !REPEATED.has(name)) invalid(`${name} is given more than once: nothing is deleted`);
  }
}

/** `now` lasts to the end of its millisecond, so spans acknowledged within it are found. Later starts are not, as in Jaeger. */
function untilNow(nowNs: bigint): { readonly startMaxNs: bigint } {
  return { startMaxNs: nowNs + NS_PER_MS - 1n };
}

function checkCounts(limit: number, ids: number, maxTraces: number): void {
  if (limit < 1) invalid(`parameter 'limit' must be at least 1, received: ${limit}`);
  if (ids > maxTraces) invalid(`parameter 'traceID' may be given ${maxTraces} times at most, received: ${ids}`);
}

/** The first `start` or `end` wins, as in Go; undefined when absent. */
export function parseTime(params: QueryString, name: string): GivenTime | undefined {
  const text = params.first(name);
  if (text === '') return undefined;
  const value = parseInteger(text, 64);
  if (typeof value === 'string') unparsable(name, value);
  return givenTime(value);
}

/**
 * A time since the epoch. Its magnitude determines the unit: seconds below 1e11, milliseconds below 1e14, microseconds below
 * 1e17, else nanoseconds. Clamped to [0, 2^63).
 */
export function givenTime(value: bigint): GivenTime {
  if (value < 0n) return { ns: 0n, unitNs: UNIT_NS.ns };
  const { s, ms, us, ns } = UNIT_NS;
  const unitNs = value < 10n ** 11n ? s : value < 10n ** 14n ? ms : value < 10n ** 17n ? us : ns;
  return { ns: value * unitNs > TIME_MAX_NS ? TIME_MAX_NS : value * unitNs, unitNs };
}

/** strconv.ParseInt(text, 10, bits): the value, or Go's error text. */
export function parseInteger(text: string, bits: 32 | 64): bigint | string {
  if (!/^[+-]?[0-9]+$/.test(text)) return `strconv.ParseInt: parsing ${goQuote(text)}: invalid syntax`;
  const value = BigInt(text.replace(/^\+/, ''));
  return BigInt.asIntN(bits, value) === value
    ? value
    : `strconv.ParseInt: parsing ${goQuote(text)}: value out of range`;
}

/** As in Jaeger, Go's error is passed on unchanged. */
function parseLimit(params: QueryString): number | undefined {
  const text = params.first('limit');
  if (text === '') return undefined;
  const value = parseInteger(text, 32);
  return typeof value === 'string' ? invalid(value) : Number(value);
}

/** In ns; 0 when absent. */
function parseDuration(params: QueryString, name: string): bigint {
  const text = params.first(name);
  if (text === '') return 0n;
  const parsed = parseGoDuration(text);
  return 'error' in parsed ? unparsable(name, parsed.error) : parsed.ns;
}

const TRUE_TEXTS = new Set(['1', 't', 'T', 'true', 'TRUE', 'True']);
const FALSE_TEXTS = new Set(['0', 'f', 'F', 'false', 'FALSE', 'False']);

/** strconv.ParseBool: the value, or Go's error text. */
export function parseGoBool(text: string): boolean | string {
  if (TRUE_TEXTS.has(text)) return true;
  return FALSE_TEXTS.has(text) ? false : `strconv.ParseBool: parsing ${goQuote(text)}: invalid syntax`;
}

export function parseBool(params: QueryString, name: string): boolean {
  const text = params.first(name);
  if (text === '') return false;
  const value = parseGoBool(text);
  return typeof value === 'string' ? unparsable(name, value) : value;
}

/** `tag=key:value` and `tags={"key":"value"}`, both repeatable; a repeated key has its last value. */
function parseTags(params: QueryString, { hasTagExpressions }: SearchContext): TagCondition[] {
  const tags = new Map<string, string>();
  for (const tag of params.all('tag')) {
    const colon = tag.indexOf(':');
    if (colon === -1) invalid(`malformed 'tag' parameter, expecting key:value, received: ${tag}`);
    tags.set(tag.slice(0, colon), tag.slice(colon + 1));
  }
  for (const json of params.all('tags')) {
    const parsed = parseGoStringMap(json);
    if ('error' in parsed) invalid(`malformed 'tags' parameter, cannot unmarshal JSON: ${parsed.error}`);
    for (const [key, value] of parsed.entries) tags.set(key, value);
  }
  return tagConditions(tags, hasTagExpressions);
}

/** A "+" of base64 arrives as a space if the client did not escape it. */
function parseTraceIdParam(text: string): Uint8Array {
  return parseTraceId(text.replaceAll(' ', '+')) ?? invalid(`cannot parse traceID param: ${traceIdError(text)}`);
}

function uniqueIds(ids: readonly Uint8Array[]): Uint8Array[] {
  return [...new Map(ids.map((id) => [Buffer.from(id).toString('hex'), id])).values()];
}

/** The id of a path. Throws INVALID_REQUEST with Go's text, `prefix` before it. */
export function parsePathTraceId(text: string, prefix = ''): Uint8Array {
  return parseTraceId(text) ?? invalid(`${prefix}${traceIdError(text)}`);
}

/** The error of Jaeger's hex parser for a text that is no trace id: it parses the high and the low half separately. */
function traceIdError(text: string): string {
  if (Buffer.byteLength(text) > 32) return `TraceID cannot be longer than 32 hex characters: ${text}`;
  const high = text.slice(0, -16);
  const half = high !== '' && !/^[0-9a-fA-F]+$/.test(high) ? high : text.slice(-16);
  return `strconv.ParseUint: parsing ${goQuote(half)}: invalid syntax`;
}

/** GET /api/traces/{id}: `start` and `end` are only hints; they are checked and otherwise ignored. */
export function parseTraceOptions(params: QueryString): { readonly isRaw: boolean } {
  parseTime(params, 'start');
  parseTime(params, 'end');
  return { isRaw: parseBool(params, 'raw') };
}

export interface DependencyRange {
  readonly startNs: bigint;
  readonly endNs: bigint;
  /** Only links that touch this service; "" = all. */
  readonly service: string;
}

/** GET /api/dependencies: [endTs − lookback, endTs], lookback in ms. Throws INVALID_REQUEST with Jaeger's text. */
export function parseDependencyRange(params: QueryString, nowMs: number): DependencyRange {
  const end = parseTime(params, 'endTs') ?? { ns: BigInt(Math.floor(nowMs)) * NS_PER_MS, unitNs: UNIT_NS.ms };
  const text = params.first('lookback');
  const lookbackMs = text === '' ? BigInt(DEPENDENCY_LOOKBACK_MS) : parseInteger(text, 64);
  if (typeof lookbackMs === 'string') unparsable('lookback', lookbackMs);
  const startNs = end.ns - lookbackMs * NS_PER_MS;
  return { startNs: startNs < 0n ? 0n : startNs, endNs: lastNsOf(end), service: params.first('service') };
}

/** Traces read for a graph of paths. */
const PATH_TRACES_MAX = 200;

export interface PathSearch {
  readonly query: TraceQuery;
  readonly focal: { readonly service: string; readonly operation: string };
}

/** GET /analytics/v1/dependencies: if `start` and `end` are 0, as Jaeger UI sends them, a search's default window is used. */
export function parsePathSearch(params: QueryString, { nowMs, maxTraces }: SearchContext): PathSearch {
  const focal = { service: params.first('service'), operation: params.first('operation') };
  if (focal.service === '') invalid("parameter 'service' is required");
  const nowNs = BigInt(Math.floor(nowMs)) * NS_PER_MS;
  const end = parseTime(params, 'end');
  const query = {
    service: focal.service,
    operation: focal.operation || undefined,
    tags: [],
    startMinNs: parseTime(params, 'start')?.ns || nowNs - BigInt(SEARCH_LOOKBACK_MS) * NS_PER_MS,
    ...(end === undefined || end.ns === 0n ? untilNow(nowNs) : { startMaxNs: lastNsOf(end) }),
    durationMinNs: undefined,
    durationMaxNs: undefined,
    limit: Math.min(PATH_TRACES_MAX, maxTraces),
  };
  return { query, focal };
}
