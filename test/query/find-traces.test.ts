// A trace is whole, wherever its spans lie; the bytes depend on the set of spans alone.
import { describe, expect, test } from 'vitest';
import { BlockSource } from '../../src/query/block-source.ts';
import { Deadline } from '../../src/query/deadline.ts';
import { findTraces } from '../../src/query/find-traces.ts';
import { DEFAULT_TENANT, parseTenant } from '../../src/trace/tenant.ts';
import { idOf, NOON_NS, requestOf, span } from '../block/scanned.ts';
import type { OtlpSpan } from '../support/otlp-proto.ts';
import { MadeStore } from './made-store.ts';

const trace = (n: number): Uint8Array => idOf(n, 16);
const dayLater = { startTimeUnixNano: NOON_NS + 86_400_000_000_000n };
const hourLater = { startTimeUnixNano: NOON_NS + 3_600_000_000_000n };

test('its pieces come from every part, log and day, in time order', () => {
  using store = new MadeStore();
  store.addPart([requestOf([span(3, dayLater)])]);
  store.addPart([requestOf([span(1), span(9, { trace: 2 })]), requestOf([span(4, { trace: 3 })])]);
  store.addLog([requestOf([span(2, hourLater)])]);
  expect(store.find([trace(1)])).toEqual([{ trace: 1, spans: [1, 2, 3] }]);
});

test('traces come in the order asked; unknown ones are left out; asked twice, answered twice', () => {
  using store = new MadeStore();
  store.addPart([requestOf([span(1), span(2, { trace: 2 }), span(3, { trace: 3 })])]);
  expect(store.find([3, 7, 1, 3].map(trace)).map((found) => found.trace)).toEqual([3, 1, 3]);
  expect(store.find([trace(7)])).toEqual([]);
  expect(store.find([])).toEqual([]);
});

test('more traces than are assembled at a time', () => {
  using store = new MadeStore();
  const spans = Array.from({ length: 200 }, (_, i) => span(i + 1, { trace: i + 1 }));
  store.addPart([requestOf(spans.slice(0, 150)), requestOf(spans.slice(150))]);
  const asked = spans.map((_, i) => 200 - i);
  expect(store.find(asked.map(trace)).map((found) => found.trace)).toEqual(asked);
});

test('a trace id shares its first bytes with others, and only it is found', () => {
  using store = new MadeStore();
  const like = (last: number): Uint8Array => Uint8Array.from([...new Uint8Array(15).fill(1), last]);
  const spans: OtlpSpan[] = [1, 2, 3].map((n) => ({ ...span(n), traceId: like(n) }));
  store.addPart([requestOf(spans)]);
  store.addLog([requestOf(spans)]);
  expect(store.find([like(2)])).toEqual([{ trace: 2, spans: [2] }]);
});

test.each([
  ['one trace after the other', [1, 2, 3]],
  ['pieces of one', [1, 1, 1]],
])('an answer larger than its bound is refused while it is put together: %s', (_, numbers) => {
  using store = new MadeStore();
  numbers.forEach((n, i) => store.addPart([requestOf([span(i + 1, { trace: n })])]));
  const ids = [...new Set(numbers)].map(trace);
  const find = (bytesMax: number): number => {
    using source = new BlockSource(store.cache, store.view, DEFAULT_TENANT);
    return findTraces(source, ids, new Deadline(60_000), bytesMax).reduce((sum, { otlp }) => sum + otlp.length, 0);
  };
  const bytes = find(Infinity);
  expect(find(bytes + 3 * 64)).toBe(bytes);
  expect(() => find(bytes - 1)).toThrow(expect.objectContaining({ code: 'LIMIT_EXCEEDED' }));
});

describe('duplicates', () => {
  test('are one span, wherever the copies lie', () => {
    using store = new MadeStore();
    store.addPart([requestOf([span(1), span(2)])]);
    store.addPart([requestOf([span(2)])]);
    store.addLog([requestOf([span(1)]), requestOf([span(1)])]);
    expect(store.find([trace(1)])).toEqual([{ trace: 1, spans: [1, 2] }]);
  });

  test('different spans under one id are both kept', () => {
    using store = new MadeStore();
    store.addPart([requestOf([span(1)])]);
    store.addLog([requestOf([span(1, { name: 'other' })])]);
    expect(store.find([trace(1)])).toEqual([{ trace: 1, spans: [1, 1] }]);
  });
});

test('of another tenant nothing is shown', () => {
  using store = new MadeStore();
  const stranger = parseTenant('1', '1');
  store.addPart([requestOf([span(1)])]);
  store.addPart([requestOf([span(2)])], stranger);
  store.addLog([requestOf([span(3)])], stranger);
  expect(store.find([trace(1)])).toEqual([{ trace: 1, spans: [1] }]);
});

test('the same spans give the same bytes, in one block or in many', () => {
  const spans = Array.from({ length: 60 }, (_, i) =>
    span(i + 1, { startTimeUnixNano: NOON_NS + BigInt((i * 37) % 11) }),
  );
  const bytesOf = (fill: (store: MadeStore) => void): Uint8Array => {
    using store = new MadeStore();
    fill(store);
    const result = store.run({ kind: 'find', traceIds: [trace(1)] });
    return result.kind === 'traces' ? result.traces[0]!.otlp : new Uint8Array(0);
  };
  const whole = bytesOf((store) => store.addPart([requestOf(spans)]));
  const scattered = bytesOf((store) => {
    for (let from = 0; from < 60; from += 7) store.addLog([requestOf(spans.slice(from, from + 7).toReversed())]);
    store.addPart([requestOf(spans.slice(3, 20))]);
  });
  expect(whole.length).toBeGreaterThan(1000);
  expect(Buffer.compare(whole, scattered)).toBe(0);
});
