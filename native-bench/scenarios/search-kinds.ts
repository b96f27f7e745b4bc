// The searches that are measured, made from the store's own answers, so that they fit any traffic and any peer. What must find
// nothing is asked once before: only pairs of conditions that are each common, and that no span satisfies together, are kept.
import type { Filled } from '../harness/fill.ts';
import type { HttpClient } from '../harness/http-client.ts';
import type { JaegerSpan } from '../harness/jaeger-trace.ts';
import { parseJaegerTrace } from '../harness/jaeger-trace.ts';
import type { QueryReply } from '../harness/queries.ts';
import { jaegerData } from '../harness/queries.ts';
import type { Target } from '../harness/target.ts';
import type { Rng } from '../workload/rng.ts';

export interface SearchKind {
  readonly name: string;
  readonly paths: readonly string[];
  /** Answers must hold at least and at most this many traces. */
  readonly traces: readonly [min: number, max: number];
  /** True for trace summaries, which are another JSON. */
  readonly isSummary?: boolean;
}

export const limit = 20;
const samples = 40;
/** Pairs that are tried for conditions that no span satisfies together. */
const triesMax = 60;
// A value that occurs in one trace only: a UUID or as many hex digits.
const rareValue = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$|^[0-9a-f]{16,}$/;

export interface Knowledge {
  readonly filled: Pick<Filled, 'traceIds' | 'fromMs' | 'toMs'>;
  readonly rng: Rng;
}

/** Traces in an answer. */
export function tracesIn(reply: QueryReply, path: string, isSummary = false): number {
  if (!isSummary) return jaegerData(reply, path).length;
  const text = typeof reply.body === 'string' ? reply.body : reply.body.toString('utf8');
  const parsed = reply.status === 200 ? (JSON.parse(text) as { summaries?: unknown[] }) : {};
  if (parsed.summaries === undefined) throw new Error(`GET ${path}: status ${reply.status}: ${text.slice(0, 300)}`);
  return parsed.summaries.length;
}

interface Sample {
  readonly spans: readonly JaegerSpan[];
  /** Of all spans of the traces looked at. */
  readonly longestUs: number;
}

async function sampleSpans(client: HttpClient, target: Target, { filled, rng }: Knowledge): Promise<Sample> {
  const spans: JaegerSpan[] = [];
  let longestUs = 0;
  for (const id of filled.traceIds.slice(0, samples)) {
    const path = `${target.jaegerPath}/traces/${id}`;
    for (const trace of jaegerData(await client.get(path), path)) {
      const parsed = parseJaegerTrace(trace);
      longestUs = Math.max(longestUs, ...parsed.spans.map(({ durationUs }) => durationUs));
      spans.push(rng.pick(parsed.spans), ...rareSpans(parsed.spans));
    }
  }
  return { spans: spans.slice(0, samples * 2), longestUs };
}

type Query = (span: Pick<JaegerSpan, 'service'>, rest?: Record<string, string>) => string;

/** Conditions of two spans, each common, that one span may never meet together. */
function mixedPaths(spans: readonly JaegerSpan[], query: Query, rng: Rng): string[] {
  const pairs = spans.flatMap((span) => spans.map((other) => [span, other] as const));
  return Array.from({ length: triesMax }, () => rng.pick(pairs)).flatMap(([span, other]) => {
    const tags = tagsOf(other, isCommon, 2);
    return [
      query(span, { operation: other.operation }),
      ...tags.map((tag) => query(span, { tags: tag })),
      ...tags.map((tag) => query(span, { operation: span.operation, tags: tag })),
    ];
  });
}

function tagsOf(span: JaegerSpan, fits: (tag: JaegerSpan['tags'][number]) => boolean, most: number): string[] {
  return span.tags
    .filter(fits)
    .slice(0, most)
    .map(({ key, value }) => tagJson(key, value));
}

