// Writes metrics as an OTLP ExportMetricsServiceRequest in JSON, under the names that they have at /metrics. Pure.
import type { Exposition } from './exposition.ts';
import type { MetricFamily, Sample } from './metric-registry.ts';

/** OTLP's AGGREGATION_TEMPORALITY_CUMULATIVE: counts since the start, as Prometheus has them. */
const CUMULATIVE = 2;
/** Units by their UCUM codes; a receiver may append the unit to a name that lacks it, so only names that have it get one. */
const UCUM: Readonly<Record<string, string>> = { seconds: 's', bytes: 'By' };

export interface OtlpMetricsOptions {
  /** Attributes of the resource. */
  readonly resource: Readonly<Record<string, string>>;
  readonly version: string;
  /** When the counting began, ms since the epoch. */
  readonly startMs: number;
  readonly nowMs: () => number;
}

/** Labels of a point, without those that its kind uses up, and its samples by their role. */
interface Series {
  readonly labels: Readonly<Record<string, string | number>>;
  readonly samples: Sample[];
}

export function otlpMetrics({ resource, version, startMs, nowMs }: OtlpMetricsOptions): Exposition {
  return {
    contentType: 'application/json',
    write: (families) => {
      const times = { startTimeUnixNano: nanos(startMs), timeUnixNano: nanos(nowMs()) };
      const scope = { name: 'tracelith', version };
      const metrics = families.flatMap((family) =>
        family.samples.length === 0 ? [] : [{ ...named(family), ...dataOf(family, times) }],
      );
      const resourceMetrics = [
        { resource: { attributes: attributesOf(resource) }, scopeMetrics: [{ scope, metrics }] },
      ];
      return JSON.stringify({ resourceMetrics });
    },
  };
}

function named({ name, unit, help }: MetricFamily): object {
  const code = name.split('_').includes(unit) ? UCUM[unit] : undefined;
  return { name, description: help, ...(code === undefined ? {} : { unit: code }) };
}

function dataOf({ kind, name, samples }: MetricFamily, times: object): object {
  const numbers = () =>
    samples.map(({ labels, value }) => ({ ...times, attributes: attributesOf(labels), asDouble: double(value) }));
  switch (kind) {
    case 'gauge':
      return { gauge: { dataPoints: numbers() } };
    case 'counter':
      return { sum: { dataPoints: numbers(), aggregationTemporality: CUMULATIVE, isMonotonic: true } };
    case 'histogram':
      return {
        histogram: {
          dataPoints: seriesOf(samples, 'le').map((series) => histogramPoint(name, series, times)),
          aggregationTemporality: CUMULATIVE,
        },
      };
    case 'summary':
      return {
        summary: { dataPoints: seriesOf(samples, 'quantile').map((series) => summaryPoint(name, series, times)) },
      };
  }
}

/** Buckets of Prometheus count everything below them, those of OTLP only what is above the one before. */
function histogramPoint(name: string, { labels, samples }: Series, times: object): object {
  const buckets = samples.filter((sample) => sample.name === `${name}_bucket`);
  const bucketCounts = buckets.map(({ value }, i) => String(value - (buckets[i - 1]?.value ?? 0)));
  const explicitBounds = buckets.flatMap(({ labels: { le } }) => (le === '+Inf' ? [] : [Number(le)]));
  return { ...times, attributes: attributesOf(labels), ...totalOf(name, samples), bucketCounts, explicitBounds };
}

function summaryPoint(name: string, { labels, samples }: Series, times: object): object {
  const quantileValues = samples.flatMap(({ labels: { quantile }, value }) =>
    quantile === undefined ? [] : [{ quantile: Number(quantile), value: double(value) }],
  );
  return { ...times, attributes: attributesOf(labels), ...totalOf(name, samples), quantileValues };
}

function totalOf(name: string, samples: readonly Sample[]): { readonly count: string; readonly sum: number | string } {
  const valueOf = (suffix: string): number => samples.find((sample) => sample.name === name + suffix)?.value ?? 0;
  return { count: String(valueOf('_count')), sum: double(valueOf('_sum')) };
}

/** Samples that differ in nothing but `own` and their names, in order. */
function seriesOf(samples: readonly Sample[], own: string): Series[] {
  const byLabels = new Map<string, Series>();
  for (const sample of samples) {
    const { [own]: _own, ...labels } = sample.labels;
    const key = JSON.stringify(labels);
    const series = byLabels.get(key) ?? { labels, samples: [] };
    byLabels.set(key, series);
    series.samples.push(sample);
  }
  return [...byLabels.values()];
}

function attributesOf(labels: Readonly<Record<string, string | number>>): object[] {
  return Object.entries(labels).map(([key, value]) => ({ key, value: { stringValue: String(value) } }));
}

/** As proto3's JSON writes a double. */
function double(value: number): number | string {
  return Number.isFinite(value) ? value : Number.isNaN(value) ? 'NaN' : value > 0 ? 'Infinity' : '-Infinity';
}

function nanos(ms: number): string {
  return String(BigInt(Math.round(ms)) * 1_000_000n);
}
