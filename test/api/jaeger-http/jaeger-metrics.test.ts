// The metrics endpoints at the socket, over a reader that is a Map: names, labels, units, defaults, refusals.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { NOW_MS, openJaegerServer, refused, type JaegerServer } from '../../support/jaeger-server.ts';
import type { OtlpSpan } from '../../support/otlp-proto.ts';
import { attribute, span, traceOf } from '../../support/rich-trace.ts';

let server: JaegerServer;
beforeAll(async () => {
  server = await openJaegerServer();
});
afterAll(() => server[Symbol.asyncDispose]());
beforeEach(() => server.reader.clear());

interface Family {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly metrics: readonly {
    readonly labels: readonly { readonly name: string; readonly value: string }[];
    readonly metricPoints: readonly {
      readonly gaugeValue: { readonly doubleValue: number | 'NaN' };
      readonly timestamp: string;
    }[];
  }[];
}

async function ask(path: string): Promise<Family> {
  const { status, text } = await server.get(`/select/jaeger/api/metrics/${path}`);
  expect([status, text.startsWith('{"name":')]).toEqual([200, true]);
  return JSON.parse(text) as Family;
}

function add(id: number, service: string, more: OtlpSpan = {}): void {
  const startTimeUnixNano = BigInt(NOW_MS - 120_000) * 1_000_000n;
  const endTimeUnixNano = startTimeUnixNano + 20_000_000n;
  const one = { ...span(id), traceId: Buffer.alloc(16, id), kind: 2, startTimeUnixNano, endTimeUnixNano, ...more };
  server.reader.add(traceOf([one], [attribute('service.name', service)]));
}

const WINDOW = `endTs=${NOW_MS}&lookback=120000&step=60000&ratePer=60000`;

describe('what the Monitor tab asks', () => {
  beforeEach(() => {
    add(1, 'shop', { name: 'buy' });
    add(2, 'shop', { name: 'buy', status: { code: 2 } });
    add(3, 'shop', { name: 'look' });
    add(4, 'shop', { name: 'tick', kind: 1 });
    add(5, 'other');
  });

  test('F4: calls a second of the server spans of one service', async () => {
    const family = await ask(`calls?service=shop&spanKind=server&quantile=0.95&${WINDOW}`);
    const point = (doubleValue: number, minutesAgo: number): object => ({
      gaugeValue: { doubleValue },
      timestamp: new Date(NOW_MS - minutesAgo * 60_000).toISOString().replace('.000Z', 'Z'),
    });
    expect(family).toEqual({
      name: 'service_call_rate',
      type: 'GAUGE',
      help: 'calls/sec, grouped by service',
      metrics: [
        {
          labels: [{ name: 'service_name', value: 'shop' }],
          metricPoints: [point(3 / 60, 2), point(0, 1), point(0, 0)],
        },
      ],
    });
    expect(family.metrics[0]!.metricPoints[0]!.timestamp).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  });

  test('F7: latencies and errors by operation', async () => {
    const latencies = await ask(`latencies?service=shop&quantile=0.95&groupByOperation=true&${WINDOW}`);
    expect([latencies.name, latencies.help]).toEqual([
      'service_operation_latencies',
      '0.95th quantile latency, grouped by service & operation',
    ]);
    expect(latencies.metrics.map(({ labels }) => labels)).toEqual([
      [
        { name: 'service_name', value: 'shop' },
        { name: 'operation', value: 'buy' },
      ],
      [
        { name: 'service_name', value: 'shop' },
        { name: 'operation', value: 'look' },
      ],
    ]);
    const values = latencies.metrics[0]!.metricPoints.map(({ gaugeValue }) => gaugeValue.doubleValue);
    expect(values.slice(1)).toEqual(['NaN', 'NaN']);
    expect(values[0]).toBeGreaterThan(18);
    expect(values[0]).toBeLessThan(22);
    const errors = await ask(`errors?service=shop&groupByOperation=true&${WINDOW}`);
    expect(
      errors.metrics.map(({ metricPoints }) => metricPoints.map(({ gaugeValue }) => gaugeValue.doubleValue)),
    ).toEqual([
      [0.5, 0, 0],
      [0, 0, 0],
    ]);
  });

  test('several services and kinds are several lines', async () => {
    const { metrics } = await ask(`calls?service=shop&service=other&spanKind=server&spanKind=internal&${WINDOW}`);
    expect(
      metrics.map(({ labels, metricPoints }) => [labels[0]!.value, metricPoints[0]!.gaugeValue.doubleValue]),
    ).toEqual([
      ['other', 1 / 60],
      ['shop', 4 / 60],
    ]);
    expect(server.reader.metricsQueries.at(-1)).toMatchObject({ services: ['shop', 'other'], kinds: [2, 1] });
  });
});