/** Queries that fit what the store holds. */
export async function makeQueries(client: HttpClient, target: Target, knowledge: Knowledge): Promise<SearchKind[]> {
  const { filled, rng } = knowledge;
  const { spans: picked, longestUs } = await sampleSpans(client, target, knowledge);
  const query: Query = ({ service }, rest = {}) => searchPath(target, filled, { service, ...rest });
  const common = picked.flatMap((span) =>
    tagsOf(span, isCommon, 3).map((tags) => query(span, { operation: span.operation, tags })),
  );
  const rare = picked.flatMap((span) => tagsOf(span, isRare, 1).map((tags) => query(span, { tags })));
  const summaries = summariesPath(target, filled);
  const hasSummaries = (await client.get(summaries({}))).status === 200;
  const withSummaries = (paths: readonly string[]): readonly string[] => (hasSummaries ? paths : []);
  const kinds: SearchKind[] = [
    { name: 'service', paths: picked.map((span) => query(span)), traces: [1, limit] },
    {
      name: 'service + operation',
      paths: picked.map((span) => query(span, { operation: span.operation })),
      traces: [1, limit],
    },
    { name: 'service + operation + tag', paths: common, traces: [1, limit] },
    { name: 'service + rare tag', paths: rare, traces: [1, limit] },
    {
      name: 'service + tag nobody has',
      paths: picked.map((span) => query(span, { tags: tagJson('app.order.id', rng.uuid()) })),
      traces: [0, 0],
    },
    {
      name: 'two common conditions that no span satisfies together',
      paths: await emptyOnes(client, mixedPaths(picked, query, rng)),
      traces: [0, 0],
    },
    {
      name: 'longer than nearly all, no service',
      paths: withSummaries(
        [0.7, 1, 1.3, 2, 4].map((by) => summaries({ 'query.durationMin': `${Math.ceil(longestUs * by)}us` })),
      ),
      traces: [0, limit],
      isSummary: true,
    },
    {
      name: 'service + longer than nearly all',
      paths: picked.map((span) => query(span, { minDuration: `${longestUs}us` })),
      traces: [0, limit],
    },
    {
      name: 'summaries of service + operation',
      paths: withSummaries(
        picked.map((span) => summaries({ 'query.serviceName': span.service, 'query.operationName': span.operation })),
      ),
      traces: [1, limit],
      isSummary: true,
    },
    { name: 'services', paths: [`${target.jaegerPath}/services`], traces: [1, Infinity] },
  ];
  return kinds.filter(({ paths }) => paths.length > 0);
}

async function emptyOnes(client: HttpClient, paths: readonly string[]): Promise<string[]> {
  const empty: string[] = [];
  for (const path of new Set(paths)) {
    if (tracesIn(await client.get(path), path) === 0) empty.push(path);
  }
  return empty;
}

function rareSpans(spans: readonly JaegerSpan[]): JaegerSpan[] {
  return spans.filter((span) => span.tags.some(isRare)).slice(0, 1);
}

function isRare({ value }: { value: unknown }): boolean {
  return typeof value === 'string' && rareValue.test(value);
}

// Tags that Jaeger derives (span.kind, otel.*, error) are found by rules of their own; the figure is for the user's.
function isCommon({ key, value }: { key: string; value: unknown }): boolean {
  return (
    typeof value !== 'number' &&
    !isRare({ value }) &&
    value !== '' &&
    !/^(span\.kind|internal\.|otel\.|error$)/.test(key)
  );
}

function tagJson(key: string, value: string | number | boolean): string {
  return JSON.stringify({ [key]: String(value) });
}

/** Everything that was stored, and what came in since (of mixed). */
function searchPath(
  target: Target,
  { fromMs, toMs }: Pick<Filled, 'fromMs' | 'toMs'>,
  parameters: Record<string, string>,
): string {
  const aroundMs = 600_000;
  const range = { start: String((fromMs - aroundMs) * 1000), end: String((toMs + aroundMs) * 1000) };
  return `${target.jaegerPath}/traces?${new URLSearchParams({ ...parameters, ...range, limit: String(limit) }).toString()}`;
}

function summariesPath(
  target: Target,
  { fromMs, toMs }: Pick<Filled, 'fromMs' | 'toMs'>,
): (parameters: Record<string, string>) => string {
  const range = {
    'query.startTimeMin': new Date(fromMs - 600_000).toISOString(),
    'query.startTimeMax': new Date(toMs + 600_000).toISOString(),
    'query.searchDepth': String(limit),
  };
  return (parameters) =>
    `${target.jaegerPath}/v3/trace-summaries?${new URLSearchParams({ ...parameters, ...range }).toString()}`;
}
