// Every parameter, right and wrong. Texts are Jaeger v2.20's (contract/jaeger.md §1.3, §1.4).
import { describe, expect, test } from 'vitest';
import { isStoreError } from '../../../src/base/errors.ts';
import {
  givenTime,
  parseDependencyRange,
  parsePathTraceId,
  parseTraceOptions,
  parseTraceSearch,
} from '../../../src/api/jaeger/jaeger-params.ts';
import type { TraceSearch } from '../../../src/api/jaeger/jaeger-params.ts';
import { QueryString } from '../../../src/api/go/query-string.ts';

const NOW_MS = 1_763_600_000_123;
const NOW_NS = 1_763_600_000_123_000_000n;
const CONTEXT = { nowMs: NOW_MS, maxTraces: 1_000 };

function search(query: string): TraceSearch {
  return parseTraceSearch(new QueryString(`service=s&${query}`), CONTEXT);
}

function refusal(parse: () => unknown): string {
  try {
    parse();
  } catch (error) {
    if (isStoreError(error, 'INVALID_REQUEST')) return error.message;
    throw error;
  }
  return 'accepted';
}

test('only the service: the last 48 hours to the end of this millisecond, 100 traces', () => {
  expect(search('')).toEqual({
    traceIds: [],
    query: {
      service: 's',
      operation: undefined,
      tags: [],
      startMinNs: NOW_NS - 48n * 3_600_000_000_000n,
      startMaxNs: NOW_NS + 999_999n,
      durationMinNs: undefined,
      durationMaxNs: undefined,
      limit: 100,
    },
    isHopeless: false,
    isRaw: false,
    warnings: [],
  });
});

test.each<[string, Partial<TraceSearch['query']>]>([
  ['operation=GET+%2Fa%2Bb', { operation: 'GET /a+b' }],
  ['operation=', { operation: undefined }],
  ['limit=1000', { limit: 1000 }],
  ['limit=%2B7', { limit: 7 }],
  ['minDuration=4.5us&maxDuration=5.5us', { durationMinNs: 4_500n, durationMaxNs: 5_500n }],
  ['minDuration&maxDuration=', { durationMinNs: undefined, durationMaxNs: undefined }],
  ['minDuration=0&maxDuration=0s', { durationMinNs: undefined, durationMaxNs: undefined }],
  ['minDuration=-5s', { durationMinNs: undefined }],
  ['minDuration=1s&maxDuration=1s', { durationMinNs: 1_000_000_000n, durationMaxNs: 1_000_000_000n }],
  [
    'start=1763600000000001&end=1763600000000002',
    { startMinNs: 1_763_600_000_000_001_000n, startMaxNs: 1_763_600_000_000_002_999n },
  ],
  ['end=1763600000002', { startMaxNs: 1_763_600_000_002_999_999n }],
  ['end=1763600002', { startMaxNs: 1_763_600_002_999_999_999n }],
  ['end=1763600000000000002', { startMaxNs: 1_763_600_000_000_000_002n }],
  ['end=-5', { startMaxNs: 0n }],
  ['end=99999999999', { startMaxNs: 2n ** 63n - 1n }],
  ['start=1763600000001', { startMinNs: 1_763_600_000_001_000_000n }],
  ['start=1763600000', { startMinNs: 1_763_600_000_000_000_000n }],
  ['start=1763600000000000001', { startMinNs: 1_763_600_000_000_000_001n }],
  ['start=-5', { startMinNs: 0n }],
  [
    'tag=k:v:w&tag=l:',
    {
      tags: [
        { key: 'k', value: 'v:w' },
        { key: 'l', value: '' },
      ],
    },
  ],
  [
    'tags={"error":"true","n!":"~x"}',
    {
      tags: [
        { key: 'error', value: 'true' },
        { key: 'n!', value: '~x' },
      ],
    },
  ],
  [
    'tag=k:1&tags={"k":"2"}&tags={"l":"3"}',
    {
      tags: [
        { key: 'k', value: '2' },
        { key: 'l', value: '3' },
      ],
    },
  ],
  ['tags=&tag=', { tags: [] }],
  ['lookback=1h&unknown=1&service=other', { service: 's', limit: 100 }],
])('%s', (query, expected) => {
  expect(search(query).query).toMatchObject(expected);
});

test.each([
  ['start=x', `unable to parse param 'start': strconv.ParseInt: parsing "x": invalid syntax`],
  ['end=1.5', `unable to parse param 'end': strconv.ParseInt: parsing "1.5": invalid syntax`],
  [
    'start=9223372036854775808',
    `unable to parse param 'start': strconv.ParseInt: parsing "9223372036854775808": value out of range`,
  ],
  ['limit=x', 'strconv.ParseInt: parsing "x": invalid syntax'],
  ['limit=2147483648', 'strconv.ParseInt: parsing "2147483648": value out of range'],
  ['limit=0', "parameter 'limit' must be at least 1, received: 0"],
  ['limit=-1', "parameter 'limit' must be at least 1, received: -1"],
  ['minDuration=5', `unable to parse param 'minDuration': time: missing unit in duration "5"`],
  ['maxDuration=x', `unable to parse param 'maxDuration': time: invalid duration "x"`],
  ['minDuration=5q', `unable to parse param 'minDuration': time: unknown unit "q" in duration "5q"`],
  ['minDuration=2s&maxDuration=1s', "'maxDuration' should be greater than 'minDuration'"],
  ['tag=k', "malformed 'tag' parameter, expecting key:value, received: k"],
  [
    'tags={"k":1}',
    "malformed 'tags' parameter, cannot unmarshal JSON: json: cannot unmarshal number into Go value of type string",
  ],
  [
    'tags=notjson',
    "malformed 'tags' parameter, cannot unmarshal JSON: invalid character 'o' in literal null (expecting 'u')",
  ],
  ['raw=x', `unable to parse param 'raw': strconv.ParseBool: parsing "x": invalid syntax`],
  ['traceID=zz', 'cannot parse traceID param: strconv.ParseUint: parsing "zz": invalid syntax'],
  // Jaeger's order of checks: times, tags, limit, durations, ids, raw.
  ['raw=x&minDuration=5&start=x', `unable to parse param 'start': strconv.ParseInt: parsing "x": invalid syntax`],
])('%s is refused', (query, message) => {
  expect(refusal(() => search(query))).toBe(message);
});

