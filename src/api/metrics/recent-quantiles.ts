// Quantiles of the durations of the last minutes, for each label value, in the buckets of trace/latency-buckets.ts: at most an
// eighth too high. prom-client's summaries are exact and took 15 ms of every scrape.
import { assert } from '../../base/assert.ts';
import { bucketMaxNs, bucketOf, LATENCY_BUCKETS } from '../../trace/latency-buckets.ts';
import type { Sample } from './metric-registry.ts';

/** As VictoriaMetrics' summaries. */
const QUANTILES: readonly number[] = [0.5, 0.9, 0.97, 0.99, 1];
/** Values are remembered for one to two windows. */
const WINDOW_MS = 150_000;

class Series {
  now: Uint32Array<ArrayBuffer> = new Uint32Array(LATENCY_BUCKETS);
  before: Uint32Array<ArrayBuffer> = new Uint32Array(LATENCY_BUCKETS);
  /** Since start. */
  count = 0;
  sumSeconds = 0;
}

export class RecentQuantiles {
  readonly #name: string;
  readonly #label: string;
  readonly #nowMs: () => number;
  readonly #series = new Map<string, Series>();
  #windowMs: number;

  /** Of the summary `name`, with one label. */
  constructor(name: string, label: string, nowMs: () => number = () => performance.now()) {
    this.#name = name;
    this.#label = label;
    this.#nowMs = nowMs;
    this.#windowMs = nowMs();
  }

  observe(value: string, seconds: number): void {
    assert(seconds >= 0, `${this.#name}: something took ${seconds} s`);
    this.#turn();
    let series = this.#series.get(value);
    if (series === undefined) this.#series.set(value, (series = new Series()));
    series.now[bucketOf(Math.round(seconds * 1e9))]! += 1;
    series.count++;
    series.sumSeconds += seconds;
  }

  /** The samples of the summary. A series without recent values has no quantiles. */
  samples(): Sample[] {
    this.#turn();
    return [...this.#series].flatMap(([value, series]) => {
      const labels = { [this.#label]: value };
      const quantiles = quantilesOf(series).map(([quantile, seconds]) => {
        return { labels: { ...labels, quantile }, value: seconds };
      });
      const sum = { name: `${this.#name}_sum`, labels, value: series.sumSeconds };
      return [...quantiles, sum, { name: `${this.#name}_count`, labels, value: series.count }];
    });
  }

  /** Begins a window if the last one is over; after two without a value nothing is recent. */
  #turn(): void {
    const windows = Math.floor((this.#nowMs() - this.#windowMs) / WINDOW_MS);
    if (windows === 0) return;
    this.#windowMs += windows * WINDOW_MS;
    for (const series of this.#series.values()) {
      [series.before, series.now] = [series.now, series.before];
      series.now.fill(0);
      if (windows > 1) series.before.fill(0);
    }
  }
}

function quantilesOf({ now, before }: Series): [quantile: number, seconds: number][] {
  let count = 0;
  for (let i = 0; i < LATENCY_BUCKETS; i++) count += now[i]! + before[i]!;
  if (count === 0) return [];
  const found: [number, number][] = [];
  let below = 0;
  for (let i = 0; i < LATENCY_BUCKETS && found.length < QUANTILES.length; i++) {
    below += now[i]! + before[i]!;
    while (found.length < QUANTILES.length && below >= QUANTILES[found.length]! * count)
      found.push([QUANTILES[found.length]!, bucketMaxNs(i) / 1e9]);
  }
  assert(found.length === QUANTILES.length, `${found.length} quantiles of ${count} values`);
  return found;
}
