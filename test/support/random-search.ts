// Random spans from small alphabets, so that conditions collide, repeat and nearly match, and random searches over them, most
// of them made of what one of the spans really has. The same random source gives the same data.
import { limits } from '../../src/base/limits.ts';
import type { TagCondition, TraceQuery } from '../../src/trace/trace-query.ts';
import type {
  OtlpAnyValue,
  OtlpEvent,
  OtlpKeyValue,
  OtlpLink,
  OtlpRequest,
  OtlpScope,
  OtlpSpan,
} from './otlp-proto.ts';
import { attribute, spanId } from './rich-trace.ts';
import type { Random } from './random-request.ts';
import { operationOf, serviceOf, textOf, type KnownSpan } from './search-oracle.ts';

const dayNs = 86_400_000_000_000n;

const SERVICES: readonly (OtlpKeyValue | undefined)[] = [
  attribute('service.name', 'cart'),
  attribute('service.name', 'žluť/ť'),
  attribute('service.name', 'a'),
  attribute('service.name', 'a '),
  attribute('service.name', ''),
  attribute('service.name', { intValue: 7n }),
  undefined,
];
const OPERATIONS = ['GET /', 'GET /cart', 'get /', '', 'x'.repeat(300)];
const KEYS = ['k', 'K', 'tag', 'http.status_code', '', 'resource.k', 'event'];
const VALUES: readonly OtlpAnyValue[] = [
  { stringValue: 'x' },
  { stringValue: '1' },
  { stringValue: 'true' },
  { stringValue: '' },
  { stringValue: '["a",1]' },
  { stringValue: '0f8fad5b-d9cb-469f-a165-70867728950e' },
  { intValue: 1n },
  { intValue: -1n },
  { intValue: 2n ** 60n },
  { doubleValue: 1 },
  { doubleValue: 72.5 },
  { doubleValue: 0.1 },
  { doubleValue: 1e21 },
  { boolValue: true },
  { boolValue: false },
  { bytesValue: Uint8Array.of(1) },
  { bytesValue: Uint8Array.of(0xd3, 0x1b, 0x9e) },
  { arrayValue: { values: [{ stringValue: 'a' }, { intValue: 1n }] } },
  { arrayValue: { values: [{ bytesValue: Uint8Array.of(1) }, {}, { doubleValue: 0.1 }] } },
  { kvlistValue: { values: [attribute('b', { boolValue: true }), attribute('a', 'x')] } },
  {},
];
const EVENTS = ['', 'retry', 'x', 'exception'];
const SCHEMAS = ['', 'https://opentelemetry.io/schemas/1.9.0', 'x'];
const TEXTS = ['', 'x', '1', 'boom'];
const DURATIONS = [-5n, 0n, 1n, 2n, 999n, 1_000n, 1_001n, 5_000_000n, 60_000_000_000n, 3n * dayNs];

function pick<T>(random: Random, items: readonly T[]): T {
  return items[Math.floor(random() * items.length)]!;
}

function listOf<T>(random: Random, max: number, make: () => T): T[] {
  return Array.from({ length: Math.floor(random() * (max + 1)) }, make);
}

function randomAttribute(random: Random): OtlpKeyValue {
  return attribute(pick(random, KEYS), pick(random, VALUES));
}

/** Starts of spans around `noonNs` of the newest day: days and ends of days, few enough to coincide. */
function randomStart(random: Random, noonNs: bigint): bigint {
  const midnight = noonNs - dayNs / 2n - dayNs * BigInt(Math.floor(random() * 4));
  return (
    midnight + pick(random, [0n, 1n, 1_000n, dayNs / 2n, dayNs / 2n + BigInt(Math.floor(random() * 5)), dayNs - 1n])
  );
}