test('the service is required, but not with trace ids', () => {
  expect(refusal(() => parseTraceSearch(new QueryString('operation=x'), CONTEXT))).toBe(
    "parameter 'service' is required",
  );
  expect(refusal(() => parseTraceSearch(new QueryString('service='), CONTEXT))).toBe("parameter 'service' is required");
  const { traceIds } = parseTraceSearch(
    new QueryString('traceID=1&traceID=A&traceID=0a&traceID=oLD1OX2BxgpOktcbX6PkAA'),
    CONTEXT,
  );
  expect(traceIds.map((id) => Buffer.from(id).toString('hex'))).toEqual([
    '00000000000000000000000000000001',
    '0000000000000000000000000000000a',
    'a0b0f5397d81c60a4e92d71b5fa3e400',
  ]);
});

test('an unescaped + in a base64 id is repaired', () => {
  const { traceIds } = parseTraceSearch(new QueryString('traceID=+/+/+/+/+/+/+/+/+/+/+w=='), CONTEXT);
  expect(Buffer.from(traceIds[0]!).toString('hex')).toBe('fbffbffbffbffbffbffbffbffbffbffb');
});

test.each(['start=1763600000000002&end=1763600000000001', 'maxDuration=-1s'])('nothing can match %s', (query) => {
  expect(search(query).isHopeless).toBe(true);
});

test('the default limit never exceeds the flag', () => {
  expect(parseTraceSearch(new QueryString('service=s'), { ...CONTEXT, maxTraces: 20 }).query.limit).toBe(20);
});

test.each([1_001, 2_147_483_647])('a limit of %i is taken as the highest there is, and the answer says so', (asked) => {
  const { query, warnings } = search(`limit=${asked}`);
  expect(query.limit).toBe(1_000);
  expect(warnings).toEqual([`${asked} traces were asked for, at most 1000 are given (-search.maxTraces)`]);
});

test.each(['1', 't', 'T', 'TRUE', 'true', 'True'])('raw=%s is true', (text) => {
  expect(parseTraceOptions(new QueryString(`raw=${text}`))).toEqual({ isRaw: true });
});

test.each(['0', 'f', 'F', 'FALSE', 'false', 'False', ''])('raw=%s is false', (text) => {
  expect(parseTraceOptions(new QueryString(`raw=${text}`))).toEqual({ isRaw: false });
});

test('times of a trace are checked though they are only hints', () => {
  expect(parseTraceOptions(new QueryString('start=1&end=2'))).toEqual({ isRaw: false });
  expect(refusal(() => parseTraceOptions(new QueryString('end=x')))).toBe(
    `unable to parse param 'end': strconv.ParseInt: parsing "x": invalid syntax`,
  );
});

test.each([
  ['zz', 'strconv.ParseUint: parsing "zz": invalid syntax'],
  [`${'z'.repeat(32)}`, `strconv.ParseUint: parsing "${'z'.repeat(16)}": invalid syntax`],
  [`${'0'.repeat(16)}${'z'.repeat(16)}`, `strconv.ParseUint: parsing "${'z'.repeat(16)}": invalid syntax`],
  ['1'.repeat(33), `TraceID cannot be longer than 32 hex characters: ${'1'.repeat(33)}`],
])('trace id %s is refused', (text, message) => {
  expect(refusal(() => parsePathTraceId(text))).toBe(message);
});

test.each([
  [-1n, 0n],
  [0n, 0n],
  [99_999_999_999n, 99_999_999_999_000_000_000n],
  [100_000_000_000n, 100_000_000_000_000_000n],
  [99_999_999_999_999n, 99_999_999_999_999_000_000n],
  [100_000_000_000_000n, 100_000_000_000_000_000n],
  [100_000_000_000_000_000n, 100_000_000_000_000_000n],
])('time %s is %s ns, never beyond int64', (value, ns) => {
  expect(givenTime(value).ns).toBe(ns > 2n ** 63n - 1n ? 2n ** 63n - 1n : ns);
});

describe('dependencies', () => {
  const range = (query: string) => parseDependencyRange(new QueryString(query), NOW_MS);

  test('the last 24 hours by default; times and spans in ms', () => {
    expect(range('')).toEqual({
      startNs: NOW_NS - 86_400_000_000_000n,
      endNs: NOW_NS + 999_999n,
      service: '',
    });
    expect(range('endTs=1763600000123&lookback=1000&service=x')).toEqual({
      startNs: NOW_NS - 1_000_000_000n,
      endNs: NOW_NS + 999_999n,
      service: 'x',
    });
    expect(range('endTs=1763600000123000').endNs).toBe(NOW_NS + 999n);
    expect(range('endTs=1763600000123&lookback=9999999999999999').startNs).toBe(0n);
  });

  test.each([
    ['endTs=abc', `unable to parse param 'endTs': strconv.ParseInt: parsing "abc": invalid syntax`],
    ['lookback=1h', `unable to parse param 'lookback': strconv.ParseInt: parsing "1h": invalid syntax`],
  ])('%s is refused', (query, message) => {
    expect(refusal(() => range(query))).toBe(message);
  });
});
