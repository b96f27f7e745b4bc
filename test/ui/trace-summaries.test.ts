// The list of traces: the question in the words of Jaeger's API v3, and the answer as rows.
import { expect, test } from 'vitest';
import { ANY_TRACES, type TraceSearch } from '../../src/ui/place.ts';
import { summariesPath, traceItems } from '../../src/ui/trace-summaries.ts';

const plain = { ...ANY_TRACES, service: 'cart' };
const NOON_MS = Date.UTC(2026, 10, 20, 12);
const asked = (search: TraceSearch, most: number): Record<string, string> =>
  Object.fromEntries(new URL(summariesPath(search, most, NOON_MS), 'http://node/').searchParams);

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

test('with a comparison other than = all conditions become one filter', () => {
  const search = {
    ...plain,
    operation: 'GET /',
    atLeast: '1s',
    atMost: '2s',
    hasError: true,
    tags: 'a>=500 b=c d!=e f=~^g',
  };
  const { 'query.filter': filter, ...others } = asked(search, 20);
  expect(Object.keys(others).toSorted()).toEqual(['query.searchDepth', 'query.startTimeMax', 'query.startTimeMin']);
  const call = (op: string, left: object, value: string): object => ({
    call: { op, args: [left, { scalar: { value } }] },
  });
  expect(JSON.parse(filter!)).toEqual({
    op: 'and',
    args: [
      call('eq', { field: { name: 'service', level: 'resource' } }, 'cart'),
      call('eq', { field: { name: 'name', level: 'span' } }, 'GET /'),
      call('gte', { field: { name: 'duration', level: 'span' } }, '1s'),
      call('lte', { field: { name: 'duration', level: 'span' } }, '2s'),
      call('eq', { field: { name: 'status', level: 'span' } }, 'error'),
      call('gte', { attr: { key: 'a' } }, '500'),
      call('eq', { attr: { key: 'b' } }, 'c'),
      call('ne', { attr: { key: 'd' } }, 'e'),
      call('regex', { attr: { key: 'f' } }, '^g'),
    ],
  });
});

test('a range of time counts back from now without an end, or lies between two times', () => {
  const [all, end] = ['1970-01-01T00:00:00Z', '2262-01-01T00:00:00Z'];
  const timesOf = (times: Partial<TraceSearch>): unknown => {
    const { 'query.startTimeMin': min, 'query.startTimeMax': max } = asked({ ...plain, ...times }, 20);
    return [min, max];
  };
  const [from, to] = ['2026-11-01T00:00:00.000Z', '2026-11-02T00:00:00.000Z'];
  expect(timesOf({ within: '15m', from, to })).toEqual(['2026-11-20T11:45:00.000Z', end]);
  expect(timesOf({ within: '7d' })).toEqual(['2026-11-13T12:00:00.000Z', end]);
  expect(timesOf({ within: 'between', from, to })).toEqual([from, to]);
  expect(timesOf({ within: 'between', to })).toEqual([all, to]);
  expect(timesOf({ within: 'nonsense', from })).toEqual([all, end]);
  expect(asked({ ...plain, atMost: '2s' }, 20)).toMatchObject({ 'query.durationMax': '2s' });
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
