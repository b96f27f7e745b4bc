import { expect, test } from 'vitest';
import {
  exactKindName,
  exactKindNumber,
  KIND_CLIENT,
  KIND_MAX,
  KIND_SERVER,
  kindName,
  kindNumber,
  SPAN_KINDS,
} from '../../src/trace/span-kinds.ts';

test('numbers are OTLP’s', () => {
  expect(SPAN_KINDS.indexOf('server')).toBe(KIND_SERVER);
  expect(SPAN_KINDS.indexOf('client')).toBe(KIND_CLIENT);
  expect(SPAN_KINDS[KIND_MAX]).toBe('consumer');
});

test('every kind with a word comes back by it; unspecified and unknown ones have none', () => {
  for (let kind = 1; kind <= KIND_MAX; kind++) expect(kindNumber(kindName(kind))).toBe(kind);
  expect([kindName(0), kindName(-1), kindName(KIND_MAX + 1), kindNumber('')]).toEqual(['', '', '', 0]);
  expect(['unspecified', 'SERVER', 'other'].map(kindNumber)).toEqual([-1, -1, -1]);
  for (const kind of [0, KIND_MAX, KIND_MAX + 1, 2 ** 31 - 1]) expect(exactKindNumber(exactKindName(kind))).toBe(kind);
  expect([exactKindName(6), exactKindNumber('other')]).toEqual(['6', -1]);
});
