// Bounds the series of a slice of roll-ups (one tenant, table and hour) for any number of names. Operations beyond the
// bound count as OTHER_NAMES of their service; of services beyond the bound, as OTHER_NAMES of service OTHER_NAMES. So
// the sum over a listed service, and over all, is the same as without bounds.
import { assert } from '../base/assert.ts';
import { OTHER_NAMES } from '../trace/service-name.ts';
import { HourTotals, type SeriesKey } from './rollup-frame.ts';

export interface SeriesBounds {
  readonly perServiceMax: number;
  readonly perSliceMax: number;
}

/** Per service as many as are listed (index/names.ts); per slice as many as fit in some MB. */
export const SERIES_BOUNDS: SeriesBounds = { perServiceMax: 10_000, perSliceMax: 100_000 };
/** The second half of a service's series keeps only those with this many calls, not names that occur once. */
const COMMON_CALLS_MIN = 16;
/** Kinds that stay separate when series are folded: those of OTLP. */
const KINDS = 6;

const OTHER: Uint8Array = Buffer.from(OTHER_NAMES, 'utf8');

/** Totals by kind of the series beyond a bound. */
class Folded {
  readonly #totals: HourTotals[] = [];
  readonly #isUsed = new Uint8Array(KINDS);

  add(kind: number, hour: HourTotals): void {
    const at = kind >= 0 && kind < KINDS ? kind : 0;
    hour.moveTo((this.#totals[at] ??= new HourTotals()));
    this.#isUsed[at] = 1;
  }

  /** Passes the totals of each used kind to `take`, which empties them. */
  drain(take: (kind: number, hour: HourTotals) => void): void {
    for (let kind = 0; kind < KINDS; kind++) {
      if (this.#isUsed[kind] === 1) take(kind, this.#totals[kind]!);
      this.#isUsed[kind] = 0;
    }
  }
}

/** Receives the series of one slice in order and writes those within bounds; the folded ones follow their service. */
export class BoundedSeries {
  readonly #write: (key: SeriesKey, hour: HourTotals) => void;
  readonly #bounds: SeriesBounds;
  readonly #operations = new Folded();
  readonly #services = new Folded();
  #service: Uint8Array | undefined;
  #ofService = 0;
  #ofSlice = 0;
  #foldedServices = 0;

  constructor(write: (key: SeriesKey, hour: HourTotals) => void, bounds: SeriesBounds = SERIES_BOUNDS) {
    this.#write = write;
    this.#bounds = bounds;
  }

  /** Takes the totals of the next series and empties them. Series come by service. */
  add(key: SeriesKey, hour: HourTotals): void {
    const { first, second, kind } = key;
    if (this.#service === undefined || Buffer.compare(first, this.#service) !== 0) this.#endService();
    this.#service = first;
    if (Buffer.compare(first, OTHER) === 0) this.#services.add(kind, hour);
    else if (Buffer.compare(second, OTHER) === 0 || !this.#fits(hour)) this.#operations.add(kind, hour);
    else {
      this.#ofService++;
      this.#ofSlice++;
      this.#write(key, hour);
    }
  }

  #fits(hour: HourTotals): boolean {
    const { perServiceMax, perSliceMax } = this.#bounds;
    if (this.#ofService >= perServiceMax || this.#ofSlice >= perSliceMax) return false;
    return 2 * this.#ofService < perServiceMax || hour.calls >= COMMON_CALLS_MIN;
  }

  #endService(): void {
    const first = this.#service;
    this.#service = undefined;
    this.#ofService = 0;
    const isKept = this.#foldedServices < this.#bounds.perServiceMax;
    let hasFolded = false;
    this.#operations.drain((kind, hour) => {
      assert(first !== undefined, 'folded calls of no service');
      hasFolded = true;
      if (isKept) this.#write({ first, second: OTHER, kind }, hour);
      else this.#services.add(kind, hour);
    });
    if (hasFolded) this.#foldedServices++;
  }

  /** Writes the folded rest of the slice. */
  endSlice(): void {
    this.#endService();
    this.#services.drain((kind, hour) => this.#write({ first: OTHER, second: OTHER, kind }, hour));
    this.#ofSlice = this.#foldedServices = 0;
  }
}