function randomSpan(random: Random, noonNs: bigint, traces: number): OtlpSpan {
  const startTimeUnixNano = randomStart(random, noonNs);
  const traceId = Buffer.alloc(16);
  // Half of them differ in their first bytes, half in their last.
  traceId.writeUInt32BE(Math.floor((random() * traces) / 2) + 1, random() < 0.5 ? 12 : 0);
  const event = (): OtlpEvent => ({
    timeUnixNano: random() < 0.1 ? 0n : startTimeUnixNano + pick(random, DURATIONS),
    name: pick(random, EVENTS),
    attributes: listOf(random, 2, () => randomAttribute(random)),
  });
  const link = (): OtlpLink => ({
    ...(random() < 0.8 ? { traceId, spanId: spanId(1 + Math.floor(random() * 3)) } : {}),
    traceState: pick(random, TEXTS),
    attributes: listOf(random, 2, () => randomAttribute(random)),
  });
  const errors = [
    attribute('error', { boolValue: true }),
    attribute('error', 'true'),
    attribute('error', { boolValue: false }),
  ];
  return {
    traceId,
    spanId: spanId(Math.floor(random() * 1_000_000) + 1),
    name: pick(random, OPERATIONS),
    kind: Math.floor(random() * 6),
    traceState: pick(random, TEXTS),
    startTimeUnixNano,
    endTimeUnixNano: startTimeUnixNano + pick(random, DURATIONS),
    attributes: [
      ...listOf(random, 4, () => randomAttribute(random)),
      ...(random() < 0.1 ? [pick(random, errors)] : []),
    ],
    events: listOf(random, 2, event),
    links: listOf(random, 1, link),
    ...(random() < 0.5 ? { status: { code: Math.floor(random() * 3), message: pick(random, TEXTS) } } : {}),
  };
}

/** One request of up to a dozen spans of a few services, of traces of which there are `traces`. */
export function randomSpans(random: Random, noonNs: bigint, traces = 60): OtlpRequest {
  const scope = (): OtlpScope => ({
    name: pick(random, TEXTS),
    version: pick(random, TEXTS),
    attributes: listOf(random, 1, () => randomAttribute(random)),
  });
  const resourceSpans = Array.from({ length: 1 + Math.floor(random() * 3) }, () => {
    const service = pick(random, SERVICES);
    const attributes = [
      ...(service === undefined ? [] : [service]),
      ...listOf(random, 2, () => randomAttribute(random)),
    ];
    const scopeSpans = Array.from({ length: 1 + Math.floor(random() * 2) }, () => ({
      scope: scope(),
      schemaUrl: pick(random, SCHEMAS),
      spans: listOf(random, 3, () => randomSpan(random, noonNs, traces)),
    }));
    return { resource: { attributes }, scopeSpans, schemaUrl: pick(random, SCHEMAS) };
  });
  const spans = resourceSpans.flatMap(({ scopeSpans: scopes }) => scopes.flatMap(({ spans: some }) => some));
  for (const span of spans) if (random() < 0.6) span.parentSpanId = adopt(random, span, spans);
  return { resourceSpans };
}

/** A parent from the same request, in the child's trace from now on; sometimes the child itself, or nobody. */
function adopt(random: Random, span: OtlpSpan, spans: readonly OtlpSpan[]): Uint8Array {
  const parent = pick(random, spans);
  if (random() < 0.1) return spanId(999_999_999);
  parent.traceId = span.traceId!;
  return parent.spanId!;
}

/** Conditions that hold on a span. */
function factsOf({ resource, scope, span }: KnownSpan): TagCondition[] {
  const lists = [resource, scope.attributes, span.attributes, ...(span.events ?? []).map((event) => event.attributes)];
  lists.push(...(span.links ?? []).map((link) => link.attributes));
  const facts = lists.flatMap((list) =>
    (list ?? []).map(({ key = '', value = {} }) => ({ key, value: textOf(value) })),
  );
  facts.push(...resource.map(({ key = '', value = {} }) => ({ key: `resource.${key}`, value: textOf(value) })));
  facts.push(
    ...(span.attributes ?? []).map(({ key = '', value = {} }) => ({ key: `span_attr:${key}`, value: textOf(value) })),
  );
  facts.push(
    ...(scope.attributes ?? []).map(({ key = '', value = {} }) => ({ key: `scope_attr:${key}`, value: textOf(value) })),
  );
  facts.push(...(span.events ?? []).map(({ name = '' }) => ({ key: 'event', value: name })));
  facts.push(
    { key: 'otel.status_description', value: span.status?.message ?? 'boom' },
    { key: 'w3c.tracestate', value: span.traceState ?? '' },
  );
  facts.push({ key: 'otel.scope.name', value: scope.name ?? '' }, { key: 'scope.version', value: scope.version ?? '' });
  // Empty text of a field that spans may lack: the contract does not say whether it matches.
  const isField = /^(otel\.|w3c\.|scope\.)/;
  return facts.filter(({ key, value }) => !(isField.test(key) && value === ''));
}

