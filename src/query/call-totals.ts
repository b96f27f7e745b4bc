// Sums the calls that a query asks for and returns them in the order of the answer.
import { assert } from '../base/assert.ts';
import { minuteOfKey, numberOfKey, type CallCounts, type CallNames } from '../block/call-counts.ts';
import { compareUtf8 } from '../trace/attributes.ts';
import { DAY_NS } from '../trace/day-clock.ts';
import type { FrameReader } from '../part/rollup-frame.ts';
import { TABLE_EDGES } from '../part/rollup-writer.ts';
import type { Dependency } from '../trace/store.ts';

const MINUTE_NS = 60_000_000_000n;

/** Minutes since the epoch, both inclusive. */
export interface Minutes {
  readonly first: number;
  readonly last: number;
}

/** [startNs, endNs] rounded out to whole minutes. */
export function minutesOf(startNs: bigint, endNs: bigint): Minutes {
  assert(startNs >= 0n && endNs >= 0n, `a window of calls from ${startNs} to ${endNs} begins before 1970`);
  return { first: Number(startNs / MINUTE_NS), last: Number(endNs / MINUTE_NS) };
}

/**
 * The days of a window, both ends inclusive. Calls are counted by day, and a part's counts may be in minutes in which none
 * of its own spans start.
 */
export function wholeDays(startNs: bigint, endNs: bigint): { startMinNs: bigint; startMaxNs: bigint } {
  assert(startNs >= 0n && endNs >= 0n, `days of a window from ${startNs} to ${endNs} begin before 1970`);
  const dayNs = BigInt(DAY_NS);
  return { startMinNs: startNs - (startNs % dayNs), startMaxNs: endNs - (endNs % dayNs) + dayNs - 1n };
}

/** The sums for an answer. */
export interface CallTotals {
  /** The roll-up table to read. */
  readonly table: number;
  readonly minutes: Minutes;
  addFrame(frame: FrameReader, hourMinute: number): void;
  addCounts(counts: CallCounts, names: CallNames): void;
}

export class DependencyTotals implements CallTotals {
  readonly table = TABLE_EDGES;
  /** By caller, then callee. */
  readonly #links = new Map<string, Map<string, { calls: number; errors: number }>>();
  readonly minutes: Minutes;

  constructor(minutes: Minutes) {
    this.minutes = minutes;
  }

  addCounts(counts: CallCounts, names: CallNames): void {
    const { keys, calls, errors, count } = counts.edges;
    for (let slot = 0; slot < count; slot++) {
      const minute = minuteOfKey(keys[slot]!);
      if (minute < this.minutes.first || minute > this.minutes.last) continue;
      const edge = numberOfKey(keys[slot]!);
      const link = this.#link(names.services.text(names.callerOf(edge)), names.services.text(names.calleeOf(edge)));
      link.calls += calls[slot]!;
      link.errors += errors[slot]!;
    }
  }

  /** Adds a frame of edges whose hour begins at `hourMinute`. Throws CORRUPTION. */
  addFrame(frame: FrameReader, hourMinute: number): void {
    const first = this.minutes.first - hourMinute;
    const last = this.minutes.last - hourMinute;
    while (frame.nextSeries()) {
      let calls = 0;
      let errors = 0;
      while (frame.nextRow()) {
        if (frame.minute < first || frame.minute > last) continue;
        calls += frame.calls;
        errors += frame.errors;
      }
      const link = this.#link(textOf(frame.first), textOf(frame.second));
      link.calls += calls;
      link.errors += errors;
    }
  }

  #link(caller: string, callee: string): { calls: number; errors: number } {
    let callees = this.#links.get(caller);
    if (callees === undefined) this.#links.set(caller, (callees = new Map()));
    let link = callees.get(callee);
    if (link === undefined) callees.set(callee, (link = { calls: 0, errors: 0 }));
    return link;
  }

  /** Links with calls, sorted by (parent, child). */
  result(): Dependency[] {
    const out: Dependency[] = [];
    for (const [parent, callees] of this.#links) {
      for (const [child, { calls, errors }] of callees) {
        if (calls > 0) out.push({ parent, child, callCount: calls, errorCount: errors });
      }
    }
    return out.sort((x, y) => compareUtf8(x.parent, y.parent) || compareUtf8(x.child, y.child));
  }
}

/** A name as it is shown. */
export function textOf(name: Uint8Array): string {
  return Buffer.from(name.buffer, name.byteOffset, name.length).toString('utf8');
}
