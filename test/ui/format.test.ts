import { expect, test } from 'vitest';
import {
  formatAge,
  formatBytes,
  formatCount,
  formatDay,
  formatMicroseconds,
  formatMinuteAge,
  formatSeconds,
  formatShare,
  localTime,
} from '../../src/ui/format.ts';

test.each<[string, string]>([
  [formatCount(1_234_567), '1,234,567'],
  [formatBytes(0), '0 B'],
  [formatBytes(999), '999 B'],
  [formatBytes(1_000), '0.977 KiB'],
  [formatBytes(1_536), '1.5 KiB'],
  [formatBytes(5.25 * 2 ** 30), '5.25 GiB'],
  [formatBytes(3_000 * 2 ** 40), '3,000 TiB'],
  [formatAge(1_000, 5_000), 'just now'],
  [formatAge(0, 59_000), '59 s ago'],
  [formatAge(0, 90_000), '1 min ago'],
  [formatAge(7_200_000, 0), 'in 2 h'],
  [formatAge(0, 9 * 86_400_000), '9 d ago'],
  [formatMinuteAge(0, 59_000), 'just now'],
  [formatMinuteAge(0, 61_000), '1 min ago'],
  [formatMinuteAge(60_000, 0), 'in 1 min'],
  [formatSeconds(3_599), '59 min'],
  [formatSeconds(47 * 3_600), '47 h'],
  [formatMicroseconds(0), '0 µs'],
  [formatMicroseconds(1_234), '1.23 ms'],
  [formatMicroseconds(2_500_000), '2.5 s'],
  [formatMicroseconds(3_600_000_000), '1 h'],
  [formatDay('20261120'), '2026-11-20'],
  [formatDay('odd'), 'odd'],
  [formatShare(0, 10), '0 %'],
  [formatShare(1, 1_000_000), '< 0.1 %'],
  [formatShare(1, 3), '33.3 %'],
  [formatShare(0, 0), '0 %'],
])('%s', (shown, expected) => {
  expect(shown).toBe(expected);
});

test('a time goes through an input of times and back, in whichever time zone', () => {
  const iso = '2026-11-20T12:34:56.000Z';
  expect(new Date(localTime(iso)).toISOString()).toBe(iso);
  expect(['', 'soon'].map(localTime)).toEqual(['', '']);
});
