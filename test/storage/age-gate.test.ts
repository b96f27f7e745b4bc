// A clock that is wrong deletes nothing at once; time that really passes deletes what is due.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AgeGate } from '../../src/storage/age-gate.ts';
import { daysToDrop } from '../../src/storage/retention.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { DAY_MS, memoryLog } from './open-store.ts';

const HOUR_MS = 3_600_000;
const TODAY = 20_777;
const WEEK = { retentionMs: 7 * DAY_MS, futureRetentionMs: 2 * DAY_MS };
const week = Array.from({ length: 7 }, (_, i) => TODAY - i);

function makeGate(days: readonly number[], clockJumpGraceMs = HOUR_MS) {
  const lines: string[] = [];
  const clock = new FakeClock();
  return {
    clock,
    lines,
    open: () => new AgeGate({ ...WEEK, clock, logger: memoryLog(lines), clockJumpGraceMs }, days),
  };
}

describe('a wall clock that jumps ahead of the monotonic one', () => {
  test('drops nothing until the grace period is over, and is announced once', () => {
    const { clock, lines, open } = makeGate(week);
    const gate = open();
    clock.jump(400 * DAY_MS);
    for (let ms = 0; ms < HOUR_MS; ms += 10_000) {
      expect(gate.daysToDrop(week)).toEqual([]);
      expect(gate.nowMs).toBeLessThan(Date.UTC(2026, 10, 21));
      clock.advance(10_000);
    }
    expect(gate.waitingDays).toBe(7);
    expect(lines.filter((line) => line.includes('clock jumped'))).toHaveLength(1);
    expect(gate.daysToDrop(week)).toEqual(week);
    expect(gate.waitingDays).toBe(0);
    expect(gate.nowMs).toBe(clock.nowMs());
  });

  test('that comes back in time has cost nothing, and the next jump has a grace period of its own', () => {
    const { clock, open } = makeGate(week);
    const gate = open();
    for (let i = 0; i < 3; i++) {
      clock.jump(400 * DAY_MS);
      expect(gate.daysToDrop(week)).toEqual([]);
      clock.advance(HOUR_MS - 10_000);
      expect(gate.daysToDrop(week)).toEqual([]);
      clock.jump(-400 * DAY_MS);
      clock.advance(10_000);
      expect(gate.daysToDrop(week)).toEqual([]);
      expect(gate.waitingDays).toBe(0);
    }
  });

  test('still lets go what is due without the jump', () => {
    const { clock, open } = makeGate(week);
    const gate = open();
    clock.advance(DAY_MS / 2 - 10_000);
    gate.daysToDrop(week);
    clock.jump(3 * DAY_MS);
    const old = [TODAY - 7, ...week];
    clock.advance(10_000);
    expect(gate.daysToDrop(old)).toEqual([TODAY - 7]);
  });

  test('is believed at once with a grace period of 0', () => {
    const { clock, open } = makeGate(week, 0);
    const gate = open();
    clock.jump(400 * DAY_MS);
    expect(gate.daysToDrop(week)).toEqual(week);
  });
});

describe('at the start', () => {
  test('a clock far beyond the newest data drops nothing until the grace period is over', () => {
    const { clock, open } = makeGate(week);
    clock.jump(400 * DAY_MS);
    const gate = open();
    expect(gate.daysToDrop(week)).toEqual([]);
    clock.advance(HOUR_MS);
    expect(gate.daysToDrop(week)).toEqual(week);
  });

  test('the only day there is waits, one of several does not', () => {
    const { clock, open } = makeGate([TODAY]);
    clock.jump(8 * DAY_MS);
    expect(open().daysToDrop([TODAY])).toEqual([]);
    const other = makeGate(week);
    other.clock.advance(2 * DAY_MS - DAY_MS / 2);
    expect(other.open().daysToDrop(week)).toEqual([TODAY - 6]);
  });

  test('a clock set far back drops nothing, and when it is set right nothing is dropped at once', () => {
    const { clock, open } = makeGate(week);
    clock.jump(-1_000 * DAY_MS);
    const gate = open();
    expect(gate.daysToDrop(week)).toEqual([]);
    clock.jump(1_400 * DAY_MS);
    expect(gate.daysToDrop(week)).toEqual([]);
  });
});

test('over any schedule: nothing goes before its time has passed or the clock stood so for the grace period', () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('pass' as const), ms: fc.integer({ min: 1_000, max: DAY_MS / 4 }) }),
    fc.record({ kind: fc.constant('jump' as const), ms: fc.integer({ min: -30 * DAY_MS, max: 30 * DAY_MS }) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const { clock, open } = makeGate(week);
      const gate = open();
      const startMs = clock.nowMs();
      let passedMs = 0;
      let doubtedMs: number | undefined;
      for (const { kind, ms } of steps) {
        if (kind === 'pass') {
          clock.advance(ms);
          passedMs += ms;
        } else clock.jump(ms);
        const dropped = gate.daysToDrop(week);
        const due = daysToDrop(week, clock.nowMs(), WEEK);
        for (const day of dropped) expect(due, 'dropped though the clock does not say so').toContain(day);
        const isHonest = dropped.every((day) => daysToDrop([day], startMs + passedMs, WEEK).length > 0);
        if (clock.nowMs() - (startMs + passedMs) > 0) doubtedMs ??= passedMs;
        else doubtedMs = undefined;
        // What goes early goes only when the clock has been ahead of true time for a grace period.
        if (!isHonest) expect(passedMs - (doubtedMs ?? passedMs)).toBeGreaterThanOrEqual(HOUR_MS);
      }
    }),
    { numRuns: 500 },
  );
});
