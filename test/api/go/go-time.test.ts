// Expected texts were printed by Go 1.26 (time.Parse with RFC3339Nano).
import { expect, test } from 'vitest';
import { rfc3339Error } from '../../../src/api/go/go-time.ts';

test.each(['2026-11-20T10:00:00Z', '2026-11-20T10:00:00.123456789+02:00', '2024-02-29T23:59:59-11:30'])(
  '%s is a time',
  (text) => {
    expect(rfc3339Error(text)).toBeUndefined();
  },
);

const AS = 'as "2006-01-02T15:04:05.999999999Z07:00": cannot parse';
test.each([
  ['x', `parsing time "x" ${AS} "x" as "2006"`],
  ['2026', `parsing time "2026" ${AS} "" as "-"`],
  ['2026-1-20T10:00:00Z', `parsing time "2026-1-20T10:00:00Z" ${AS} "1-20T10:00:00Z" as "01"`],
  ['2026-11-20 10:00:00Z', `parsing time "2026-11-20 10:00:00Z" ${AS} " 10:00:00Z" as "T"`],
  ['2026-11-20T10:00:00', `parsing time "2026-11-20T10:00:00" ${AS} "" as "Z07:00"`],
  ['2026-13-20T10:00:00Z', 'parsing time "2026-13-20T10:00:00Z": month out of range'],
  ['2026-02-29T10:00:00Z', 'parsing time "2026-02-29T10:00:00Z": day out of range'],
  ['2026-11-20T24:00:00Z', 'parsing time "2026-11-20T24:00:00Z": hour out of range'],
  ['2026-11-20T10:00:00+25:00', 'parsing time "2026-11-20T10:00:00+25:00": time zone offset hour out of range'],
  ['2026-11-20T10:00:00Zé', 'parsing time "2026-11-20T10:00:00Z\\xc3\\xa9": extra text: "\\xc3\\xa9"'],
])('%s is refused in Go’s words', (text, error) => {
  expect(rfc3339Error(text)).toBe(error);
});
