// Jaeger's own storage integration suite as a black box (contract/jaeger.md §6): what it writes goes in over HTTP, its 25
// queries come out of /api/traces, and so do those of §6.3 that must find nothing; after every way data can be moved on disk.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { jsonToRequest } from '../../src/otlp/json-to-request.ts';
import {
  hasJaegerSuite,
  readJaegerSuite,
  requestsOf,
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
  type JaegerTrace,
  type SearchTerms,
} from '../support/node-client.ts';
import { startNode, type TestNode } from '../support/node-process.ts';
import { spansByTrace } from '../support/otlp-json-set.ts';

const spansPerRequest = 5;

/** What happens to the data before each round of questions. */
type Stage = readonly [name: string, run: (node: TestNode) => Promise<void>];
const STAGES: Readonly<Record<'json' | 'protobuf', readonly Stage[]>> = {
  json: [
    ['just acknowledged', () => Promise.resolve()],
    ['after a forced flush', (node) => force(node, 'flush')],
    ['after a forced merge', (node) => force(node, 'merge')],
    ['after SIGTERM and a new start', (node) => node.restart()],
    ['after kill -9 and a new start', (node) => node.restart('SIGKILL')],
  ],
  protobuf: [
    ['after kill -9 straight after the acknowledgement', (node) => node.restart('SIGKILL')],
    ['after a forced merge of what was recovered', (node) => force(node, 'merge')],
    ['after SIGTERM and a new start', (node) => node.restart()],
  ],
};

/** A trace as its id and the number of its spans. */
const foundOf = (traces: readonly JaegerTrace[]): string[] =>
  traces.map(({ traceID, spans }) => `${traceID.padStart(32, '0')}: ${spans.length} spans`).sort();
const expectedOf = ({ expected }: SuiteQuery): string[] =>
  expected.map(({ traceId, spans }) => `${traceId}: ${spans.length} spans`).sort();

/** A query changed so that it just misses, by what was changed. */
function negativeTwins({ terms, expected }: SuiteQuery): [string, SearchTerms][] {
  const times = expected.flatMap(timesOf);
  const durations = times.map(({ durationNs }) => durationNs);
  const starts = times.map(({ startNs }) => startNs).sort((a, b) => Number(a - b));
  const isMore = terms.operation !== '' || Object.keys(terms.tags).length > 0 || terms.maxNs > 0;
  const twins: [string, SearchTerms][] = [
    ...(isMore
      ? [
          ['wrong service with the right rest', { ...terms, service: 'example-service-1' }] satisfies [
            string,
            SearchTerms,
          ],
        ]
      : []),
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

describe.skipIf(!hasJaegerSuite).each(['json', 'protobuf'] as const)(
  "Jaeger's storage suite, written as %s",
  (encoding) => {
    let node: TestNode;
    let suite: JaegerSuite;
    beforeAll(async () => {
      suite = readJaegerSuite(Date.now());
      node = await startNode();
      for (const request of requestsOf(suite.fixtures, spansPerRequest)) {
        const text = JSON.stringify(request);
        const rejected =
          encoding === 'json' ? await sendJson(node, text) : await sendTo(node, jsonToRequest(Buffer.from(text)));
        expect(rejected).toBeUndefined();
      }
    });
    afterAll(() => node[Symbol.asyncDispose]());

    describe.each(STAGES[encoding])('%s', (_name, run) => {
      beforeAll(() => run(node));

      test('all 25 queries find exactly the expected traces, whole', async () => {
        expect(suite.queries).toHaveLength(25);
        for (const query of suite.queries) {
          expect(foundOf(await search(node, query.terms)), query.caption).toEqual(expectedOf(query));
        }
      });

      test('every trace comes out as the OTLP that went in', async () => {
        for (const { name, traceId, message } of suite.fixtures) {
          expect(spansByTrace([await exportTrace(node, traceId)]), name).toEqual(spansByTrace([message]));
        }
      });

      test('a query that just misses finds nothing', async () => {
        let twins = 0;
        for (const query of suite.queries) {
          for (const [change, terms] of negativeTwins(query)) {
            expect(foundOf(await search(node, terms)), `${query.caption}: ${change}`).toEqual([]);
            twins++;
          }
        }
        expect(twins).toBeGreaterThan(250);
      });

      test('an unknown trace is not found, and a limit keeps the first by id of equally new ones', async () => {
        expect(await exportTrace(node, 'ffffffffffffffff0000000000000001')).toBeUndefined();
        const three = suite.queries.find(({ expected }) => expected.length === 3)!;
        const two = foundOf(await search(node, { ...three.terms, limit: 2 }));
        expect(two).toEqual(expectedOf(three).slice(0, 2));
      });
    });
  },
);

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

  test.each<Stage>([...STAGES.json])('lists exactly its services and operations %s', async (_name, run) => {
    await run(node);
    const services = await askJson<{ data: string[] }>(node, '/api/services', tenant);
    expect(services.data).toEqual(['example-service-1', 'example-service-2', 'example-service-3']);
    const operations = await askJson(node, '/api/operations?service=example-service-1', tenant);
    expect(operations).toEqual({
      data: [
        { name: 'example-operation-1', spanKind: '' },
        { name: 'example-operation-3', spanKind: 'server' },
        { name: 'example-operation-4', spanKind: 'client' },
      ],
      total: 3,
      limit: 0,
      offset: 0,
      errors: null,
    });
    const names = await askJson<{ data: string[] }>(node, '/api/services/example-service-1/operations', tenant);
    expect(names.data).toEqual(['example-operation-1', 'example-operation-3', 'example-operation-4']);
  });
});
