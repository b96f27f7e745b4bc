// §9.F: what the UI's Monitor tab asks (§1.6, §2.6), from the stored spans alone.
import { afterAll, beforeAll, expect } from 'vitest';
import { ask, sendTo } from '../support/node-client.ts';
import { injected, MadeUi } from '../support/made-ui.ts';
import { startNode, type TestNode } from '../support/node-process.ts';
import { metricFamily } from '../support/schemas/metrics.ts';
import { expectShape } from '../support/schemas/strict-json.ts';
import { check } from './check.ts';
import { makeSpan, millisecondNs, nowNs, requestOf, secondNs } from './data-sets.ts';
import { PREFIXES, type Envelope } from './questions.ts';

const METRICS = { latencies: 'latencies', calls: 'call_rate', errors: 'error_rate' } as const;
type Metric = keyof typeof METRICS;

interface Family {
  readonly name: string;
  readonly metrics: readonly {
    readonly labels: readonly { readonly name: string; readonly value: string }[];
    readonly metricPoints: readonly {
      readonly gaugeValue: { readonly doubleValue: number | 'NaN' };
      readonly timestamp: string;
    }[];
  }[];
}

let node: TestNode;
beforeAll(async () => {
  node = await startNode();
  // For 40 minutes a call every 30 s, of 100 ms; every fourth of the busy service fails.
  for (const [service, base] of [
    ['busy', 0xf4_0000],
    ['calm', 0xf5_0000],
  ] as const) {
    const spans = Array.from({ length: 80 }, (_, i) => {
      const startTimeUnixNano = nowNs - BigInt(i) * 30n * secondNs;
      const failed = service === 'busy' && i % 4 === 0 ? { status: { code: 2 } } : {};
      const name = i % 2 === 0 ? 'GET /' : 'POST /';
      return makeSpan(base + i, 1, {
        kind: 2,
        name,
        startTimeUnixNano,
        endTimeUnixNano: startTimeUnixNano + 100n * millisecondNs,
        ...failed,
      });
    });
    await sendTo(node, requestOf(service, spans));
  }
});
afterAll(() => node[Symbol.asyncDispose]());

/** The UI's own query string, `more` behind it. */
function path(metric: Metric, service: string, more = ''): string {
  const quantile = metric === 'latencies' ? '0.5' : '0.95';
  return `/api/metrics/${metric}?service=${service}&endTs=${nowNs / millisecondNs}&lookback=3600000&quantile=${quantile}&ratePer=600000&spanKind=server&step=60000${more}`;
}

async function family(metric: Metric, service: string, isGrouped = false): Promise<Family> {
  const asked = path(metric, service, isGrouped ? '&groupByOperation=true' : '');
  const [status, type, text] = await ask(node, asked);
  expect([asked, status, type]).toEqual([asked, 200, 'application/json']);
  const name = `service_${isGrouped ? 'operation_' : ''}${METRICS[metric]}`;
  expectShape(metricFamily(name, isGrouped), text, asked);
  return JSON.parse(text) as Family;
}

/** Values of the only series, oldest first. */
function valuesOf({ metrics }: Family): (number | 'NaN')[] {
  expect(metrics).toHaveLength(1);
  return metrics[0]!.metricPoints.map(({ gaugeValue }) => gaugeValue.doubleValue);
}

check('F4', async () => {
  // A point looks back ten minutes: twenty calls; the last half hour is full.
  for (const rate of valuesOf(await family('calls', 'busy')).slice(-25)) expect(rate).toBeCloseTo(20 / 600, 2);
  for (const ratio of valuesOf(await family('errors', 'busy')).slice(-25)) expect(ratio).toBeCloseTo(0.25, 1);
  for (const ms of valuesOf(await family('latencies', 'busy')).slice(-25)) {
    expect(ms).toBeGreaterThan(85);
    expect(ms).toBeLessThan(115);
  }
  for (const metric of ['latencies', 'calls', 'errors'] as const) {
    expect((await family(metric, 'nobody')).metrics).toEqual([]);
    for (const prefix of PREFIXES) expect((await ask(node, prefix + path(metric, 'busy')))[0]).toBe(200);
  }
  const refused: [string, string | RegExp][] = [
    ['/api/metrics/latencies?service=busy', /^unable to parse param 'quantile': /],
    ['/api/metrics/calls?service=busy&spanKind=none', "unsupported span kind: 'none'"],
    ['/api/metrics/errors', /^unable to parse param 'service': please provide at least one service name$/],
    ['/api/metrics/calls?service=busy&step=x', /^unable to parse param 'step': /],
  ];
  for (const [asked, message] of refused) {
    const [status, , text] = await ask(node, asked);
    const [error] = (JSON.parse(text) as Envelope<null>).errors ?? [];
    expect([asked, status, error?.msg]).toEqual([
      asked,
      400,
      typeof message === 'string' ? expect.stringContaining(message) : expect.stringMatching(message),
    ]);
  }
});

check('F6', async () => {
  const [calls] = (await family('calls', 'calm')).metrics;
  const [errors] = (await family('errors', 'calm')).metrics;
  const timesOf = (series: typeof calls): string[] => series!.metricPoints.map(({ timestamp }) => timestamp);
  expect(timesOf(errors)).toEqual(timesOf(calls));
  expect(new Set(errors!.metricPoints.map(({ gaugeValue }) => gaugeValue.doubleValue))).toEqual(new Set([0]));
});

check('F7', async () => {
  for (const metric of ['latencies', 'calls', 'errors'] as const) {
    const alone = await family(metric, 'busy');
    expect(alone.metrics[0]!.labels).toEqual([{ name: 'service_name', value: 'busy' }]);
    const grouped = await family(metric, 'busy', true);
    const operations = grouped.metrics.map(({ labels }) => labels.find(({ name }) => name === 'operation')!.value);
    expect(operations.sort()).toEqual(['GET /', 'POST /']);
  }
});

check('F5', async () => {
  using ui = new MadeUi();
  await using off = await startNode({ flags: ['-monitor.disable', `-jaegerui.dir=${ui.dir}`] });
  expect(injected((await ask(off, '/monitor'))[2], 'JAEGER_STORAGE_CAPABILITIES')).toMatchObject({
    metricsStorage: false,
  });
  for (const metric of ['latencies', 'calls', 'errors', 'minstep'] as const) {
    const [status, , text] = await ask(off, `/api/metrics/${metric}?service=busy&quantile=0.5`);
    const { data, errors } = JSON.parse(text) as Envelope<null>;
    expect([status, data, errors?.[0]?.msg]).toEqual([
      501,
      null,
      'trace metrics are currently disabled - no metrics backend configured',
    ]);
  }
});
