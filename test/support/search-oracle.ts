// Trace search as plain loops over spans in memory, written from contract/jaeger.md §4.2, §4.3 and §7.1 and from nothing
// in src: what the store's answers are compared with.
import type { TagCondition, TraceQuery } from '../../src/trace/trace-query.ts';
import type { OtlpAnyValue, OtlpKeyValue, OtlpRequest, OtlpScope, OtlpSpan } from './otlp-proto.ts';

/** A span with what it hangs from. */
export interface KnownSpan {
  /** Hex. */
  readonly traceId: string;
  readonly resource: readonly OtlpKeyValue[];
  readonly scope: OtlpScope;
  readonly span: OtlpSpan;
  readonly resourceSchemaUrl?: string;
  readonly scopeSchemaUrl?: string;
}

export function knownSpans(request: OtlpRequest): KnownSpan[] {
  return (request.resourceSpans ?? []).flatMap(({ resource = {}, scopeSpans = [], schemaUrl = '' }) =>
    scopeSpans.flatMap(({ scope = {}, spans = [], schemaUrl: scopeSchemaUrl = '' }) =>
      spans.map((span) => ({
        traceId: hex(span.traceId),
        resource: resource.attributes ?? [],
        scope,
        span,
        resourceSchemaUrl: schemaUrl,
        scopeSchemaUrl,
      })),
    ),
  );
}

/** Ids of the traces a search must find, in the order it must give; `meets` stands for the query's filter. */
export function searchNaively(
  spans: readonly KnownSpan[],
  query: TraceQuery,
  meets: (known: KnownSpan) => boolean = () => true,
): string[] {
  const latest = new Map<string, bigint>();
  for (const known of spans) {
    if (!isMatch(known, query) || !meets(known)) continue;
    const start = known.span.startTimeUnixNano ?? 0n;
    const before = latest.get(known.traceId);
    if (before === undefined || start > before) latest.set(known.traceId, start);
  }
  const order = ([a, x]: [string, bigint], [b, y]: [string, bigint]): number =>
    x !== y ? (x > y ? -1 : 1) : a < b ? -1 : 1;
  const hits = [...latest].sort(order);
  return hits.slice(0, pageSize(hits, query)).map(([traceId]) => traceId);
}

/** A page that lies wholly in the last unit of its window goes on until it reaches below it. */
function pageSize(hits: readonly [string, bigint][], { limit, lastUnit }: TraceQuery): number {
  if (lastUnit === undefined) return limit;
  let size = limit;
  while (size < lastUnit.tracesMax && hits.slice(0, size).every(([, start]) => start >= lastUnit.startNs)) {
    if (size >= hits.length) break;
    size++;
  }
  return size;
}

/** Whether the span meets every condition. */
export function isMatch(known: KnownSpan, query: TraceQuery): boolean {
  const start = known.span.startTimeUnixNano ?? 0n;
  const duration = (known.span.endTimeUnixNano ?? 0n) - start;
  return (
    (query.service === undefined || serviceOf(known) === query.service) &&
    (query.operation === undefined || operationOf(known) === query.operation) &&
    start >= query.startMinNs &&
    start <= query.startMaxNs &&
    (query.durationMinNs === undefined || duration >= query.durationMinNs) &&
    (query.durationMaxNs === undefined || duration <= query.durationMaxNs) &&
    query.tags.every((tag) => holds(known, tag))
  );
}

export function serviceOf({ resource }: KnownSpan): string {
  const name = resource.find(({ key }) => key === 'service.name');
  if (name === undefined) return 'missing-service-name';
  const text = name.value?.stringValue;
  if (text === undefined) return 'service-name-wrong-type';
  return text === '' ? 'empty-service-name' : text;
}

export function operationOf({ span }: KnownSpan): string {
  return span.name === undefined || span.name === '' ? 'empty-span-name' : span.name;
}

const KINDS = ['unspecified', 'internal', 'server', 'client', 'producer', 'consumer'];
const STATUSES = ['unset', 'ok', 'error'];

/** Says of a text whether it is what a condition asks for. */
type Fits = (text: string) => boolean;

function holds(known: KnownSpan, { key, value, isPattern = false, isNegated = false }: TagCondition): boolean {
  const isMet = isPattern
    ? meets(known, key, patternFits(value)) || (key === 'error' && isInError(known.span) && patternFits(value)('true'))
    : equals(known, key, value);
  return isMet !== isNegated;
}

const patterns = new Map<string, RegExp>();

