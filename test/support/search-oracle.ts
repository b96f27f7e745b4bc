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
  return [...latest]
    .sort(order)
    .slice(0, query.limit)
    .map(([traceId]) => traceId);
}

function isMatch(known: KnownSpan, query: TraceQuery): boolean {
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

function holds(known: KnownSpan, { key, value }: TagCondition): boolean {
  const { span, scope } = known;
  switch (key) {
    case 'error':
      if (value === 'true') return isInError(span);
      if (value === 'false') return !isInError(span);
      return levels(known).some((attributes) => has(attributes, key, value));
    case 'span.kind':
      return KINDS[span.kind ?? 0] === value.toLowerCase();
    case 'span.status':
    case 'otel.status_code':
      return STATUSES[span.status?.code ?? 0] === value.toLowerCase();
    case 'otel.status_description':
      return (span.status?.message ?? '') === value;
    case 'scope.name':
    case 'otel.scope.name':
    case 'otel.library.name':
      return (scope.name ?? '') === value;
    case 'scope.version':
    case 'otel.scope.version':
    case 'otel.library.version':
      return (scope.version ?? '') === value;
    case 'w3c.tracestate':
      return (span.traceState ?? '') === value;
    case 'event':
      if ((span.events ?? []).some(({ name = '' }) => name === value)) return true;
      break;
    default:
  }
  return hasOfLevel(known, key, value) || levels(known).some((attributes) => has(attributes, key, value));
}

/** Keys that name one level: Jaeger's `resource.k`, and VictoriaTraces' three. */
function hasOfLevel({ resource, scope, span }: KnownSpan, key: string, value: string): boolean {
  const [, level, rest = ''] = /^(resource\.|resource_attr:|scope_attr:|span_attr:)(.+)$/s.exec(key) ?? [];
  if (level === undefined) return false;
  return has(
    level.startsWith('resource') ? resource : level === 'scope_attr:' ? scope.attributes : span.attributes,
    rest,
    value,
  );
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

function has(attributes: readonly OtlpKeyValue[] | undefined, key: string, value: string): boolean {
  return (attributes ?? []).some(
    (attribute) => (attribute.key ?? '') === key && textOf(attribute.value ?? {}) === value,
  );
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
