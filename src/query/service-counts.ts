// Spans, errors and the newest minute of each service, day by day, for the first page: sums over the same calls as the
// Monitor's, without their minutes and latencies.
import { minuteOfKey, numberOfKey, type CallCounts, type CallNames } from '../block/call-counts.ts';
import type { FrameReader } from '../part/rollup-frame.ts';
import { TABLE_CALLS } from '../part/rollup-writer.ts';
import { formatDay } from '../partition/day.ts';
import { compareUtf8 } from '../trace/attributes.ts';
import type { CountedDay, CountedService } from '../trace/inventory.ts';
import { textOf, type CallTotals, type Minutes } from './call-totals.ts';

const DAY_MINUTES = 1440;
const MINUTE_MS = 60_000;

/** Counts of one service and day. */
interface DayCount {
  spans: number;
  errors: number;
  newestMinute: number;
}

export class ServiceCounts implements CallTotals {
  readonly table = TABLE_CALLS;
  /** Everything: the view decides which days are read. */
  readonly minutes: Minutes = { first: 0, last: Infinity };
  /** By service, then by day since the epoch. */
  readonly #services = new Map<string, Map<number, DayCount>>();

  addCounts({ nodes }: CallCounts, names: CallNames): void {
    for (let slot = 0; slot < nodes.count; slot++) {
      const key = nodes.keys[slot]!;
      const service = names.services.text(names.serviceOf(numberOfKey(key)));
      this.#add(service, minuteOfKey(key), nodes.calls[slot]!, nodes.errors[slot]!);
    }
  }

  /** Adds a frame of calls whose hour begins at `hourMinute`. Throws CORRUPTION. */
  addFrame(frame: FrameReader, hourMinute: number): void {
    while (frame.nextSeries()) {
      const service = textOf(frame.first);
      while (frame.nextRow()) this.#add(service, hourMinute + frame.minute, frame.calls, frame.errors);
    }
  }

  #add(service: string, minute: number, calls: number, errors: number): void {
    let days = this.#services.get(service);
    if (days === undefined) this.#services.set(service, (days = new Map()));
    const day = Math.floor(minute / DAY_MINUTES);
    let count = days.get(day);
    if (count === undefined) days.set(day, (count = { spans: 0, errors: 0, newestMinute: 0 }));
    // Roll-ups hold differences: a part whose spans are duplicates of another's takes them away, never all of a minute.
    count.spans += calls;
    count.errors += errors;
    if (calls > 0 && minute > count.newestMinute) count.newestMinute = minute;
  }

  /** Services with spans, in byte order of their names. */
  result(): CountedService[] {
    return [...this.#services]
      .map(([service, days]) => ({ service, days: [...days].sort(([a], [b]) => a - b).flatMap(countedDay) }))
      .filter(({ days }) => days.length > 0)
      .sort((a, b) => compareUtf8(a.service, b.service));
  }
}

function countedDay([day, { spans, errors, newestMinute }]: [number, DayCount]): CountedDay[] {
  return spans > 0 ? [{ day: formatDay(day), spans, errors, newestMs: newestMinute * MINUTE_MS }] : [];
}
