// Decides what may be deleted because of its age. A wall clock that is wrong for a minute must not cost weeks of data, so it
// is compared with the monotonic clock, and at the start with the newest data on disk. While it runs ahead of them, or would
// drop more than one more day at once, only days that were due anyway are deleted, for a grace period.
import { assert } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import { DAY_MS, formatDay } from '../partition/day.ts';
import { daysToDrop, type Retention } from './retention.ts';

/** A larger difference between the two clocks is a jump. Time daemons step by less than this at once. */
const TOLERANCE_MS = 60_000;

export interface AgeGateOptions extends Retention {
  readonly clock: Clock;
  readonly logger: Logger;
  /** -retention.clockJumpGracePeriod; 0: the clock is always believed. */
  readonly clockJumpGraceMs: number;
}

export class AgeGate {
  readonly #options: AgeGateOptions;
  /** Both clocks at the last moment when the wall clock was trusted. */
  #trusted: { readonly wallMs: number; readonly monotonicMs: number };
  /** Days that were due at the last trusted check: more than one further day at once is suspicious. */
  #due: ReadonlySet<number>;
  /** The monotonic time since which the wall clock is not trusted; undefined: it is trusted. */
  #doubtedMs: number | undefined;
  #waiting: readonly number[] = [];

  /** `days` are on disk at the start. The newest of them shows that the clock had reached that day, or a later one. */
  constructor(options: AgeGateOptions, days: readonly number[]) {
    this.#options = options;
    const { clock } = options;
    const nowMs = clock.nowMs();
    const newest = Math.max(...days.filter((day) => day * DAY_MS <= nowMs));
    const seenMs = Number.isFinite(newest) ? Math.min(nowMs, (newest + 1) * DAY_MS) : nowMs;
    this.#due = new Set(daysToDrop(days, seenMs, options));
    const due = daysToDrop(days, nowMs, options);
    // After a pause of a few days, it is normal that one more day is due, if other days stay.
    const isPlausible = due.length - this.#due.size <= 1 && due.length < days.length;
    this.#trusted = { wallMs: isPlausible ? nowMs : seenMs, monotonicMs: clock.monotonicMs() };
  }

  /** Due days that wait until the clock is trusted, as of the last check. */
  get waitingDays(): number {
    return this.#waiting.length;
  }

  /** The wall clock if it is trusted; otherwise its last trusted time plus the monotonic time since then. */
  get nowMs(): number {
    const { clock } = this.#options;
    return this.#isAhead() && !this.#isGraceOver() ? this.#expectedMs() : clock.nowMs();
  }

  /** The days among `days` that may be dropped now because of their age. */
  daysToDrop(days: readonly number[]): number[] {
    const { clock } = this.#options;
    const due = daysToDrop(days, clock.nowMs(), this.#options);
    const sure = this.#isAhead() ? daysToDrop(days, this.#expectedMs(), this.#options) : due;
    const isTooMany = sure.filter((day) => !this.#due.has(day)).length > 1;
    if (!this.#isAhead() && !isTooMany) return this.#believe(due);
    this.#doubtedMs ??= clock.monotonicMs();
    if (this.#isGraceOver()) return this.#believe(due);
    const allowed = isTooMany ? sure.filter((day) => this.#due.has(day)) : sure;
    this.#announce(due.filter((day) => !allowed.includes(day)));
    return allowed;
  }

  #believe(due: number[]): number[] {
    const { clock, logger } = this.#options;
    if (this.#waiting.length > 0) logger.warn('the clock is believed again, drops by age go on', { due: due.length });
    this.#trusted = { wallMs: clock.nowMs(), monotonicMs: clock.monotonicMs() };
    this.#due = new Set(due);
    this.#doubtedMs = undefined;
    this.#waiting = [];
    return due;
  }

  #announce(waiting: readonly number[]): void {
    assert(this.#doubtedMs !== undefined, 'drops wait although the clock is believed');
    const { clock, logger, clockJumpGraceMs } = this.#options;
    const isNews = waiting.length > this.#waiting.length;
    this.#waiting = waiting;
    if (!isNews) return;
    logger.error('the clock jumped ahead or is wrong: days that are due for their age wait; set the clock right', {
      clock: new Date(clock.nowMs()).toISOString(),
      expected: new Date(this.#expectedMs()).toISOString(),
      days: waiting.length,
      oldest: formatDay(Math.min(...waiting)),
      dropsInSeconds: Math.round((this.#doubtedMs + clockJumpGraceMs - clock.monotonicMs()) / 1000),
    });
  }

  #isAhead(): boolean {
    return this.#options.clock.nowMs() - this.#expectedMs() > TOLERANCE_MS;
  }

  #isGraceOver(): boolean {
    const { clock, clockJumpGraceMs } = this.#options;
    return clock.monotonicMs() - (this.#doubtedMs ?? Infinity) >= clockJumpGraceMs;
  }

  #expectedMs(): number {
    return this.#trusted.wallMs + (this.#options.clock.monotonicMs() - this.#trusted.monotonicMs);
  }
}