test('H5: without calls the list is empty, never absent', async () => {
  expect((await ask('latencies?service=nobody&quantile=0.5')).metrics).toEqual([]);
});

test('an hour up to now, every five seconds, over ten minutes without parameters', async () => {
  add(1, 'shop');
  const { metrics } = await ask('calls?service=shop');
  expect(metrics[0]!.metricPoints).toHaveLength(721);
  const { startNs, endNs, kinds } = server.reader.metricsQueries[0]!;
  expect([Number(endNs / 1_000_000n), kinds]).toEqual([NOW_MS, [2]]);
  expect(Number((endNs - startNs) / 60_000_000_000n)).toBe(69);
});

test.each([
  ['calls', "unable to parse param 'service': please provide at least one service name"],
  ['latencies?service=a', `unable to parse param 'quantile': strconv.ParseFloat: parsing "": invalid syntax`],
  [
    'latencies?service=a&quantile=x',
    `unable to parse param 'quantile': strconv.ParseFloat: parsing "x": invalid syntax`,
  ],
  ['latencies?service=a&quantile=1.5', "unable to parse param 'quantile': must be from 0 to 1, received: 1.5"],
  ['errors?service=a&spanKind=SERVER', "unable to parse param 'spanKind': unsupported span kind: 'SERVER'"],
  [
    'calls?service=a&groupByOperation=2',
    `unable to parse param 'groupByOperation': strconv.ParseBool: parsing "2": invalid syntax`,
  ],
  ['calls?service=a&endTs=x', `unable to parse param 'endTs': strconv.ParseInt: parsing "x": invalid syntax`],
  ['calls?service=a&step=0', "unable to parse param 'step': must be above 0"],
  [
    'calls?service=a&step=1',
    "unable to parse param 'step': gives 3600001 points a line, at most 11000: ask with a larger one",
  ],
  [
    'calls?service=a&lookback=-1',
    "unable to parse param 'lookback': must be from 0 to 3153600000000 (100 years), received: -1",
  ],
])('F4: %s is refused', async (path, message) => {
  expect(await server.get(`/api/metrics/${path}`)).toMatchObject({ status: 400, text: refused(400, message) });
  expect(server.reader.metricsQueries).toEqual([]);
});

test('the step that Jaeger until 2.17 told', async () => {
  expect((await server.get('/api/metrics/minstep')).text).toBe(
    '{"data":1,"total":0,"limit":0,"offset":0,"errors":null}',
  );
  expect((await server.get('/api/metrics/other')).status).toBe(404);
});

test('F5: switched off they are 501, which is no failure of the server', async () => {
  await using off = await openJaegerServer({ isMonitorOff: true });
  const text = refused(501, 'trace metrics are currently disabled - no metrics backend configured');
  for (const path of ['latencies?service=a', 'calls', 'errors', 'minstep']) {
    expect(await off.get(`/api/metrics/${path}`)).toMatchObject({ status: 501, text });
  }
  expect(off.logged).toEqual([]);
});
