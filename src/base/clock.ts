// The machine's clocks as a parameter, so that retention, flush intervals and rate limits are tested without sleeping.
// The wall clock may jump; what must not (pauses after a failure, whether the wall clock jumped) uses the monotonic one.
// Durations of work are measured with performance.now() where they are measured.

export interface Clock {
  /** Milliseconds since the Unix epoch. */
  nowMs(): number;
  /** Nanoseconds since the Unix epoch: the same instant as nowMs, in the unit of OTLP times. */
  nowNs(): bigint;
  /** Milliseconds since some moment of the past; never set, never going back. */
  monotonicMs(): number;
}

/** The machine's clock, with millisecond resolution in both units: retention and intervals need no finer one. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  nowNs: () => BigInt(Date.now()) * 1_000_000n,
  monotonicMs: () => performance.now(),
};
