// Which days a storage node compares with its twin for what it lacks of the log; the copying is what test/system/log-gap-filler.test.ts shows.
import { expect, test } from 'vitest';
import { gapDays } from '../../src/tools/gap-filler.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const at = (time: string): number => Date.parse(`2026-11-${time}:00Z`);
const gap = (fromMs: number, toMs: number) => ({ from: 1n, to: 2n, fromMs, toMs });

test.for([
  ['old spans may come', [gap(at('20T10:00'), at('20T12:00'))], 0, '', '20261122'],
  ['not older than an hour', [gap(at('20T10:00'), at('20T12:00'))], HOUR_MS, '20261120', '20261122'],
  ['from the day before', [gap(at('20T00:30'), at('20T12:00'))], HOUR_MS, '20261119', '20261122'],
  [
    'several',
    [gap(at('18T10:00'), at('18T12:00')), gap(at('20T10:00'), at('20T23:00'))],
    HOUR_MS,
    '20261118',
    '20261122',
  ],
  ['since the log began', [gap(0, at('20T12:00')), gap(at('20T10:00'), at('20T12:00'))], HOUR_MS, '', '20261122'],
] as const)('%s', ([, gaps, backfillMaxMs, firstDay, lastDay]) => {
  expect(gapDays(gaps, { backfillMaxMs, futureRetentionMs: 2 * DAY_MS })).toEqual({ firstDay, lastDay });
});
