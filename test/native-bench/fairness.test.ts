// The flood of the fairness scenario goes on whatever is answered, and counts it; the figures compare with and without it. What a scrape is measured on.
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { startFlood } from '../../native-bench/harness/flood.ts';
import { Latencies } from '../../native-bench/harness/latencies.ts';
import { parseBenchOptions } from '../../native-bench/harness/options.ts';
import { figuresOf } from '../../native-bench/scenarios/fairness.ts';
import { requestOf, seriesIn } from '../../native-bench/scenarios/scrape.ts';
import { Rng } from '../../native-bench/workload/rng.ts';

test('a flood sends and asks as one tenant until it is stopped, and counts what was taken and what was refused', async () => {
  const seen = { POST: [0, 0], GET: [0, 0] };
  const headers = new Set<IncomingHttpHeaders['accountid']>();
  const server = createServer((request, reply) => {
    headers.add(request.headers['accountid']);
    const counts = seen[request.method as keyof typeof seen];
    const isRefused = (counts[0]! + counts[1]!) % 3 === 2;
    counts[Number(isRefused)]! += 1;
    request.resume().on('end', () => reply.writeHead(isRefused ? 429 : 200).end());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const flood = await startFlood({
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      headers: { AccountID: '2' },
      traffic: { ...parseBenchOptions(['fairness']).options, batch: 10 },
      poolSpans: 200,
      connections: 3,
      spansPerSecond: 5_000,
      queriesPerSecond: 500,
      paths: ['/a', '/b'],
    });
    await expect.poll(() => Math.min(...seen.POST, ...seen.GET), { timeout: 30_000 }).toBeGreaterThan(5);
    const { spans, refusedRequests, answers, refusedQueries, seconds } = await flood.stop();
    expect([answers, refusedQueries]).toEqual(seen.GET);
    expect(refusedRequests).toBe(seen.POST[1]);
    expect(spans).toBeGreaterThanOrEqual(10 * seen.POST[0]!);
    expect(seconds).toBeGreaterThan(0);
    expect(headers).toEqual(new Set(['2']));
  } finally {
    server.close();
  }
});

function latenciesOf(...ms: number[]): Latencies {
  const latencies = new Latencies();
  for (const one of ms) latencies.add(one);
  return latencies;
}

test('the p99 beside the flood is compared with the one alone', () => {
  const load = { spans: 1, requests: 1, bytes: 1, refusals: 1, seconds: 1 };
  const figures = figuresOf({
    alone: { load: { ...load, latencies: latenciesOf(4, 10) }, queries: latenciesOf(8) },
    beside: { load: { ...load, latencies: latenciesOf(5, 15) }, queries: latenciesOf(8, 12) },
    flooded: { spans: 500, refusedRequests: 20, answers: 30, refusedQueries: 0, seconds: 10 },
  });
  const values = Object.fromEntries(figures.map(({ metric, value }) => [metric, value]));
  expect(values).toMatchObject({
    'ack p50, alone': 4,
    'ack p99, beside / alone (goal: 2)': 1.5,
    'query p99, beside / alone (goal: 2)': 1.5,
    'requests refused, of the measured tenant': 2,
    'flood: acknowledged': 50,
    'flood: requests refused': 2,
  });
});

test('what scrape sends names each service once, and its series are the lines that are no comments', () => {
  const sent = JSON.parse(requestOf(3, new Rng(1)).toString()) as { resourceSpans: { resource: unknown }[] };
  expect(sent.resourceSpans.map(({ resource }) => resource)).toEqual(
    [0, 1, 2].map((i) => ({ attributes: [{ key: 'service.name', value: { stringValue: `service-${i}` } }] })),
  );
  expect(seriesIn('# TYPE a gauge\na{b="#"} 1\na 2\n\n# EOF\n')).toBe(2);
});
