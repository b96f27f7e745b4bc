// Places as fragments of the address: read back as written, and nothing but a place is ever read.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ANY_TRACES, formatPlace, parsePlace, tracesOf, type Place } from '../../src/ui/place.ts';

test('each place has a fragment for people', () => {
  const conditions = { service: 'a b', operation: 'GET /', tags: 'k=v', atLeast: '100ms', hasError: true };
  const search = { ...ANY_TRACES, ...conditions };
  const between = { ...ANY_TRACES, atMost: '2s', within: 'between', from: '2026-11-20T12:00:00.000Z' };
  expect(
    (
      [
        { view: 'home', tenant: '' },
        { view: 'home', tenant: '7:1' },
        { view: 'trace', tenant: '', traceId: 'ab12' },
        { view: 'compare', tenant: '7:1', traceId: 'ab12', other: 'cd34' },
        tracesOf('cart', ''),
        tracesOf('', ''),
        { view: 'traces', tenant: '7:0', search },
        { view: 'traces', tenant: '1:0|2:0', search: between },
      ] as const
    ).map(formatPlace),
  ).toEqual([
    '#/',
    '#/?tenant=7%3A1',
    '#/trace/ab12',
    '#/compare/ab12/cd34?tenant=7%3A1',
    '#/traces?service=cart',
    '#/traces',
    '#/traces?service=a+b&operation=GET+%2F&tags=k%3Dv&atLeast=100ms&error=true&tenant=7%3A0',
    '#/traces?atMost=2s&within=between&from=2026-11-20T12%3A00%3A00.000Z&tenant=1%3A0%7C2%3A0',
  ]);
});

test.each([
  '',
  '#',
  '#/trace/',
  '#/trace/xyz',
  '#/trace/../../x',
  '#/compare/ab12',
  '#/compare/ab12/xyz',
  '#/tracesx',
  '#__proto__',
  `#/trace/${'a'.repeat(33)}`,
])('%j is the first page', (fragment) => expect(parsePlace(fragment)).toEqual({ view: 'home', tenant: '' }));

test('a question mark in a condition belongs to it', () => {
  const expected = { view: 'traces', tenant: '7', search: { ...ANY_TRACES, operation: 'GET /a?b' } };
  expect(parsePlace('#/traces?operation=GET+/a?b&tenant=7')).toEqual(expected);
});

test('what is written is read back, whatever the names are', () => {
  const text = fc.string({ unit: 'grapheme' });
  const traceId = fc.stringMatching(/^[0-9a-f]{1,32}$/);
  const place: fc.Arbitrary<Place> = fc.oneof(
    fc.record({ view: fc.constant('home' as const), tenant: text }),
    fc.record({ view: fc.constant('trace' as const), tenant: text, traceId }),
    fc.record({ view: fc.constant('compare' as const), tenant: text, traceId, other: traceId }),
    fc.record({
      view: fc.constant('traces' as const),
      tenant: text,
      search: fc.record({
        service: text,
        operation: text,
        tags: text,
        atLeast: text,
        atMost: text,
        within: text,
        from: text,
        to: text,
        hasError: fc.boolean(),
      }),
    }),
  );
  fc.assert(
    fc.property(place, (one) => {
      expect(parsePlace(formatPlace(one))).toEqual(one);
    }),
  );
});
