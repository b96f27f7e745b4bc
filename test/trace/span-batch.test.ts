// The columns grow, truncate and clear together: a batch never holds half a row.
import { describe, expect, test } from 'vitest';
import { ChildRows, rowsByDay, SpanBatch, ValueList } from '../../src/trace/span-batch.ts';

/** Row n with n % 3 values, n % 2 events of one value each, and a link for every fifth. */
function addRow(batch: SpanBatch, n: number, day = 20_000): void {
  const row = batch.beginRow();
  batch.traceId[4 * row] = batch.spanId[2 * row] = n + 1;
  batch.day[row] = day;
  batch.start[row] = n;
  batch.duration[row] = -n;
  batch.template[row] = n;
  for (let i = 0; i < n % 3; i++) batch.values.push(n, i);
  if (n % 2 === 1) {
    const before = batch.events.values.count;
    batch.events.values.push(n, 7);
    batch.events.push(n, -n, before);
  }
  if (n % 5 === 0) {
    const at = batch.reserveLink();
    batch.linkIds[at + 5] = n;
    batch.links.push(n, 0, batch.links.values.count);
  }
  batch.commitRow();
}

function readRow(batch: SpanBatch, row: number): unknown {
  const range = (from: Uint32Array): [number, number] => [from[row]!, from[row + 1]!];
  const [event] = range(batch.eventStart);
  return {
    ids: [batch.traceId[4 * row], batch.spanId[2 * row]],
    columns: [batch.day[row], batch.start[row], batch.duration[row], batch.template[row]],
    values: Array.from(batch.values.a.subarray(...range(batch.valueStart))),
    events: range(batch.eventStart)[1] - event === 0 ? [] : [batch.events.template[event], batch.events.time[event]],
    eventValues: Array.from(
      batch.events.values.a.subarray(
        batch.events.valueStart[event],
        batch.events.valueStart[batch.eventStart[row + 1]!],
      ),
    ),
    links: Array.from({ length: range(batch.linkStart)[1] - range(batch.linkStart)[0] }, (_, i) => {
      return batch.linkIds[6 * (range(batch.linkStart)[0] + i) + 5];
    }),
  };
}

function expected(n: number): unknown {
  return {
    ids: [n + 1, n + 1],
    columns: [20_000, n, -n, n],
    values: Array.from({ length: n % 3 }, () => n),
    events: n % 2 === 1 ? [n, -n] : [],
    eventValues: n % 2 === 1 ? [n] : [],
    links: n % 5 === 0 ? [n] : [],
  };
}

test('rows keep their values, events and links through every growth', () => {
  const batch = new SpanBatch();
  for (let n = 0; n < 5000; n++) addRow(batch, n);
  for (let n = 0; n < 5000; n++) expect(readRow(batch, n)).toEqual(expected(n));
});

test('room reserved for many rows is room for their columns', () => {
  const batch = new SpanBatch();
  addRow(batch, 0);
  batch.reserveRows(10_000);
  const { template } = batch;
  for (let n = 1; n <= 10_000; n++) addRow(batch, n);
  expect(batch.template).toBe(template);
  expect(readRow(batch, 10_000)).toEqual(expected(10_000));
});

describe('truncate', () => {
  test('drops whole rows, and one being filled', () => {
    const batch = new SpanBatch();
    for (let n = 0; n < 20; n++) addRow(batch, n);
    batch.beginRow();
    batch.values.push(1, 1);
    batch.events.push(1, 1, batch.events.values.count);
    batch.links.push(1, 0, batch.links.values.count);
    batch.truncate(15);
    for (let n = 15; n < 30; n++) addRow(batch, n);
    expect(batch.rowCount).toBe(30);
    for (let n = 0; n < 30; n++) expect(readRow(batch, n)).toEqual(expected(n));
  });

  test('to nothing leaves an empty batch', () => {
    const batch = new SpanBatch();
    for (let n = 0; n < 20; n++) addRow(batch, n);
    batch.truncate(0);
    expect([
      batch.rowCount,
      batch.values.count,
      batch.events.count,
      batch.events.values.count,
      batch.links.count,
    ]).toEqual([0, 0, 0, 0, 0]);
  });
});

describe('the arena', () => {
  test('holds what was appended at the offsets returned, through growth', () => {
    const batch = new SpanBatch();
    const source = Uint8Array.from({ length: 1000 }, (_, i) => i);
    const places = Array.from({ length: 300 }, (_, i) => ({ i, at: batch.appendArena(source, i, 1000 - i) }));
    places.push({ i: 0, at: batch.appendArena(source) });
    for (const { i, at } of places) {
      expect(Buffer.compare(batch.arena.subarray(at, at + 1000 - 2 * i), source.subarray(i, 1000 - i))).toBe(0);
    }
    expect(batch.arenaBytes).toBe(batch.arenaLength);
  });

  test('an older array still holds what lay there: the scan goes on reading it', () => {
    const batch = new SpanBatch();
    const at = batch.appendArena(Buffer.from('request'));
    const { arena } = batch;
    batch.appendArena(new Uint8Array(1 << 20));
    expect(batch.arena).not.toBe(arena);
    expect(Buffer.from(arena.subarray(at, at + 7)).toString()).toBe('request');
  });
});

test('clearRows keeps interned entries, clear forgets them and says so by the generation', () => {
  const batch = new SpanBatch();
  addRow(batch, 1);
  batch.appendArena(Uint8Array.of(1));
  const name = Buffer.from('name');
  batch.strings.intern(name, 0, 4);
  batch.spanTemplates.intern(Int32Array.of(1, 2), 2);
  batch.clearRows();
  expect([batch.rowCount, batch.arenaLength, batch.strings.count, batch.generation]).toEqual([0, 0, 1, 0]);
  expect(batch.dictionaryBytes).toBe(4 + 16 + 8 + 16);
  batch.clear();
  expect([batch.strings.count, batch.spanTemplates.count, batch.generation, batch.dictionaryBytes]).toEqual([
    0, 0, 1, 0,
  ]);
});

describe('rowsByDay', () => {
  test('gives each day its rows in row order', () => {
    const batch = new SpanBatch();
    [5, 5, 4, 5, -1, 4].forEach((day, n) => addRow(batch, n, day));
    const days = [...rowsByDay(batch)].map(([day, rows]) => [day, Array.from(rows)]);
    expect(days).toEqual([
      [5, [0, 1, 3]],
      [4, [2, 5]],
      [-1, [4]],
    ]);
  });

  test('of an empty batch is empty', () => {
    expect(rowsByDay(new SpanBatch()).size).toBe(0);
  });
});

test('a value list grows by one value or by many', () => {
  const list = new ValueList();
  for (let i = 0; i < 3000; i++) list.push(i, -i);
  list.reserve(100_000);
  expect(list.a.length).toBeGreaterThanOrEqual(103_000);
  expect([list.count, list.a[2999], list.b[2999]]).toEqual([3000, 2999, 2 ** 32 - 2999]);
});

test('child rows know where their values begin and end', () => {
  const rows = new ChildRows();
  for (let i = 0; i < 1000; i++) {
    const before = rows.values.count;
    for (let value = 0; value < i % 3; value++) rows.values.push(i, value);
    rows.push(i, i / 2, before);
  }
  rows.truncate(700);
  expect(rows.values.count).toBe(rows.valueStart[700]);
  for (let i = 0; i < 700; i++) {
    expect(Array.from(rows.values.a.subarray(rows.valueStart[i], rows.valueStart[i + 1]))).toEqual(
      Array.from({ length: i % 3 }, () => i),
    );
  }
});
