// The newest matching traces, exactly, wherever their spans lie.
import { describe, expect, test } from 'vitest';
import { attribute, NOON_NS, requestOf, span } from '../block/scanned.ts';
import type { OtlpSpan } from '../support/otlp-proto.ts';
import { parseTenant } from '../../src/trace/tenant.ts';
import { createRandom, printedSeed } from '../support/random-request.ts';
import { MadeStore } from './made-store.ts';

const DAY_NS = 86_400_000_000_000n;

/** A span of trace `trace` that starts `ms` after noon (before it when negative). */
const at = (trace: number, ms: number, more: OtlpSpan = {}): OtlpSpan =>
  span(trace, { trace, startTimeUnixNano: NOON_NS + BigInt(Math.round(ms * 1_000_000)), ...more });

describe('newest first', () => {
  test('over parts, logs and days, and no more than asked for', () => {
    using store = new MadeStore();
    store.addPart([requestOf([at(1, 10), at(4, 40)]), requestOf([at(2, 20)])]);
    store.addPart([requestOf([at(3, 30)])]);
    store.addLog([requestOf([at(5, 50), at(6, 15)])]);
    store.addPart([requestOf([at(7, -86_400_000), at(8, 86_400_000)])]);
    expect(store.search({})).toEqual([8, 5, 4, 3, 2, 6, 1, 7]);
    for (let limit = 1; limit <= 8; limit++)
      expect(store.search({ limit })).toEqual([8, 5, 4, 3, 2, 6, 1, 7].slice(0, limit));
  });

  test('by the latest matching span of a trace, not the latest of its spans', () => {
    using store = new MadeStore();
    const match = { name: 'wanted' };
    store.addPart([requestOf([at(1, 10, match), at(1, 99), at(2, 20, match)])]);
    store.addLog([requestOf([at(3, 5, match)]), requestOf([at(3, 30, match)])]);
    expect(store.search({ operation: 'wanted' })).toEqual([3, 2, 1]);
    expect(store.search({ operation: 'wanted', limit: 1 })).toEqual([3]);
  });

  test('of equal starts the smaller trace id, also where it lies in a block read later', () => {
    using store = new MadeStore();
    store.addPart([requestOf([at(9, 10), at(8, 1)])]);
    store.addPart([requestOf([at(4, 10)])]);
    store.addLog([requestOf([at(6, 10)])]);
    expect(store.search({})).toEqual([4, 6, 9, 8]);
    expect(store.search({ limit: 2 })).toEqual([4, 6]);
  });

  test('a trace that was outdone comes back by a later span', () => {
    using store = new MadeStore();
    // The first block in reading order (latest end) holds 1, 2 and 3; 3 is cut off by the limit and wins in the next.
    store.addPart([requestOf([at(1, 100), at(2, 90), at(3, 1)])]);
    store.addPart([requestOf([at(3, 95), at(4, 2)])]);
    expect(store.search({ limit: 2 })).toEqual([1, 3]);
  });
});

describe('the window of starts is inclusive, over midnight too', () => {
  const midnight = (NOON_NS / DAY_NS + 1n) * DAY_NS;
  const startsAt = (trace: number, startTimeUnixNano: bigint): OtlpSpan => span(trace, { trace, startTimeUnixNano });
  test.each<[bigint, bigint, number[]]>([
    [0n, 2n ** 63n, [3, 2, 1]],
    [midnight - 1n, midnight + 1n, [3, 2, 1]],
    [midnight, midnight + 1n, [3, 2]],
    [midnight - 1n, midnight, [2, 1]],
    [midnight, midnight, [2]],
    [midnight + 2n, 2n ** 63n, []],
    [0n, midnight - 2n, []],
    [midnight + 1n, midnight - 1n, []],
  ])('from %s to %s', (startMinNs, startMaxNs, expected) => {
    using store = new MadeStore();
    store.addPart([requestOf([startsAt(1, midnight - 1n), startsAt(2, midnight)])]);
    store.addLog([requestOf([startsAt(3, midnight + 1n)])]);
    expect(store.search({ startMinNs, startMaxNs })).toEqual(expected);
  });
});

test('durations are inclusive, and blocks are left out only when no span of theirs can be meant', () => {
  using store = new MadeStore();
  const lasting = (trace: number, ns: bigint): OtlpSpan =>
    at(trace, trace, { endTimeUnixNano: NOON_NS + BigInt(trace) * 1_000_000n + ns });
  store.addPart([requestOf([lasting(1, 10n)]), requestOf([lasting(2, 20n), lasting(3, 0n)])]);
  store.addLog([requestOf([lasting(4, 15n)])]);
  expect(store.search({ durationMinNs: 15n })).toEqual([4, 2]);
  expect(store.search({ durationMaxNs: 10n })).toEqual([3, 1]);
  expect(store.search({ durationMinNs: 10n, durationMaxNs: 15n })).toEqual([4, 1]);
  expect(store.search({ durationMinNs: 21n })).toEqual([]);
});

test('another tenant sees nothing of it', () => {
  using store = new MadeStore();
  store.addPart([requestOf([at(1, 1)])]);
  store.addPart([requestOf([at(2, 2)])], parseTenant('7', '0'));
  expect(store.search({})).toEqual([1]);
  expect(store.search({}, parseTenant('7', '0'))).toEqual([2]);
  expect(store.search({}, parseTenant('0', '7'))).toEqual([]);
});

test('an empty store has no traces', () => {
  using store = new MadeStore();
  expect(store.search({})).toEqual([]);
});

test('the same answer wherever the spans lie', { timeout: 30_000 }, () => {
  const random = createRandom(printedSeed('search'));
  for (let round = 0; round < 15; round++) {
    const spans = Array.from({ length: 40 }, (_, i) => {
      const trace = 1 + Math.floor(random() * 12);
      const ms = Math.floor(random() * 20) + (random() < 0.3 ? -86_400_000 : 0);
      return {
        ...at(trace, ms, { attributes: [attribute('k', `v${Math.floor(random() * 3)}`)] }),
        spanId: new Uint8Array(8).fill(i + 1),
      };
    });
    const limit = 1 + Math.floor(random() * 12);
    const query = { limit, tags: random() < 0.7 ? [{ key: 'k', value: 'v1' }] : [] };
    using whole = new MadeStore();
    whole.addPart([requestOf(spans)]);
    using scattered = new MadeStore();
    const pieces = Array.from({ length: 6 }, (_, piece) => requestOf(spans.filter((__, i) => i % 6 === piece)));
    scattered.addPart(pieces.slice(0, 2));
    scattered.addPart(pieces.slice(2, 4));
    scattered.addLog(pieces.slice(4));
    expect(scattered.search(query)).toEqual(whole.search(query));
  }
});
