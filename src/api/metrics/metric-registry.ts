// The one registry of a node's metrics. Events are counted when they happen, by instruments of prom-client; states are read
// at a scrape from sources, each once, so that the figures of one source fit together. It knows nothing of how metrics are
// written (exposition.ts). Every metric has a unit and a meaning, which docs/METRICS.md lists.
import { Counter, Histogram } from 'prom-client';
import { assert } from '../../base/assert.ts';

export type MetricKind = 'counter' | 'gauge' | 'histogram' | 'summary';

export interface MetricRow {
  readonly name: string;
  readonly kind: MetricKind;
  /** What one of it is, in the plural: bytes, seconds, spans; 1 for flags and ratios. */
  readonly unit: string;
  readonly help: string;
  readonly labels: readonly string[];
}

/** A metric without its kind; labels default to none. */
export type MetricSpec = Omit<MetricRow, 'kind' | 'labels'> & { readonly labels?: readonly string[] };

export interface Sample {
  /** Of a histogram or summary: the metric's name with _bucket, _sum or _count. Default: the metric's name. */
  readonly name?: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

/** A metric with its samples at one moment. */
export interface MetricFamily extends MetricRow {
  readonly samples: readonly Sample[];
}

/** A figure of a source's state; undefined: the state does not tell it now. */
type Read<T> = (state: T) => number | undefined | Iterable<Sample>;

/** Adds metrics that are read from one source. */
export interface MetricSource<T> {
  counter(spec: MetricSpec, read: Read<T>): void;
  gauge(spec: MetricSpec, read: Read<T>): void;
  /** `read` gives samples by bucketSamples(). */
  histogram(spec: MetricSpec, read: (state: T) => Iterable<Sample>): void;
  /** `read` gives samples of RecentQuantiles. */
  summary(spec: MetricSpec, read: (state: T) => Iterable<Sample>): void;
}

/** Seconds, for everything that a client waits for. */
export const DURATION_BUCKETS: readonly number[] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

export class MetricRegistry {
  readonly #rows = new Map<string, MetricRow>();
  readonly #collectors: (() => Promise<MetricFamily[]>)[] = [];

  /** Every metric, also those without a sample now. */
  get rows(): readonly MetricRow[] {
    return [...this.#rows.values()];
  }

  counter(spec: MetricSpec): Counter {
    const row = this.#add(spec, 'counter');
    return this.#collect(row, new Counter(optionsOf(row)));
  }

  histogram(spec: MetricSpec, buckets: readonly number[] = DURATION_BUCKETS): Histogram {
    const row = this.#add(spec, 'histogram');
    return this.#collect(row, new Histogram({ ...optionsOf(row), buckets: [...buckets] }));
  }

  /** Metrics of a state; `read` is called once a scrape, and what it throws fails the scrape. */
  source<T>(read: () => T | Promise<T>): MetricSource<T> {
    const metrics: { readonly row: MetricRow; readonly samples: (state: T) => readonly Sample[] }[] = [];
    this.#collectors.push(async () => {
      const state = await read();
      return metrics.map(({ row, samples }) => ({ ...row, samples: samples(state) }));
    });
    const adder =
      (kind: MetricKind) =>
      (spec: MetricSpec, value: Read<T>): void =>
        void metrics.push({ row: this.#add(spec, kind), samples: (state) => samplesOf(value(state)) });
    return {
      counter: adder('counter'),
      gauge: adder('gauge'),
      histogram: adder('histogram'),
      summary: adder('summary'),
    };
  }

  /** All metrics as they are now. Rejects with what a source throws. */
  async collect(): Promise<MetricFamily[]> {
    const families = await Promise.all(this.#collectors.map((collect) => collect()));
    return families.flat();
  }

  #add({ labels = [], ...spec }: MetricSpec, kind: MetricKind): MetricRow {
    assert(!this.#rows.has(spec.name), `two metrics are called ${spec.name}`);
    const row = { ...spec, kind, labels };
    this.#rows.set(spec.name, row);
    return row;
  }

  #collect<T extends Counter | Histogram>(row: MetricRow, instrument: T): T {
    this.#collectors.push(async () => {
      const { values } = (await instrument.get()) as { values: (Sample & { readonly metricName?: string })[] };
      return [
        { ...row, samples: values.map(({ metricName: name = row.name, labels, value }) => ({ name, labels, value })) },
      ];
    });
    return instrument;
  }
}

/** The samples of one histogram: `counts[i]` values were at most `bounds[i]`, the last count is of larger ones. */
export function bucketSamples(
  name: string,
  labels: Readonly<Record<string, string>>,
  {
    bounds,
    counts,
    sum,
  }: { readonly bounds: readonly number[]; readonly counts: readonly number[]; readonly sum: number },
): Sample[] {
  // The last bucket has no bound: with one too few, a series would be there twice.
  assert(counts.length === bounds.length + 1, `${name}: ${counts.length} counts for ${bounds.length} bounds`);
  let count = 0;
  const buckets = counts.map((inBucket, i) => {
    count += inBucket;
    return { name: `${name}_bucket`, labels: { ...labels, le: bounds[i] ?? '+Inf' }, value: count };
  });
  return [...buckets, { name: `${name}_sum`, labels, value: sum }, { name: `${name}_count`, labels, value: count }];
}

function optionsOf({ name, help, labels }: MetricRow) {
  // No registers: prom-client's own registry is not used.
  return { name, help, labelNames: [...labels], registers: [] };
}

function samplesOf(value: number | undefined | Iterable<Sample>): readonly Sample[] {
  if (value === undefined) return [];
  return typeof value === 'number' ? [{ labels: {}, value }] : [...value];
}
