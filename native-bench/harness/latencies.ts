// Durations of many requests, kept whole: at most some hundred thousand of them, and exact percentiles beat clever ones.

export class Latencies {
  readonly #ms: number[] = [];

  add(ms: number): void {
    this.#ms.push(ms);
  }

  get count(): number {
    return this.#ms.length;
  }

  /** Exact quantiles in milliseconds; NaN when nothing was measured. */
  summary(): { p50Ms: number; p99Ms: number; maxMs: number } {
    const sorted = Float64Array.from(this.#ms).sort();
    return { p50Ms: quantile(sorted, 0.5), p99Ms: quantile(sorted, 0.99), maxMs: quantile(sorted, 1) };
  }
}

/** `sorted` ascending; the smallest value that at least the share `q` of them does not exceed. */
export function quantile(sorted: Float64Array, q: number): number {
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? NaN;
}
