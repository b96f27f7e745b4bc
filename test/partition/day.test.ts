import { describe, expect, test } from 'vitest';
import { formatDay, parseDay } from '../../src/partition/day.ts';

describe('a day', () => {
  test.each([
    [0, '19700101'],
    [59, '19700301'],
    [20_777, '20261120'],
    [11_016, '20000229'],
  ])('%d is named %s', (day, name) => {
    expect(formatDay(day)).toBe(name);
    expect(parseDay(name)).toBe(day);
  });

  test.each(['', '2026112', '20261131', '20261301', '2026-1-1', '20261120.dropped', 'lost+found'])(
    'is not %j',
    (name) => {
      expect(parseDay(name)).toBeUndefined();
    },
  );
});
