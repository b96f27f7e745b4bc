// v3 search parameters, one by one (contract/jaeger.md §1.5).
import { describe, expect, test } from 'vitest';
import { parseV3Search } from '../../../src/api/jaeger/jaeger-v3-search.ts';
import { QueryString } from '../../../src/api/go/query-string.ts';

const TIMES = 'query.startTimeMin=2026-11-20T10:00:00Z&query.startTimeMax=2026-11-20T12:00:00Z';
const parse = (text: string): ReturnType<typeof parseV3Search> => parseV3Search(new QueryString(text), 1500);

describe('a v3 search', () => {
  test("of Jaeger UI's own query string", () => {
    const text =
      'query.serviceName=front&query.operationName=GET%20%2F&query.searchDepth=20&query.durationMin=1.5ms&query.durationMax=2s' +
      `&query.attributes=${encodeURIComponent('{"error":"true","k":"v"}')}&${TIMES.replaceAll('Z', '.000Z')}`;
    expect(parse(text)).toEqual({
      isHopeless: false,
      warnings: [],
      query: {
        service: 'front',
        operation: 'GET /',
        tags: [
          { key: 'error', value: 'true' },
          { key: 'k', value: 'v' },
        ],
        startMinNs: BigInt(Date.UTC(2026, 10, 20, 10)) * 1_000_000n,
        // The millisecond the window ends with belongs to it.
        startMaxNs: BigInt(Date.UTC(2026, 10, 20, 12)) * 1_000_000n + 999_999n,
        durationMinNs: 1_500_000n,
        durationMaxNs: 2_000_000_000n,
        limit: 20,
        lastUnit: { startNs: BigInt(Date.UTC(2026, 10, 20, 12)) * 1_000_000n, tracesMax: 1500 },
      },
    });
  });

  test('in snake case is the same', () => {
    const camel = parse(`query.serviceName=a&query.operationName=b&query.searchDepth=7&query.durationMin=1s&${TIMES}`);
    const snake =
      'query.service_name=a&query.operation_name=b&query.num_traces=7&query.duration_min=1s' +
      '&query.start_time_min=2026-11-20T10:00:00Z&query.start_time_max=2026-11-20T12:00:00Z';
    expect(parse(snake)).toEqual(camel);
  });

  test.each([
    ['2026-11-20T10:00:00.123456789+02:00', BigInt(Date.UTC(2026, 10, 20, 8)) * 1_000_000n + 123_456_789n],
    ['2026-11-20T10:00:00 02:00', BigInt(Date.UTC(2026, 10, 20, 8)) * 1_000_000n],
    ['2026-11-20T10:00:00-00:30', BigInt(Date.UTC(2026, 10, 20, 10, 30)) * 1_000_000n],
    ['2026-11-20T8:00:00,5Z', BigInt(Date.UTC(2026, 10, 20, 8)) * 1_000_000n + 500_000_000n],
    ['1969-12-31T23:59:59Z', 0n],
  ])('from %s', (time, ns) => {
    const text = `query.startTimeMin=${encodeURIComponent(time)}&query.startTimeMax=2026-11-20T12:00:00Z`;
    expect(parse(text).query.startMinNs).toBe(ns);
  });

  test.each([
    ['2026-11-20T12:00:00Z', 999_999_999n, false],
    ['2026-11-20T12:00:00.000Z', 999_999n, true],
    ['2026-11-20T12:00:00.0Z', 999_999n, true],
    ['2026-11-20T14:00:00.000000+02:00', 999n, true],
    ['2026-11-20T12:00:00.000000000Z', 0n, true],
  ])('to %s ends %i ns later, with its last digit', (time, afterNs, isPage) => {
    const end = BigInt(Date.UTC(2026, 10, 20, 12)) * 1_000_000n;
    const { query } = parse(`query.startTimeMin=2026-11-20T10:00:00Z&query.startTimeMax=${encodeURIComponent(time)}`);
    expect([query.startMaxNs, query.lastUnit?.startNs]).toEqual([end + afterNs, isPage ? end : undefined]);
  });

  test('that asks for more than there is says so', () => {
    expect(parse(`query.num_traces=1501&${TIMES}`).warnings).toEqual([
      '1501 traces were asked for, at most 1500 are given (-search.maxTraces)',
    ]);
  });

  test.each([
    [TIMES, undefined],
    [`query.serviceName=__all_services__&${TIMES}`, undefined],
    [`query.serviceName=x&${TIMES}`, 'x'],
  ])('%s asks for service %s', (text, service) => {
    expect(parse(text).query.service).toBe(service);
  });

  test.each([
    ['', 100],
    ['0', 100],
    ['-5', 100],
    ['1500', 1500],
    ['1501', 1500],
  ])('with depth "%s" gives at most %i traces', (depth, limit) => {
    expect(parse(`query.searchDepth=${depth}&${TIMES}`).query.limit).toBe(limit);
  });

  test.each([
    ['', 'query.startTimeMin and query.startTimeMax are required'],
    ['query.startTimeMin=2026-11-20T10:00:00Z', 'query.startTimeMin and query.startTimeMax are required'],
    [
      'query.startTimeMin=2026-11-20T12:00:00Z&query.startTimeMax=2026-11-20T12:00:00Z',
      'query.startTimeMin must be before query.startTimeMax',
    ],
    [
      `query.startTimeMin=x&query.startTimeMax=2026-11-20T12:00:00Z`,
      'malformed parameter query.startTimeMin: parsing time "x" as "2006-01-02T15:04:05.999999999Z07:00": cannot parse "x" as "2006"',
    ],
    [`query.durationMin=5&${TIMES}`, 'malformed parameter query.durationMin: time: missing unit in duration "5"'],
    [`query.duration_max=x&${TIMES}`, 'malformed parameter query.duration_max: time: invalid duration "x"'],
    [
      `query.searchDepth=x&${TIMES}`,
      'malformed parameter query.searchDepth: strconv.ParseInt: parsing "x": invalid syntax',
    ],
    [
      `query.rawTraces=x&${TIMES}`,
      'malformed parameter query.rawTraces: strconv.ParseBool: parsing "x": invalid syntax',
    ],
    [
      `query.attributes={"a":1}&${TIMES}`,
      'malformed parameter query.attributes: json: cannot unmarshal number into Go value of type string',
    ],
  ])('%s is refused', (text, message) => {
    expect(() => parse(text)).toThrow(expect.objectContaining({ code: 'INVALID_REQUEST', message }));
  });

  test('whose durations exclude each other is hopeless, not wrong', () => {
    expect(parse(`query.durationMin=2s&query.durationMax=1s&${TIMES}`).isHopeless).toBe(true);
  });
});

