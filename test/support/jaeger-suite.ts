// Jaeger's storage integration suite (contract/jaeger.md §6), read from beside the project and moved to the days before
// now: 2017-01-26 becomes yesterday (UTC), 2017-01-25 the day before; the time of day stays to the nanosecond.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import type { SearchTerms } from './node-client.ts';
import { looseSpans, type Json, type LooseSpan } from './otlp-json-set.ts';

const suite = new URL('../../../shared/corpora/jaeger-storage-suite/', import.meta.url);
export const hasJaegerSuite: boolean = existsSync(suite);

const dayNs = 86_400_000_000_000n;

export interface Fixture {
  readonly name: string;
  /** 32 hex digits. */
  readonly traceId: string;
  /** OTLP JSON, {"resourceSpans": …}. */
  readonly message: Json;
  readonly spans: readonly LooseSpan[];
}

export interface SuiteQuery {
  readonly caption: string;
  /** Values of tags as strings, as they travel over HTTP: "123", "72.5", "true". */
  readonly terms: Required<SearchTerms>;
  /** The same tags with their types, as the storage API takes them. */
  readonly typedTags: Readonly<Record<string, string | number | boolean>>;
  readonly expected: readonly Fixture[];
}

export interface JaegerSuite {
  readonly fixtures: readonly Fixture[];
  readonly queries: readonly SuiteQuery[];
}

/** When in its day most of the suite's spans start: 16:46:31.639875. */
export const suiteTimeOfDayNs: bigint = (16n * 3_600n + 46n * 60n + 31n) * 1_000_000_000n + 639_875_000n;

/** Reads the suite as of the UTC day of `nowMs`, all of it `laterNs` later. */
export function readJaegerSuite(nowMs: number, laterNs = 0n): JaegerSuite {
  const yesterday = BigInt(Math.floor(nowMs / 86_400_000)) - 1n;
  const shiftNs = yesterday * dayNs - BigInt(Date.UTC(2017, 0, 26)) * 1_000_000n + laterNs;
  const names = readdirSync(new URL('traces/', suite)).map((file) => file.replace('.json', ''));
  const fixtures = names.map((name) => readFixture(name, shiftNs));
  const raw = JSON.parse(readFileSync(new URL('queries.json', suite), 'utf8')) as RawQuery[];
  return { fixtures, queries: raw.map((query) => readQuery(query, fixtures, shiftNs)) };
}

function readFixture(name: string, shiftNs: bigint): Fixture {
  const text = readFileSync(new URL(`traces/${name}.json`, suite), 'utf8');
  const moved = text.replaceAll(
    /(UnixNano": ")(\d+)"/g,
    (_, head: string, ns: string) => `${head}${BigInt(ns) + shiftNs}"`,
  );
  const message = JSON.parse(moved) as Json;
  const spans = looseSpans(message);
  return { name, traceId: String(spans[0]?.span['traceId']), message, spans };
}

/** All spans of `fixtures` as requests of at most `size` spans, as Jaeger's suite writes them. */
export function requestsOf(fixtures: readonly Fixture[], size: number): Json[] {
  const all = fixtures.flatMap(({ spans }) => spans);
  const requests: Json[] = [];
  for (let at = 0; at < all.length; at += size) {
    const resourceSpans = all
      .slice(at, at + size)
      .map(({ group, scope, span }) => ({ ...group, scopeSpans: [{ ...scope, spans: [span] }] }));
    requests.push({ resourceSpans });
  }
  return requests;
}

/** Durations are nanoseconds here, whatever Jaeger's file calls them. */
interface RawQuery {
  readonly Caption: string;
  readonly Query: {
    readonly ServiceName: string;
    readonly OperationName: string;
    readonly Tags: Readonly<Record<string, string | number | boolean>> | null;
    readonly StartTimeMin: string;
    readonly StartTimeMax: string;
    readonly DurationMin: number;
    readonly DurationMax: number;
    readonly NumTraces: number;
  };
  readonly ExpectedFixtures: readonly string[];
}

function readQuery(
  { Caption: caption, Query: query, ExpectedFixtures: names }: RawQuery,
  fixtures: readonly Fixture[],
  shiftNs: bigint,
): SuiteQuery {
  const typedTags = query.Tags ?? {};
  const tags = Object.fromEntries(Object.entries(typedTags).map(([key, value]) => [key, String(value)]));
  const terms = {
    service: query.ServiceName,
    operation: query.OperationName,
    tags,
    startNs: parseTimeNs(query.StartTimeMin) + shiftNs,
    endNs: parseTimeNs(query.StartTimeMax) + shiftNs,
    minNs: query.DurationMin,
    maxNs: query.DurationMax,
    limit: query.NumTraces,
  } satisfies Required<SearchTerms>;
  const expected = fixtures.filter(({ name }) => names.includes(name));
  if (expected.length !== names.length) throw new Error(`${caption}: a fixture of ${names.join(', ')} is missing`);
  return { caption, terms, typedTags, expected };
}

/** RFC 3339 in UTC with a fraction. */
function parseTimeNs(text: string): bigint {
  const [, seconds = '', fraction = ''] = /^(.*?)(?:\.(\d+))?Z$/.exec(text) ?? [];
  return BigInt(Date.parse(`${seconds}Z`)) * 1_000_000n + BigInt(fraction.padEnd(9, '0'));
}

/** Start and duration of the spans of a trace, ns. */
export function timesOf(fixture: Fixture): { readonly startNs: bigint; readonly durationNs: number }[] {
  return fixture.spans.map(({ span }) => {
    const startNs = BigInt(span['startTimeUnixNano'] as string);
    return { startNs, durationNs: Number(BigInt(span['endTimeUnixNano'] as string) - startNs) };
  });
}
