// What is stored of each service, day by day: from parts and from the log, once each.
import { expect, test } from 'vitest';
import type { CountedService } from '../../src/trace/inventory.ts';
import { parseTenant } from '../../src/trace/tenant.ts';
import { NOON_NS, requestOf, span } from '../block/scanned.ts';
import { MadeStore } from './made-store.ts';

const MINUTE_NS = 60_000_000_000n;
const DAY_NS = 1_440n * MINUTE_NS;
const noonMs = Number(NOON_NS / 1_000_000n);
const dayOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10).replaceAll('-', '');

function countsOf(store: MadeStore): readonly CountedService[] {
  const result = store.run({ kind: 'services' });
  if (result.kind !== 'services') throw new Error(result.kind);
  return result.services;
}

function at(startNs: bigint, id: number, more = {}) {
  return span(id, { startTimeUnixNano: startNs, endTimeUnixNano: startNs + 1n, ...more });
}

test('spans, errors and the newest minute of each service, by day', () => {
  using store = new MadeStore();
  const failed = { status: { code: 2, message: '' } };
  store.addPart([
    requestOf([at(NOON_NS, 1), at(NOON_NS + 2n * MINUTE_NS, 2, failed), at(NOON_NS + MINUTE_NS, 3)], 'shop'),
    requestOf([at(NOON_NS + 5n * MINUTE_NS, 4)], 'cart'),
  ]);
  store.addLog([requestOf([at(NOON_NS + 7n * MINUTE_NS, 5)], 'shop'), requestOf([at(NOON_NS - DAY_NS, 6)], 'shop')]);
  const [today, before] = [dayOf(noonMs), dayOf(noonMs - 86_400_000)];
  expect(countsOf(store)).toEqual([
    { service: 'cart', days: [{ day: today, spans: 1, errors: 0, newestMs: noonMs + 5 * 60_000 }] },
    {
      service: 'shop',
      days: [
        { day: before, spans: 1, errors: 0, newestMs: noonMs - 86_400_000 },
        { day: today, spans: 4, errors: 1, newestMs: noonMs + 7 * 60_000 },
      ],
    },
  ]);
});

test('a span that was sent again counts once, in another part and in the log', () => {
  using store = new MadeStore();
  const request = requestOf([at(NOON_NS, 1)], 'shop');
  store.addPart([request]);
  store.addPart([request]);
  store.addLog([request]);
  expect(countsOf(store)).toMatchObject([{ service: 'shop', days: [{ spans: 1 }] }]);
});

test('nothing stored is no service, and another tenant has its own', () => {
  using store = new MadeStore();
  expect(countsOf(store)).toEqual([]);
  store.addPart([requestOf([at(NOON_NS, 1)], 'theirs')], parseTenant('5', '6'));
  expect(countsOf(store)).toEqual([]);
});
