import { expect, test } from 'vitest';
import { SpanIds } from '../../src/trace/span-ids.ts';
import { createRandom, printedSeed } from '../support/random-request.ts';

test('the first row of an id has it, trace after trace', () => {
  const random = createRandom(printedSeed('span ids'));
  const ids = new SpanIds();
  for (let trace = 0; trace < 60; trace++) {
    const count = Math.floor(random() * 300);
    const rows = Array.from({ length: count }, () => [Math.floor(random() * 20), Math.floor(random() * 8)] as const);
    const expected = new Map<string, number>();
    ids.begin(count);
    rows.forEach(([lo, hi], row) => {
      expect(ids.add(lo, hi, row)).toBe(expected.get(`${lo} ${hi}`) ?? -1);
      if (!expected.has(`${lo} ${hi}`)) expected.set(`${lo} ${hi}`, row);
    });
    for (let lo = 0; lo < 21; lo++)
      for (let hi = 0; hi < 9; hi++) expect(ids.find(lo, hi)).toBe(expected.get(`${lo} ${hi}`) ?? -1);
  }
});
