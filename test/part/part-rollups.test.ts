// The roll-ups of a part: what is written is read, sums of files are sums of what they hold, counting in groups and over
// parts comes to the same, and damage is CORRUPTION.
import fc from 'fast-check';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { BlockReader } from '../../src/block/block-reader.ts';
import { CallColumns } from '../../src/block/call-columns.ts';
import { CallCounts, CallNames } from '../../src/block/call-counts.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { SpanCounter } from '../../src/part/count-spans.ts';
import { mergeRollups } from '../../src/part/merge-rollups.ts';
import { newIdentity } from '../../src/part/identity.ts';
import { hasRollups } from '../../src/part/part-rollups.ts';
import { HOUR_MINUTES, type FrameReader } from '../../src/part/rollup-frame.ts';
import { openRollups, type RollupFrame, type RollupReader } from '../../src/part/rollup-reader.ts';
import { RollupWriter, TABLE_CALLS } from '../../src/part/rollup-writer.ts';
import { LATENCY_BUCKETS } from '../../src/trace/latency-buckets.ts';
import { DEFAULT_TENANT, parseTenant, type Tenant } from '../../src/trace/tenant.ts';
import { batchOf, blockOf, idOf, requestOf, span } from '../block/scanned.ts';
import { TemporaryFolder } from '../storage/open-store.ts';

const OTHER = parseTenant('1', '2');
/** A midnight, minutes since the epoch. */
const MIDNIGHT = 20_777 * 1440;

/** Totals by "tenant table first|second|kind minute", and of calls by bucket too. */
type Totals = Map<string, number>;

function addTo(totals: Totals, key: string, value: number): void {
  const sum = (totals.get(key) ?? 0) + value;
  if (sum === 0) totals.delete(key);
  else totals.set(key, sum);
}

function totalsOf(...readers: readonly RollupReader[]): Totals {
  const totals: Totals = new Map();
  for (const reader of readers) for (const frame of reader.frames) addFrame(totals, frame, reader.open(frame));
  return totals;
}

function addFrame(totals: Totals, frame: RollupFrame, rows: FrameReader): void {
  while (rows.nextSeries()) {
    const [first, second] = [rows.first, rows.second].map((name) => Buffer.from(name).toString());
    while (rows.nextRow()) {
      const minute = frame.hour * HOUR_MINUTES + rows.minute;
      const key = `${frame.tenant} ${frame.table} ${first}|${second}|${rows.kind} ${minute}`;
      addTo(totals, `${key} calls`, rows.calls);
      addTo(totals, `${key} errors`, rows.errors);
      const buckets = frame.table === TABLE_CALLS ? rows.buckets.subarray(0, rows.bucketCount) : [];
      buckets.forEach((bucket, i) => addTo(totals, `${key} ${bucket}`, rows.counts[i]!));
    }
  }
}

const anyName = fc.constantFrom('', 'a', 'ab', 'abc', 'b', 'žluť', 'x'.repeat(300));
const anyCount = fc.oneof(fc.integer({ min: -3, max: 3 }), fc.integer({ min: -(2 ** 40), max: 2 ** 40 }));
const anyRow = fc.record({
  isEdge: fc.boolean(),
  first: anyName,
  second: anyName,
  kind: fc.integer({ min: 0, max: 5 }),
  minute: fc.integer({ min: 0, max: 1439 }),
  errors: anyCount,
  counts: fc.array(fc.tuple(fc.integer({ min: 0, max: LATENCY_BUCKETS - 1 }), anyCount), { maxLength: 5 }),
});
type AnyRow = Parameters<Parameters<typeof anyRow.map>[0]>[0];

/** Writes the rows of each tenant and run; adds them to `expected`. */
function writeRollups(
  path: string,
  runs: readonly { tenant: Tenant; rows: readonly AnyRow[] }[],
  expected: Totals,
): void {
  const writer = new RollupWriter(nodeDisk, join(path, 'rollups'), newIdentity());
  for (const { tenant, rows } of runs) {
    const names = new CallNames();
    const counts = new CallCounts();
    for (const row of rows) addRow(counts, names, row, (key, value) => addTo(expected, `${tenant} ${key}`, value));
    writer.addCounts(tenant, counts, names);
  }
  expect(writer.finish()).toBe(nodeDisk.stat(join(path, 'rollups'))!.sizeBytes);
}

function addRow(counts: CallCounts, names: CallNames, row: AnyRow, add: (key: string, value: number) => void): void {
  const [first, second] = [row.first, row.second].map((name) => Buffer.from(name)) as [Buffer, Buffer];
  const minute = MIDNIGHT + row.minute;
  const calls = row.counts.reduce((sum, [, count]) => sum + count, 0);
  const service = names.services.intern(first, 0, first.length);
  const key = `${Number(row.isEdge)} ${row.first}|${row.second}|${row.isEdge ? 0 : row.kind} ${row.minute}`;
  add(`${key} calls`, calls);
  add(`${key} errors`, row.errors);
  if (row.isEdge) {
    const callee = names.services.intern(second, 0, second.length);
    return counts.addEdge(names.edgeOf(service, callee), minute, calls, row.errors);
  }
  const operation = names.operations.intern(second, 0, second.length);
  const slot = counts.addCalls(names.seriesOf(service, operation, row.kind), minute, calls, row.errors);
  for (const [bucket, count] of row.counts) {
    counts.addBucket(slot, bucket, count);
    add(`${key} ${bucket}`, count);
  }
}