describe('query.filter', () => {
  const asked = (filter: string, more = ''): string => `query.filter=${encodeURIComponent(filter)}&${TIMES}${more}`;
  const exists = '{"op":"exists","args":[{"attr":{"key":"k"}}]}';

  test('is a filter beside times and depth', () => {
    const { query } = parse(asked(exists, '&query.searchDepth=7'));
    expect(query.filter).toEqual({ op: 'exists', reference: { kind: 'attribute', key: 'k', level: '' } });
    expect([query.limit, query.service, query.tags]).toEqual([7, undefined, []]);
    expect(parse(`query.filter=&${TIMES}`).query.filter).toBeUndefined();
  });

  test.each<[string, string, string]>([
    ['{"op":', '', 'malformed parameter query.filter: unexpected end of JSON input'],
    ['{"opp":"eq"}', '', 'malformed parameter query.filter: unknown field "opp" in expression.Call'],
    ['{"op":"like"}', '', 'invalid query filter: unknown filter operator "like"'],
    [
      exists,
      '&query.serviceName=a&query.durationMax=1s',
      'invalid query filter: it cannot be combined with [service_name duration_max]; express those predicates in the filter instead',
    ],
    [exists, `&query.attributes=${encodeURIComponent('{"k":"v"}')}`, 'it cannot be combined with [attributes]'],
  ])('%s%s is refused', (filter, more, message) => {
    expect(() => parse(asked(filter, more))).toThrow(message);
  });
});
