// Search as users do it: the 20 newest traces by service, by service and operation, with a tag, with a tag that one trace has, with
// one that none has; and the service list. The queries are made from the store's own answers, so they fit any traffic and any peer.
import { fill, type Filled } from '../harness/fill.ts';
import { measureGetFloor } from '../harness/floor.ts';
import type { Floor } from '../harness/floor.ts';
import { HttpClient } from '../harness/http-client.ts';
import type { JaegerSpan } from '../harness/jaeger-trace.ts';
import { parseJaegerTrace } from '../harness/jaeger-trace.ts';
import type { Latencies } from '../harness/latencies.ts';
import type { BenchOptions } from '../harness/options.ts';
import { driveQueries, jaegerData } from '../harness/queries.ts';
import type { Figure, Report } from '../harness/report.ts';
import { mergeRows } from '../harness/report.ts';
import type { Target } from '../harness/target.ts';
import { onEachTarget, settle } from '../harness/target.ts';
import { Rng } from '../workload/rng.ts';

export interface SearchKind {
  readonly name: string;
  readonly paths: readonly string[];
  /** Answers must hold at least and at most this many traces. */
  readonly traces: readonly [min: number, max: number];
}

const limit = 20;
const samples = 40;
// A value that occurs in one trace only: a UUID or as many hex digits.
const rareValue = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$|^[0-9a-f]{16,}$/;

export async function search(options: BenchOptions, command: string): Promise<Report> {
  const floor = await measureGetFloor(options.connections);
  const measured = await onEachTarget(options, async (target) => ({
    target: target.name,
    rows: await measureSearch(target, options, floor),
  }));
  return {
    scenario: 'search',
    command,
    targets: measured.map(({ target }) => target),
    rows: mergeRows(measured),
    notes: [
      `${options.frames ?? `profile ${options.profile}`}, seed ${options.seed}, ${options.connections} connections, limit ${limit}, ${options.seconds} s per line, after flush and merge; floor: an empty GET`,
    ],
  };
}

type GetFloor = Pick<Floor, 'getP50Ms' | 'getP99Ms'>;

async function measureSearch(target: Target, options: BenchOptions, floor: GetFloor): Promise<Figure[]> {
  const filled = await fill(target, options);
  await settle(target);
  using client = new HttpClient(target.url, options.connections);
  const out: Figure[] = [];
  for (const kind of await makeQueries(client, target, { filled, rng: new Rng(options.seed) })) {
    const latencies = await measureKind(target.url, kind, options);
    out.push(...figures(kind.name, latencies, floor));
  }
  return [...out, { metric: 'spans stored', unit: 'spans', value: filled.spans }];
}

async function measureKind(url: string, { paths, traces }: SearchKind, options: BenchOptions): Promise<Latencies> {
  const path = (i: number): string => paths[i % paths.length] ?? '';
  return driveQueries({
    url,
    connections: options.connections,
    seconds: options.seconds,
    path,
    check: (reply, i) => {
      // Parsing every answer would take the CPU the server needs: each path once, and the status of all.
      if (reply.status === 200 && i >= paths.length) return;
      const found = jaegerData(reply, path(i)).length;
      if (found < traces[0] || found > traces[1])
        throw new Error(`GET ${path(i)}: ${found} found, expected ${traces.join(' to ')}`);
    },
  });
}

function figures(name: string, latencies: Latencies, floor: GetFloor): Figure[] {
  const { p50Ms, p99Ms, maxMs } = latencies.summary();
  return [
    { metric: `${name}: p50`, unit: 'ms', value: p50Ms, floor: floor.getP50Ms },
    { metric: `${name}: p99`, unit: 'ms', value: p99Ms, floor: floor.getP99Ms },
    { metric: `${name}: max`, unit: 'ms', value: maxMs },
    { metric: `${name}: queries`, unit: '', value: latencies.count },
  ];
}

export interface Knowledge {
  readonly filled: Pick<Filled, 'traceIds' | 'fromMs' | 'toMs'>;
  readonly rng: Rng;
}

/** Queries that fit what the store holds, made from its own answers. */
export async function makeQueries(
  client: HttpClient,
  target: Target,
  { filled, rng }: Knowledge,
): Promise<SearchKind[]> {
  const spans: JaegerSpan[] = [];
  for (const id of filled.traceIds.slice(0, samples)) {
    const path = `${target.jaegerPath}/traces/${id}`;
    for (const trace of jaegerData(await client.get(path), path))
      spans.push(rng.pick(parseJaegerTrace(trace).spans), ...rareSpans(parseJaegerTrace(trace).spans));
  }
  const picked = spans.slice(0, samples * 2);
  const query = (span: JaegerSpan, rest: Record<string, string> = {}): string =>
    searchPath(target, filled, { service: span.service, ...rest });
  const common = picked.flatMap((span) =>
    span.tags
      .filter(isCommon)
      .slice(0, 3)
      .map((tag) => query(span, { operation: span.operation, tags: tagJson(tag.key, tag.value) })),
  );
  const rare = picked.flatMap((span) =>
    span.tags
      .filter(isRare)
      .slice(0, 1)
      .map((tag) => query(span, { tags: tagJson(tag.key, tag.value) })),
  );
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
    { name: 'services', paths: [`${target.jaegerPath}/services`], traces: [1, Infinity] },
  ];
  return kinds.filter(({ paths }) => paths.length > 0);
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