function randomTag(random: Random): TagCondition {
  return pick(random, [
    { key: 'error', value: pick(random, ['true', 'false', 'x']) },
    { key: 'span.kind', value: pick(random, ['server', 'CLIENT', 'internal', 'producer', 'nobody']) },
    { key: pick(random, ['span.status', 'otel.status_code']), value: pick(random, ['ERROR', 'OK', 'error']) },
    {
      key: pick(random, ['event', 'scope.name', 'otel.library.version', 'w3c.tracestate']),
      value: pick(random, ['x', 'retry', '1']),
    },
    { key: pick(random, KEYS), value: textOf(pick(random, VALUES)) },
    {
      key: pick(random, ['k', 'tag', 'resource.k', 'span_attr:k', 'scope_attr:tag', 'resource_attr:tag']),
      value: pick(random, ['1', '1.0', 'True', 'x', '']),
    },
  ]);
}

/** None of them matches empty text, and all mean the same to RE2 and to the oracle's engine. */
const PATTERNS = ['^x', 'r.t', '1$', 'tru|fals', '^[0-9.]+$', 'server|client', 'e+', '^.$', 'k'];

/** Some conditions denied, some a pattern in place of their value. */
function varied(random: Random, tag: TagCondition): TagCondition {
  const isNegated = random() < 0.12;
  const more = isNegated ? { isNegated } : {};
  return random() < 0.12
    ? { key: tag.key, value: pick(random, PATTERNS), isPattern: true, ...more }
    : { ...tag, ...more };
}

const maybe = <T>(random: Random, share: number, make: () => T): T | undefined =>
  random() < share ? make() : undefined;

/** A search over `spans`, which must not be empty. */
export function randomQuery(random: Random, spans: readonly KnownSpan[]): TraceQuery {
  const model = pick(random, spans);
  const isNear = random() < 0.75;
  const facts = factsOf(model);
  const tags = listOf(random, 3, () =>
    varied(random, isNear && random() < 0.9 ? pick(random, facts) : randomTag(random)),
  );
  const other = pick(random, spans);
  const start = model.span.startTimeUnixNano!;
  const duration = model.span.endTimeUnixNano! - start;
  const around = (): bigint => BigInt(Math.floor(random() * 3) - 1);
  const wide = dayNs * BigInt(Math.floor(random() * 6));
  // A zero or negative duration counts as 1 ns in Jaeger and as itself here: bounds below 2 ns are not asked for.
  const bound = (value: bigint): bigint | undefined => (value < 2n ? undefined : value);
  const limit = pick(random, [1, 2, 3, 10, 100, limits.searchTracesMax]);
  const startMaxNs = start + (random() < 0.5 ? 0n : wide) + around();
  const unitNs = pick(random, [1n, 1_000n, dayNs]);
  const lastUnit = maybe(random, 0.3, () => ({
    startNs: startMaxNs - (startMaxNs % unitNs),
    tracesMax: limit + Math.floor(random() * 20),
  }));
  return {
    service: maybe(random, 0.5, () => serviceOf(isNear ? model : other)),
    operation: maybe(random, 0.3, () => operationOf(isNear ? model : other)),
    tags,
    startMinNs: start - wide + around(),
    startMaxNs,
    durationMinNs: maybe(random, 0.15, () => bound(duration + around())),
    durationMaxNs: maybe(random, 0.15, () => bound(duration + around())),
    limit,
    ...(lastUnit === undefined ? {} : { lastUnit }),
  };
}
