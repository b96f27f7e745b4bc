// explain=1 on every search: the same parameters, what is read instead of what is found.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BLOCK_FATES, type BlockFate, type SearchExplanation } from '../../../src/trace/search-explanation.ts';
import type { TraceQuery } from '../../../src/trace/trace-query.ts';
import { openJaegerServer, type JaegerServer } from '../../support/jaeger-server.ts';

const fates = Object.fromEntries(BLOCK_FATES.map((fate, i) => [fate, i])) as Record<BlockFate, number>;
const explanation: SearchExplanation = {
  partitions: 2,
  parts: 3,
  blocks: 45,
  logBlocks: 4,
  fates,
  bytes: 1234,
  traces: 5,
  waitedMs: 0.12345,
  tookMs: 6.78901,
  warnings: ['/data: damaged'],
};
const queries: TraceQuery[] = [];
const explainSearch = (_call: unknown, query: TraceQuery): Promise<SearchExplanation> => {
  queries.push(query);
  return Promise.resolve(explanation);
};

let server: JaegerServer;
let plain: JaegerServer;
beforeAll(async () => {
  server = await openJaegerServer({ explainer: { explainSearch } });
  plain = await openJaegerServer();
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await plain[Symbol.asyncDispose]();
});

const range = 'query.startTimeMin=1970-01-01T00:00:00Z&query.startTimeMax=2070-01-01T00:00:00Z';
const paths = [
  '/api/traces?service=shop&limit=7&explain=1',
  `/api/v3/traces?query.serviceName=shop&query.searchDepth=7&${range}&explain=1`,
  `/api/v3/trace-summaries?query.serviceName=shop&query.searchDepth=7&${range}&explain=1`,
];

test.each(paths)('%s', async (path) => {
  queries.length = 0;
  const { status, text } = await server.get(path);
  expect([status, queries.map(({ service, limit }) => [service, limit])]).toEqual([200, [['shop', 7]]]);
  expect(JSON.parse(text)).toEqual({
    partitions: 2,
    parts: 3,
    bytes: 1234,
    traces: 5,
    waitedMs: 0.123,
    tookMs: 6.789,
    warnings: ['/data: damaged'],
    blocks: {
      considered: 45,
      ofLog: 4,
      pruned: { time: 0, duration: 1, operation: 2, tags: 3, limit: 4 },
      opened: { templates: 6, values: 7, spanTimes: 8, matched: 9 },
      damaged: 5,
    },
  });
  expect(server.reader.queries).toEqual([]);
});

test.each(paths)('without it, or where nothing is stored, no explanation: %s', async (path) => {
  queries.length = 0;
  await server.get(path.replace('explain=1', 'explain=0'));
  expect(queries).toEqual([]);
  const { status, text } = await plain.get(path);
  expect([status, text.includes('ask that one')]).toEqual([400, true]);
});
