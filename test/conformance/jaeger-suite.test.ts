// Jaeger's own storage integration suite as a black box (contract/jaeger.md §6): what it writes goes in over HTTP among a
// thousand near misses per service, its 25 queries come out over every transport, and queries that just miss find nothing;
// in every state the data can be in: fresh, killed, flushed, merged, restarted, restored from a backup, around midnight.
import { cpSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { jsonToRequest } from '../../src/otlp/json-to-request.ts';
import {
  hasJaegerSuite,
  readJaegerSuite,
  requestsOf,
  suiteTimeOfDayNs,
  timesOf,
  type JaegerSuite,
  type SuiteQuery,
} from '../support/jaeger-suite.ts';
import {
  askJson,
  exportTrace,
  force,
  search,
  sendJson,
  sendTo,
  type Headers,
  type JaegerTrace,
  type SearchTerms,
} from '../support/node-client.ts';
import { isThroughCluster } from '../support/cluster-front.ts';
import { startNode, type TestNode } from '../support/node-process.ts';
import { spansByTrace } from '../support/otlp-json-set.ts';
import { sendRaw } from '../support/raw-http.ts';
import { noiseOf } from '../support/suite-noise.ts';
import { TRANSPORTS } from '../support/suite-transports.ts';

const spansPerRequest = 5;
const noiseTraces = 1_000;

/** The suite as it lies in one tenant. */
interface DataSet {
  readonly name: string;
  readonly headers: Headers;
  readonly encoding: 'json' | 'protobuf';
  /** Moved by this much within its days. */
  readonly laterNs: bigint;
  readonly hasNoise: boolean;
}

const ALONE: DataSet = { name: 'alone', headers: { AccountID: '1' }, encoding: 'json', laterNs: 0n, hasNoise: false };
const DATA_SETS: readonly DataSet[] = [
  ALONE,
  { name: 'in noise', headers: { AccountID: '2' }, encoding: 'protobuf', laterNs: 0n, hasNoise: true },
  // Every window then lies on two days, its spans start with the first nanosecond of the second.
  { name: 'at midnight', headers: { AccountID: '3' }, encoding: 'json', laterNs: -suiteTimeOfDayNs, hasNoise: true },
];

/** What happens to the data before each round of questions; the node to ask from then on. */
type State = readonly [name: string, enter: (node: TestNode) => Promise<TestNode>];
const STATES: readonly State[] = [
  ['just acknowledged', async (node) => node],
  ['after kill -9 and a new start', (node) => then(node, node.restart('SIGKILL'))],
  ['after a forced flush', (node) => then(node, force(node, 'flush'))],
  ['after a forced merge', (node) => then(node, force(node, 'merge'))],
  ['after SIGTERM and a new start', (node) => then(node, node.restart())],
  // The files of one node.
  ...(isThroughCluster ? [] : [['from a backup, in another node', restoreFrom] as const]),
];

async function then(node: TestNode, move: Promise<void>): Promise<TestNode> {
  await move;
  return node;
}

/** Snapshots of every day are copied into a new node's folder while it runs, and attached. */
async function restoreFrom(node: TestNode): Promise<TestNode> {
  const { status, body } = await sendRaw(node, '/internal/partition/snapshot/create', { method: 'POST' });
  expect(status).toBe(200);
  const restored = await startNode();
  for (const path of JSON.parse(body.toString()) as string[]) {
    const day = basename(path).slice(0, 8);
    cpSync(path, join(restored.dataPath, 'partitions', day), { recursive: true });
    const reply = await sendRaw(restored, `/internal/partition/attach?name=${day}`, { method: 'POST' });
    expect([day, reply.status]).toEqual([day, 200]);
  }
  await node[Symbol.asyncDispose]();
  return restored;
}

/** A query changed so that it just misses, by what was changed. */
function negativeTwins({ terms, expected }: SuiteQuery): [string, SearchTerms][] {
  const times = expected.flatMap(timesOf);
  const durations = times.map(({ durationNs }) => durationNs);
  const starts = times.map(({ startNs }) => startNs).sort((a, b) => Number(a - b));
  const isMore = terms.operation !== '' || Object.keys(terms.tags).length > 0 || terms.maxNs > 0;
  const otherService: [string, SearchTerms][] = isMore
    ? [['wrong service with the right rest', { ...terms, service: 'example-service-1' }]]
    : [];
  const twins: [string, SearchTerms][] = [
    ...otherService,
    ['unknown service', { ...terms, service: `${terms.service}2` }],
    ['other operation', { ...terms, operation: 'example-operation-1' }],
    ['1 ns longer', { ...terms, minNs: Math.max(...durations) + 1, maxNs: 0 }],
    ['1 ns shorter', { ...terms, minNs: 0, maxNs: Math.min(...durations) - 1 }],
    ['window from 1 µs later', { ...terms, startNs: starts.at(-1)! + 1_000n }],
    ['window until 1 µs earlier', { ...terms, endNs: starts[0]! - 1_000n }],
  ];
  for (const [key, value] of Object.entries(terms.tags)) {
    const other = value === '123' ? '124' : value === 'true' ? 'false' : `${value}0`;
    twins.push([`${key}=${other}`, { ...terms, tags: { ...terms.tags, [key]: other } }]);
    twins.push([`no such key as ${key}`, { ...terms, tags: { ...terms.tags, [`${key}x`]: value } }]);
  }
  return twins;
}

async function write(node: TestNode, suite: JaegerSuite, { headers, encoding, hasNoise }: DataSet): Promise<void> {
  for (const request of requestsOf(suite.fixtures, spansPerRequest)) {
    const text = JSON.stringify(request);
    const bytes = (): Uint8Array => jsonToRequest(Buffer.from(text));
    const rejected = encoding === 'json' ? sendJson(node, text, headers) : sendTo(node, bytes(), { headers });
    expect(await rejected).toBeUndefined();
  }
  if (!hasNoise) return;
  for (const [series, query] of suite.queries.entries()) {
    expect(await sendTo(node, noiseOf(query, series, noiseTraces), { headers })).toBeUndefined();
  }
}

describe.skipIf(!hasJaegerSuite)("Jaeger's storage suite", () => {
  let node: TestNode;
  const suites = new Map<DataSet, JaegerSuite>();
  beforeAll(async () => {
    node = await startNode();
    for (const dataSet of DATA_SETS) {
      const suite = readJaegerSuite(Date.now(), dataSet.laterNs);
      suites.set(dataSet, suite);
      await write(node, suite, dataSet);
    }
  });
  afterAll(() => node[Symbol.asyncDispose]());

  describe.each(STATES)('%s', (_name, enter) => {
    beforeAll(async () => {
      node = await enter(node);
    });

    describe.each(DATA_SETS.map((dataSet) => [dataSet.name, dataSet] as const))('%s', (_set, dataSet) => {
      test.each(TRANSPORTS.map((transport) => [transport.name, transport] as const))(
        'over %s all 25 queries find exactly the expected traces, whole',
        async (_transport, { find, expected }) => {
          const { queries } = suites.get(dataSet)!;
          expect(queries).toHaveLength(25);
          for (const query of queries) {
            const wanted = new Map(query.expected.map((fixture) => [fixture.traceId, expected(fixture)]));
            expect(await find(node, query, dataSet.headers), query.caption).toEqual(wanted);
          }
        },
      );

      test('every trace comes out as the OTLP that went in', async () => {
        for (const { name, traceId, message } of suites.get(dataSet)!.fixtures) {
          expect(spansByTrace([await exportTrace(node, traceId, dataSet.headers)]), name).toEqual(
            spansByTrace([message]),
          );
        }
      });
    });

    test('a query that just misses finds nothing', async () => {
      let twins = 0;
      for (const query of suites.get(ALONE)!.queries) {
        for (const [change, terms] of negativeTwins(query)) {
          expect(await search(node, terms, ALONE.headers), `${query.caption}: ${change}`).toEqual([]);
          twins++;
        }
      }
      expect(twins).toBeGreaterThan(250);
    });

    test('an unknown trace is not found, and a limit keeps the first by id of equally new ones', async () => {
      expect(await exportTrace(node, 'ffffffffffffffff0000000000000001', ALONE.headers)).toBeUndefined();
      const three = suites.get(ALONE)!.queries.find(({ expected }) => expected.length === 3)!;
      const found = await search(node, { ...three.terms, limit: 2 }, ALONE.headers);
      const ids = three.expected.map(({ traceId }) => traceId).sort();
      expect(found.map(({ traceID }: JaegerTrace) => traceID.padStart(32, '0')).sort()).toEqual(ids.slice(0, 2));
    });
  });
});

describe.skipIf(!hasJaegerSuite)('example_trace alone in its tenant', () => {
  const tenant = { AccountID: '26' };
  let node: TestNode;
  beforeAll(async () => {
    node = await startNode();
    const { fixtures } = readJaegerSuite(Date.now());
    const others = fixtures.filter(({ name }) => name !== 'example_trace');
    for (const request of requestsOf(others, spansPerRequest)) await sendJson(node, JSON.stringify(request));
    const example = fixtures.find(({ name }) => name === 'example_trace')!;
    await sendJson(node, JSON.stringify(example.message), tenant);
  });
  afterAll(() => node[Symbol.asyncDispose]());

  test.each(STATES)('lists exactly its services and operations %s', async (_name, enter) => {
    node = await enter(node);
    const services = await askJson<{ data: string[] }>(node, '/api/services', tenant);
    expect(services.data).toEqual(['example-service-1', 'example-service-2', 'example-service-3']);
    const operations = [
      { name: 'example-operation-1', spanKind: '' },
      { name: 'example-operation-3', spanKind: 'server' },
      { name: 'example-operation-4', spanKind: 'client' },
    ];
    const answer = await askJson(node, '/api/operations?service=example-service-1', tenant);
    expect(answer).toEqual({ data: operations, total: 3, limit: 0, offset: 0, errors: null });
    const names = await askJson<{ data: string[] }>(node, '/api/services/example-service-1/operations', tenant);
    expect(names.data).toEqual(operations.map(({ name }) => name));
  });
});
