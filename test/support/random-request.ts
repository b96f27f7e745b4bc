// Random but reproducible OTLP requests for round trips: every AnyValue type, nesting, empty and absent sub-messages,
// duplicate keys, integers at the edges of 53 and 64 bits, unknown kinds. The same seed gives the same request.
import type { OtlpAnyValue, OtlpEvent, OtlpKeyValue, OtlpLink, OtlpRequest, OtlpSpan } from './otlp-proto.ts';

/** A random number in [0, 1) per call (mulberry32). */
export type Random = () => number;

export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}

/** Seed of this run, printed so that a failure can be repeated: SEED=… vitest run …. */
export function printedSeed(name: string): number {
  const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 0xffff_ffff));
  process.stdout.write(`${name}: SEED=${seed}\n`);
  return seed;
}

export function randomBytes(random: Random, length: number): Uint8Array {
  return Uint8Array.from({ length }, () => Math.floor(random() * 256));
}

const STRINGS = [
  '',
  '-',
  'a',
  'GET /cart',
  'žluťoučký 🐎',
  '\u0000\n"\\',
  'x'.repeat(200),
  '§',
  'constructor',
  '__proto__',
];
const KEYS = ['http.method', 'http.status_code', '', 'dup', 'dup', 'ключ', 'toString', 'k'.repeat(130)];
const INTS = [
  0n,
  1n,
  -1n,
  127n,
  128n,
  2n ** 31n,
  -(2n ** 31n),
  2n ** 53n - 1n,
  2n ** 53n,
  2n ** 53n + 1n,
  2n ** 63n - 1n,
  -(2n ** 63n),
];
const DOUBLES = [0, -0, 0.1, -1.5, 1e21, 5e-324, Number.MAX_VALUE, NaN, Infinity, -Infinity, 2 ** 53 + 2];

function pick<T>(random: Random, items: readonly T[]): T {
  return items[Math.floor(random() * items.length)]!;
}

function listOf<T>(random: Random, max: number, make: () => T): T[] {
  return Array.from({ length: Math.floor(random() * (max + 1)) }, make);
}

export function randomAnyValue(random: Random, depth = 1): OtlpAnyValue {
  const type = Math.floor(random() * (depth < 6 ? 8 : 6));
  if (type === 0) return {};
  if (type === 1) return { stringValue: pick(random, STRINGS) };
  if (type === 2) return { boolValue: random() < 0.5 };
  if (type === 3) return { intValue: pick(random, INTS) };
  if (type === 4) return { doubleValue: pick(random, DOUBLES) };
  if (type === 5) return { bytesValue: randomBytes(random, Math.floor(random() * 20)) };
  if (type === 6)
    return { arrayValue: dropEmpty({ values: listOf(random, 3, () => randomAnyValue(random, depth + 1)) }) };
  return { kvlistValue: dropEmpty({ values: listOf(random, 3, () => randomKeyValue(random, depth + 1)) }) };
}

export function randomKeyValue(random: Random, depth = 1): OtlpKeyValue {
  const value = random() < 0.95 ? { value: randomAnyValue(random, depth) } : {};
  return dropEmpty({ key: pick(random, KEYS), ...value });
}

function randomEvent(random: Random): OtlpEvent {
  return dropEmpty({
    timeUnixNano: pick(random, [0n, 1_763_600_000_123_456_789n, 2n ** 64n - 1n]),
    name: pick(random, STRINGS),
    attributes: listOf(random, 3, () => randomKeyValue(random)),
    droppedAttributesCount: pick(random, [0, 3, 0xffff_ffff]),
  });
}

function randomLink(random: Random): OtlpLink {
  return dropEmpty({
    traceId: randomBytes(random, 16),
    spanId: randomBytes(random, 8),
    traceState: pick(random, ['', 'a=b,c=d']),
    attributes: listOf(random, 3, () => randomKeyValue(random)),
    droppedAttributesCount: pick(random, [0, 7]),
    flags: pick(random, [0, 1, 0x301, 0xffff_ffff]),
  });
}

/** A span that the store accepts: ids valid, start at `startNs` plus up to a second. */
export function randomSpan(random: Random, startNs: bigint): OtlpSpan {
  const start = startNs + BigInt(Math.floor(random() * 1e9));
  const status =
    random() < 0.5 ? { status: dropEmpty({ message: pick(random, STRINGS), code: pick(random, [0, 1, 2]) }) } : {};
  return dropEmpty({
    traceId: randomBytes(random, 16),
    spanId: randomBytes(random, 8),
    traceState: pick(random, ['', 'vendor=1']),
    parentSpanId: random() < 0.5 ? randomBytes(random, 8) : new Uint8Array(0),
    flags: pick(random, [0, 1, 0x100, 0x300]),
    name: pick(random, STRINGS),
    kind: pick(random, [0, 1, 2, 3, 4, 5, 42]),
    startTimeUnixNano: start,
    endTimeUnixNano: start + BigInt(Math.floor(random() * 1e9)),
    attributes: listOf(random, 6, () => randomKeyValue(random)),
    droppedAttributesCount: pick(random, [0, 1]),
    events: listOf(random, 2, () => randomEvent(random)),
    droppedEventsCount: pick(random, [0, 2]),
    links: listOf(random, 2, () => randomLink(random)),
    droppedLinksCount: pick(random, [0, 3]),
    ...status,
  });
}

export function randomRequest(random: Random, startNs: bigint): OtlpRequest {
  const scopeSpans = () =>
    dropEmpty({
      ...(random() < 0.8
        ? {
            scope: dropEmpty({
              name: pick(random, STRINGS),
              version: pick(random, ['', '1.0']),
              attributes: listOf(random, 2, () => randomKeyValue(random)),
              droppedAttributesCount: pick(random, [0, 4]),
            }),
          }
        : {}),
      spans: listOf(random, 4, () => randomSpan(random, startNs)),
      schemaUrl: pick(random, ['', 'https://opentelemetry.io/schemas/1.30.0']),
    });
  const entityRef = () =>
    dropEmpty({
      schemaUrl: pick(random, STRINGS),
      type: 'service',
      idKeys: ['service.name', ''],
      descriptionKeys: listOf(random, 1, () => 'd'),
    });
  const resourceSpans = () =>
    dropEmpty({
      ...(random() < 0.8
        ? {
            resource: dropEmpty({
              attributes: listOf(random, 4, () => randomKeyValue(random)),
              droppedAttributesCount: pick(random, [0, 9]),
              entityRefs: listOf(random, 1, entityRef),
            }),
          }
        : {}),
      scopeSpans: listOf(random, 3, scopeSpans),
      schemaUrl: pick(random, ['', 'https://example.org/1']),
    });
  return dropEmpty({ resourceSpans: listOf(random, 3, resourceSpans) });
}

/** Removes what the wire cannot tell from absent: zero, '', [] and empty bytes. Not for the members of a oneof. */
function dropEmpty<T extends object>(message: T): T {
  const isEmpty = (value: unknown): boolean =>
    value === 0 ||
    value === 0n ||
    value === '' ||
    (typeof value === 'object' && value !== null && 'length' in value && value.length === 0);
  return Object.fromEntries(Object.entries(message).filter(([, value]) => !isEmpty(value))) as T;
}
