// A pass over made-up spans asserts by itself that its searches find some and that it reads traces.
import { expect, test } from 'vitest';
import { warmUp } from '../../src/query/warm-up.ts';

test('a pass runs, again and again', () => {
  expect(() => {
    for (let pass = 0; pass < 3; pass++) warmUp();
  }).not.toThrow();
});
