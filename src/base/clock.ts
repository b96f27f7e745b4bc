// The wall clock as a parameter, so that retention, flush intervals and rate limits are tested without sleeping.
// Durations of work are not measured with it (it may jump): those use performance.now() where they are measured.

export interface Clock {
  /** Milliseconds since the Unix epoch. */
  nowMs(): number;
  /** Nanoseconds since the Unix epoch: the same instant as nowMs, in the unit of OTLP times. */
  nowNs(): bigint;
}

/** The machine's clock, with millisecond resolution in both units: retention and intervals need no finer one. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  nowNs: () => BigInt(Date.now()) * 1_000_000n,
};
