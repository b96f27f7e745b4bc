// The list of traces: the question in the words of Jaeger's API v3, and the answer as rows.
import { expect, test } from 'vitest';
import { summariesPath, traceItems } from '../../src/ui/trace-summaries.ts';

const plain = { service: 'cart', operation: '', tags: '', atLeast: '', hasError: false };
const asked = (...given: Parameters<typeof summariesPath>): Record<string, string> =>
  Object.fromEntries(new URL(summariesPath(...given), 'http://node/').searchParams);

test('all time is searched, with the conditions that are set', () => {
  expect(asked(plain, 20)).toEqual({
    'query.serviceName': 'cart',
    'query.startTimeMin': '1970-01-01T00:00:00Z',
    'query.startTimeMax': '2262-01-01T00:00:00Z',
    'query.searchDepth': '20',
  });
  expect(
    asked({ ...plain, operation: 'GET /?a=b&c', tags: 'k="v w"', atLeast: '1.5s', hasError: true }, 100),
  ).toMatchObject({
    'query.operationName': 'GET /?a=b&c',
    'query.durationMin': '1.5s',
    'query.attributes': '{"k":"v w","error":"true"}',
    'query.searchDepth': '100',
  });
  expect(asked({ ...plain, service: '' }, 20)).not.toHaveProperty(['query.serviceName']);
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
