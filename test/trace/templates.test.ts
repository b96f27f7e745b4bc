import { expect, test } from 'vitest';
import * as T from '../../src/trace/templates.ts';

const TYPES = [
  T.TYPE_ABSENT,
  T.TYPE_EMPTY,
  T.TYPE_STRING,
  T.TYPE_BOOL,
  T.TYPE_INT,
  T.TYPE_DOUBLE,
  T.TYPE_BYTES,
  T.TYPE_RAW,
];

test('a field is its id, its type and whether it is intrinsic, and no two are the same number', () => {
  const seen = new Set<number>();
  for (const id of [0, 1, 9, 1 << 20, (1 << 27) - 1]) {
    for (const type of TYPES) {
      for (const field of [T.attributeField(id, type), T.intrinsicField(id, type)]) {
        expect([T.fieldId(field), T.fieldType(field)]).toEqual([id, type]);
        expect(field | 0, 'fits the int32 of a template').toBe(field);
        seen.add(field);
      }
      expect([T.isIntrinsic(T.attributeField(id, type)), T.isIntrinsic(T.intrinsicField(id, type))]).toEqual([
        false,
        true,
      ]);
    }
  }
  expect(seen.size).toBe(5 * TYPES.length * 2);
});

test('strings, bytes and raw values lie in the arena, the others in their words', () => {
  expect(TYPES.filter(T.isArenaType)).toEqual([T.TYPE_STRING, T.TYPE_BYTES, T.TYPE_RAW]);
});
