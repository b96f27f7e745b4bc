// What may be deleted for its age. A wall clock that is wrong for a minute must not cost the data of weeks: it is compared
// with the monotonic clock, and at the start with the newest data there is. While it is ahead of what they allow, or
// asks for more than one further day at one look, only what was due without that is deleted, for a grace period.
import { assert } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import { DAY_MS, formatDay } from '../partition/day.ts';
import { daysToDrop, type Retention } from './retention.ts';

/** The two clocks may part by so much before it counts as a jump: what a time daemon steps at once at most, and more. */
const TOLERANCE_MS = 60_000;

export interface AgeGateOptions extends Retention {
  readonly clock: Clock;
  readonly logger: Logger;
  /** -retention.clockJumpGracePeriod; 0: the clock is always believed. */
  readonly clockJumpGraceMs: number;
}

export class AgeGate {
  readonly #options: AgeGateOptions;
  /** The wall clock was believed to be right at this moment, by both clocks. */
  #trusted: { readonly wallMs: number; readonly monotonicMs: number };
  /** Days that were due at the last look that was believed: more than one beyond them are too many at once. */
  #due: ReadonlySet<number>;
  /** Since when, by the monotonic clock, the wall clock is not believed; undefined: it is. */
  #doubtedMs: number | undefined;
  #waiting: readonly number[] = [];

  /** `days` are on disk at the start. The newest of them was written when the clock stood there, or later. */
  constructor(options: AgeGateOptions, days: readonly number[]) {
    this.#options = options;
    const { clock } = options;
    const nowMs = clock.nowMs();
    const newest = Math.max(...days.filter((day) => day * DAY_MS <= nowMs));
    const seenMs = Number.isFinite(newest) ? Math.min(nowMs, (newest + 1) * DAY_MS) : nowMs;
    this.#due = new Set(daysToDrop(days, seenMs, options));
    const due = daysToDrop(days, nowMs, options);
    // After a pause of a few days one day more is due, and others stay: that is no sign of a wrong clock.
    const isPlausible = due.length - this.#due.size <= 1 && due.length < days.length;
    this.#trusted = { wallMs: isPlausible ? nowMs : seenMs, monotonicMs: clock.monotonicMs() };
  }

  /** Days that are due, but wait until the clock is believed. As of the last look. */
  get waitingDays(): number {
    return this.#waiting.length;
  }

  /** What the clock shows, where it is believed; else the time that has passed since it was. */
  get nowMs(): number {
    const { clock } = this.#options;
    return this.#isAhead() && !this.#isGraceOver() ? this.#expectedMs() : clock.nowMs();
  }

  /** Those of `days` that may be dropped for their age now. */
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