const anyRun = fc.record({ tenant: fc.constantFrom(DEFAULT_TENANT, OTHER), rows: fc.array(anyRow, { maxLength: 30 }) });

describe('a file of roll-ups', () => {
  test('holds what was added, whatever its order, and merged files hold the sum', { timeout: 30_000 }, () => {
    fc.assert(
      fc.property(fc.array(fc.array(anyRun, { maxLength: 4 }), { minLength: 1, maxLength: 4 }), (files) => {
        using folder = new TemporaryFolder();
        const expected: Totals = new Map();
        const readers = files.map((runs, i) => {
          const path = join(folder.path, String(i));
          nodeDisk.makeDir(path);
          writeRollups(path, runs, expected);
          return openRollups(nodeDisk, path);
        });
        expect(totalsOf(...readers)).toEqual(expected);
        const output = new RollupWriter(nodeDisk, join(folder.path, 'rollups'), newIdentity());
        mergeRollups(readers, output);
        output.finish();
        const merged = openRollups(nodeDisk, folder.path);
        expect(totalsOf(merged)).toEqual(expected);
        // One run, in order: the next merge reads it as such.
        const slices = merged.frames.map(
          ({ tenant, table, hour }) => `${tenant} ${table} ${String(hour).padStart(2, '0')}`,
        );
        expect(slices).toEqual(slices.toSorted());
        expect(new Set(merged.frames.map(({ run }) => run)).size).toBeLessThan(2);
        for (const reader of [...readers, merged]) reader.close();
      }),
      { numRuns: 30 },
    );
  });

  test('of very many series has frames of a bounded size', () => {
    using folder = new TemporaryFolder();
    const rows = Array.from({ length: 20_000 }, (_, i): AnyRow => {
      const counts: [number, number][] = [[i % 400, 1]];
      return {
        isEdge: false,
        first: `service ${i % 5}`,
        second: `GET /users/${i * 7919}`,
        kind: 2,
        minute: i % 60,
        errors: 0,
        counts,
      };
    });
    const expected: Totals = new Map();
    writeRollups(folder.path, [{ tenant: DEFAULT_TENANT, rows }], expected);
    const reader = openRollups(nodeDisk, folder.path);
    expect(reader.frames.length).toBeGreaterThan(3);
    expect(Math.max(...reader.frames.map(({ rawBytes }) => rawBytes))).toBeLessThan(70 << 10);
    expect(totalsOf(reader)).toEqual(expected);
    reader.close();
  });

  test('a flipped bit anywhere in it is CORRUPTION or a newer format, and seen before it is used', () => {
    using folder = new TemporaryFolder();
    const rows = fc.sample(anyRow, { numRuns: 30, seed: 5 });
    writeRollups(folder.path, [{ tenant: DEFAULT_TENANT, rows }], new Map());
    expect(hasRollups(nodeDisk, folder.path)).toBe(true);
    const path = join(folder.path, 'rollups');
    const intact = readFileSync(path);
    for (let at = 0; at < intact.length; at += at < 100 || at > intact.length - 100 ? 1 : 7) {
      const bytes = Buffer.from(intact);
      bytes[at]! ^= 1 << (at % 8);
      writeFileSync(path, bytes);
      expect(hasRollups(nodeDisk, folder.path), `byte ${at}`).toBe(false);
    }
    expect(hasRollups(nodeDisk, join(folder.path, 'nowhere'))).toBe(false);
  });
});

test('spans counted in groups, one after the other, come to the same as all at once', { timeout: 30_000 }, () => {
  const anySpan = fc.record({
    trace: fc.integer({ min: 1, max: 3 }),
    id: fc.integer({ min: 1, max: 5 }),
    parent: fc.integer({ min: 1, max: 5 }),
    service: fc.constantFrom('a', 'b', 'c'),
  });
  fc.assert(
    fc.property(
      fc.array(fc.array(anySpan, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 6 }),
      (blocks) => {
        const encoded = blocks.map((spans) =>
          blockOf(
            batchOf(
              ...spans.map(({ trace, id, parent, service }) =>
                requestOf([span(id, { trace, parentSpanId: idOf(parent, 8) })], service),
              ),
            ),
          ),
        );
        const count = (groupRowsMax: number): Totals => {
          using folder = new TemporaryFolder();
          const writer = new RollupWriter(nodeDisk, join(folder.path, 'rollups'), newIdentity());
          const emit = (counts: CallCounts, names: CallNames): void => writer.addCounts(DEFAULT_TENANT, counts, names);
          const counter = new SpanCounter({ counted: undefined, emit, groupRowsMax });
          for (const bytes of encoded) {
            const read = (names: CallNames): CallColumns => new CallColumns(new BlockReader(bytes), names);
            counter.add(read(counter.names), read);
          }
          counter.finish();
          writer.finish();
          const reader = openRollups(nodeDisk, folder.path);
          try {
            return totalsOf(reader);
          } finally {
            reader.close();
          }
        };
        const atOnce = count(1000);
        expect(atOnce.size).toBeGreaterThan(0);
        expect(count(1)).toEqual(atOnce);
        expect(count(5)).toEqual(atOnce);
      },
    ),
    { numRuns: 30 },
  );
});
