// The list of traces: the question in the words of Jaeger's API v3, and the answer as rows.
import { expect, test } from 'vitest';
import { summariesPath, traceItems } from '../../src/ui/trace-summaries.ts';

const plain = { service: 'cart', operation: '', atLeast: '', hasError: false };
const asked = (...given: Parameters<typeof summariesPath>): Record<string, string> =>
  Object.fromEntries(new URL(summariesPath(...given), 'http://node/').searchParams);

test('all time is searched, with the conditions that are set', () => {
  expect(asked(plain, 20, 0)).toEqual({
    'query.serviceName': 'cart',
    'query.startTimeMin': '1970-01-01T00:00:00.000Z',
    'query.startTimeMax': '1970-01-08T00:00:00.000Z',
    'query.searchDepth': '20',
  });
  expect(asked({ ...plain, operation: 'GET /?a=b&c', atLeast: '1.5s', hasError: true }, 100, 0)).toMatchObject({
    'query.operationName': 'GET /?a=b&c',
    'query.durationMin': '1.5s',
    'query.attributes': '{"error":"true"}',
    'query.searchDepth': '100',
  });
});

test('fields that are absent are zero or empty; the newest trace comes first', () => {
  const ns = (second: number): string => `${second}000000500`;
  const [first, second] = traceItems({
    summaries: [
      { traceId: 'a', minStartTimeUnixNano: ns(1), maxEndTimeUnixNano: ns(1) },
      {
        traceId: 'b',
        rootServiceName: 'cart',
        rootOperationName: 'add',
        minStartTimeUnixNano: ns(2),
        maxEndTimeUnixNano: '2001234500',
        spanCount: 3,
        errorSpanCount: 1,
        services: [{ name: 'cart' }, { name: 'db' }],
      },
    ],
  });
  expect(first).toEqual({
    traceId: 'b',
    service: 'cart',
    operation: 'add',
    startMs: 2_000,
    durationUs: 1_234,
    spans: 3,
    errors: 1,
    services: 2,
  });
  expect(second).toMatchObject({ traceId: 'a', service: '', operation: '', durationUs: 0, spans: 0, errors: 0 });
});
