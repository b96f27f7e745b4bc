// Calls between services, and calls, errors and latencies of a service by minute, for Jaeger's dependency graph and Monitor.
// block/count-calls.ts defines a call. Answers come from the roll-ups of the parts; spans still in the log are counted in
// addition, and a day whose roll-ups cannot be read is counted from its spans.
import { assert } from '../base/assert.ts';
import { CallColumns } from '../block/call-columns.ts';
import { isUnreadable } from '../disk/unreadable.ts';
import { SpanCounter } from '../part/count-spans.ts';
import { CountedParts, type LentPart } from '../part/counted-spans.ts';
import { formatDay } from '../partition/day.ts';
import { HOUR_MINUTES } from '../part/rollup-frame.ts';
import type { RollupReader } from '../part/rollup-reader.ts';
import type { CountedService } from '../trace/inventory.ts';
import type { CallSeries, Dependency, MetricsQuery } from '../trace/store.ts';
import type { BlockSource, CandidateBlock } from './block-source.ts';
import type { CallCache } from './call-cache.ts';
import { SeriesTotals } from './call-series.ts';
import { DependencyTotals, minutesOf, type CallTotals, type Minutes } from './call-totals.ts';
import type { Deadline } from './deadline.ts';
import { ServiceCounts } from './service-counts.ts';

const DAY_MINUTES = 1440;

/** Links of spans starting in [startNs, endNs] rounded out to whole minutes, sorted by (parent, child). */
export function listDependencies(
  source: BlockSource,
  startNs: bigint,
  endNs: bigint,
  deadline: Deadline,
): Dependency[] {
  noteStrays(source, minutesOf(startNs, endNs));
  return new CallCount(source, deadline).add(() => new DependencyTotals(minutesOf(startNs, endNs))).result();
}

/** Series of the services and kinds of `query`, sorted by (service, operation). */
export function listCallSeries(source: BlockSource, query: MetricsQuery, deadline: Deadline): CallSeries[] {
  noteStrays(source, minutesOf(query.startNs, query.endNs));
  return new CallCount(source, deadline).add(() => new SeriesTotals(query)).result(() => deadline.check());
}

/** Calls of a trace are counted on each node that has spans of it: only whoever has them all can count them once. */
function noteStrays(source: BlockSource, { first, last }: Minutes): void {
  for (const { day, hours } of source.strayHours) {
    for (const hour of hours) {
      const hourMinute = day * DAY_MINUTES + hour * HOUR_MINUTES;
      if (hourMinute > last || hourMinute + HOUR_MINUTES <= first) continue;
      const when = `${formatDay(day)} ${String(hour).padStart(2, '0')}:00 UTC`;
      source.note(
        `calls in the hour from ${when} may be counted twice, or not: a storage node took spans in place of another`,
      );
    }
  }
}

/** What is stored of each service, day by day, in the days of `source`. */
export function countServices(source: BlockSource, deadline: Deadline): CountedService[] {
  return new CallCount(source, deadline).add(() => new ServiceCounts()).result();
}

/** The roll-ups of a day are damaged. */
class DamagedDay extends Error {
  readonly day: number;

  constructor(day: number, cause?: Error) {
    super(`day ${day} has no roll-ups, or damaged ones`, { cause });
    this.day = day;
  }
}

class CallCount {
  readonly #source: BlockSource;
  readonly #check: () => void;
  /** Days that must be counted from their spans. */
  readonly #damagedDays = new Set<number>();

  constructor(source: BlockSource, deadline: Deadline) {
    this.#source = source;
    this.#check = () => deadline.check();
  }

  /** Adds every day to totals. If damage is found, the totals are discarded with its partial counts. */
  add<T extends CallTotals>(makeTotals: () => T): T {
    for (;;) {
      const totals = makeTotals();
      try {
        for (const day of this.#source.days(this.#check)) this.#addDay(totals, day);
        return totals;
      } catch (error) {
        if (!(error instanceof DamagedDay)) throw error;
        assert(
          !this.#damagedDays.has(error.day),
          `day ${error.day} is counted from its spans and asks for its roll-ups`,
        );
        this.#damagedDays.add(error.day);
      }
    }
  }

  #addDay(totals: CallTotals, { day, parts, logBlocks }: ReturnType<BlockSource['days']>[number]): void {
    if (parts === undefined || this.#damagedDays.has(day)) {
      return this.#addBlocks(totals, this.#source.blocks(day), { parts: [] });
    }
    for (const part of parts) this.#addPart(totals, day, part);
    if (logBlocks.length > 0) this.#addBlocks(totals, logBlocks, { parts, cache: this.#source.calls });
  }

  #addPart(totals: CallTotals, day: number, lent: LentPart): void {
    this.#check();
    try {
      lent.use((part) => {
        // The part was written without roll-ups: nothing is damaged, and counting the day from its spans is exact.
        if (part.metadata.rollupsBytes === 0) throw new DamagedDay(day);
        this.#addRollups(totals, day, part.rollups());
      });
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      this.#source.warn(error.message);
      throw new DamagedDay(day, error);
    }
  }

  #addRollups(totals: CallTotals, day: number, rollups: RollupReader): void {
    for (const frame of rollups.frames) {
      const hourMinute = day * DAY_MINUTES + frame.hour * HOUR_MINUTES;
      if (frame.tenant !== this.#source.tenant || frame.table !== totals.table) continue;
      if (hourMinute > totals.minutes.last || hourMinute + HOUR_MINUTES <= totals.minutes.first) continue;
      this.#check();
      totals.addFrame(rollups.open(frame), hourMinute);
    }
  }

  /** Counts the spans of `blocks` that are not in `parts`; keeps their columns in `cache`. */
  #addBlocks(
    totals: CallTotals,
    blocks: readonly CandidateBlock[],
    { parts, cache }: { parts: readonly LentPart[]; cache?: CallCache },
  ): void {
    const names = cache?.beginQuery();
    const counted = new CountedParts(parts, this.#source.tenant, this.#check);
    const counter = new SpanCounter({
      counted,
      emit: (counts, used) => totals.addCounts(counts, used),
      ...(names === undefined ? {} : { names }),
    });
    for (const block of blocks) {
      this.#check();
      const columns = block.read((reader) => cache?.columns(reader) ?? new CallColumns(reader, counter.names));
      if (columns === undefined) continue;
      counter.add(columns, (used) => {
        this.#check();
        return block.read((reader) => new CallColumns(reader, used));
      });
    }
    counter.finish();
    if (counted.fault !== undefined) this.#source.warn(counted.fault);
  }
}
