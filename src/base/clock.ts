// The machine's clocks as a parameter, so that tests of retention, flush intervals and rate limits need no sleep. The
// wall clock may jump; pauses after a failure, and the detection of such jumps, use the monotonic clock. Durations of
// work are measured with performance.now() in place.

export interface Clock {
  /** Milliseconds since the Unix epoch. */
  nowMs(): number;
  /** Nanoseconds since the Unix epoch: the same instant as nowMs, in the unit of OTLP times. */
  nowNs(): bigint;
  /** Milliseconds since an arbitrary moment; never set, never going back. */
  monotonicMs(): number;
}

/** The machine's clock, with millisecond resolution in both units: retention and intervals need no finer one. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  nowNs: () => BigInt(Date.now()) * 1_000_000n,
  monotonicMs: () => performance.now(),
};
