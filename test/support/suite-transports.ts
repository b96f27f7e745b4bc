// The ways a client finds traces (contract/jaeger.md §6.3): one search, asked over every API, each answer in a form that can
// be compared with what was sent.
import type { Fixture, SuiteQuery } from './jaeger-suite.ts';
import { normalSpans, translate } from './jaeger-translation.ts';
import type { JaegerTrace } from './jaeger-view.ts';
import { ask, askJson, searchPath, type Headers } from './node-client.ts';
import type { TestNode } from './node-process.ts';
import { spansByTrace, spansByTraceOf } from './otlp-json-set.ts';
import { nsOf, StorageClient, tracesOf, type GrpcTerms, type Streamed } from './storage-client.ts';

/** What is known of the traces found, by id (32 hex digits). */
type Found = ReadonlyMap<string, unknown>;

export interface Transport {
  readonly name: string;
  readonly find: (node: TestNode, query: SuiteQuery, headers: Headers) => Promise<Found>;
  /** What `find` must say of a fixture that it finds. */
  readonly expected: (fixture: Fixture) => unknown;
}

/** OTLP, exactly: resource, scope and span with every field. */
const asOtlp = ({ message, traceId }: Fixture): unknown => spansByTrace([message]).get(traceId);

export const TRANSPORTS: readonly Transport[] = [
  {
    name: '/api/traces',
    find: async (node, { terms }, headers) => {
      const { data } = await askJson<{ data: JaegerTrace[] }>(node, `${searchPath(terms)}&raw=true`, headers);
      return new Map(data.map((trace) => [trace.traceID.padStart(32, '0'), normalSpans(trace)]));
    },
    expected: ({ message }) => [...translate(message).values()][0],
  },
  {
    name: '/api/v3/traces',
    find: async (node, query, headers) => {
      const [status, , text] = await ask(node, `/api/v3/traces?${v3Params(query)}&query.rawTraces=true`, headers);
      if (status === 404) return new Map();
      return spansByTrace([(JSON.parse(text) as { result: unknown }).result]);
    },
    expected: asOtlp,
  },
  {
    name: '/api/v3/trace-summaries',
    find: async (node, query, headers) => {
      const path = `/api/v3/trace-summaries?${v3Params(query)}`;
      const { summaries } = await askJson<{ summaries: { traceId: string; spanCount: number }[] }>(node, path, headers);
      return new Map(summaries.map(({ traceId, spanCount }) => [traceId, spanCount]));
    },
    expected: ({ spans }) => spans.length,
  },
  {
    name: 'api_v3 FindTraces',
    find: (node, { terms }, headers) =>
      stream(node, headers, (client, options) => client.findTracesV3({ ...terms, isRaw: true }, options)),
    expected: asOtlp,
  },
  {
    name: 'storage v2 FindTraces',
    find: (node, query, headers) =>
      stream(node, headers, (client, options) => client.findTraces(typed(query), options)),
    expected: asOtlp,
  },
  {
    name: 'storage v2 FindTraceIDs',
    find: async (node, query, headers) => {
      using client = new StorageClient(node.jaegerAddress);
      const ids = await client.findTraceIds(typed(query), { metadata: metadataOf(headers) });
      return new Map(
        ids.map(({ traceId, start, end }) => [
          Buffer.from(traceId).toString('hex'),
          { start: nsOf(start), end: nsOf(end) },
        ]),
      );
    },
    // Hints, as Jaeger passes them on to GetTraces.
    expected: ({ spans }) => {
      const times = (name: string): bigint[] => spans.map(({ span }) => BigInt(span[name] as string));
      const starts = times('startTimeUnixNano').sort((a, b) => Number(a - b));
      const ends = times('endTimeUnixNano').sort((a, b) => Number(b - a));
      return { start: starts[0], end: ends[0] };
    },
  },
];

async function stream(
  node: TestNode,
  headers: Headers,
  find: (client: StorageClient, options: { metadata: Headers }) => Promise<Streamed<Uint8Array>>,
): Promise<Found> {
  using client = new StorageClient(node.jaegerAddress);
  const traces = tracesOf(await find(client, { metadata: metadataOf(headers) }));
  return spansByTraceOf(traces.values());
}

function typed({ terms, typedTags }: SuiteQuery): GrpcTerms {
  return { ...terms, tags: typedTags };
}

function metadataOf(headers: Headers): Headers {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

/** RFC 3339 to the nanosecond. */
function rfc3339(ns: bigint): string {
  const seconds = new Date(Number(ns / 1_000_000_000n) * 1000).toISOString().slice(0, 19);
  return `${seconds}.${String(ns % 1_000_000_000n).padStart(9, '0')}Z`;
}

function v3Params({ terms }: SuiteQuery): string {
  const { service, operation, tags, startNs, endNs, minNs, maxNs, limit } = terms;
  return new URLSearchParams({
    'query.serviceName': service,
    'query.operationName': operation,
    'query.attributes': JSON.stringify(tags),
    'query.startTimeMin': rfc3339(startNs),
    'query.startTimeMax': rfc3339(endNs),
    'query.durationMin': `${minNs}ns`,
    'query.durationMax': `${maxNs}ns`,
    'query.searchDepth': String(limit),
  }).toString();
}
