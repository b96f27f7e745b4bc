// Calls between services, counted once each, wherever caller and callee lie.
import { describe, expect, test } from 'vitest';
import { idOf, NOON_NS, requestOf, span } from '../block/scanned.ts';
import type { OtlpRequest, OtlpSpan } from '../support/otlp-proto.ts';
import { MadeStore } from './made-store.ts';

type Calls = Record<string, number>;

function callsOf(store: MadeStore, startNs = 0n, endNs = 2n ** 63n): Calls {
  const result = store.run({ kind: 'dependencies', startNs, endNs });
  if (result.kind !== 'dependencies') throw new Error(result.kind);
  return Object.fromEntries(
    result.dependencies.map(({ parent, child, callCount }) => [`${parent} > ${child}`, callCount]),
  );
}

const child = (id: number, parent: number, more: OtlpSpan & { trace?: number } = {}): OtlpSpan =>
  span(id, { parentSpanId: idOf(parent, 8), ...more });

/** Calls of these spans, each given with its service, in one block. */
function inOneBlock(...spans: readonly (readonly [service: string, span: OtlpSpan])[]): Calls {
  using store = new MadeStore();
  const request: OtlpRequest = {
    resourceSpans: spans.flatMap(([service, one]) => requestOf([one], service).resourceSpans!),
  };
  store.addPart([request]);
  return callsOf(store);
}

describe('a call is a child span whose parent is in its trace, in another service', () => {
  test.each<[string, [string, OtlpSpan][], Calls]>([
    [
      'one',
      [
        ['a', span(1)],
        ['b', child(2, 1)],
      ],
      { 'a > b': 1 },
    ],
    [
      'two, and on',
      [
        ['a', span(1)],
        ['b', child(2, 1)],
        ['b', child(3, 1)],
        ['c', child(4, 3)],
      ],
      { 'a > b': 2, 'b > c': 1 },
    ],
    [
      'inside a service: none',
      [
        ['a', span(1)],
        ['a', child(2, 1)],
      ],
      {},
    ],
    ['to itself: none', [['a', child(1, 1)]], {}],
    [
      'the parent is not there: none',
      [
        ['a', span(1)],
        ['b', child(2, 9)],
      ],
      {},
    ],
    [
      'the parent is in another trace: none',
      [
        ['a', span(1)],
        ['b', child(2, 1, { trace: 2 })],
      ],
      {},
    ],
    [
      'a missing service has its name',
      [
        ['', span(1)],
        ['b', child(2, 1)],
      ],
      { 'empty-service-name > b': 1 },
    ],
    [
      'each other',
      [
        ['a', child(1, 2)],
        ['b', child(2, 1)],
      ],
      { 'a > b': 1, 'b > a': 1 },
    ],
  ])('%s', (_, spans, expected) => {
    expect(inOneBlock(...spans)).toEqual(expected);
  });

  test('links are sorted by parent, then child, by their bytes', () => {
    const spans = ['b', 'a', 'é', 'B'].flatMap((service, i): [string, OtlpSpan][] => [
      [service, span(10 + i, { trace: i + 1 })],
      ['z', child(20 + i, 10 + i, { trace: i + 1 })],
      ['y', child(30 + i, 10 + i, { trace: i + 1 })],
    ]);
    expect(Object.keys(inOneBlock(...spans))).toEqual(
      ['B', 'a', 'b', 'é'].flatMap((parent) => [`${parent} > y`, `${parent} > z`]),
    );
  });
});

describe('wherever they lie', () => {
  const dayLater = { startTimeUnixNano: NOON_NS + 86_400_000_000_000n };

  test('in two parts, a log and another day', () => {
    using store = new MadeStore();
    store.addPart([requestOf([span(1)], 'a')]);
    store.addPart([requestOf([child(2, 1)], 'b'), requestOf([child(5, 4, { trace: 2 })], 'b')]);
    store.addLog([requestOf([child(3, 2)], 'c'), requestOf([span(4, { trace: 2 })], 'a')]);
    store.addPart([requestOf([child(6, 3, dayLater)], 'd')]);
    expect(callsOf(store)).toEqual({ 'a > b': 2, 'b > c': 1, 'c > d': 1 });
  });

  test('a span stored twice, or in two versions of the same times, counts once', () => {
    using store = new MadeStore();
    const versions = [child(2, 1), child(2, 1), child(2, 1, { name: 'other version' })];
    store.addPart([requestOf([span(1)], 'a'), requestOf(versions.slice(0, 1), 'b')]);
    store.addLog([requestOf(versions, 'b')]);
    expect(callsOf(store)).toEqual({ 'a > b': 1 });
  });

  test('one id in two services: the caller is the one of the smaller name, in one block or two', () => {
    using store = new MadeStore();
    store.addPart([requestOf([span(1)], 'y'), requestOf([span(1)], 'x')]);
    store.addLog([requestOf([child(2, 1)], 'b')]);
    expect(callsOf(store)).toEqual({ 'x > b': 1 });
    expect(inOneBlock(['y', span(1)], ['x', span(1)], ['b', child(2, 1)])).toEqual({ 'x > b': 1 });
  });
});

test('the window is of the child span, both ends inclusive; its parent may lie outside', () => {
  using store = new MadeStore();
  const late = { startTimeUnixNano: NOON_NS + 10n };
  store.addPart([requestOf([span(1)], 'a'), requestOf([child(2, 1, late)], 'b')]);
  store.addPart([requestOf([span(3, { trace: 2 })], 'a')]);
  store.addLog([requestOf([child(4, 3, { trace: 2, ...late })], 'c')]);
  const both = { 'a > b': 1, 'a > c': 1 };
  expect(callsOf(store, NOON_NS + 10n, NOON_NS + 10n)).toEqual(both);
  expect(callsOf(store, NOON_NS + 5n, NOON_NS + 100n)).toEqual(both);
  expect(callsOf(store, NOON_NS + 11n, NOON_NS + 100n)).toEqual({});
  expect(callsOf(store, 0n, NOON_NS + 9n)).toEqual({});
});
