// However many series come, few are written, and the sums over a service, and over all, are those of what came.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { HOUR_MINUTES, HourTotals, type SeriesKey } from '../../src/part/rollup-frame.ts';
import { BoundedSeries } from '../../src/part/series-bounds.ts';
import { LATENCY_BUCKETS } from '../../src/trace/latency-buckets.ts';
import { OTHER_NAMES } from '../../src/trace/service-name.ts';
import { ByteWriter } from '../../src/bytes/byte-writer.ts';

interface Series {
  readonly first: string;
  readonly second: string;
  readonly kind: number;
  readonly rows: readonly { minute: number; errors: number; bucket: number; count: number }[];
}

type Sums = Map<string, number>;

function add(sums: Sums, key: string, value: number): void {
  const sum = (sums.get(key) ?? 0) + value;
  if (sum === 0) sums.delete(key);
  else sums.set(key, sum);
}

function addSeries(sums: Sums, { first, rows }: Series): void {
  for (const { minute, errors, bucket, count } of rows) {
    for (const of of [first, 'all services']) {
      add(sums, `${of} ${minute} errors`, errors);
      add(sums, `${of} ${minute} ${bucket}`, count);
    }
  }
}

/** Reads totals by moving them, minute by minute, into an oracle's place. */
class Spy extends HourTotals {
  readonly rows: Series['rows'][number][] = [];

  override addErrors(minute: number, errors: number): void {
    this.rows.push({ minute, errors, bucket: 0, count: 0 });
  }

  override addCount(minute: number, bucket: number, count: number): void {
    this.rows.push({ minute, errors: 0, bucket, count });
  }
}

/** What is written of `series`, which are in order of their services. */
function bounded(series: readonly Series[], bounds: { perServiceMax: number; perSliceMax: number }): Series[] {
  const written: Series[] = [];
  const take = ({ first, second, kind }: SeriesKey, hour: HourTotals): void => {
    const spy = new Spy();
    hour.moveTo(spy);
    expect(hour.write(new ByteWriter())).toBe(0);
    written.push({ first: String(first), second: String(second), kind, rows: spy.rows });
  };
  const target = new BoundedSeries(take, bounds);
  const hour = new HourTotals();
  for (const { first, second, kind, rows } of series) {
    for (const { minute, errors, bucket, count } of rows) {
      hour.addErrors(minute, errors);
      hour.addCount(minute, bucket, count);
    }
    target.add({ first: Buffer.from(first), second: Buffer.from(second), kind }, hour);
  }
  target.endSlice();
  return written;
}

function sumsOf(series: readonly Series[]): Sums {
  const sums: Sums = new Map();
  for (const one of series) addSeries(sums, one);
  return sums;
}

const anySeries: fc.Arbitrary<Series> = fc.record({
  first: fc.constantFrom('a', 'b', 'c', 'd', '\u00e9', '\u65e5', OTHER_NAMES),
  second: fc.oneof(fc.string({ maxLength: 3 }), fc.constant(OTHER_NAMES)),
  kind: fc.integer({ min: -1, max: 8 }),
  rows: fc.array(
    fc.record({
      minute: fc.integer({ min: 0, max: HOUR_MINUTES - 1 }),
      errors: fc.integer({ min: -2, max: 5 }),
      bucket: fc.integer({ min: 0, max: LATENCY_BUCKETS - 1 }),
      count: fc.integer({ min: -2, max: 40 }),
    }),
    { maxLength: 3 },
  ),
});

test('sums stay, and what was bounded once is bounded again to the same', () => {
  fc.assert(
    fc.property(
      fc.array(anySeries, { maxLength: 60 }),
      fc.integer({ min: 1, max: 8 }),
      fc.constantFrom(3, 10, 1_000),
      (unordered, perServiceMax, perSliceMax) => {
        const order = (x: string, y: string): number => Buffer.compare(Buffer.from(x), Buffer.from(y));
        const series = unordered.toSorted((x, y) => order(x.first, y.first) || order(x.second, y.second));
        const bounds = { perServiceMax, perSliceMax };
        const written = bounded(series, bounds);
        const [expected, found] = [sumsOf(series), sumsOf(written)];
        const all = (sums: Sums): Sums => new Map([...sums].filter(([key]) => key.startsWith('all')));
        expect(all(found)).toEqual(all(expected));
        // Where no service had to be folded, each has its own sums.
        const services = new Set(series.map(({ first }) => first));
        if (services.size <= perServiceMax) expect(new Map(found)).toEqual(expected);
        for (const service of services) {
          const own = written.filter(({ first, second }) => first === service && second !== OTHER_NAMES);
          expect(own.length).toBeLessThanOrEqual(perServiceMax);
        }
        expect(written.length).toBeLessThanOrEqual(perSliceMax + 6 * (perServiceMax + 1));
        expect(all(sumsOf(bounded(written, bounds)))).toEqual(all(expected));
      },
    ),
    { numRuns: 300 },
  );
});

test('of the second half of what fits, the series with many calls are kept', () => {
  const series = Array.from({ length: 1_000 }, (_, i) => ({
    first: 'a',
    second: `GET /user/${String(i).padStart(5, '0')}`,
    kind: 2,
    rows: [{ minute: 0, errors: 0, bucket: 1, count: i === 900 ? 16 : 1 }],
  }));
  const written = bounded(series, { perServiceMax: 10, perSliceMax: 1_000 });
  expect(written.map(({ second }) => second)).toEqual([
    ...[0, 1, 2, 3, 4].map((i) => `GET /user/0000${i}`),
    'GET /user/00900',
    OTHER_NAMES,
  ]);
});
