import { describe, expect, test } from 'vitest';
import { DAY_NS, DayClock } from '../../src/trace/day-clock.ts';
import { SpanBatch } from '../../src/trace/span-batch.ts';
import { FIELD_END_TIME } from '../../src/trace/templates.ts';
import { createRandom, printedSeed } from '../support/random-request.ts';

const MAX = 2n ** 64n - 1n;
const DAY = BigInt(DAY_NS);
const lo = (ns: bigint): number => Number(ns & 0xffffffffn);
const hi = (ns: bigint): number => Number(ns >> 32n);

function clockFor(startMinNs = 0n, startMaxNs = MAX): DayClock {
  const clock = new DayClock();
  clock.setBounds(startMinNs, startMaxNs);
  return clock;
}

/** Places `ns` as row 0; the day and the ns since its midnight, as one number again. */
function placed(clock: DayClock, ns: bigint): { ns: bigint; offset: number; reason: string | undefined } {
  const batch = new SpanBatch();
  batch.beginRow();
  const reason = clock.place(batch, 0, lo(ns), hi(ns));
  return { ns: BigInt(batch.day[0]!) * DAY + BigInt(batch.start[0]!), offset: batch.start[0]!, reason };
}

test('asks once for each run of spans of a day within the bounds whether the day may have spans', () => {
  const clock = new DayClock();
  const asked: number[] = [];
  const acceptsDay = (day: number): boolean => {
    asked.push(day);
    return day !== 3;
  };
  for (const expected of [1, 2]) {
    clock.setBounds(2n * DAY, 5n * DAY, acceptsDay);
    const reasons = [1n, 2n, 2n, 3n, 3n, 2n, 4n, 6n].map((day) => placed(clock, day * DAY).reason);
    const [early, many, late] = ['too_small_timestamp', 'too_many_days', 'too_big_timestamp'];
    expect(reasons).toEqual([early, undefined, undefined, many, many, undefined, undefined, late]);
    expect(asked).toHaveLength(4 * expected);
  }
});

describe('place', () => {
  test('gives back every nanosecond, however the clock jumps', () => {
    const random = createRandom(printedSeed('day clock'));
    const clock = clockFor();
    const times = [0n, 1n, DAY - 1n, DAY, 2n ** 32n, 2n ** 53n + 1n, MAX];
    for (let i = 0; i < 2000; i++)
      times.push((BigInt(Math.floor(random() * 2 ** 32)) << 32n) | BigInt(Math.floor(random() * 2 ** 32)));
    for (let day = 0n; day < 200n; day++) times.push(day * 1000n * DAY, day * 1000n * DAY + DAY - 1n);
    for (const ns of [...times, ...times.toReversed()]) {
      const { ns: back, offset, reason } = placed(clock, ns);
      expect([back, reason]).toEqual([ns, undefined]);
      expect(offset >= 0 && offset < DAY_NS).toBe(true);
    }
  });

  test('names what lies outside the bounds, which are inclusive', () => {
    const [min, max] = [20_000n * DAY + 5n, 20_003n * DAY + 7n];
    const clock = clockFor(min, max);
    const reasons = [0n, min - DAY, min - 1n, min, min + DAY, max, max + 1n, max + DAY, MAX].map(
      (ns) => placed(clock, ns).reason,
    );
    const [small, big] = ['too_small_timestamp', 'too_big_timestamp'];
    expect(reasons).toEqual([small, small, small, undefined, undefined, undefined, big, big, big]);
  });
});

describe('setDuration', () => {
  function duration(startNs: bigint, endNs: bigint): { duration: number; endTime: bigint | undefined } {
    const batch = new SpanBatch();
    batch.beginRow();
    let endTime: bigint | undefined;
    const sink = {
      pushInt: (field: number, low: number, high: number): void => {
        expect(field).toBe(FIELD_END_TIME);
        endTime = (BigInt(high) << 32n) | BigInt(low);
      },
    };
    const times = { startLo: lo(startNs), startHi: hi(startNs), endLo: lo(endNs), endHi: hi(endNs) };
    new DayClock().setDuration(batch, 0, times, sink);
    return { duration: batch.duration[0]!, endTime };
  }

  test.each<[bigint, bigint]>([
    [0n, 0n],
    [5n, 4n],
    [2n ** 32n - 1n, 2n ** 32n],
    [2n ** 32n, 2n ** 32n - 1n],
    [2n ** 63n, 2n ** 63n + 2n ** 53n - 2n ** 32n],
    [2n ** 63n, 2n ** 63n - 2n ** 53n + 2n ** 32n],
  ])('from %s to %s is exact', (startNs, endNs) => {
    expect(duration(startNs, endNs)).toEqual({ duration: Number(endNs - startNs), endTime: undefined });
  });

  test.each<[bigint, bigint, number]>([
    [0n, MAX, 2 ** 53],
    [MAX, 0n, -(2 ** 53)],
    [1_790_000_000_000_000_000n, 0n, -(2 ** 53)],
    [0n, 2n ** 54n, 2 ** 53],
  ])('from %s to %s travels whole', (startNs, endNs, bound) => {
    expect(duration(startNs, endNs)).toEqual({ duration: bound, endTime: endNs });
  });
});