/** V8's engine: the generator's patterns mean the same to it. */
function patternFits(pattern: string): Fits {
  const compiled = patterns.get(pattern) ?? new RegExp(pattern, 'u');
  patterns.set(pattern, compiled);
  return (text) => compiled.test(text);
}

function equals(known: KnownSpan, key: string, value: string): boolean {
  if (key === 'error' && (value === 'true' || value === 'false')) return isInError(known.span) === (value === 'true');
  const isWord = ['span.kind', 'span.status', 'otel.status_code'].includes(key);
  // A kind or a status in any case; an attribute of that name to the letter.
  return meets(known, key, (text) => text === value, isWord ? (text) => text === value.toLowerCase() : undefined);
}

function meets(known: KnownSpan, key: string, fits: Fits, fitsWord: Fits = fits): boolean {
  return fieldTexts(known, key).some(fitsWord) || attributeTexts(known, key).some(fits);
}

/** What is no attribute in OTLP, but one to clients. */
function fieldTexts({ span, scope }: KnownSpan, key: string): string[] {
  switch (key) {
    case 'span.kind':
      return [KINDS[span.kind ?? 0] ?? ''];
    case 'span.status':
    case 'otel.status_code':
      return [STATUSES[span.status?.code ?? 0] ?? ''];
    case 'otel.status_description':
      return [span.status?.message ?? ''];
    case 'scope.name':
    case 'otel.scope.name':
    case 'otel.library.name':
      return [scope.name ?? ''];
    case 'scope.version':
    case 'otel.scope.version':
    case 'otel.library.version':
      return [scope.version ?? ''];
    case 'w3c.tracestate':
      return [span.traceState ?? ''];
    case 'event':
      return (span.events ?? []).map(({ name = '' }) => name);
    default:
      return [];
  }
}

/** Of every level; keys that name one level, Jaeger's `resource.k` and VictoriaTraces' three, mean that one as well. */
function attributeTexts(known: KnownSpan, key: string): string[] {
  const { resource, scope, span } = known;
  const texts = levels(known).flatMap((attributes) => textsOf(attributes, key));
  const [, level, rest = ''] = /^(resource\.|resource_attr:|scope_attr:|span_attr:)(.+)$/s.exec(key) ?? [];
  if (level === undefined) return texts;
  const own = level.startsWith('resource') ? resource : level === 'scope_attr:' ? scope.attributes : span.attributes;
  return [...texts, ...textsOf(own, rest)];
}

export function isInError({ status, attributes = [] }: OtlpSpan): boolean {
  return (
    status?.code === 2 ||
    attributes.some(({ key, value }) => key === 'error' && (value?.boolValue === true || value?.stringValue === 'true'))
  );
}

function levels({ resource, scope, span }: KnownSpan): (readonly OtlpKeyValue[] | undefined)[] {
  const events = (span.events ?? []).map(({ attributes }) => attributes);
  const links = (span.links ?? []).map(({ attributes }) => attributes);
  return [resource, scope.attributes, span.attributes, ...events, ...links];
}

function textsOf(attributes: readonly OtlpKeyValue[] | undefined, key: string): string[] {
  return (attributes ?? []).filter((attribute) => (attribute.key ?? '') === key).map(({ value = {} }) => textOf(value));
}

/** A value's text, as Jaeger shows it. */
export function textOf(value: OtlpAnyValue): string {
  const json = jsonOf(value);
  if (json === null) return '';
  return typeof json === 'string' ? json : JSON.stringify(json);
}

function jsonOf(value: OtlpAnyValue): unknown {
  if (value.stringValue !== undefined) return value.stringValue;
  if (value.boolValue !== undefined) return value.boolValue;
  if (value.intValue !== undefined)
    return Number.isSafeInteger(Number(value.intValue)) ? Number(value.intValue) : value.intValue.toString();
  if (value.doubleValue !== undefined) return value.doubleValue;
  if (value.bytesValue !== undefined) return Buffer.from(value.bytesValue).toString('base64');
  if (value.arrayValue !== undefined) return (value.arrayValue.values ?? []).map(jsonOf);
  if (value.kvlistValue === undefined) return null;
  const pairs = (value.kvlistValue.values ?? []).map((pair): [string, unknown] => [
    pair.key ?? '',
    jsonOf(pair.value ?? {}),
  ]);
  return Object.fromEntries(pairs.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function hex(id: Uint8Array | undefined): string {
  return Buffer.from(id ?? []).toString('hex');
}
