// Places as fragments of the address: read back as written, and nothing but a place is ever read.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatPlace, parsePlace, tracesOf, type Place } from '../../src/ui/place.ts';

test('each place has a fragment for people', () => {
  const search = { service: 'a b', operation: 'GET /', tags: 'k=v', atLeast: '100ms', hasError: true };
  expect(
    (
      [
        { view: 'home', tenant: '' },
        { view: 'home', tenant: '7:1' },
        { view: 'trace', tenant: '', traceId: 'ab12' },
        tracesOf('cart', ''),
        tracesOf('', ''),
        { view: 'traces', tenant: '7:0', search },
      ] as const
    ).map(formatPlace),
  ).toEqual([
    '#/',
    '#/?tenant=7%3A1',
    '#/trace/ab12',
    '#/traces?service=cart',
    '#/traces',
    '#/traces?service=a+b&operation=GET+%2F&tags=k%3Dv&atLeast=100ms&error=true&tenant=7%3A0',
  ]);
});

test.each([
  '',
  '#',
  '#/trace/',
  '#/trace/xyz',
  '#/trace/../../x',
  '#/tracesx',
  '#__proto__',
  `#/trace/${'a'.repeat(33)}`,
])('%j is the first page', (fragment) => expect(parsePlace(fragment)).toEqual({ view: 'home', tenant: '' }));

test('what is written is read back, whatever the names are', () => {
  const text = fc.string({ unit: 'grapheme' });
  const place: fc.Arbitrary<Place> = fc.oneof(
    fc.record({ view: fc.constant('home' as const), tenant: text }),
    fc.record({ view: fc.constant('trace' as const), tenant: text, traceId: fc.stringMatching(/^[0-9a-f]{1,32}$/) }),
    fc.record({
      view: fc.constant('traces' as const),
      tenant: text,
      search: fc.record({ service: text, operation: text, tags: text, atLeast: text, hasError: fc.boolean() }),
    }),
  );
  fc.assert(
    fc.property(place, (one) => {
      expect(parsePlace(formatPlace(one))).toEqual(one);
    }),
  );
});
