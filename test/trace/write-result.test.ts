import { expect, test } from 'vitest';
import { sumResults } from '../../src/trace/write-result.ts';

test('counts are summed by reason', () => {
  const results = [
    { stored: 2, rejected: new Map([['too_large', 1]] as const), unknownField: '1000 in resource_spans[0]' },
    { stored: 3, rejected: new Map([['too_large', 2]] as const) },
    { stored: 0, rejected: new Map([['invalid_trace_id', 4]] as const) },
  ];
  expect(sumResults(results)).toEqual({
    stored: 5,
    rejected: new Map<string, number>([
      ['too_large', 3],
      ['invalid_trace_id', 4],
    ]),
  });
  expect(sumResults([])).toEqual({ stored: 0, rejected: new Map() });
});
