// A clock that stands still until the test moves it.
import type { Clock } from '../../src/base/clock.ts';

/** Starts at 2026-11-20T12:00:00Z unless told otherwise. */
export class FakeClock implements Clock {
  #nowMs: number;

  constructor(startMs: number = Date.UTC(2026, 10, 20, 12)) {
    this.#nowMs = startMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  nowNs(): bigint {
    return BigInt(this.#nowMs) * 1_000_000n;
  }

  /** Moves the clock by `ms` milliseconds; a negative step is a clock set back, as ntpd may do. */
  advance(ms: number): void {
    this.#nowMs += ms;
  }

  /** Sets the clock to `ms` milliseconds since the epoch. */
  set(ms: number): void {
    this.#nowMs = ms;
  }
}
