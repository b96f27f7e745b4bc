// jaeger.api_v2.metrics.MetricsQueryService on a real socket over a MapReader: the figures of /api/metrics.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { status } from '@grpc/grpc-js';
import { openGrpcListener, type GrpcListener } from '../../support/grpc-listener.ts';
import type { OtlpSpan } from '../../support/otlp-proto.ts';
import { attribute, span, traceOf } from '../../support/rich-trace.ts';
import { nsOf } from '../../support/storage-client.ts';

const MINUTE_NS = 60_000_000_000n;
/** At the start of a minute. */
const END_NS = 1_763_600_040_000_000_000n;
const WINDOW = { endNs: END_NS, lookbackNs: 2n * MINUTE_NS, stepNs: MINUTE_NS, ratePerNs: MINUTE_NS };

let listener: GrpcListener;
beforeAll(async () => {
  listener = await openGrpcListener();
});
afterAll(async () => {
  await listener[Symbol.asyncDispose]();
});

function add(id: number, service: string, more: OtlpSpan = {}): void {
  const startTimeUnixNano = END_NS - 2n * MINUTE_NS;
  const endTimeUnixNano = startTimeUnixNano + 20_000_000n;
  const one = { ...span(id), traceId: Buffer.alloc(16, id), kind: 2, startTimeUnixNano, endTimeUnixNano, ...more };
  listener.reader.add(traceOf([one], [attribute('service.name', service)]));
}

beforeEach(() => {
  listener.reader.clear();
  add(1, 'shop', { name: 'buy' });
  add(2, 'shop', { name: 'buy', status: { code: 2 } });
  add(3, 'shop', { name: 'look' });
  add(4, 'shop', { name: 'tick', kind: 1 });
  add(5, 'other');
});

describe('figures', () => {
  test('calls a second of the server spans of one service', async () => {
    const family = await listener.client.getMetrics('GetCallRates', { services: ['shop'], ...WINDOW });
    expect(family).toMatchObject({ name: 'service_call_rate', type: 1, help: 'calls/sec, grouped by service' });
    const [line, ...others] = family.metrics;
    expect(others).toEqual([]);
    expect(line!.labels).toEqual([{ name: 'service_name', value: 'shop' }]);
    expect(line!.metricPoints.map((point) => [nsOf(point.timestamp), point.gaugeValue.doubleValue])).toEqual([
      [END_NS - 2n * MINUTE_NS, 3 / 60],
      [END_NS - MINUTE_NS, 0],
      [END_NS, 0],
    ]);
  });

  test('errors by operation, of the kinds asked for', async () => {
    const terms = { services: ['shop'], isByOperation: true, kinds: [1, 2], ...WINDOW };
    const family = await listener.client.getMetrics('GetErrorRates', terms);
    expect(family.name).toBe('service_operation_error_rate');
    expect(
      family.metrics.map(({ labels, metricPoints }) => [labels[1], metricPoints[0]!.gaugeValue.doubleValue]),
    ).toEqual([
      [{ name: 'operation', value: 'buy' }, 0.5],
      [{ name: 'operation', value: 'look' }, 0],
      [{ name: 'operation', value: 'tick' }, 0],
    ]);
  });

  test('latencies in ms, NaN where nothing was called', async () => {
    const terms = { services: ['other', 'shop'], quantile: 0.95, ...WINDOW };
    const family = await listener.client.getMetrics('GetLatencies', terms);
    expect(family.help).toBe('0.95th quantile latency, grouped by service');
    for (const { metricPoints } of family.metrics) {
      const [first, ...others] = metricPoints.map(({ gaugeValue }) => gaugeValue.doubleValue);
      expect(first).toBeGreaterThan(15);
      expect(first).toBeLessThan(25);
      expect(others).toEqual([NaN, NaN]);
    }
  });

  test('without times: the last hour in steps of 5 s', async () => {
    const beforeNs = BigInt(Date.now()) * 1_000_000n;
    const family = await listener.client.getMetrics('GetCallRates', { services: ['shop'] });
    expect(family.metrics).toEqual([]); // nothing was called in it
    add(6, 'now', { startTimeUnixNano: beforeNs, endTimeUnixNano: beforeNs + 1n });
    const [line] = (await listener.client.getMetrics('GetCallRates', { services: ['now'] })).metrics;
    expect(line!.metricPoints).toHaveLength(721);
    expect(nsOf(line!.metricPoints.at(-1)!.timestamp)).toBeGreaterThanOrEqual(beforeNs);
  });

  test('the smallest step is a millisecond', async () => {
    expect(await listener.client.getMinStep()).toBe(1_000_000n);
  });
});

describe('refused', () => {
  const services = ['shop'];

  test.each([
    ['no service', 'GetCallRates', {}, 'please provide at least one service name'],
    ['no quantile', 'GetLatencies', { services }, 'please provide a quantile between (0, 1]'],
    ['a quantile of 2', 'GetLatencies', { services, quantile: 2 }, 'please provide a quantile between (0, 1]'],
    ['a kind that is none', 'GetCallRates', { services, kinds: [6] }, "unsupported span kind: '6'"],
    ['no step', 'GetCallRates', { services, stepNs: 5n }, "unable to parse param 'step': must be above 0"],
    ['a lookback before 1970', 'GetCallRates', { services, endNs: 1_000_000n }, 'lookback: reaches back before 1970'],
    [
      'too many points',
      'GetCallRates',
      { services, stepNs: 100_000_000n },
      "unable to parse param 'step': gives 36001 points a line, at most 11000: ask with a larger one",
    ],
  ] as const)('%s', async (_what, method, terms, details) => {
    const refusal = { code: status.INVALID_ARGUMENT, details };
    await expect(listener.client.getMetrics(method, terms)).rejects.toMatchObject(refusal);
  });

  test('where the Monitor is switched off', async () => {
    await using off = await openGrpcListener({ flags: ['-monitor.disable'] });
    await expect(off.client.getMetrics('GetCallRates', { services })).rejects.toMatchObject({
      code: status.UNIMPLEMENTED,
      details: 'trace metrics are currently disabled - no metrics backend configured',
    });
  });
});
