import { expect, test } from 'vitest';
import { IdMap } from '../../src/bytes/id-map.ts';
import { createRandom, printedSeed } from '../support/random-request.ts';

test('a map of ids agrees with a Map, use after use, whatever was in it before', () => {
  const random = createRandom(printedSeed('id map'));
  const map = new IdMap();
  for (let use = 0; use < 50; use++) {
    const idEnd = 1 + Math.floor(random() * 200);
    const expected = new Map<number, number>();
    using taken = map.begin(idEnd);
    for (let step = 0; step < 100; step++) {
      const id = Math.floor(random() * idEnd);
      expect(taken.get(id)).toBe(expected.get(id) ?? -1);
      const number = Math.floor(random() * 10);
      taken.set(id, number);
      expected.set(id, number);
    }
    expect(taken.used).toEqual([...expected.keys()]);
  }
});

test('a map of ids that is taken twice is a bug', () => {
  const map = new IdMap();
  using _first = map.begin(4);
  expect(() => map.begin(4)).toThrow('BUG: a map of ids taken twice');
});
