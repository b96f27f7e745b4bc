// A clock that stands still until the test moves it: with the monotonic clock beside it, or against it (jump).
import type { Clock } from '../../src/base/clock.ts';

/** Starts at 2026-11-20T12:00:00Z unless told otherwise. */
export class FakeClock implements Clock {
  #nowMs: number;
  #monotonicMs = 0;

  constructor(startMs: number = Date.UTC(2026, 10, 20, 12)) {
    this.#nowMs = startMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  nowNs(): bigint {
    return BigInt(this.#nowMs) * 1_000_000n;
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  /** Lets `ms` milliseconds pass; a negative step is a clock set back, as ntpd may do. */
  advance(ms: number): void {
    this.#nowMs += ms;
    this.#monotonicMs += Math.max(0, ms);
  }

  /** Lets time pass until `ms` milliseconds since the epoch. */
  set(ms: number): void {
    this.advance(ms - this.#nowMs);
  }

  /** Moves the wall clock alone: a wrong time server, a dead battery, a machine that was suspended. */
  jump(ms: number): void {
    this.#nowMs += ms;
  }
}
